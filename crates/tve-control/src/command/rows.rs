//! The one table of commands: a row says everything that has to be said about one.
//!
//! To add a command: its variant in [`Command`], its row here, what it does in the controller, and a
//! test. What a row consists of is explained in `row.rs`.

use super::row::{CommandRow, Effect, Endpoint, args, commands, describe, only, take};
use super::settings::{AlarmId, Calibration, Label, PinMap, PwmChannel, Reason, section};
use super::spec::{
    Choice, Level, Nullable, Number, Param, Pin, Spec, Truth, choice, named, number, whole_number,
};
use super::{Command, Mode, PinMode, Relay};
use crate::refusal::{Refusal, RefusalCode};
use crate::tune::TuneMethod;
use serde_json::Value;
use tve_config::{
    Dm556, ExtruderSequence, History, Logging, Motion, PidGains, Safety, TempSettings,
};
use tve_hal::{PerZone, Pull};
use tve_machine::Names;
use tve_machine::Right::{At, Service, Stop};
use tve_machine::Role::{Engineer, Operator, Viewer};
use tve_units::{Celsius, Duty, Rpm};

commands! {
    of names;

    /// Runs the start sequence: each device of `extruder_sequence.startup` that is fitted.
    Start "START" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::Start] {} => Command::Start;
    /// Runs the stop sequence, which ends with both motors at rest. Works in every state.
    Stop "STOP" (Endpoint::Control, Stop, Effect::Calms)
        [Self::Stop] {} => Command::Stop;
    /// Turns everything off and latches an alarm, whatever its value or the rest of the body is.
    EmergencyStop "EMERGENCY_STOP" (Endpoint::Control, Stop, Effect::Calms)
        [Self::EmergencyStop] anything => Command::EmergencyStop;
    /// Clears the latched alarms whose causes are gone.
    ClearAlarm "CLEAR_ALARM" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::ClearAlarm] {} => Command::ClearAlarm;
    /// Says that an alarm has been seen; it stays latched.
    AcknowledgeAlarm "ACKNOWLEDGE_ALARM" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::AcknowledgeAlarm(_)] {
            /// Which one.
            alarm_id: AlarmId,
        } => Command::AcknowledgeAlarm(alarm_id);
    /// Chooses who decides the heater duty: the PID or the operator. Bumpless; but MANUAL begins with no
    /// more than what holds the target, so that a warm-up does not go on at full duty.
    SetMode "SET_MODE" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::SetMode(_)] {
            /// The mode.
            mode: choice(Mode::from_name, || Mode::ALL.map(Mode::name).to_vec())
                .or(RefusalCode::InvalidMode),
        } => Command::SetMode(mode);
    /// Sets target temperatures; a zone that is not named keeps its own, a name of no zone is refused.
    /// So is a target from which a heater that sticks would carry the zone, by its model, beyond 295 °C
    /// (TARGET_NOT_CATCHABLE).
    SetTarget "SET_TARGET" (Endpoint::Control, At(Operator), Effect::CalmsAtZero(targets_are_zero))
        [Self::SetTarget { .. }] {
            /// Target of the zone of that name.
            each zones: target().optional(),
        } => Command::SetTarget { zones };
    /// Sets the duty of a heater in MANUAL; in AUTO it answers AUTO_ACTIVE and changes nothing.
    SetHeater "SET_HEATER" (
        Endpoint::Control,
        At(Operator),
        Effect::CalmsAtZero(|c| matches!(c, Command::SetHeater { duty, .. } if duty.is_zero()))
    )
        [Self::SetHeater { .. }] {
            /// The zone.
            zone: named(&names.zones),
            /// Its duty.
            duty: duty().map(Duty::clamped),
        } => Command::SetHeater { zone, duty };
    /// Sets the speed of a motor, reached by the ramps of `motion`. Zero is never refused.
    SetMotor "SET_MOTOR" (
        Endpoint::Control,
        At(Operator),
        Effect::CalmsAtZero(|c| matches!(c, Command::SetMotor { rpm, .. } if rpm.is_zero()))
    )
        [Self::SetMotor { .. }] {
            /// The motor.
            motor: named(&names.motors),
            /// Its speed; the sign is the direction.
            rpm: number(Rpm::MIN, Rpm::MAX, "rpm").map(Rpm::clamped),
        } => Command::SetMotor { motor, rpm };
    /// Switches an auxiliary; at most every 0.25 s.
    SetRelay "SET_RELAY" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::SetRelay { .. }] {
            /// The auxiliary.
            relay: choice(Relay::from_name, || Relay::ALL.map(Relay::name).to_vec())
                .or(RefusalCode::InvalidRelay),
            /// On or off.
            state: Truth,
        } => Command::SetRelay { relay, on: state };
    /// Sets the duty of the Peltier element of the feed throat.
    SetPeltier "SET_PELTIER" (
        Endpoint::Control,
        At(Operator),
        Effect::CalmsAtZero(|c| matches!(c, Command::SetPeltier(duty) if duty.is_zero()))
    )
        [Self::SetPeltier(_)] {
            /// Its duty.
            duty: duty().map(Duty::clamped),
        } => Command::SetPeltier(duty);
    /// Sets the duty of a channel of the PWM board that the controller does not drive itself.
    SetPwmOutput "SET_PWM_OUTPUT" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::SetPwmOutput { .. }] {
            /// The channel; other machines have others.
            name: PwmChannel,
            /// Its duty.
            duty: duty().map(Duty::clamped),
        } => Command::SetPwmOutput { name, duty };
    /// Sets the wished level of the hopper; nothing is driven by it.
    SetFillTarget "SET_FILL_TARGET" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::SetFillTarget { .. }] {
            /// The level.
            level: number(0.0, 1000.0, "cm"),
        } => Command::SetFillTarget { level_cm: level };
    /// Turns a motor that stands by a number of steps.
    MoveMotorSteps "MOVE_MOTOR_STEPS" (Endpoint::Control, At(Operator), Effect::Acts)
        [Self::MoveMotorSteps { .. }] {
            /// The motor.
            motor: named(&names.motors).or(RefusalCode::InvalidMotor),
            /// How fast; 1000 when it is not named.
            speed: number(1.0, 20_000.0, "steps/s")
                .or(RefusalCode::InvalidSpeed)
                .unless_given(DEFAULT_JOG_RATE),
            /// How far; the sign is the direction.
            steps: whole_number(-MAX_JOG_STEPS, MAX_JOG_STEPS, "steps")
                .or(RefusalCode::InvalidMoveParams),
        } => Command::MoveMotorSteps { motor, steps, rate: speed };
    /// Ends a move by steps.
    StopManualMove "STOP_MANUAL_MOVE" (Endpoint::Control, At(Operator), Effect::Calms)
        [Self::StopManualMove(_)] {
            /// The motor.
            motor: named(&names.motors).or(RefusalCode::InvalidMotor),
        } => Command::StopManualMove(motor);
    /// Gives a zone free that ZONE_LOCKED or SENSOR_DETACHED holds: somebody has looked, and says what
    /// was found.
    ReleaseZone "RELEASE_ZONE" (Endpoint::Control, At(Engineer), Effect::Acts)
        [Self::ReleaseZone { .. }] {
            /// The zone.
            zone: named(&names.zones),
            /// What was found, for the audit journal.
            reason: Reason,
        } => Command::ReleaseZone { zone, reason };
    /// Sets the gains of a zone.
    UpdatePid "UPDATE_PID" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::UpdatePid { .. }] {
            /// The zone.
            zone: named(&names.zones).or(RefusalCode::InvalidZoneOrParams),
            /// Its gains.
            params: section(PidGains::SECTION, PidGains::patch_from, RefusalCode::InvalidZoneOrParams),
        } => Command::UpdatePid { zone, patch: params };
    /// Wires functions to header pins, and gives other pins labels.
    UpdatePins "UPDATE_PINS" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::UpdatePins { .. }] {
            /// Pins by function; null is not fitted.
            pins: PinMap(names),
        } => {
            let (functions, labels) = pins;
            Command::UpdatePins { functions, labels }
        };
    /// Gives a header pin a function or a label; none takes its label away.
    SetPinName "SET_PIN_NAME" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::SetPinName { .. }] {
            /// The pin.
            pin: Pin.or(RefusalCode::InvalidArgs),
            /// Its name.
            name: Label,
        } => Command::SetPinName { pin, name };
    /// Changes the start, stop and emergency sequences, merged by device.
    UpdateExtruderSeq "UPDATE_EXTRUDER_SEQ" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::UpdateExtruderSeq(_)] {
            /// The changes.
            sequence: section(
                "extruder_sequence",
                ExtruderSequence::patch_from,
                RefusalCode::InvalidSequence,
            ),
        } => Command::UpdateExtruderSeq(sequence);
    /// Changes the settings of the stepper drives.
    UpdateDm556 "UPDATE_DM556" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::UpdateDm556(_)] {
            /// The changes.
            params: section("dm556", Dm556::patch_from, RefusalCode::InvalidDm556Params),
        } => Command::UpdateDm556(params);
    /// Changes how temperatures are published; control is not affected.
    SetTempSettings "SET_TEMP_SETTINGS" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::SetTempSettings(_)] {
            /// The changes.
            params: section(
                "temp_settings",
                TempSettings::patch_from,
                RefusalCode::InvalidTempSettings,
            ),
        } => Command::SetTempSettings(params);
    /// Changes how runs are recorded.
    SetLoggingSettings "SET_LOGGING_SETTINGS" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::SetLoggingSettings(_)] {
            /// The changes.
            params: section("logging", Logging::patch_from, RefusalCode::InvalidLoggingParams),
        } => Command::SetLoggingSettings(params);
    /// Changes the ramps of the motors; 0 means the built-in safe default.
    UpdateMotionConfig "UPDATE_MOTION_CONFIG" (Endpoint::Control, At(Engineer), Effect::Configures)
        [Self::UpdateMotionConfig(_)] {
            /// The changes.
            params: section("motion", Motion::patch_from, RefusalCode::InvalidValue),
        } => Command::UpdateMotionConfig(params);
    /// Changes how the panel draws its curves.
    SetHistorySettings "SET_HISTORY_SETTINGS" (Endpoint::Control, At(Operator), Effect::Configures)
        [Self::SetHistorySettings(_)] {
            /// The changes.
            params: section("history", History::patch_from, RefusalCode::InvalidValue),
        } => Command::SetHistorySettings(params);
    /// Changes what a sensor channel measures and how; only while the heaters are off.
    SetSensorCalibration "SET_SENSOR_CALIBRATION" (
        Endpoint::Control,
        At(Engineer),
        Effect::Configures
    )
        [Self::SetSensorCalibration { .. }] {
            /// The channel and the changes.
            params: Calibration,
        } => {
            let (channel, patch) = params;
            Command::SetSensorCalibration { channel, patch }
        };
    /// Makes a header pin that the controller does not own an input or an output.
    GpioConfig "GPIO_CONFIG" (Endpoint::Control, At(Engineer), Effect::Acts)
        [Self::GpioConfig { .. }] {
            /// The pin.
            pin: Pin.or(RefusalCode::InvalidPin),
            /// Input or output; an output when it is not named.
            direction: direction().unless_given(Direction::Out),
            /// Pull resistor of an input; none when it is not named.
            pull: pull(),
        } => Command::GpioConfig { pin, mode: direction.with(pull) };
    /// Sets the level of a header pin that the controller does not own; at most every 0.25 s.
    GpioWrite "GPIO_WRITE" (Endpoint::Control, At(Engineer), Effect::Acts)
        [Self::GpioWrite { debounced: true, .. }] {
            /// The pin.
            pin: Pin.or(RefusalCode::InvalidPin),
            /// Its level.
            state: Level.or(RefusalCode::InvalidGpioState),
        } => Command::GpioWrite { pin, high: state, debounced: true };
    /// Answers the level of a header pin in `value`.
    GpioRead "GPIO_READ" (Endpoint::Control, At(Viewer), Effect::Reads)
        [Self::GpioRead(_)] {
            /// The pin.
            pin: Pin.or(RefusalCode::InvalidPin),
        } => Command::GpioRead(pin);
    /// Writes the configuration in force to its file, atomically; ten older ones are kept.
    SaveConfig "SAVE_CONFIG" (Endpoint::Control, At(Engineer), Effect::Saves)
        [Self::SaveConfig] {} => Command::SaveConfig;
    // GPIO_CONFIG with other keys.
    /// Makes a header pin that the controller does not own an input or an output.
    SetGpioMode "SET_GPIO_MODE" (Endpoint::Gpio, At(Engineer), Effect::Acts)
        [] {
            /// The pin.
            pin: Pin.or(RefusalCode::InvalidPinOrValue),
            /// Input or output.
            mode: direction().or(RefusalCode::InvalidPinOrValue),
            /// Pull resistor of an input; none when it is not named.
            pull_up_down: pull().or(RefusalCode::InvalidPinOrValue),
        } => Command::GpioConfig { pin, mode: mode.with(pull_up_down) };
    /// Sets the level of a header pin that the controller does not own, which makes it an output.
    SetGpioValue "SET_GPIO_VALUE" (Endpoint::Gpio, At(Engineer), Effect::Acts)
        [Self::GpioWrite { debounced: false, .. }] {
            /// The pin.
            pin: Pin.or(RefusalCode::InvalidPinOrValue),
            /// Its level.
            value: Level.or(RefusalCode::InvalidPinOrValue),
        } => Command::GpioWrite { pin, high: value, debounced: false };
    /// Starts a relay autotune of a zone.
    TuneStart "TUNE_START" (Endpoint::Route("POST /api/tune/start"), At(Engineer), Effect::Acts)
        [Self::TuneStart { .. }] {
            /// The zone.
            zone: named(&names.zones).or(RefusalCode::InvalidZone),
            /// Temperature around which the heater is switched.
            setpoint: number(TUNE_MIN, MAX_TARGET, "°C")
                .up_to("safety.max_target - 15", Safety::default().max_target - TUNE_MARGIN)
                .or(RefusalCode::InvalidSetpoint)
                .map(Celsius::clamped),
            /// How the measurement becomes gains; the first when it is not named.
            method: choice(TuneMethod::from_name, || TuneMethod::ALL.map(TuneMethod::name).to_vec())
                .unless_given(TuneMethod::TyreusLuyben),
        } => Command::TuneStart { zone, setpoint, method };
    /// Gives an autotune up, which only turns heaters down.
    TuneStop "TUNE_STOP" (Endpoint::Route("POST /api/tune/stop"), At(Operator), Effect::Calms)
        [Self::TuneStop] anything => Command::TuneStop;
    /// Takes the gains over that an autotune has found.
    TuneApply "TUNE_APPLY" (
        Endpoint::Route("POST /api/tune/apply"),
        At(Engineer),
        Effect::ConfiguresAndSaves
    )
        [Self::TuneApply] anything => Command::TuneApply;
    // A change of users, roles or what is served needs an admin; the route judges that.
    /// Takes a whole configuration over.
    ReplaceConfig "REPLACE_CONFIG" (Endpoint::Inside, At(Engineer), Effect::Configures)
        [Self::ReplaceConfig(_)] inside;
    /// Takes a change of the configuration over that was made outside the control thread.
    Adopt "ADOPT" (Endpoint::Inside, Service, Effect::Configures)
        [Self::Adopt(_)] inside;
    /// Reports what the recorder says about its disk.
    ReportLogging "REPORT_LOGGING" (Endpoint::Inside, Service, Effect::Acts)
        [Self::ReportLogging(_)] inside;
}

/// Steps per second of a jog that names no speed.
const DEFAULT_JOG_RATE: f64 = 1000.0;
/// Most steps of one jog: a million turns of the finest drive would outlast any shift.
const MAX_JOG_STEPS: i32 = 10_000_000;
/// Highest temperature that can be a target at all, °C; `safety.max_target` is lower.
const MAX_TARGET: f64 = 1000.0;
/// Lowest setpoint of a tune, °C.
pub(crate) const TUNE_MIN: f64 = 50.0;
/// A tune stays this far below `safety.max_target`, °C.
pub(crate) const TUNE_MARGIN: f64 = 15.0;

fn targets_are_zero(command: &Command) -> bool {
    let Command::SetTarget { zones } = command else { return false };
    zones.iter().any(Option::is_some) && zones.iter().flatten().all(|t| t.is_zero())
}

fn duty() -> Number {
    number(Duty::MIN, Duty::MAX, "%")
}

fn target() -> impl Spec<Value = Celsius> {
    number(0.0, MAX_TARGET, "°C")
        .map(Celsius::clamped)
        .up_to("safety.max_target", Safety::default().max_target)
}

/// Which way a user pin works.
#[derive(Clone, Copy)]
enum Direction {
    In,
    Out,
}

impl Direction {
    const fn with(self, pull: Pull) -> PinMode {
        match self {
            Self::In => PinMode::In(pull),
            Self::Out => PinMode::Out,
        }
    }
}

fn direction() -> Choice<Direction> {
    let find = |name: &str| match name {
        "in" => Some(Direction::In),
        "out" => Some(Direction::Out),
        _ => None,
    };
    choice(find, || vec!["in", "out"]).in_any_case()
}

fn pull() -> impl Spec<Value = Pull> {
    let find = |name: &str| match name {
        "up" => Some(Pull::Up),
        "down" => Some(Pull::Down),
        "off" | "none" => Some(Pull::Off),
        _ => None,
    };
    Nullable(choice(find, || vec!["up", "down", "off", "none"]).in_any_case())
        .unless_given(Pull::Off)
}
