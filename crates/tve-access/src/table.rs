//! What somebody must be to be let in: the needs of routes and commands.
//!
//! What a command needs stands in its own row,
//! [`CommandRow::right`](tve_control::CommandRow::right); what a route needs in that of the front's
//! table of routes.

use Need::{At, Commands, Open, Read, Stop};
use tve_config::Role::{self, Operator};
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
    use tve_control::{Effect, Endpoint};

    #[test]
    fn whatever_comes_from_outside_needs_a_role_or_is_a_stop_and_the_rest_nobody_may_send() {
        for kind in CommandKind::ALL {
            let row = kind.row();
            match command(*kind) {
                None => assert_eq!(row.endpoint, Endpoint::Inside, "{}", row.name),
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
