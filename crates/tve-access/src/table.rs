//! The one table of who may send which command, and what a route may need.
//!
//! The service, the documentation and the tests read it. What a route needs stands in its own row, in
//! the table of the front.

use Need::{At, Commands, Open, Read, Stop};
use tve_config::Role::{self, Engineer, Operator};
use tve_config::Security;

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing, ever.
    Open,
    /// A viewer while `security.protect_reads`, else nothing.
    Read,
    /// An operator while `security.stop_needs_login`, else nothing.
    Stop,
    /// A role.
    At(Role),
    /// What the command in the body needs.
    Commands,
}

impl Need {
    /// The role that is needed under `security`; `None` when no login is.
    ///
    /// [`Need::Commands`] is decided by the command; by itself it needs any login.
    pub const fn role(self, security: &Security) -> Option<Role> {
        match self {
            Open => None,
            Read if security.protect_reads => Some(Role::Viewer),
            Stop if security.stop_needs_login => Some(Operator),
            Read | Stop => None,
            At(role) => Some(role),
            Commands => Some(Role::Viewer),
        }
    }
}

/// A command of POST /api/control and what it needs.
pub const COMMANDS: &[(&str, Need)] = &[
    ("EMERGENCY_STOP", Stop),
    ("STOP", Stop),
    ("START", At(Operator)),
    ("SET_MODE", At(Operator)),
    ("SET_TARGET", At(Operator)),
    ("SET_HEATER", At(Operator)),
    ("SET_MOTOR", At(Operator)),
    ("SET_RELAY", At(Operator)),
    ("SET_PELTIER", At(Operator)),
    ("SET_PWM_OUTPUT", At(Operator)),
    ("SET_FILL_TARGET", At(Operator)),
    ("MOVE_MOTOR_STEPS", At(Operator)),
    ("STOP_MANUAL_MOVE", At(Operator)),
    ("CLEAR_ALARM", At(Operator)),
    ("ACKNOWLEDGE_ALARM", At(Operator)),
    // How the panel draws its curves; the operator's own affair.
    ("SET_HISTORY_SETTINGS", At(Operator)),
    // Looking at a pin asks the machine, but changes nothing.
    ("GPIO_READ", At(Role::Viewer)),
    ("GPIO_CONFIG", At(Engineer)),
    ("GPIO_WRITE", At(Engineer)),
    ("UPDATE_PID", At(Engineer)),
    ("UPDATE_PINS", At(Engineer)),
    ("SET_PIN_NAME", At(Engineer)),
    ("UPDATE_EXTRUDER_SEQ", At(Engineer)),
    ("UPDATE_DM556", At(Engineer)),
    ("UPDATE_MOTION_CONFIG", At(Engineer)),
    ("SET_TEMP_SETTINGS", At(Engineer)),
    ("SET_LOGGING_SETTINGS", At(Engineer)),
    ("SET_SENSOR_CALIBRATION", At(Engineer)),
    ("SAVE_CONFIG", At(Engineer)),
];

/// What a command needs; `None` for a name in no row.
pub fn command(name: &str) -> Option<Need> {
    COMMANDS.iter().find(|(n, _)| *n == name).map(|(_, need)| *need)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_its_own_and_an_unknown_one_has_no_need() {
        for (i, (name, need)) in COMMANDS.iter().enumerate() {
            assert_eq!(command(name), Some(*need));
            assert!(!COMMANDS[..i].iter().any(|(n, _)| n == name), "{name} twice");
        }
        assert_eq!(command("SELF_DESTRUCT"), None);
    }

    #[test]
    fn stops_and_reads_need_a_login_only_where_the_configuration_says_so() {
        let relaxed = Security::default();
        let strict =
            Security { protect_reads: true, stop_needs_login: true, ..Security::default() };
        for need in [Open, Read, Stop] {
            assert_eq!(need.role(&relaxed), None, "{need:?}");
        }
        assert_eq!(Open.role(&strict), None);
        assert_eq!(Read.role(&strict), Some(Role::Viewer));
        assert_eq!(Stop.role(&strict), Some(Operator));
    }
}
