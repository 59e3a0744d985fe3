#!/usr/bin/env bash
# Licences, banned crates and sources of the dependencies. Installs cargo-deny where it is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=0.20.2
if ! cargo deny --version 2>/dev/null | grep -qF "$version"; then
  # Built without optimisation: it runs for seconds and would be built for minutes.
  cargo install --quiet --locked --debug --version "$version" cargo-deny
fi
exec cargo deny --config .cargo/deny.toml check bans licenses sources
