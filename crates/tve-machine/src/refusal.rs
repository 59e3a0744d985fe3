//! Why something is refused: one table of codes for the machine and everybody who speaks for it.
//!
//! A *code* is what a program reads; it goes out as `msg`. Its *class* is what kind of refusal it
//! is, which a front maps to its own statuses.

/// What kind of refusal it is; a front maps each class to one status of its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalClass {
    /// The request itself is wrong.
    BadInput,
    /// Nobody has shown who asks.
    Unauthenticated,
    /// Whoever asks may not.
    Forbidden,
    /// The named thing does not exist.
    NotFound,
    /// The thing does not take this method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    TimedOut,
    /// Right request, wrong time.
    Conflict,
    /// The request was made on something that has changed since.
    PreconditionFailed,
    /// The request must say on what it was made.
    PreconditionRequired,
    /// The request is too large.
    TooLarge,
    /// The request comes in a form that is not read.
    UnsupportedMedia,
    /// Right request, too soon after the last.
    TooFast,
    /// The service is at fault.
    Internal,
    /// The machine, its queue or its disk cannot take it.
    Unavailable,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $class:ident;)*) => {
        /// Machine-readable reason of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RefusalCode { $($(#[doc = $doc])+ $variant,)* }

        impl RefusalCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its class.
            pub const fn class(self) -> RefusalClass {
                match self { $(Self::$variant => RefusalClass::$class,)* }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

codes! {
    /// The value of a key is of a wrong kind or out of range; the key follows after a colon.
    InvalidValue = "INVALID_VALUE", BadInput;
    /// The body is not JSON, or a key of it is given twice.
    InvalidJson = "INVALID_JSON", BadInput;
    /// The body is JSON but no object.
    InvalidBody = "INVALID_BODY", BadInput;
    /// The target of the request is no path.
    InvalidTarget = "INVALID_TARGET", BadInput;
    /// The request has no Host header, or more than one.
    InvalidHost = "INVALID_HOST", BadInput;
    /// A parameter of the query string is wrong.
    InvalidQuery = "INVALID_QUERY", BadInput;
    /// The configuration is refused as a whole.
    InvalidConfig = "INVALID_CONFIG", BadInput;
    /// The connection broke within the body.
    BodyIncomplete = "BODY_INCOMPLETE", BadInput;
    /// No such command.
    UnknownCommand = "UNKNOWN_COMMAND", BadInput;
    /// No such GPIO command.
    UnknownGpioCommand = "UNKNOWN_GPIO_COMMAND", BadInput;
    /// Mode is neither AUTO nor MANUAL.
    InvalidMode = "INVALID_MODE", BadInput;
    /// Relay is neither fan nor pump.
    InvalidRelay = "INVALID_RELAY", BadInput;
    /// No such PWM channel.
    InvalidPwmChannel = "INVALID_PWM_CHANNEL", BadInput;
    /// The machine has no such motor.
    InvalidMotor = "INVALID_MOTOR", BadInput;
    /// Speed is not 1 to 20000 steps/s.
    InvalidSpeed = "INVALID_SPEED", BadInput;
    /// Steps are not a whole number in range.
    InvalidMoveParams = "INVALID_MOVE_PARAMS", BadInput;
    /// Zone or params of UPDATE_PID.
    InvalidZoneOrParams = "INVALID_ZONE_OR_PARAMS", BadInput;
    /// Pins of UPDATE_PINS are no object.
    InvalidPins = "INVALID_PINS", BadInput;
    /// Pin or name of SET_PIN_NAME is of a wrong kind.
    InvalidArgs = "INVALID_ARGS", BadInput;
    /// Sequence of UPDATE_EXTRUDER_SEQ is no object.
    InvalidSequence = "INVALID_SEQUENCE", BadInput;
    /// Params of UPDATE_DM556 are no object.
    InvalidDm556Params = "INVALID_DM556_PARAMS", BadInput;
    /// Params of SET_TEMP_SETTINGS are no object.
    InvalidTempSettings = "INVALID_TEMP_SETTINGS", BadInput;
    /// Params of SET_LOGGING_SETTINGS are no object.
    InvalidLoggingParams = "INVALID_LOGGING_PARAMS", BadInput;
    /// Params of SET_SENSOR_CALIBRATION are no object.
    InvalidSensorParams = "INVALID_SENSOR_PARAMS", BadInput;
    /// There is no such sensor channel.
    InvalidSensorChannel = "INVALID_SENSOR_CHANNEL", BadInput;
    /// Pin is not BCM 0 to 27.
    InvalidPin = "INVALID_PIN", BadInput;
    /// State is neither a boolean nor on or off.
    InvalidGpioState = "INVALID_GPIO_STATE", BadInput;
    /// Pin, mode or value of /api/gpio.
    InvalidPinOrValue = "INVALID_PIN_OR_VALUE", BadInput;
    /// Zone of a tune.
    InvalidZone = "INVALID_ZONE", BadInput;
    /// Setpoint of a tune.
    InvalidSetpoint = "INVALID_SETPOINT", BadInput;
    /// A heater that sticks at that target could not be caught in time; `reason` has the sum.
    TargetNotCatchable = "TARGET_NOT_CATCHABLE", BadInput;
    /// There is no tune result to apply.
    NoResult = "NO_RESULT", BadInput;
    /// A login is needed and none was sent.
    LoginRequired = "LOGIN_REQUIRED", Unauthenticated;
    /// The login does not fit.
    LoginFailed = "LOGIN_FAILED", Unauthenticated;
    /// The login is good, but its role is too low.
    RoleTooLow = "ROLE_TOO_LOW", Forbidden;
    /// The section `security` cannot be read, so nobody can be told from anybody.
    SecurityUnreadable = "SECURITY_UNREADABLE", Forbidden;
    /// The Host header names another machine.
    ForeignHost = "FOREIGN_HOST", Forbidden;
    /// A page of another origin asks.
    ForeignOrigin = "FOREIGN_ORIGIN", Forbidden;
    /// There is no such path, file or generation.
    NotFound = "NOT_FOUND", NotFound;
    /// No alarm has that id.
    AlarmNotFound = "ALARM_NOT_FOUND", NotFound;
    /// The path does not take this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", MethodNotAllowed;
    /// The body did not arrive in time.
    BodyTimeout = "BODY_TIMEOUT", TimedOut;
    /// An alarm forbids it.
    AlarmActive = "ALARM_ACTIVE", Conflict;
    /// The emergency-stop button is still pressed.
    EmergencyBtnActive = "EMERGENCY_BTN_ACTIVE", Conflict;
    /// The cause of an alarm is still there.
    CausePresent = "CAUSE_PRESENT", Conflict;
    /// The device has neither pin nor PWM channel.
    NotFitted = "NOT_FITTED", Conflict;
    /// The controller owns the pin or channel.
    PinInUse = "PIN_IN_USE", Conflict;
    /// Only while idle.
    MachineBusy = "MACHINE_BUSY", Conflict;
    /// A tune runs, or MANUAL.
    TuneBusy = "TUNE_BUSY", Conflict;
    /// Sensors are not fresh.
    TempDataStale = "TEMP_DATA_STALE", Conflict;
    /// The zone is not locked.
    ZoneNotLocked = "ZONE_NOT_LOCKED", Conflict;
    /// A zone is too cold for the screw.
    ColdExtrusionProtection = "COLD_EXTRUSION_PROTECTION", Conflict;
    /// No emergency stop is mapped or declared.
    EstopNotDeclared = "ESTOP_NOT_DECLARED", Conflict;
    /// The pin cannot make that many pulses.
    PulseRate = "PULSE_RATE", Conflict;
    /// It can blind a trip, so somebody else has to confirm it first.
    ConfirmationNeeded = "CONFIRMATION_NEEDED", Conflict;
    /// Only a start of the service can take the change over.
    RestartNeeded = "RESTART_NEEDED", Conflict;
    /// An older configuration breaks a rule of today.
    OutdatedConfig = "OUTDATED_CONFIG", Conflict;
    /// The configuration has changed since it was read.
    ConfigChanged = "CONFIG_CHANGED", PreconditionFailed;
    /// The change must name the configuration that it was made on.
    IfMatchRequired = "IF_MATCH_REQUIRED", PreconditionRequired;
    /// The body is over 64 KiB.
    BodyTooLarge = "BODY_TOO_LARGE", TooLarge;
    /// The body is not of a media type that is read.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UnsupportedMedia;
    /// The relay was switched less than 0.25 s ago.
    RelayDebounce = "RELAY_DEBOUNCE", TooFast;
    /// The pin was written less than 0.25 s ago.
    GpioDebounce = "GPIO_DEBOUNCE", TooFast;
    /// More commands than the limit of the client.
    TooManyCommands = "TOO_MANY_COMMANDS", TooFast;
    /// User and address are locked after five failed logins.
    LoginLocked = "LOGIN_LOCKED", TooFast;
    /// Too many passwords wait to be checked.
    LoginBusy = "LOGIN_BUSY", TooFast;
    /// A fault of the service; its log says more.
    Internal = "INTERNAL", Internal;
    /// More commands than the controller takes.
    QueueFull = "QUEUE_FULL", Unavailable;
    /// More sockets than the service holds.
    TooManyConnections = "TOO_MANY_CONNECTIONS", Unavailable;
    /// Clients have more on the way than the service keeps for them.
    Overloaded = "OVERLOADED", Unavailable;
    /// The machine does not answer.
    Hardware = "HARDWARE", Unavailable;
    /// The disk cannot be read or written.
    DiskFailed = "DISK_FAILED", Unavailable;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_in_capitals() {
        for (i, code) in RefusalCode::ALL.iter().enumerate() {
            let name = code.name();
            let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            assert!(name.bytes().all(plain), "{name}");
            assert!(!RefusalCode::ALL[..i].iter().any(|c| c.name() == name), "{name} twice");
            assert!(code.meaning().ends_with('.'), "{name}");
        }
    }
}
