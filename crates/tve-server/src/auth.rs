//! Who may do what.
//!
//! The policy of this version has one role: while `security.enabled` is false, whoever reaches the
//! listening address may do everything. That is why the service listens on loopback alone unless it
//! is told otherwise, and why it refuses to start with `security.enabled: true`, which would
//! promise more. Every request passes [`authorize`] before it is served.

use crate::http::{Denied, Route};
use hyper::HeaderMap;
use std::net::IpAddr;
use std::sync::Arc;
use tve_config::Role;

/// On whose behalf a request is served; handlers find it among the extensions of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Name of the user; `None` for somebody who did not have to say.
    pub(crate) user: Option<Arc<str>>,
    pub(crate) role: Role,
    /// Where the request came from.
    pub(crate) address: IpAddr,
}

/// Grants or refuses a request with `headers` on `route` from `address`.
///
/// # Errors
/// The reply to a request that is not granted; the policy of this version grants every one.
#[expect(clippy::unnecessary_wraps, reason = "callers are ready for a policy that refuses")]
pub(crate) fn authorize(
    _headers: &HeaderMap,
    _route: Route,
    address: IpAddr,
) -> Result<Caller, Denied> {
    Ok(Caller { user: None, role: Role::Admin, address })
}
