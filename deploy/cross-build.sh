#!/bin/bash
# Builds for the Raspberry Pi (aarch64, glibc) on an x86-64 Debian, with Debian packages only.
#
# usage: cross-build.sh [CARGO-BUILD-ARGUMENT...]        (default: -p tve -p tve-prove)
#
# Needs, from Debian: rustc-web gcc-aarch64-linux-gnu libc6-dev-arm64-cross, the foreign
# architecture arm64, and any cargo. CROSS_PROFILE is the profile of cargo, dist unless it is set. The arm64 standard library is downloaded and unpacked into
# $CROSS_CACHE (default ~/.cache/tve-cross), never installed. It fits Debian's rustc alone, so that
# is the one used. The last line printed is the folder of the results.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${CROSS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tve-cross}
target=aarch64-unknown-linux-gnu
rustc=/usr/bin/rustc

for tool in "$rustc" aarch64-linux-gnu-gcc cargo; do
    command -v "$tool" >/dev/null && continue
    echo "cross-build.sh: $tool is missing; as root:
  dpkg --add-architecture arm64 && apt-get update
  apt-get install --no-install-recommends rustc-web gcc-aarch64-linux-gnu libc6-dev-arm64-cross" >&2
    exit 1
done

release=$("$rustc" --version)
if [ "$(cat "$cache/complete" 2>/dev/null)" != "$release" ]; then
    rm -rf "$cache"
    mkdir -p "$cache"
    (cd "$cache" && apt-get -o APT::Sandbox::User=root download -qq libstd-rust-web-dev:arm64)
    dpkg -x "$cache"/libstd-rust-web-dev_*_arm64.deb "$cache/sysroot"
    rm "$cache"/*.deb
    echo "$release" >"$cache/complete"
fi

cd "$here/.."
folder=${CARGO_TARGET_DIR:-$PWD/target}
profile=${CROSS_PROFILE:-dist}
[ $# -gt 0 ] || set -- -p tve -p tve-prove
RUSTC=$rustc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--sysroot $cache/sysroot/usr" \
    cargo build --profile "$profile" --target "$target" "$@"
echo "$folder/$target/${profile/#dev/debug}"
