//! What every handler shares: the door of the service, the counters, the cached replies.

use crate::cache::Cached;
use crate::metrics::Metrics;
use crate::view;
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use tve_runtime::{Door, Published};
use tve_tags::Tags;

/// The front behind its routes.
pub(crate) struct App {
    pub(crate) door: Door,
    pub(crate) metrics: Metrics,
    /// Makes the document that describes the API of a machine.
    describe: fn(&Tags) -> Bytes,
    cache: Cache,
}

/// Replies that many clients share.
#[derive(Default)]
struct Cache {
    data: Cached,
    status: Cached,
    config: Cached,
    alarms: Cached,
    tags: Cached<Arc<Tags>>,
    description: Cached,
}

impl App {
    /// `routes` are the labels of the metrics, by the number of the route.
    pub(crate) fn new(door: Door, routes: Vec<&'static str>, describe: fn(&Tags) -> Bytes) -> Self {
        Self { door, metrics: Metrics::new(routes), describe, cache: Cache::default() }
    }

    /// The body of `GET /api/data`.
    pub(crate) fn data_body(&self) -> Bytes {
        let newest = self.door.newest();
        self.cache
            .data
            .get(newest.seq, || view::data_text(&newest.snapshot, &self.tags(&newest)).into())
    }

    /// The body of `GET /api/status`.
    pub(crate) fn status_body(&self) -> Bytes {
        let newest = self.door.newest();
        self.cache.status.get(newest.seq, || {
            let config = self.cache.config.get(newest.snapshot.config_revision, || {
                view::json(&newest.config.to_public_json()).into()
            });
            view::status_json(&self.state_json(&newest), &config)
        })
    }

    /// The body of `GET /api/status` where nobody may know more.
    pub(crate) fn faults_body(&self) -> Bytes {
        view::json(&json!({"state": {"config_errors": self.door.config_errors()}})).into()
    }

    /// The tags of the machine by the names of its configuration.
    pub(crate) fn tags(&self, published: &Published) -> Arc<Tags> {
        let revision = published.snapshot.config_revision;
        self.cache.tags.get(revision, || Arc::new(Tags::of(Arc::clone(&published.machine))))
    }

    /// The body of `GET /openapi.json`.
    pub(crate) fn description(&self) -> Bytes {
        let newest = self.door.newest();
        let revision = newest.snapshot.config_revision;
        self.cache.description.get(revision, || (self.describe)(&self.tags(&newest)))
    }

    /// `state` as JSON text.
    pub(crate) fn state_json(&self, published: &Published) -> Vec<u8> {
        let past = self.door.alarm_history();
        let past = self.cache.alarms.get(past.version, || view::alarm_history(&past.entries));
        view::state_json(
            &published.snapshot,
            &self.tags(published),
            self.door.machine(),
            self.door.config_errors(),
            &past,
        )
    }
}
