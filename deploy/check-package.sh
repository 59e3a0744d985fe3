#!/bin/bash
# Installs a package into a clean Debian root and removes it again, and checks both.
#
# usage: check-package.sh PACKAGE.deb [ROOT]
#
# Needs root, debootstrap and lintian. ROOT is a fresh root to use instead of making one; it is
# changed. Services do not run in it: what is checked is files, user, units, and what purge leaves.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,7s/^# \?//p' "$0" >&2; exit 2; }
package=$1
root=${2:-}
if [ -z "$root" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    root=$work/root
    debootstrap --variant=minbase --include=systemd,udev bookworm "$root" >"$work/log" ||
        { tail -n 20 "$work/log" >&2; exit 1; }
fi

fail() {
    echo "FAIL $*" >&2
    exit 1
}
# Every path of the root but those that any package operation touches.
listing() {
    find "$root" -xdev \( -path "$root/proc" -o -path "$root/sys" -o -path "$root/dev" \
        -o -path "$root/var/lib/dpkg" -o -path "$root/var/log" -o -path "$root/var/cache" \
        -o -path "$root/tmp" -o -path "$root/run" \) -prune -o -print | sort
}

lintian --tag-display-limit 0 --allow-root --fail-on error "$package"
before=$(listing)
cp "$package" "$root/tmp/tve.deb"
chroot "$root" dpkg -i /tmp/tve.deb

[ -x "$root/usr/bin/tve" ] || fail "the program is not there"
chroot "$root" tve --version || fail "the program does not run"
chroot "$root" tve certify --help >/dev/null || fail "the proofs are not there"
chroot "$root" tve check-config /usr/share/doc/tve/default.json || fail "its example is refused"
chroot "$root" id tve | grep -q 'gpio.*i2c\|i2c.*gpio' || fail "no user in gpio and i2c"
[ "$(chroot "$root" stat -c '%U %a' /var/lib/tve)" = "tve 750" ] || fail "the data folder"
for unit in tve.service tve.socket; do
    [ "$(chroot "$root" systemctl is-enabled "$unit")" = enabled ] || fail "$unit is not enabled"
done
chroot "$root" systemd-analyze verify tve.service tve.socket || fail "the units are faulty"

echo '{}' >"$root/var/lib/tve/config.json"
chroot "$root" dpkg -i /tmp/tve.deb
[ -e "$root/var/lib/tve/config.json" ] || fail "an update took the configuration"
chroot "$root" dpkg --purge tve
left=$(comm -13 <(echo "$before") <(listing) | sed "s#^$root##" |
    grep -v -e '^/var/lib/tve' -e '^/etc/\(passwd\|group\|shadow\|gshadow\)-$' || true)
[ -z "$left" ] || fail "purge has left: $left"
[ -e "$root/var/lib/tve/config.json" ] || fail "purge took the data"
echo "the package installs, updates and goes away as it should"
