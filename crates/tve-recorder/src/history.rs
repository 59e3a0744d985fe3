//! The last 24 hours in memory, one compact sample a second, for the charts.
//!
//! *Decimation*: of each bucket of samples the ones that hold the lowest and the highest reading of
//! each heated zone are kept, so a peak of one second survives in a chart of a day.

use crate::layout::{self, Layout};
use crate::row::Row;
use std::collections::VecDeque;
use std::sync::Arc;
use tve_control::{Mode, Status};
use tve_units::Micros;

/// Time between two samples.
pub(crate) const PERIOD: Micros = Micros::from_secs(1);
/// How far back the history reaches, in samples: 24 h.
pub(crate) const CAPACITY: usize = 86_400;
/// Samples that are allocated, and given up, at a time: ten minutes, under 40 KiB for the
/// machine of two zones.
const CHUNK: usize = 600;
/// Samples of one machine, oldest first, packed as its layout says.
#[derive(Debug, Clone)]
pub struct Samples {
    layout: Arc<Layout>,
    packed: Vec<u8>,
}

impl Samples {
    fn new<'a>(layout: &Arc<Layout>, samples: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut packed = Vec::with_capacity(samples.size_hint().0 * layout.stride());
        for sample in samples {
            packed.extend_from_slice(sample);
        }
        Self { layout: Arc::clone(layout), packed }
    }

    /// Those of `rows`.
    pub fn of(layout: &Arc<Layout>, rows: &[Row]) -> Self {
        let mut packed = Vec::with_capacity(rows.len() * layout.stride());
        for row in rows {
            layout.pack(row, &mut packed);
        }
        Self { layout: Arc::clone(layout), packed }
    }

    /// What of the machine they hold.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.packed.len() / self.layout.stride()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// One after the other, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Sample<'_>> + ExactSizeIterator {
        let stride = self.layout.stride();
        self.packed.chunks_exact(stride).map(|packed| Sample { layout: &self.layout, packed })
    }
}

/// The machine at one second: 63 bytes with two zones, two motors and four sensors.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    layout: &'a Layout,
    packed: &'a [u8],
}

impl Sample<'_> {
    /// Wall-clock time, milliseconds since the Unix epoch.
    pub fn t_ms(&self) -> i64 {
        layout::label(self.packed).get()
    }

    /// What the machine was doing.
    pub fn status(&self) -> Status {
        layout::status(self.packed)
    }

    /// Who decided the duty.
    pub fn mode(&self) -> Mode {
        layout::mode(self.packed)
    }

    /// A value by its place in the [`Layout`], in its usual unit; `None` when it was not known.
    pub fn value(&self, index: usize) -> Option<f64> {
        self.layout.value(self.packed, index)
    }
}

/// Which samples of the history a reply shows, oldest first, by how many were taken before each. A
/// fifteenth of the samples themselves, so that many can wait for clients that read slowly.
#[derive(Debug, Clone, Default)]
pub struct Selection(Vec<u32>);

impl Selection {
    /// Bytes of one sample in a selection.
    pub const BYTES: usize = size_of::<u32>();

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A ring of samples in the order in which they were taken.
#[derive(Debug)]
pub(crate) struct History {
    layout: Arc<Layout>,
    chunks: VecDeque<Vec<u8>>,
    len: usize,
    /// Samples that have left.
    gone: u32,
}

impl History {
    /// An empty one.
    pub(crate) const fn new(layout: Arc<Layout>) -> Self {
        Self { layout, chunks: VecDeque::new(), len: 0, gone: 0 }
    }

    /// Adds the newest sample.
    pub(crate) fn push(&mut self, row: &Row) {
        let layout = Arc::clone(&self.layout);
        self.add(|chunk| layout.pack(row, chunk));
    }

    /// Adds the samples of `later` behind its own; both are of one machine.
    pub(crate) fn append(&mut self, later: &Self) {
        for sample in later.iter() {
            self.add(|chunk| chunk.extend_from_slice(sample));
        }
    }

    /// Adds a sample that `pack` appends; the oldest chunk leaves once the rest holds 24 h without it.
    fn add(&mut self, pack: impl FnOnce(&mut Vec<u8>)) {
        let full = CHUNK * self.layout.stride();
        if self.chunks.back().is_none_or(|c| c.len() == full) {
            self.chunks.push_back(Vec::with_capacity(full));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            pack(chunk);
            self.len += 1;
        }
        if self.len >= CAPACITY + CHUNK
            && let Some(oldest) = self.chunks.pop_front()
        {
            let left = oldest.len() / self.layout.stride();
            self.len -= left;
            self.gone = self.gone.wrapping_add(left as u32);
        }
    }

    /// The samples of the last 24 h, oldest first.
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.last(CAPACITY)
    }

    fn last(&self, n: usize) -> impl Iterator<Item = &[u8]> {
        let stride = self.layout.stride();
        let samples = self.chunks.iter().flat_map(move |chunk| chunk.chunks_exact(stride));
        samples.skip(self.before_last(n))
    }

    /// Samples that are older than the newest `n` of the last 24 h.
    fn before_last(&self, n: usize) -> usize {
        self.len.saturating_sub(n.min(CAPACITY))
    }

    /// The newest `n` samples, oldest first.
    pub(crate) fn newest(&self, n: usize) -> Selection {
        Selection((self.before_last(n)..self.len).map(|at| self.name(at)).collect())
    }

    /// The samples with a label of `since_ms` (Unix, ms) or later, oldest first, decimated to at
    /// most `points`.
    ///
    /// The labels are searched one by one: a wall clock that was set back leaves them unordered.
    pub(crate) fn since(&self, since_ms: i64, points: usize) -> Selection {
        let first = self.before_last(CAPACITY);
        let found = self.iter().enumerate();
        let found = found.filter(|(_, sample)| layout::label(sample).get() >= since_ms);
        let found = found.map(|(at, sample)| (self.name(first + at), sample)).collect();
        Selection(decimate(&self.layout, found, points))
    }

    /// The samples of `selection` from its place `from` on, at most `most`; those that have left
    /// since are missing.
    pub(crate) fn samples(&self, selection: &Selection, from: usize, most: usize) -> Samples {
        let stride = self.layout.stride();
        let chosen = selection.0.iter().skip(from).take(most);
        let packed = chosen.filter_map(|&name| {
            let at = name.wrapping_sub(self.gone) as usize;
            let start = at % CHUNK * stride;
            self.chunks.get(at / CHUNK)?.get(start..start + stride)
        });
        Samples::new(&self.layout, packed)
    }

    /// How many samples were taken before the one at `at`.
    fn name(&self, at: usize) -> u32 {
        self.gone.wrapping_add(at as u32)
    }
}

/// At most `points` of `samples`: those with the lowest and the highest reading of each zone in
/// buckets of equal count, in their order. A bucket without any reading keeps its first sample, so
/// that a gap shows. Fewer points than a bucket keeps give the newest samples instead.
fn decimate(layout: &Layout, samples: Vec<(u32, &[u8])>, points: usize) -> Vec<u32> {
    if samples.len() <= points {
        return samples.into_iter().map(|(name, _)| name).collect();
    }
    // Lowest and highest of each zone.
    let kept_per_bucket = (2 * layout.zones().len()).max(1);
    let buckets = points / kept_per_bucket;
    if buckets == 0 {
        return samples[samples.len() - points..].iter().map(|(name, _)| *name).collect();
    }
    let mut kept = Vec::with_capacity(points);
    for b in 0..buckets {
        let from = samples.len() * b / buckets;
        let to = samples.len() * (b + 1) / buckets;
        let bucket = &samples[from..to];
        let zones = layout.zones().iter();
        let mut picked: Vec<usize> =
            zones.flat_map(|&zone| extremes(layout, bucket, zone)).flatten().collect();
        if picked.is_empty() {
            picked.push(0);
        }
        picked.sort_unstable();
        picked.dedup();
        kept.extend(picked.into_iter().filter_map(|i| bucket.get(i).map(|(name, _)| *name)));
    }
    kept
}

/// Places of the lowest and the highest of a value.
fn extremes(layout: &Layout, bucket: &[(u32, &[u8])], value: usize) -> [Option<usize>; 2] {
    let read =
        |(i, (_, sample)): (usize, &(u32, &[u8]))| layout.value(sample, value).map(|t| (i, t));
    let readings = || bucket.iter().enumerate().filter_map(read);
    let low = readings().min_by(|a, b| a.1.total_cmp(&b.1));
    let high = readings().max_by(|a, b| a.1.total_cmp(&b.1));
    [low.map(|(i, _)| i), high.map(|(i, _)| i)]
}

#[cfg(test)]
mod tests;
