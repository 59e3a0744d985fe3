//! The newest minute of segments, and the incident that is being gathered.

use super::file;
use super::handover::Segment;
use super::incidents::{self, LARGEST_TOTAL};
use super::kept::Kept;
use super::{AFTER, BEFORE, Trigger};
use crate::disk::Disk;
use crate::local_time::LocalTime;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tve_units::Micros;

/// Longest incident after its first alarm: alarms that go on for ever make several.
const LONGEST_AFTER: Micros = Micros::from_secs(120);
/// Memory of the ring, bytes. A minute and a half takes 0.3 MB; a flood of commands takes more, and
/// then less than a minute is kept.
const MOST_BYTES: usize = 4_000_000;

/// An incident that is being gathered.
struct Open {
    path: Option<PathBuf>,
    alarms: Vec<Trigger>,
    from: Micros,
    until: Micros,
    /// The part before the alarm is on disk.
    begun: bool,
}

/// The recorder thread's end of the black box.
pub(crate) struct Ring {
    folder: PathBuf,
    segments: VecDeque<Kept>,
    bytes: usize,
    open: Option<Open>,
    /// Incidents on disk since the start.
    pub(crate) written: u64,
}

impl Ring {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, segments: VecDeque::new(), bytes: 0, open: None, written: 0 }
    }

    /// Takes a segment in; its buffer stays with the caller.
    pub(crate) fn push(&mut self, segment: &Segment) {
        let Some(config) = &segment.config else {
            return;
        };
        let mut kept = Kept::of(segment, config);
        // Equal configurations are one: the file names each once.
        if let Some(last) = self.segments.back()
            && *last.config == *kept.config
        {
            kept.config = Arc::clone(&last.config);
        }
        let newest = kept.ended;
        self.bytes += kept.weight();
        self.segments.push_back(kept);
        for trigger in segment.triggers.into_iter().flatten() {
            let until = trigger.at + AFTER;
            let open = self.open.get_or_insert_with(|| Open {
                path: None,
                alarms: Vec::new(),
                from: trigger.at - BEFORE,
                until,
                begun: false,
            });
            let last = open.from + BEFORE + LONGEST_AFTER;
            open.until = open.until.max(until.min(last));
            open.alarms.push(trigger);
        }
        let mut wanted_from = newest - BEFORE;
        if let Some(open) = &self.open {
            wanted_from = wanted_from.min(open.from);
        }
        while self.segments.len() > 1
            && (self.bytes > MOST_BYTES
                || self.segments.front().is_some_and(|s| s.ended < wanted_from))
        {
            if let Some(gone) = self.segments.pop_front() {
                self.bytes -= gone.weight();
            }
        }
    }

    /// Whether something waits for the disk.
    pub(crate) fn is_waiting(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.begun || self.reaches(open.until))
    }

    fn reaches(&self, until: Micros) -> bool {
        self.segments.back().is_some_and(|newest| newest.ended >= until)
    }

    /// Writes the open incident as far as it goes. When `last`, or when 30 s have passed since its
    /// alarm, it is complete and closed.
    ///
    /// # Errors
    /// Of the disk; the incident stays open.
    pub(crate) fn write(
        &mut self,
        disk: &mut dyn Disk,
        local: &LocalTime,
        last: bool,
    ) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let path = match &open.path {
            Some(path) => path.clone(),
            None => free_name(disk, &self.folder, local, &open.alarms)?,
        };
        let segments: Vec<&Kept> = self.segments.iter().filter(|s| s.ended >= open.from).collect();
        let bytes = file::compose(&segments, &open.alarms)?;
        disk.replace(&path, &bytes)?;
        if !open.begun {
            self.written += 1;
        }
        open.begun = true;
        open.path = Some(path);
        let until = open.until;
        if last || self.reaches(until) {
            self.open = None;
        }
        incidents::make_room(disk, &self.folder, LARGEST_TOTAL)
    }
}

/// A path in the folder that is not taken, named after the time of the first alarm.
fn free_name(
    disk: &mut dyn Disk,
    folder: &Path,
    local: &LocalTime,
    alarms: &[Trigger],
) -> io::Result<PathBuf> {
    let taken = disk.list(folder, incidents::NAMES)?;
    let stamp = local.file_stamp(alarms.first().map(|a| a.wall).unwrap_or_default());
    let mut name = format!("incident_{stamp}.tvebox");
    let mut number = 2;
    while taken.iter().any(|file| file.name == name) {
        name = format!("incident_{stamp}_{number}.tvebox");
        number += 1;
    }
    Ok(folder.join(name))
}
