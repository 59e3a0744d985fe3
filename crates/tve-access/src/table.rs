//! The one table of who may do what: each route and each command with the role it needs.
//!
//! The service, the documentation and the tests read it. What stands in no row needs an admin.

use Need::{At, Commands, Open, Read, Stop};
use tve_config::Role::{self, Admin, Engineer, Operator};
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

/// A route: method, path template, what it needs.
pub const ROUTES: &[(&str, &str, Need)] = &[
    ("GET", "/health", Open),
    ("GET", "/ready", Open),
    ("GET", "/", Read),
    ("GET", "/{file}", Read),
    ("GET", "/api/data", Read),
    ("GET", "/api/status", Read),
    ("GET", "/api/gpio", Read),
    ("GET", "/api/log", Read),
    ("GET", "/api/log/{file}", Read),
    ("GET", "/api/incidents", Read),
    ("GET", "/api/incidents/{file}", Read),
    ("GET", "/api/permissives", Read),
    ("GET", "/api/history/sensors", Read),
    ("GET", "/metrics", Read),
    ("GET", "/openapi.json", Read),
    ("GET", "/socket.io/", Read),
    ("POST", "/socket.io/", Read),
    ("POST", "/api/control", Commands),
    ("POST", "/api/log/start", At(Operator)),
    ("POST", "/api/log/stop", At(Operator)),
    ("POST", "/api/gpio", At(Engineer)),
    ("POST", "/api/tune/start", At(Engineer)),
    // Giving a tune up only turns heaters down.
    ("POST", "/api/tune/stop", At(Operator)),
    ("POST", "/api/tune/apply", At(Engineer)),
    ("GET", "/api/config", At(Engineer)),
    // A change of users, roles or what is served needs more than the route: the role admin.
    ("PUT", "/api/config", At(Engineer)),
    ("GET", "/api/config/generations", At(Engineer)),
    ("GET", "/api/config/generations/{generation}", At(Engineer)),
    ("POST", "/api/config/restore", At(Engineer)),
    ("GET", "/api/audit", At(Engineer)),
];

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

/// What `method` on the route with the template `path` needs; HEAD needs what GET needs.
pub fn route(method: &str, path: &str) -> Need {
    let method = if method == "HEAD" { "GET" } else { method };
    let row = ROUTES.iter().find(|(m, p, _)| *m == method && *p == path);
    row.map_or(At(Admin), |(_, _, need)| *need)
}

/// What a command needs; `None` for a name in no row.
pub fn command(name: &str) -> Option<Need> {
    COMMANDS.iter().find(|(n, _)| *n == name).map(|(_, need)| *need)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_its_own_and_an_unknown_one_needs_an_admin() {
        for (i, (method, path, need)) in ROUTES.iter().enumerate() {
            assert_eq!(route(method, path), *need, "{method} {path}");
            assert!(!ROUTES[..i].iter().any(|(m, p, _)| (m, p) == (method, path)), "{path} twice");
        }
        for (i, (name, need)) in COMMANDS.iter().enumerate() {
            assert_eq!(command(name), Some(*need));
            assert!(!COMMANDS[..i].iter().any(|(n, _)| n == name), "{name} twice");
        }
        assert_eq!(route("GET", "/api/nowhere"), At(Admin));
        assert_eq!(route("HEAD", "/health"), Open);
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
