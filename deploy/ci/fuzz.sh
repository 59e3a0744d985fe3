#!/usr/bin/env bash
# Fuzzes a running service from its own OpenAPI description with every check of Schemathesis.
#
# usage: fuzz.sh URL WORK [SECONDS]      WORK: a folder for the tool; SECONDS: its time, default 120
#
# The machine must be a simulator: whatever the description allows is sent. The seed is printed by
# the tool and fixed here, so that a failure is the same tomorrow.
set -euo pipefail
url=$1 work=$2 seconds=${3:-120}
here=$(cd "$(dirname "$0")" && pwd)
version=4.32.5

machine=$(curl -sS -f "$url/api/status" | grep -oE '"machine":"[a-z-]+"')
[ "$machine" = '"machine":"simulator"' ] || { echo "fuzz.sh: $url is no simulator ($machine)"; exit 1; }

if [ ! -x "$work/schemathesis/bin/schemathesis" ]; then
  python3 -m venv "$work/schemathesis"
  "$work/schemathesis/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi
# Without this the first EMERGENCY_STOP would leave nothing but ALARM_ACTIVE to find.
clear() { curl -sS -o /dev/null -H 'Content-Type: application/json' -d '{"command":"CLEAR_ALARM"}' "$url/api/control"; }
while clear; do sleep 0.2; done &
clearing=$!
trap 'kill "$clearing" 2>/dev/null || true' EXIT
cd "$work"
"$work/schemathesis/bin/schemathesis" --config-file "$here/schemathesis.toml" \
  run "$url/openapi.json" --seed 20261121 --max-time "$seconds" --continue-on-failure --warnings off
