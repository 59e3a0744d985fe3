//! What is asked of whom, as the section `security` in force says; replaced as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use tve_access::{PasswordHash, Role};
use tve_config::Security;

pub(super) struct User {
    pub(super) name: Arc<str>,
    pub(super) role: Role,
    pub(super) hash: Arc<PasswordHash>,
}

/// The policy in force.
pub(super) struct Policy {
    pub(super) security: Security,
    pub(super) users: BTreeMap<String, User>,
    /// What a login without a user is compared with.
    pub(super) decoys: Vec<Arc<PasswordHash>>,
}

impl Policy {
    /// That of `security`. A user whose hash cannot be read is left out.
    pub(super) fn of(security: &Security) -> Self {
        let users: BTreeMap<String, User> = security
            .users
            .iter()
            .filter_map(|(name, user)| {
                let hash = Arc::new(PasswordHash::parse(&user.hash).ok()?);
                Some((name.clone(), User { name: name.as_str().into(), role: user.role, hash }))
            })
            .collect();
        let mut decoys: Vec<_> = users.values().map(|user| Arc::clone(&user.hash)).collect();
        if decoys.is_empty() {
            decoys.push(Arc::new(PasswordHash::nobody()));
        }
        Self { security: security.clone(), users, decoys }
    }
}

/// Whether somebody could still change users under `security`.
pub(crate) fn has_admin(security: &Security) -> bool {
    !security.enabled || Policy::of(security).users.values().any(|user| user.role == Role::Admin)
}

/// Users of the configuration who cannot log in, one sentence each.
pub fn unusable(security: &Security) -> Vec<String> {
    let fault = |(name, user): (&String, &tve_config::User)| {
        let fault = PasswordHash::parse(&user.hash).err()?;
        Some(format!("security.users.{name}: nobody can log in with this, because it {fault}"))
    };
    security.users.iter().filter_map(fault).collect()
}
