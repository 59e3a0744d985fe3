#!/bin/bash
# Boots an emulated Raspberry Pi 3B and runs a script in it.
#
# usage: run.sh [-t SECONDS] SCRIPT FILE...
#
# A Debian arm64 kernel with a busybox initramfs is booted in QEMU; SCRIPT (sh) runs as root in
# /test, with every FILE beside it and in PATH. Its output is printed and its status returned.
# /dev/i2c-1 is the module fakepi (ADS1115 at 0x48, PCA9685 at 0x40), whose parameters are in
# /sys/module/fakepi/parameters; levels of the header pins are at 0x3f200034 (devmem).
#
# Kernel and tools are Debian packages, downloaded and unpacked but never installed, and kept in
# $PI_CACHE (default ~/.cache/tve-emulated-pi).
#
# Status: the script's; 124 it took too long; 125 the set-up failed; 126 the board did not boot.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${PI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tve-emulated-pi}
limit=180
while getopts t: option; do
    case $option in
    t) limit=$OPTARG ;;
    *) exit 125 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { sed -n '2,16s/^# \?//p' "$0" >&2; exit 125; }
script=$1
shift

trap 'echo "run.sh: the set-up failed at line $LINENO" >&2; exit 125' ERR
say() { printf 'board: %3ds %s\n' "$SECONDS" "$*" >&2; }

# Downloads packages into the cache, as the user that owns it.
fetch() {
    mkdir -p "$cache/debs"
    (cd "$cache/debs" && apt-get -o APT::Sandbox::User=root download -qq "$@" >/dev/null)
}
unpack() { # TARGET PACKAGE...
    local target=$1 package
    shift
    for package in "$@"; do dpkg -x "$cache/debs/${package%:*}"_*.deb "$target"; done
}
depends_on() { # PACKAGE PATTERN: the first dependency of that name
    apt-cache show "$1" | sed -n 's/^Depends: //p' | head -n 1 | grep -o "$2" | head -n 1
}

# --- kernel, headers, tools
kernel=$cache/kernel
if [ ! -e "$kernel/version" ]; then
    rm -rf "$kernel" "$cache/debs"
    image=$(depends_on linux-image-arm64:arm64 'linux-image-[^ ,]*')
    version=${image#linux-image-}
    headers=linux-headers-$version
    common=$(depends_on "$headers:arm64" 'linux-headers-[^ ,]*-common[^ ,]*')
    kbuild=$(depends_on "$headers:arm64" 'linux-kbuild-[^ ,]*')
    say "fetching kernel $version"
    fetch "$image:arm64" "$headers:arm64" "$common" "$kbuild"
    unpack "$kernel" "$image"
    unpack "$kernel/headers" "$headers" "$common" "$kbuild"
    sed -i "s#/usr/src/#$kernel/headers/usr/src/#" "$kernel/headers/usr/src/$headers/Makefile"
    depmod -b "$kernel" "$version"
    echo "$version" >"$kernel/version"
fi
version=$(cat "$kernel/version")

tools=$cache/tools
packages=(busybox-static libc6 libgcc-s1)
if [ ! -e "$tools/complete" ]; then
    rm -rf "$tools"
    say "fetching tools"
    fetch "${packages[@]/%/:arm64}"
    unpack "$tools" "${packages[@]}"
    touch "$tools/complete"
fi

# --- the chips
module=$cache/fakepi/fakepi.ko
mkdir -p "$cache/fakepi"
cp -u "$here"/fakepi/{fakepi.c,Makefile} "$cache/fakepi/"
if [ ! "$module" -nt "$cache/fakepi/fakepi.c" ]; then
    say "building fakepi.ko"
    make -s -C "$kernel/headers/usr/src/linux-headers-$version" M="$cache/fakepi" \
        CONFIG_DEBUG_INFO_BTF_MODULES= ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- modules \
        >"$cache/fakepi/log" 2>&1 || { tail -n 20 "$cache/fakepi/log" >&2; exit 125; }
fi

# --- initramfs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,dev,etc,lib,modules,proc,sys,test,tmp}
cp "$tools/bin/busybox" "$root/bin/"
cp -L "$tools"/lib/aarch64-linux-gnu/{ld-linux-aarch64.so.1,libc.so.6,libm.so.6,libgcc_s.so.1} \
    "$root/lib/"
for name in i2c-dev bcm2835_wdt; do
    modprobe -d "$kernel" -S "$version" -D "$name" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | while read -r file; do
    target=$(basename "${file%.xz}")
    [ -e "$root/modules/$target" ] && continue
    case $file in
    *.xz) xz -dc "$file" >"$root/modules/$target" ;;
    *) cp "$file" "$root/modules/$target" ;;
    esac
    echo "$target" >>"$root/modules/order"
done
cp "$module" "$root/modules/"
install -m 755 "$script" "$root/test/run.sh"
for file in "$@"; do install -m 755 "$file" "$root/test/"; done

# The watchdog module gives the board a clean power-off.
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/test:/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
stty -onlcr 2>/dev/null
ifconfig lo 127.0.0.1 up
insmod /modules/fakepi.ko nr=1
while read -r name; do insmod "/modules/$name"; done </modules/order
tries=50
until [ -e /dev/i2c-1 ] || [ $tries = 0 ]; do sleep 0.1; tries=$((tries - 1)); done
cd /test
echo '@@BOARD-START'
sh ./run.sh </dev/null 2>&1
echo "@@BOARD-EXIT $?"
sync
poweroff -f
INIT
chmod 755 "$root/init"
python3 "$here/mkcpio.py" "$root" "$work/initramfs.gz"

# --- boot. One TCG thread boots three times faster than four; iomem=relaxed lets rppal have the
# registers where the kernel offers no /dev/gpiomem.
say "booting"
trap - ERR
set +e
timeout -k 5 "$limit" qemu-system-aarch64 -M raspi3b -accel tcg,thread=single -display none \
    -monitor none -no-reboot -kernel "$kernel/boot/vmlinuz-$version" \
    -dtb "$kernel/usr/lib/linux-image-$version/broadcom/bcm2837-rpi-3-b.dtb" \
    -initrd "$work/initramfs.gz" -serial null -serial stdio \
    -append "console=ttyS1,115200 iomem=relaxed quiet loglevel=2 panic=-1" \
    </dev/null 2>"$work/errors" |
    tee "$work/console" | sed -u -n '/@@BOARD-START/,/@@BOARD-EXIT/p' | tr -d '\r' |
    grep -a -v --line-buffered '@@BOARD'
emulator=${PIPESTATUS[0]}
status=$(tr -d '\r' <"$work/console" | sed -n 's/^.*@@BOARD-EXIT \([0-9]*\).*/\1/p' | tail -n 1)
say "emulator status $emulator, script status ${status:-none}"
[ -n "$status" ] && exit "$status"
tail -n 30 "$work/console" "$work/errors" >&2
grep -q '@@BOARD-START' "$work/console" && [ "$emulator" = 124 ] && exit 124
exit 126
