//! One run: rows wait in memory, go to the file in batches, and survive a disk that fails.
//!
//! *Batch*: rows rendered to bytes, of which the file has taken a known part. A write that stops in
//! the middle of a line goes on at that byte, so neither a torn nor a doubled line is left behind.

use crate::csv::RunText;
use crate::disk::Disk;
use crate::row::Row;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use tve_append::AppendFile;
use tve_units::Micros;

/// Rows that wait at most: ten minutes at the default interval; beyond, the oldest are dropped.
pub(crate) const MOST_WAITING: usize = 2400;
/// Rows that make a flush worth while by themselves, so that fast runs never fill the buffer.
const WORTH_A_FLUSH: usize = 1000;
/// Rows that a mean must stand on before a deviation from it says anything.
const LEAST_FOR_A_MEAN: u32 = 10;
/// Standard deviations from the mean beyond which a row is worth an early flush.
const OUTLIER_SD: f64 = 2.0;
/// Least time between two early flushes: noise must not wear the card out.
const EARLY_FLUSH_PAUSE: Micros = Micros::from_secs(5);
/// Names tried for one second of local time before giving up.
const MOST_SUFFIXES: u32 = 1000;

/// Mean and variance of the rows since the last flush, by Welford's recurrence (Technometrics 4,
/// 1962).
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    n: u32,
    mean: f64,
    m2: f64,
}

impl Spread {
    fn add(&mut self, x: f64) {
        self.n += 1;
        let delta = x - self.mean;
        self.mean += delta / f64::from(self.n);
        self.m2 += delta * (x - self.mean);
    }

    fn is_outlier(&self, x: f64) -> bool {
        if self.n < LEAST_FOR_A_MEAN {
            return false;
        }
        let sd = (self.m2 / f64::from(self.n)).sqrt();
        sd > 0.0 && (x - self.mean).abs() > OUTLIER_SD * sd
    }
}

struct OpenFile {
    name: String,
    file: Box<dyn AppendFile>,
}

/// A run that is being recorded, or that still waits for the disk.
pub(crate) struct Run {
    id: u32,
    open: Option<OpenFile>,
    waiting: VecDeque<Row>,
    batch: Vec<u8>,
    batch_rows: u64,
    taken_bytes: usize,
    unsynced: bool,
    /// Of each sensor.
    spread: Vec<Spread>,
    flushed_at: Option<Micros>,
    early_at: Option<Micros>,
    early_wanted: bool,
    rows: u64,
}

impl Run {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            open: None,
            waiting: VecDeque::new(),
            batch: Vec::new(),
            batch_rows: 0,
            taken_bytes: 0,
            unsynced: false,
            spread: Vec::new(),
            flushed_at: None,
            early_at: None,
            early_wanted: false,
            rows: 0,
        }
    }

    pub(crate) const fn id(&self) -> u32 {
        self.id
    }

    /// Rows of this run that are in the file or wait for it.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that are not safely in the file yet.
    pub(crate) fn unwritten(&self) -> u64 {
        self.waiting.len() as u64 + self.batch_rows
    }

    /// Whether something is not known to be on the medium.
    pub(crate) fn needs_disk(&self) -> bool {
        self.unwritten() > 0 || self.unsynced
    }

    pub(crate) fn file_name(&self) -> Option<&str> {
        self.open.as_ref().map(|o| o.name.as_str())
    }

    /// Takes a row, with the places of its temperatures; returns how many old ones had to go for it. `now` is the recorder's time, which
    /// on a simulator that runs fast is not the row's.
    pub(crate) fn push(&mut self, now: Micros, row: &Row, temperatures: &[usize]) -> u64 {
        self.spread.resize(temperatures.len(), Spread::default());
        for (spread, &place) in self.spread.iter_mut().zip(temperatures) {
            if let Some(t) = row.value(place) {
                let pause_over = self.early_at.is_none_or(|at| now.since(at) >= EARLY_FLUSH_PAUSE);
                if pause_over && spread.is_outlier(t) {
                    self.early_wanted = true;
                }
                spread.add(t);
            }
        }
        self.waiting.push_back(*row);
        self.rows += 1;
        if self.waiting.len() <= MOST_WAITING {
            return 0;
        }
        self.waiting.pop_front();
        self.rows -= 1;
        1
    }

    /// Whether the rows should go to the disk now.
    pub(crate) fn flush_due(&self, now: Micros, flush_interval: Micros) -> bool {
        if !self.needs_disk() {
            return false;
        }
        self.early_wanted
            || self.waiting.len() >= WORTH_A_FLUSH
            // The first row goes at once: the run then has a file that can be seen.
            || self.flushed_at.is_none_or(|at| now.since(at) >= flush_interval)
    }

    /// Writes everything that waits and returns when it is on the medium.
    ///
    /// # Errors
    /// Of the disk. What was written stays written; the rest waits for the next call.
    pub(crate) fn flush(
        &mut self,
        now: Micros,
        disk: &mut dyn Disk,
        folder: &Path,
        text: &RunText,
    ) -> io::Result<()> {
        self.write_batch()?;
        if let Some(first) = self.waiting.front() {
            if self.open.is_none() {
                self.open = Some(create(disk, folder, &text.local().file_stamp(first.wall))?);
                self.batch.extend_from_slice(text.header().as_bytes());
            }
            self.batch_rows = self.waiting.len() as u64;
            for row in self.waiting.drain(..) {
                text.line(&row, &mut self.batch);
            }
            self.write_batch()?;
        }
        if self.unsynced
            && let Some(open) = &mut self.open
        {
            open.file.sync()?;
            self.unsynced = false;
        }
        if self.early_wanted {
            self.early_at = Some(now);
            self.early_wanted = false;
        }
        self.flushed_at = Some(now);
        self.spread.clear();
        Ok(())
    }

    fn write_batch(&mut self) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        while self.taken_bytes < self.batch.len() {
            let taken = match open.file.write(&self.batch[self.taken_bytes..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => taken,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            self.taken_bytes += taken;
            self.unsynced = true;
        }
        self.batch.clear();
        self.batch_rows = 0;
        self.taken_bytes = 0;
        Ok(())
    }
}

/// A new file for the second `stamp`, with a suffix when there is one already.
fn create(disk: &mut dyn Disk, folder: &Path, stamp: &str) -> io::Result<OpenFile> {
    for suffix in 1..=MOST_SUFFIXES {
        let name = if suffix == 1 {
            format!("run_{stamp}.csv")
        } else {
            format!("run_{stamp}_{suffix}.csv")
        };
        match disk.create_new(&folder.join(&name)) {
            Ok(file) => return Ok(OpenFile { name, file }),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("every name from run_{stamp}.csv to run_{stamp}_{MOST_SUFFIXES}.csv is taken"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_disk::FakeDisk;
    use crate::local_time::LocalTime;
    use crate::testing::{self, layout};
    use tve_units::WallMillis;

    const FLUSH: Micros = Micros::from_secs(60);

    fn row(i: u64, t: f64) -> Row {
        let now = Micros::from_millis(i * 250);
        let wall = WallMillis::new(1_700_000_000_000 + i.cast_signed() * 250);
        testing::row(now, wall, [Some(t); 4])
    }

    struct Rig {
        disk: FakeDisk,
        run: Run,
        flushes: Vec<u64>,
    }

    impl Rig {
        fn new() -> Self {
            Self { disk: FakeDisk::new(), run: Run::new(1), flushes: Vec::new() }
        }

        fn flush(&mut self, now: Micros) -> io::Result<()> {
            let text = RunText::new(layout(), LocalTime::at_offset_hours(0));
            self.run.flush(now, &mut self.disk, Path::new("/logs"), &text)
        }

        fn step(&mut self, i: u64, t: f64) {
            let row = row(i, t);
            self.run.push(row.now, &row, layout().temperatures());
            if self.run.flush_due(row.now, FLUSH) {
                self.flush(row.now).unwrap();
                self.flushes.push(i);
            }
        }
    }

    #[test]
    fn rows_reach_the_disk_at_the_first_row_and_every_flush_interval() {
        let mut rig = Rig::new();
        for i in 0..=480 {
            rig.step(i, 20.0);
        }
        assert_eq!(rig.flushes, [0, 240, 480]);
        assert_eq!(rig.disk.syncs(), 3);
    }

    #[test]
    fn an_outlier_flushes_early_but_at_most_every_five_seconds() {
        let mut rig = Rig::new();
        rig.step(0, 20.0);
        let noise = |i: u64| 20.0 + if i.is_multiple_of(2) { 0.1 } else { -0.1 };
        for i in 1..=9 {
            rig.step(i, noise(i));
        }
        rig.step(10, 25.0);
        assert_eq!(rig.flushes, [0], "nine rows are no mean");
        let mut ten = Rig::new();
        ten.step(0, 20.0);
        for i in 1..=10 {
            ten.step(i, noise(i));
        }
        ten.step(11, 25.0);
        assert_eq!(ten.flushes, [0, 11], "ten rows are");

        for i in 11..=230 {
            rig.step(i, noise(i));
        }
        rig.step(231, 25.0);
        assert_eq!(rig.flushes, [0, 231]);
        for i in 232..=244 {
            rig.step(i, noise(i));
        }
        rig.step(245, 25.0);
        assert_eq!(rig.flushes, [0, 231], "3.5 s after the last early flush");
        for i in 246..=300 {
            rig.step(i, noise(i));
        }
        rig.step(301, 40.0);
        assert_eq!(rig.flushes, [0, 231, 301]);
    }

    #[test]
    fn a_run_of_the_same_second_gets_a_suffix() {
        let mut rig = Rig::new();
        rig.disk.put_run("run_20231114_221320.csv", 0, 0.0);
        rig.step(0, 20.0);
        assert_eq!(rig.run.file_name(), Some("run_20231114_221320_2.csv"));
    }

    #[test]
    fn a_disk_that_stops_at_any_byte_leaves_no_torn_and_no_doubled_line() {
        let mut whole = Rig::new();
        for i in 0..3 {
            whole.run.push(Micros::ZERO, &row(i, 20.0), layout().temperatures());
        }
        whole.flush(Micros::ZERO).unwrap();
        let wanted = whole.disk.text("/logs/run_20231114_221320.csv");
        assert_eq!(wanted.lines().count(), 4);

        for room in 0..wanted.len() {
            let mut rig = Rig::new();
            for i in 0..3 {
                rig.run.push(Micros::ZERO, &row(i, 20.0), layout().temperatures());
            }
            rig.disk.set_room(Some(room));
            assert!(rig.flush(Micros::ZERO).is_err(), "room for {room} bytes");
            rig.disk.set_room(None);
            rig.flush(Micros::ZERO).unwrap();
            assert_eq!(rig.disk.text("/logs/run_20231114_221320.csv"), wanted, "{room} bytes");
            assert_eq!(rig.run.unwritten(), 0);
        }
    }

    #[test]
    fn a_full_buffer_drops_the_oldest_row_and_says_so() {
        let mut rig = Rig::new();
        let mut dropped = 0;
        for i in 0..MOST_WAITING as u64 + 7 {
            dropped += rig.run.push(Micros::ZERO, &row(i, 20.0), layout().temperatures());
        }
        assert_eq!(dropped, 7);
        assert_eq!(rig.run.rows(), MOST_WAITING as u64);
        rig.flush(Micros::ZERO).unwrap();
        let name = format!("/logs/{}", rig.run.file_name().unwrap());
        let text = rig.disk.text(&name);
        assert!(text.lines().nth(1).unwrap().starts_with("1700000001.750,"), "row 7 is the oldest");
    }

    #[test]
    fn rows_count_as_safe_only_after_the_sync() {
        let mut rig = Rig::new();
        rig.run.push(Micros::ZERO, &row(0, 20.0), layout().temperatures());
        rig.disk.fail_syncs(true);
        assert!(rig.flush(Micros::ZERO).is_err());
        assert!(rig.run.needs_disk());
        rig.disk.fail_syncs(false);
        rig.flush(Micros::ZERO).unwrap();
        assert_eq!(rig.disk.syncs(), 1);
        assert!(!rig.run.needs_disk());
    }
}
