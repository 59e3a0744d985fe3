//! A segment in the memory of the recorder, after its buffer has gone back to the control thread.

use super::handover::Segment;
use std::sync::Arc;
use tve_config::Config;
use tve_units::Micros;

/// Bytes that a configuration in memory counts for.
const CONFIG_BYTES: usize = 12_000;

/// The segment.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) bytes: Box<[u8]>,
    pub(super) state_len: usize,
    pub(super) config: Arc<Config>,
    pub(super) began: Micros,
    pub(super) ended: Micros,
    pub(super) continues: bool,
}

impl Kept {
    /// A copy of what `segment` holds, under `config`.
    pub(super) fn of(segment: &Segment, config: &Arc<Config>) -> Self {
        Self {
            bytes: segment.bytes.as_slice().into(),
            state_len: segment.state_len,
            config: Arc::clone(config),
            began: segment.began,
            ended: segment.ended,
            continues: segment.continues,
        }
    }

    /// What it takes in memory, bytes.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len() + CONFIG_BYTES
    }
}
