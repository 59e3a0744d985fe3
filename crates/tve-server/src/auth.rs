//! Who may do what.
//!
//! The policy of this version has one role: while `security.enabled` is false, whoever reaches the
//! listening address is the operator. That is why the service listens on loopback alone unless it
//! is told otherwise, and why it refuses to start with `security.enabled: true`, which would
//! promise more. Every request passes [`authorize`] before it is served.

use crate::http::{Denied, Route};
use hyper::HeaderMap;

/// On whose behalf a request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Somebody at the machine.
    Operator,
}

/// Grants or refuses a request with `headers` on `route`.
///
/// # Errors
/// The reply to a request that is not granted; the policy of this version grants every one.
#[expect(clippy::unnecessary_wraps, reason = "callers are ready for a policy that refuses")]
pub(crate) fn authorize(_headers: &HeaderMap, _route: Route) -> Result<Principal, Denied> {
    Ok(Principal::Operator)
}
