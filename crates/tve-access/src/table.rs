//! The one table of who may do what: each route with the role it needs.
//!
//! The service, the documentation and the tests read it. What stands in no row needs an admin. What
//! a command needs stands in its own row, [`CommandRow::right`](tve_control::CommandRow::right).

use Need::{At, Commands, Open, Read, Stop};
use tve_config::Role::{self, Admin, Engineer, Operator};
use tve_config::Security;
use tve_control::CommandKind;
use tve_machine::Right;

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

/// What `method` on the route with the template `path` needs; HEAD needs what GET needs.
pub fn route(method: &str, path: &str) -> Need {
    let method = if method == "HEAD" { "GET" } else { method };
    let row = ROUTES.iter().find(|(m, p, _)| *m == method && *p == path);
    row.map_or(At(Admin), |(_, _, need)| *need)
}

/// What a command needs; `None` for one that nobody may send from outside.
pub const fn command(kind: CommandKind) -> Option<Need> {
    match kind.row().right {
        Right::Stop => Some(Stop),
        Right::At(role) => Some(At(role)),
        Right::Service => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_control::{Door, Effect};

    #[test]
    fn every_row_is_its_own_and_an_unknown_one_needs_an_admin() {
        for (i, (method, path, need)) in ROUTES.iter().enumerate() {
            assert_eq!(route(method, path), *need, "{method} {path}");
            assert!(!ROUTES[..i].iter().any(|(m, p, _)| (m, p) == (method, path)), "{path} twice");
        }
        assert_eq!(route("GET", "/api/nowhere"), At(Admin));
        assert_eq!(route("HEAD", "/health"), Open);
    }

    #[test]
    fn whatever_comes_from_outside_needs_a_role_or_is_a_stop_and_the_rest_nobody_may_send() {
        for kind in CommandKind::ALL {
            let row = kind.row();
            match command(*kind) {
                None => assert_eq!(row.door, Door::Inside, "{}", row.name),
                Some(Stop) => assert!(matches!(row.effect, Effect::Calms), "{}", row.name),
                Some(need) => assert!(matches!(need, At(_)), "{}", row.name),
            }
        }
    }

    #[test]
    fn a_viewer_may_send_what_only_reads_and_an_operator_nothing_that_is_saved() {
        for kind in CommandKind::ALL {
            let row = kind.row();
            let needs = |role| command(*kind) == Some(At(role));
            assert_eq!(needs(Role::Viewer), matches!(row.effect, Effect::Reads), "{}", row.name);
            assert!(!(row.effect.saves() && needs(Operator)), "{}", row.name);
        }
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
