#!/bin/bash
# Proves the machine on an emulated Raspberry Pi: builds for it, boots it, drives it.
#
# usage: ci.sh [TVE BOARD_CHECK HOST_TVE]
#
# Without arguments it does everything from nothing, installing the Debian packages it needs (as
# root), and CROSS_PROFILE=dev shortens the build; with arguments it takes these binaries, two for aarch64 and one for this machine. The one
# thing that is tried twice is the boot of the emulator.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tve=${1:-}
board_check=${2:-}
host_tve=${3:-}

tools=(qemu-system-aarch64:qemu-system-arm modprobe:kmod make:make xz:xz-utils python3:python3
    aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu)
[ -n "$tve" ] || tools+=(/usr/bin/rustc:rustc-web)
missing=()
for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
done
[ -n "$tve" ] || [ -e /usr/aarch64-linux-gnu/lib/libc.so ] || missing+=(libc6-dev-arm64-cross)
if [ ${#missing[@]} -gt 0 ] || ! dpkg --print-foreign-architectures | grep -qx arm64; then
    [ "$(id -u)" = 0 ] || { echo "ci.sh: as root: apt-get install ${missing[*]}" >&2; exit 1; }
    dpkg --add-architecture arm64
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
fi

if [ -z "$tve" ]; then
    both=(-p tve -p tve-rpi --bin tve --example board_check)
    results=$("$here/../cross-build.sh" "${both[@]}" | tail -n 1)
    tve=$results/tve
    board_check=$results/examples/board_check
    cargo build --release
    host_tve=${results%/*/*}/release/tve
fi
if [ -z "$board_check" ] || [ -z "$host_tve" ]; then
    sed -n '4s/^# //p' "$0" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# board SCRIPT FILE...: runs a guest script; 126 is "the board did not boot"
board() {
    local status=0
    "$here/run.sh" "$@" || status=$?
    if [ $status = 126 ]; then
        echo "ci.sh: the board did not boot; once more" >&2
        status=0
        "$here/run.sh" "$@" || status=$?
    fi
    return $status
}

echo "== the machine without the service"
board -t 180 "$here/guest/board.sh" "$here/guest/lib.sh" "$here/config.json" "$board_check"
echo "== the service"
board -t 240 "$here/guest/service.sh" "$here/guest/lib.sh" "$here/config.json" "$tve"
echo "== the same trace as on $(uname -m)"
scenarios=("$here"/../../config/scenarios/{warm-up,emergency-stop,sensor-frozen}.toml)
status=0
board -t 240 "$here/guest/simulate.sh" "$tve" "${scenarios[@]}" >"$work/output" || status=$?
cat "$work/output"
[ $status = 0 ] || exit $status
grep -a -o 'trace .*' "$work/output" >"$work/board"
for scenario in "${scenarios[@]}"; do
    trace=$("$host_tve" simulate "$scenario" | sed -n 's/^trace //p') || true
    line="trace $(basename "$scenario") $trace"
    if [ -z "$trace" ] || ! grep -qxF "$line" "$work/board"; then
        echo "FAIL wanted $line" >&2
        exit 1
    fi
done
echo "== passed on the emulated board"
