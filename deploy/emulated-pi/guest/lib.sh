# What the guest scripts share: pins, chips, and checks that say what they saw.

PARAMETERS=/sys/module/fakepi/parameters
LEVELS=0x3f200034  # GPLEV0 of the BCM2837
RAISE=0x3f20001c   # GPSET0; on the emulated board it moves inputs too
LOWER=0x3f200028   # GPCLR0

pin() { echo $((($(devmem $LEVELS) >> $1) & 1)); }
push() { devmem $LOWER 32 $((1 << $1)); }     # a contact to ground closes
release() { devmem $RAISE 32 $((1 << $1)); }  # and opens

fail() {
    echo "FAIL $*"
    exit 1
}

# expect WHAT WANTED ACTUAL
expect() {
    [ "$2" = "$3" ] || fail "$1: wanted $2, saw $3"
    echo "ok   $1 = $3"
}

# within SECONDS WHAT COMMAND...: repeats the command until it succeeds
within() {
    tries=$(($1 * 10))
    what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $tries -gt 0 ] || fail "$what"
        tries=$((tries - 1))
        sleep 0.1
    done
    echo "ok   $what"
}

channel() { # the registers of a channel of the PWM board, as on:off
    sed "s/.*\b$1:\([0-9]*:[0-9]*\) .*/\1/" "$PARAMETERS"/pca
}
channel_is() { [ "$(channel "$1")" = "$2" ]; }
# The full-off bit outranks everything else that the registers hold.
channel_is_off() { case $(channel "$1") in *:4096) ;; *) return 1 ;; esac; }

# rest_levels: what every output of config.json must show while the machine is off
rest_levels() {
    for low in 23 25 8 21 20 22 5; do expect "pin $low at rest" 0 "$(pin $low)"; done
    for high in 26 24; do expect "pin $high at rest" 1 "$(pin $high)"; done
    for off in 0 1 3; do
        channel_is_off $off || fail "PWM channel $off is not at rest: $(channel $off)"
        echo "ok   PWM channel $off at rest"
    done
}
