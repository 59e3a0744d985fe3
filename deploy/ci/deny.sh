#!/usr/bin/env bash
# Licences, banned crates, sources and known advisories of the dependencies. Installs cargo-deny where
# it is missing. The advisory database is fetched anew; where that cannot be, the copy of the last time
# is used, with its date. Its last line says which it was, or that there was none; with
# TVE_ADVISORIES=live anything but a database of now is a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=0.20.2
if ! cargo deny --version 2>/dev/null | grep -qF "$version"; then
  # Built without optimisation: it runs for seconds and would be built for minutes.
  cargo install --quiet --locked --debug --version "$version" cargo-deny
fi
deny() { cargo deny "${@:2}" --config .cargo/deny.toml $1; }
deny "check bans licenses sources"

# As deny.toml says.
kept=${CARGO_HOME:-$HOME/.cargo}/advisory-dbs
fault=
timeout 120 cargo deny --config .cargo/deny.toml fetch db >/dev/null 2>&1 || fault="it could not be fetched today"
copy=$(find "$kept" -maxdepth 1 -name 'advisory-db-*' -type d 2>/dev/null | head -1)
date=$([ -n "$copy" ] && git -C "$copy" log -1 --format=%cs 2>/dev/null || true)
if [ -z "$date" ]; then
  echo "advisories not checked: ${fault:-the database has no date}, and there is no copy in $kept"
  [ "${TVE_ADVISORIES:-}" != live ]
  exit
fi
deny "check advisories" --offline
echo "advisories checked: with the database of $date${fault:+, a copy, as $fault}"
[ -z "$fault" ] || [ "${TVE_ADVISORIES:-}" != live ]
