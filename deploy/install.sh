#!/bin/sh
# Installs the extruder controller on this machine, or removes it. Running it again repairs and
# updates; it never overwrites a configuration.
#
# usage: install.sh [--root DIR] [BINARY]     BINARY defaults to target/release/tve; with it goes the
#                                             tve-prove beside it
#        install.sh [--root DIR] --uninstall  leaves the data in /var/lib/tve
#
# --root installs into a file tree instead of the running system (no user, no start).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=
action=install
binary=$here/../target/release/tve
while [ $# -gt 0 ]; do
    case $1 in
    --root)
        [ $# -ge 2 ] || { echo "install.sh: --root needs a folder" >&2; exit 2; }
        root=$2
        shift
        ;;
    --uninstall) action=uninstall ;;
    -h | --help)
        sed -n '2,10s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    -*)
        echo "install.sh: unknown option $1; see --help" >&2
        exit 2
        ;;
    *) binary=$1 ;;
    esac
    shift
done

if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    echo "install.sh: run it as root, or give --root DIR" >&2
    exit 1
fi

# Whether there is a running system to tell about changes.
live() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

files="usr/bin/tve
usr/bin/tve-prove
usr/lib/systemd/system/tve.service
usr/lib/systemd/system/tve.socket
usr/lib/sysusers.d/tve.conf
usr/lib/udev/rules.d/70-tve.rules
usr/share/doc/tve/nginx.conf
usr/share/doc/tve/default.json"

place() { # MODE SOURCE TARGET
    install -D -m "$1" "$2" "$root/$3"
}

install_all() {
    prove=$(dirname "$binary")/tve-prove
    for program in "$binary" "$prove"; do
        [ -f "$program" ] || {
            echo "install.sh: $program is not there; build it with cargo build --release, or name it" >&2
            exit 1
        }
    done
    # Renamed into place: a running binary cannot be written over.
    place 755 "$binary" usr/bin/tve.new
    mv "$root/usr/bin/tve.new" "$root/usr/bin/tve"
    place 755 "$prove" usr/bin/tve-prove.new
    mv "$root/usr/bin/tve-prove.new" "$root/usr/bin/tve-prove"
    place 644 "$here/systemd/tve.service" usr/lib/systemd/system/tve.service
    place 644 "$here/systemd/tve.socket" usr/lib/systemd/system/tve.socket
    place 644 "$here/sysusers/tve.conf" usr/lib/sysusers.d/tve.conf
    place 644 "$here/udev/70-tve.rules" usr/lib/udev/rules.d/70-tve.rules
    place 644 "$here/nginx/tve.conf" usr/share/doc/tve/nginx.conf
    place 644 "$here/../config/default.json" usr/share/doc/tve/default.json
    if [ -z "$root" ]; then
        systemd-sysusers /usr/lib/sysusers.d/tve.conf
        install -d -m 750 -o tve -g tve /var/lib/tve
    fi
    if live; then
        udevadm control --reload && udevadm trigger --subsystem-match=gpio \
            --subsystem-match=i2c-dev --subsystem-match=pwm
        systemctl daemon-reload
        systemctl enable tve.socket tve.service
        if [ -f /var/lib/tve/config.json ]; then
            systemctl restart tve.service
        else
            echo "Write /var/lib/tve/config.json (example: /usr/share/doc/tve/default.json) with"
            echo "\"hardware\": {\"kind\": \"rpi\"}, check it with: tve check-config FILE, then:"
            echo "  systemctl start tve"
        fi
    fi
}

uninstall_all() {
    if live; then
        systemctl disable --now tve.service tve.socket 2>/dev/null || true
    fi
    echo "$files" | while read -r file; do rm -f "$root/$file"; done
    rmdir "$root/usr/share/doc/tve" 2>/dev/null || true
    if live; then
        systemctl daemon-reload
        udevadm control --reload
    fi
    echo "install.sh: the data in $root/var/lib/tve and the user tve are left in place" >&2
}

case $action in
install) install_all ;;
uninstall) uninstall_all ;;
esac
