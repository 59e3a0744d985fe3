#!/usr/bin/env bash
# Runs a command while a loop of idle priority keeps each processor from halting.
#
# usage: awake.sh COMMAND...
#
# A virtual machine whose processor halts gives it back to its host, and may wait for milliseconds to
# get it again when the next request comes: what is measured then is the host. Anything else that
# wants the processor takes it from such a loop at once, as long as it was started from the same
# session (login shell, CI step). Linux divides the processors among sessions first, and a service in
# another one can be starved beside these loops (seen for seconds with 6.18). So start both there.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: awake.sh COMMAND..." >&2; exit 2; }
loops=()
trap 'kill "${loops[@]}" 2>/dev/null || true' EXIT
for _ in $(seq "$(nproc)"); do
  # A loop ends by itself when this script was killed.
  chrt --idle 0 bash -c 'while [ -d "/proc/$0" ]; do for ((i = 0; i < 100000; i++)); do :; done; done' "$$" &
  loops+=($!)
done
"$@"
