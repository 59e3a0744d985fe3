//! What a run is made of, as the recorder sees it: groups, requests, phases, and the stretch that is
//! judged.

/// Seconds that the longest window reaches back.
pub const LONG_WINDOW_S: usize = 600;

/// Where in the run a request belongs: a phase of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First second, since the start of the run.
    pub from_s: u64,
    /// The second after the last.
    pub to_s: u64,
}

impl Span {
    /// Its length.
    pub fn seconds(self) -> u64 {
        self.to_s - self.from_s
    }
}

/// Names of what is recorded.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Groups of requests, by index.
    pub groups: Vec<String>,
    /// (name, index of the group) of each request.
    pub requests: Vec<(String, usize)>,
    /// How many scenarios there are.
    pub scenarios: usize,
    /// The phases; a request belongs to the one its due instant lies in.
    pub phases: Vec<Span>,
    /// The stretch that the continuous judgement looks at.
    pub judged: Span,
    /// Seconds of a slice.
    pub slice_s: usize,
    /// Seconds of the interval that must hold, at most [`LONG_WINDOW_S`].
    pub interval_s: usize,
    /// Seconds after which a request is given up: later than that no sample of a second can come.
    pub patience_s: u64,
}
