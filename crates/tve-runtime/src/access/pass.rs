//! Connections that stay open: what they were opened with, and whether that still stands.

use super::{Access, Arrival, since_1970};
use tve_access::{Credentials, Need, Verdict};

/// What a connection that stays open was opened with.
#[derive(Debug, Clone)]
pub struct Pass(Shown);

#[derive(Debug, Clone)]
enum Shown {
    /// Nothing that anybody stands behind.
    Nothing,
    /// A user as he was then.
    User(String, tve_config::User),
    /// A token that was good then.
    Token(String),
}

impl Access {
    /// What a connection that stays open is opened with, after its request was let through.
    pub fn pass(&self, arrival: &Arrival) -> Pass {
        Pass(match &arrival.credentials {
            Credentials::Bearer(token) if self.is_good(token) => Shown::Token(token.clone()),
            Credentials::Basic(login) => {
                let policy = self.policy.load();
                let user = policy.security.users.get(&login.user);
                user.map_or(Shown::Nothing, |user| Shown::User(login.user.clone(), user.clone()))
            }
            Credentials::None | Credentials::Bearer(_) | Credentials::Malformed => Shown::Nothing,
        })
    }

    /// Whether whoever opened a connection with `pass` may still read over it: a token may have expired
    /// or been revoked since, a user been removed or been given another password or role.
    pub fn still_reads(&self, pass: Option<&Pass>) -> bool {
        if !self.is_enabled() {
            return true;
        }
        match pass.map(|Pass(shown)| shown) {
            None | Some(Shown::Nothing) => self.role(Need::Read).is_none(),
            Some(Shown::User(name, user)) => {
                self.policy.load().security.users.get(name) == Some(user)
            }
            Some(Shown::Token(token)) => self.is_good(token),
        }
    }

    fn is_good(&self, token: &str) -> bool {
        matches!(self.tokens.load().check(token, since_1970()), Verdict::Good(_))
    }
}
