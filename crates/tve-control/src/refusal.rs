//! Why a command was not carried out: one code a reason, one class a code.

use core::fmt;

/// What kind of refusal it is; the HTTP layer maps each class to one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalClass {
    /// The request itself is wrong.
    BadInput,
    /// The named thing does not exist.
    NotFound,
    /// Right request, wrong time.
    Conflict,
    /// Right request, too soon after the last.
    TooFast,
    /// The machine or its queue cannot take it.
    Unavailable,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:ident;)*) => {
        /// Machine-readable reason of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RefusalCode { $($(#[$doc])* $variant,)* }

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
        }
    };
}

codes! {
    /// A sentence says what is wrong with the input.
    Invalid = "INVALID", BadInput;
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
    /// Motor is neither main nor feed.
    InvalidMotor = "INVALID_MOTOR", BadInput;
    /// Speed is not 1 to 20000 steps/s.
    InvalidSpeed = "INVALID_SPEED", BadInput;
    /// Steps are not a whole number in range.
    InvalidMoveParams = "INVALID_MOVE_PARAMS", BadInput;
    /// Zone or params of UPDATE_PID.
    InvalidZoneOrParams = "INVALID_ZONE_OR_PARAMS", BadInput;
    /// Channel is not 0 to 3.
    InvalidSensorChannel = "INVALID_SENSOR_CHANNEL", BadInput;
    /// Pin is not BCM 0 to 27.
    InvalidPin = "INVALID_PIN", BadInput;
    /// State is not a boolean.
    InvalidGpioState = "INVALID_GPIO_STATE", BadInput;
    /// Pin or value of /api/gpio.
    InvalidPinOrValue = "INVALID_PIN_OR_VALUE", BadInput;
    /// Zone of a tune.
    InvalidZone = "INVALID_ZONE", BadInput;
    /// Setpoint of a tune.
    InvalidSetpoint = "INVALID_SETPOINT", BadInput;
    /// There is no tune result to apply.
    NoResult = "NO_RESULT", BadInput;
    /// No alarm has that id.
    AlarmNotFound = "ALARM_NOT_FOUND", NotFound;
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
    /// A zone is too cold for the screw.
    ColdExtrusionProtection = "COLD_EXTRUSION_PROTECTION", Conflict;
    /// No emergency stop is mapped or declared.
    EstopNotDeclared = "ESTOP_NOT_DECLARED", Conflict;
    /// The pin cannot make that many pulses.
    PulseRate = "PULSE_RATE", Conflict;
    /// The relay was switched less than 0.25 s ago.
    RelayDebounce = "RELAY_DEBOUNCE", TooFast;
    /// The pin was written less than 0.25 s ago.
    GpioDebounce = "GPIO_DEBOUNCE", TooFast;
    /// More commands than the controller takes.
    QueueFull = "QUEUE_FULL", Unavailable;
    /// The machine does not answer.
    Hardware = "HARDWARE", Unavailable;
}

/// A refused command. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub code: RefusalCode,
    /// More for a person: values, limits, names. Stands for the code when that is
    /// [`RefusalCode::Invalid`].
    pub detail: Option<String>,
}

impl Refusal {
    /// Bad input, explained by a sentence that names the key.
    pub fn invalid(sentence: impl Into<String>) -> Self {
        Self { code: RefusalCode::Invalid, detail: Some(sentence.into()) }
    }

    /// A code with an explanation.
    pub fn with(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self { code, detail: Some(detail.into()) }
    }

    /// What `msg` says on the wire: the code, or the sentence where there is no code.
    pub fn msg(&self) -> &str {
        match (self.code, &self.detail) {
            (RefusalCode::Invalid, Some(sentence)) => sentence,
            _ => self.code.name(),
        }
    }
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        Self { code, detail: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) if self.code != RefusalCode::Invalid => {
                write!(f, "{}: {detail}", self.code.name())
            }
            _ => f.write_str(self.msg()),
        }
    }
}

impl core::error::Error for Refusal {}
