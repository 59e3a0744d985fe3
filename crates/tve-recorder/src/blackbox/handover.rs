//! What passes between the control thread and the recorder: segments, full one way, empty the other.

use super::Trigger;
use std::collections::VecDeque;
use std::sync::Arc;
use tve_config::Config;
use tve_units::{Micros, WallMillis};

/// Room of a segment. Ten seconds take about 30 kB; a flood of 5000 commands a second 500 kB, which
/// then is two segments. Memory that is not written to costs nothing.
pub(super) const SEGMENT_BYTES: usize = 256 * 1024;
/// Segments that can wait while the disk blocks, one that is being written included.
pub(super) const SEGMENTS: usize = 6;
/// Alarms that one segment names.
pub(super) const TRIGGERS: usize = 8;

/// A stretch of records behind the state at its beginning.
pub(crate) struct Segment {
    /// State, then records; the capacity never changes.
    pub(super) bytes: Vec<u8>,
    pub(super) state_len: usize,
    pub(super) config: Option<Arc<Config>>,
    pub(super) began: Micros,
    pub(super) ended: Micros,
    pub(super) wall: WallMillis,
    /// It begins in the state in which the one before ends.
    pub(super) continues: bool,
    pub(super) triggers: [Option<Trigger>; TRIGGERS],
}

impl Segment {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(SEGMENT_BYTES),
            state_len: 0,
            config: None,
            began: Micros::ZERO,
            ended: Micros::ZERO,
            wall: WallMillis::default(),
            continues: false,
            triggers: [None; TRIGGERS],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// What passes between the two threads.
pub(crate) struct Handover {
    pub(crate) full: VecDeque<Segment>,
    pub(crate) free: Vec<Segment>,
    /// Segments lost because the recorder did not come.
    pub(crate) lost: u64,
}

impl Handover {
    pub(crate) fn new() -> Self {
        Self {
            full: VecDeque::with_capacity(SEGMENTS),
            free: Vec::with_capacity(SEGMENTS),
            lost: 0,
        }
    }
}
