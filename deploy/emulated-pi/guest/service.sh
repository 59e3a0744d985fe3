# The service on the emulated board: tve serve --hardware rpi, driven over HTTP.
set -e
. ./lib.sh

URL=http://127.0.0.1:5000
ESTOP=17

get() { wget -q -O - "$URL$1"; }
# order NAME VALUE: fails when the service refuses
order() {
    wget -q -O - --header 'Content-Type: application/json' \
        --post-data "{\"command\": \"$1\", \"value\": $2}" "$URL/api/control"
}
# member KEY: the first number or word with that key in the JSON on stdin
member() { sed "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/"; }
status_has() { get /api/status | grep -q "$1"; }
data_is() { [ "$(get /api/data | member "$1")" = "$2" ]; }
alarm() { get /api/status | sed 's/"alarm_history".*//' | grep -q "\"$1\""; }

# millivolts CELSIUS: what the divider of config.json gives, 3300 r / (r + 4700) with
# r = 100000 exp(3950 (1 / (t + 273.15) - 1 / 298.15)). The board's awk has no exp.
millivolts() {
    case $1 in
    25) echo 3152 ;;
    60) echo 2775 ;;
    68) echo 2641 ;;
    168) echo 742 ;;
    *) fail "no millivolts for $1 deg C" ;;
    esac
}
# barrel T1 T2 MOTOR T3, deg C
barrel() { echo "$(millivolts "$1"),$(millivolts "$2"),$(millivolts "$3"),$(millivolts "$4")" >"$PARAMETERS"/mv; }
# near KEY CELSIUS: /api/data within a degree (one millivolt is up to half a degree)
near() {
    get /api/data | member "$1" | awk -v wanted="$2" \
        '{ exit !($1 + 0 == $1 && $1 > wanted - 1 && $1 < wanted + 1) }'
}

start() {
    tve serve --hardware rpi --config config.json --data-dir /tmp/data >serve.log 2>&1 &
    service=$!
    within 20 "the service answers" get /health
}
clear_alarms() {
    within 5 "alarms are acknowledged" order ACKNOWLEDGE_ALARM '{"alarm_id": "all"}'
    within 5 "alarms are cleared" order CLEAR_ALARM '{"alarm_id": "all"}'
}

# What a failure needs to be understood.
fail() {
    echo "FAIL $*"
    get /api/status | sed 's/"alarm_history".*//' || true
    tail -n 5 serve.log
    exit 1
}

push $ESTOP # the loop is normally closed
barrel 25 60 25 60
start
status_has '"machine": *"raspberry-pi"' || fail "the machine is not the Raspberry Pi"
echo "ok   the machine is the Raspberry Pi"
within 5 "t2 reads 60 deg C" near t2 60

echo "--- a sensor moves by 8 deg C"
barrel 25 68 25 60
within 3 "t2 reads 68 deg C" near t2 68

echo "--- heaters in MANUAL, one on a pin, one on the PWM board"
order SET_MODE '{"mode": "MANUAL"}' >/dev/null
order SET_HEATER '{"zone": "z1", "duty": 50}' >/dev/null
order SET_HEATER '{"zone": "z2", "duty": 100}' >/dev/null
within 3 "zone 2 is on at the PWM board" channel_is 3 4096:0
high=0
for _ in $(seq 60); do
    high=$((high + $(pin 23)))
    usleep 13000
done
if [ $high -le 12 ] || [ $high -ge 48 ]; then fail "zone 1 at 50 %: high in $high of 60 looks"; fi
echo "ok   zone 1 toggles at about half duty (high in $high of 60 looks)"

echo "--- a relay"
order SET_RELAY '{"relay": "pump", "state": true}' >/dev/null
expect "pump on its pin" 1 "$(pin 8)"

echo "--- the emergency-stop loop opens"
release $ESTOP
within 2 "EMERGENCY_STOP_BTN" alarm EMERGENCY_STOP_BTN
expect "zone 1 off" 0 "$(pin 23)"
within 1 "zone 2 off at the PWM board" channel_is_off 3
push $ESTOP
clear_alarms

echo "--- a sensor jumps by 100 deg C"
barrel 25 168 25 60
within 3 "HEATER_SENSOR_FAILURE" alarm HEATER_SENSOR_FAILURE
barrel 25 68 25 60
within 5 "t2 is back" near t2 68
clear_alarms

echo "--- the converter goes"
order SET_MODE '{"mode": "MANUAL"}' >/dev/null
order SET_HEATER '{"zone": "z2", "duty": 100}' >/dev/null
within 3 "zone 2 is on" channel_is 3 4096:0
echo 72 >"$PARAMETERS"/nack
within 3 "TEMP_DATA_STALE" alarm TEMP_DATA_STALE
within 1 "zone 2 off" channel_is_off 3
echo 0 >"$PARAMETERS"/nack
within 5 "t2 is back" near t2 68
channel_is_off 3 || fail "heat restarted by itself"
echo "ok   heat did not restart by itself"
clear_alarms

echo "--- SIGTERM"
kill $service
wait $service || fail "the service ended with $?: $(tail -n 5 serve.log)"
rest_levels

echo "--- SIGKILL, then safe-off"
start
within 5 "t2 reads" near t2 68
clear_alarms || true
order SET_MODE '{"mode": "MANUAL"}' >/dev/null
order SET_HEATER '{"zone": "z1", "duty": 100}' >/dev/null
order SET_HEATER '{"zone": "z2", "duty": 100}' >/dev/null
within 3 "zone 2 is on" channel_is 3 4096:0
kill -9 $service
wait $service || true
expect "zone 1 still on" 1 "$(pin 23)"
tve safe-off --config config.json
rest_levels
