#!/bin/bash
# Makes the Debian package of a built binary, with dpkg-deb alone.
#
# usage: package.sh BINARY amd64|arm64 FOLDER        tve-prove lies beside BINARY
#
# The same BINARY and SOURCE_DATE_EPOCH (default: now) give the same package. DEBEMAIL is the
# address of its maintainer.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# = 3 ] || { sed -n '2,7s/^# \?//p' "$0" >&2; exit 2; }
binary=$1 architecture=$2 folder=$3

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date +%s)}
maintainer="TVE-micro developers <${DEBEMAIL:-tve-micro@users.noreply.github.com}>"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
umask 022

"$here/install.sh" --root "$tree" "$binary"
case $architecture in
amd64) strip="strip" ;;
arm64) strip=aarch64-linux-gnu-strip ;;
*) echo "package.sh: $architecture must be amd64 or arm64" >&2; exit 2 ;;
esac
"$strip" --strip-unneeded --remove-section=.comment --remove-section=.note \
    "$tree/usr/bin/tve" "$tree/usr/bin/tve-prove"

# Not usrmerged roots expect units and rules here.
mkdir -p "$tree/lib"
mv "$tree/usr/lib/systemd" "$tree/usr/lib/udev" "$tree/lib/"

install -D -m 644 "$here/deb/copyright" "$tree/usr/share/doc/tve/copyright"
cat >"$work/changelog" <<END
tve ($version) stable; urgency=medium

  * Release $version.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
gzip -9 -n <"$work/changelog" >"$tree/usr/share/doc/tve/changelog.gz"
chmod 644 "$tree/usr/share/doc/tve/changelog.gz"

mkdir -p "$tree/DEBIAN"
for script in postinst prerm postrm; do
    install -m 755 "$here/deb/$script" "$tree/DEBIAN/$script"
done
size=$(du -k -s --exclude=DEBIAN "$tree" | cut -f 1)
cat >"$tree/DEBIAN/control" <<END
Package: tve
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $size
Depends: libc6 (>= 2.34), libgcc-s1, systemd, init-system-helpers (>= 1.52)
Suggests: nginx
Section: electronics
Priority: optional
Description: controller of a small plastics extruder
 Heats two barrel zones, turns screw and feeder, and watches over both, on a
 Raspberry Pi or as a simulator, with an HTTP and Socket.IO interface.
END
(cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z |
    xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$folder"
dpkg-deb --root-owner-group --build "$tree" "$folder/tve_${version}_$architecture.deb"
