//! How a plan is to be run: against which service, for how long, and what is known of its machine.

use crate::client::pooled;
use crate::plan::Plan;
use std::time::Duration;

/// How a plan is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the service.
    pub host: reqwest::Url,
    /// Whom to trust for it; empty: whom the system trusts.
    pub authorities: Vec<reqwest::Certificate>,
    /// Minutes instead of hours.
    pub short: bool,
    /// Process of the service, where it cannot be found by its port.
    pub server_pid: Option<i32>,
    /// Whether a machine that is no simulator is meant.
    pub real_is_known: bool,
    /// Whether the state of the run is shown on stderr.
    pub progress: bool,
}

impl Options {
    /// A whole run, shown to nobody, against the simulator at `host`.
    pub fn to(host: reqwest::Url) -> Self {
        Self {
            host,
            authorities: Vec::new(),
            short: false,
            server_pid: None,
            real_is_known: false,
            progress: false,
        }
    }

    /// A client whose requests take as long as those of `plan` may.
    pub(crate) fn client(&self, plan: &Plan) -> reqwest::Result<reqwest::Client> {
        pooled(Duration::from_millis(plan.timeout_ms), &self.authorities)
    }
}
