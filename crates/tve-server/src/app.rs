//! What every handler shares: the way to the controller, the newest machine, the cached replies.

use crate::auth::Access;
use crate::cache::Cached;
use crate::metrics::Metrics;
use crate::runner::{AlarmBook, CommandSender, LoopStats, Newest, Published};
use crate::view;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tve_audit::AuditHandle;
use tve_recorder::RecorderHandle;

/// The service behind its routes.
pub(crate) struct App {
    pub(crate) commands: CommandSender,
    pub(crate) newest: Newest,
    pub(crate) stats: Arc<LoopStats>,
    pub(crate) alarms: Arc<AlarmBook>,
    pub(crate) recorder: RecorderHandle,
    pub(crate) audit: AuditHandle,
    pub(crate) metrics: Metrics,
    pub(crate) access: Arc<Access>,
    /// `state.machine`.
    pub(crate) machine: &'static str,
    /// Why the configuration file was refused, one line a fault.
    pub(crate) config_errors: Vec<String>,
    pub(crate) data_dir: PathBuf,
    /// Where SAVE_CONFIG writes.
    pub(crate) config_path: PathBuf,
    /// Listening beyond loopback without login or TLS was allowed on the command line.
    pub(crate) insecure_open: bool,
    /// One save at a time, so that generations do not mix.
    pub(crate) saving: Mutex<()>,
    /// One change of the configuration at a time, so that each knows what it has changed.
    pub(crate) configuring: tokio::sync::Mutex<()>,
    pub(crate) cache: Cache,
}

/// Replies that many clients share.
#[derive(Default)]
pub(crate) struct Cache {
    data: Cached,
    status: Cached,
    config: Cached,
}

impl App {
    /// The body of `GET /api/data`.
    pub(crate) fn data_body(&self) -> Bytes {
        let newest = self.newest.load();
        self.cache.data.get(newest.seq, || view::json(&view::data(&newest.snapshot)).into())
    }

    /// The body of `GET /api/status`.
    pub(crate) fn status_body(&self) -> Bytes {
        let newest = self.newest.load();
        self.cache.status.get(newest.seq, || {
            let config = self.cache.config.get(newest.snapshot.config_revision, || {
                view::json(&newest.config.to_public_json()).into()
            });
            view::status_json(&self.state_json(&newest), &config)
        })
    }

    /// `state` as JSON text.
    pub(crate) fn state_json(&self, published: &Published) -> Vec<u8> {
        view::state_json(
            &published.snapshot,
            &published.config,
            self.machine,
            &self.config_errors,
            &self.alarms.json(view::alarm_history),
        )
    }
}
