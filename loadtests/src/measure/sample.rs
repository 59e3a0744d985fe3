//! One finished request, as the engines hand it to the recorder.

use super::outcome::Outcome;

/// Stands for "sent by no scenario".
pub const NO_SCENARIO: usize = usize::MAX;

/// One finished request; instants in µs since the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Index of its request in the plan.
    pub request: usize,
    /// Index of the scenario it was sent for; [`NO_SCENARIO`] where there is none.
    pub scenario: usize,
    /// When it should have been sent.
    pub due_us: u64,
    /// When its client was free to send it: later than `due_us` when an earlier reply was late.
    pub free_us: u64,
    /// When it was sent.
    pub sent_us: u64,
    /// When the head of the reply was there; as `done_us` where there was none.
    pub headers_us: u64,
    /// When the whole body was there, or the failure.
    pub done_us: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Length of the body.
    pub bytes: u64,
}
