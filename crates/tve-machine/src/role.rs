//! Roles, and the rights that commands ask for: what a person or program may do with the machine.

/// What a user may do; each role may also do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look.
    Viewer,
    /// Run the machine.
    Operator,
    /// Tune and set it up.
    Engineer,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: &'static [Self] = &[Self::Viewer, Self::Operator, Self::Engineer, Self::Admin];

    /// The names in the order of [`Role::ALL`].
    pub const NAMES: &'static [&'static str] = &["viewer", "operator", "engineer", "admin"];

    /// The name in the file and on the wire.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The role with a name from the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }
}

/// What somebody needs who sends a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Nothing, unless `security.stop_needs_login`: then the role operator.
    Stop,
    /// A login with at least this role.
    At(Role),
    /// Nobody may from outside: the service alone sends it.
    Service,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_found_by_its_name() {
        for (role, name) in Role::ALL.iter().zip(Role::NAMES) {
            assert_eq!((role.name(), Role::from_name(name)), (*name, Some(*role)));
        }
        assert_eq!(Role::ALL.len(), Role::NAMES.len());
        assert_eq!(Role::from_name("Admin"), None);
    }
}
