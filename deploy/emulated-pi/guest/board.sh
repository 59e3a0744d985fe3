# The machine without the service: pins, converter, PWM board and pulses on the emulated board.
# The configuration is config.json; board_check is the example of tve-rpi.
set -e
. ./lib.sh

release 17
echo 1000,2000,3000,4000 >"$PARAMETERS"/mv
board_check config.json run 6 z1 z2 fan contactor jog 250 >run.log 2>&1 &
running=$!
within 3 "the contactor pin goes high" test "$(sleep 1; pin 22)" = 1
expect "zone 1 on its pin" 1 "$(pin 23)"
expect "fan on its pin" 1 "$(pin 25)"
expect "drive enabled, active low" 0 "$(pin 26)"
expect "PWM board enabled, active low" 0 "$(pin 24)"
within 3 "zone 2 is fully on at the PWM board" channel_is 3 4096:0
within 3 "fan is fully on at the PWM board" channel_is 0 4096:0
expect "a free channel is off" 0:4096 "$(channel 1)"
grep -q 'mode1=0x20 prescale=0x65' "$PARAMETERS"/pca || fail "the PWM board is not set up for 60 Hz"
push 17
wait $running || fail "the run: $(cat run.log)"
cat run.log
# 1 mV is 8 counts at a full scale of 4.096 V; the fourth input is over 3.3 V but within it.
grep -q 'adc 8000 16000 24000 32000 estop Open pwm_mismatches 0' run.log || fail "no such codes"
grep -q 'estop Closed' run.log || fail "the closed contact was not seen"
grep -q 'jog_done Some(1)' run.log || fail "the move was not reported as over"
rest_levels
release 17

echo "--- the body of tests that every machine passes"
board_check config.json conform || fail "it does not conform"
rest_levels

echo "--- killed, then switched off from outside"
board_check config.json run 60 z1 z2 fan contactor >run.log 2>&1 &
running=$!
within 5 "zone 2 is on" channel_is 3 4096:0
kill -9 $running
wait $running || true
expect "zone 1 is still on after kill -9" 1 "$(pin 23)"
expect "zone 2 is still on after kill -9" 4096:0 "$(channel 3)"
board_check config.json off
rest_levels

echo "--- the converter goes and comes back"
board_check config.json run 6 >run.log 2>&1 &
running=$!
sleep 1.5
echo 72 >"$PARAMETERS"/nack
sleep 1.5
echo 0 >"$PARAMETERS"/nack
wait $running || fail "the run: $(cat run.log)"
cat run.log
grep -q 'adc bus-error bus-error bus-error bus-error' run.log || fail "no bus error was reported"
tail -n 1 run.log | grep -q 'adc 8000 16000 24000 32000' || fail "the converter did not come back"

echo "--- every 7th transfer fails: nothing is noticed"
echo 7 >"$PARAMETERS"/fail_every
board_check config.json run 4 z2 >run.log 2>&1 || fail "the run: $(cat run.log)"
echo 0 >"$PARAMETERS"/fail_every
cat run.log
if grep -q bus-error run.log; then fail "a disturbed transfer was not repeated"; fi
if grep -q 'pwm_mismatches [2-9]' run.log; then fail "the PWM board was given up"; fi

echo "--- conversions never end; the PWM board forgets"
echo 1 >"$PARAMETERS"/stuck
board_check config.json run 3 >run.log 2>&1 || fail "the run: $(cat run.log)"
echo 0 >"$PARAMETERS"/stuck
grep -q bus-error run.log || fail "a stuck conversion was not noticed"
echo 64 >"$PARAMETERS"/nack
board_check config.json run 3 >run.log 2>&1 || fail "the run: $(cat run.log)"
echo 0 >"$PARAMETERS"/nack
cat run.log
grep -q 'pwm_mismatches [2-9]' run.log || fail "a silent PWM board was not noticed"
board_check config.json off
rest_levels
echo "--- the wiring map"
board_check config.json wiring
