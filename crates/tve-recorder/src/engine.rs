//! The recorder without its thread: one turn takes what waits, writes what is due and says how it
//! went. Time is an argument.

use crate::LoggingSettings;
use crate::blackbox::{Ring, incident_folder};
use crate::csv::RunText;
use crate::data_dir::run_folder;
use crate::disk::Disk;
use crate::history::History;
use crate::inbox::{Batch, NO_RUN, Offered, Order, RunId};
use crate::journal::Journal;
use crate::layout::Layout;
use crate::run::Run;
use crate::run_files::{self, Retention};
use crate::session::Session;
use crate::shared::RecorderStatus;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tve_units::{Backoff, Micros, WallMillis};

/// Bytes in the MB of `min_free_mb`.
const MB: u64 = 1_000_000;
/// Free space below which runs are not recorded: what is left belongs to the configuration, the
/// journal and the system.
const SUSPEND_BELOW: u64 = 100 * MB;
/// Free space at which a suspended run goes on; above the other limit so that it does not flap.
const RESUME_AT: u64 = 150 * MB;
/// Time between two looks at the free space.
const SPACE_PERIOD: Micros = Micros::from_secs(10);
/// Time between two removals of old files while there is space enough.
const SWEEP_PERIOD: Micros = Micros::from_secs(600);

/// What the session record says about the machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MachineNote {
    pub(crate) energised: bool,
    pub(crate) overrun: bool,
}

/// Everything that the recorder thread owns.
pub(crate) struct Engine {
    disk: Box<dyn Disk>,
    folder: PathBuf,
    text: RunText,
    settings: LoggingSettings,
    session: Session,
    session_backoff: Backoff,
    journal: Journal,
    journal_backoff: Backoff,
    run: Option<Run>,
    /// A run that has ended and still waits for the disk.
    closing: Option<Run>,
    run_backoff: Backoff,
    ring: Ring,
    ring_backoff: Backoff,
    flush_ordered: bool,
    space_at: Micros,
    sweep_at: Micros,
    status: RecorderStatus,
}

impl Engine {
    pub(crate) fn new(
        data_dir: &Path,
        settings: LoggingSettings,
        disk: Box<dyn Disk>,
        text: RunText,
    ) -> Self {
        Self {
            disk,
            folder: run_folder(data_dir),
            text,
            settings,
            session: Session::new(data_dir),
            session_backoff: Backoff::default(),
            journal: Journal::new(data_dir),
            journal_backoff: Backoff::default(),
            run: None,
            closing: None,
            run_backoff: Backoff::default(),
            ring: Ring::new(incident_folder(data_dir)),
            ring_backoff: Backoff::default(),
            flush_ordered: false,
            space_at: Micros::ZERO,
            sweep_at: Micros::ZERO,
            status: RecorderStatus::default(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What of the machine is kept.
    pub(crate) const fn layout(&self) -> &Arc<Layout> {
        self.text.layout()
    }

    /// How it goes; the handle adds what only it knows.
    pub(crate) const fn status(&self) -> &RecorderStatus {
        &self.status
    }

    /// One turn: takes `batch`, which is empty afterwards, and does what is due at `now`.
    pub(crate) fn turn(
        &mut self,
        now: Micros,
        wall: WallMillis,
        machine: MachineNote,
        batch: &mut Batch,
        history: &RwLock<History>,
    ) {
        self.take(now, batch, history);
        // What protects people comes before what documents production.
        self.write_session(now, machine, false);
        self.write_journal(now);
        self.write_incident(now, false);
        self.look_at_space(now, wall);
        self.write_runs(now, wall);
        self.note_status();
    }

    /// The last turn: everything is tried once more, whatever failed before, and the session
    /// record says that the process ended on purpose.
    pub(crate) fn finish(
        &mut self,
        now: Micros,
        wall: WallMillis,
        machine: MachineNote,
        batch: &mut Batch,
        history: &RwLock<History>,
    ) {
        self.take(now, batch, history);
        for backoff in [
            &mut self.session_backoff,
            &mut self.journal_backoff,
            &mut self.run_backoff,
            &mut self.ring_backoff,
        ] {
            backoff.succeeded();
        }
        self.write_journal(now);
        self.write_session(now, MachineNote { energised: false, ..machine }, true);
        self.write_incident(now, true);
        self.end_run();
        self.write_runs(now, wall);
        self.note_status();
    }

    /// Moves a batch to where it waits for the disk.
    fn take(&mut self, now: Micros, batch: &mut Batch, history: &RwLock<History>) {
        if batch.rows.iter().any(|o| o.for_history) {
            let mut history = history.write().unwrap_or_else(PoisonError::into_inner);
            for offered in batch.rows.iter().filter(|o| o.for_history) {
                history.push(&offered.row);
            }
        }
        for event in batch.events.drain(..) {
            let dropped = self.journal.push(&event);
            if dropped > 0 {
                tracing::error!(dropped, "alarm events lost: the journal cannot be written");
            }
        }
        for order in batch.orders.drain(..) {
            match order {
                Order::Start(id) => self.run = Some(Run::new(id)),
                Order::Stop(id) => {
                    self.take_rows_of(now, id, &mut batch.rows);
                    self.end_run();
                }
                Order::Configure(settings) => self.settings = settings,
                Order::Flush => self.flush_ordered = true,
            }
        }
        if let Some(id) = self.run.as_ref().map(Run::id) {
            self.take_rows_of(now, id, &mut batch.rows);
        }
        batch.rows.clear();
    }

    /// Takes the rows up to the end of run `id`; rows of a later run stay.
    fn take_rows_of(&mut self, now: Micros, id: RunId, rows: &mut VecDeque<Offered>) {
        while rows.front().is_some_and(|o| o.run <= id) {
            let Some(offered) = rows.pop_front() else {
                break;
            };
            if offered.run == NO_RUN {
                continue;
            }
            match &mut self.run {
                Some(run) if run.id() == offered.run && !self.status.suspended => {
                    let temperatures = self.text.layout().temperatures();
                    self.status.dropped_rows += run.push(now, &offered.row, temperatures);
                }
                _ => self.status.dropped_rows += 1,
            }
        }
    }

    fn end_run(&mut self) {
        if let Some(ended) = self.run.take() {
            self.remember(&ended);
            if !ended.needs_disk() {
                return;
            }
            // The one before has had a whole run's time; its rows make room.
            if let Some(stuck) = self.closing.replace(ended) {
                self.status.dropped_rows += stuck.unwritten();
            }
        }
    }

    /// The black box; it takes what is offered without looking at the disk.
    pub(crate) const fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }

    fn write_incident(&mut self, now: Micros, last: bool) {
        if (last || self.ring.is_waiting()) && self.ring_backoff.ready(now) {
            let done = self.ring.write(&mut *self.disk, self.text.local(), last);
            self.status.write_failures +=
                u64::from(judge("incident file", done, now, &mut self.ring_backoff));
            self.status.incidents = self.ring.written;
        }
    }

    fn write_session(&mut self, now: Micros, machine: MachineNote, clean: bool) {
        if self.session_backoff.ready(now) {
            let MachineNote { energised, overrun } = machine;
            // Said here until the journal says it on the medium.
            let overrun = overrun || (self.session.says_overrun() && self.journal.is_waiting());
            let done = self.session.update(&mut *self.disk, energised, clean, overrun);
            self.status.write_failures +=
                u64::from(judge("session record", done, now, &mut self.session_backoff));
        }
    }

    fn write_journal(&mut self, now: Micros) {
        if self.journal.is_waiting() && self.journal_backoff.ready(now) {
            let done = self.journal.flush(&mut *self.disk);
            self.status.write_failures +=
                u64::from(judge("alarm journal", done, now, &mut self.journal_backoff));
        }
    }

    fn write_runs(&mut self, now: Micros, wall: WallMillis) {
        let flush_interval = self.settings.flush_interval;
        // A flush that failed is due again as soon as the pause is over.
        let forced = std::mem::take(&mut self.flush_ordered) || self.run_backoff.is_failing();
        if !self.run_backoff.ready(now) {
            return;
        }
        let wanted = |run: &Run| run.flush_due(now, flush_interval) || (forced && run.needs_disk());
        let Self { closing, run, disk, folder, text, .. } = self;
        let mut flush = |run: &mut Run| run.flush(now, &mut **disk, folder, text);

        let done = match (closing.as_mut(), run.as_mut()) {
            (Some(closing), run) => {
                let closed = flush(closing);
                match run.filter(|run| wanted(run)) {
                    Some(run) if closed.is_ok() => Some(flush(run)),
                    _ => Some(closed),
                }
            }
            (None, Some(run)) if wanted(run) => Some(flush(run)),
            (None, _) => None,
        };
        // The name of a file is known only once its first row is on its way.
        if let Some(run) = self.run.take() {
            self.remember(&run);
            self.run = Some(run);
        } else if let Some(run) = self.closing.take() {
            self.remember(&run);
            self.closing = Some(run);
        }
        let Some(done) = done else { return };
        if self.closing.as_ref().is_some_and(|run| !run.needs_disk()) {
            self.closing = None;
        }
        if let Err(error) = &done
            && error.kind() == io::ErrorKind::StorageFull
        {
            self.space_at = now;
        }
        if judge("run file", done, now, &mut self.run_backoff) {
            self.status.write_failures += 1;
        } else {
            self.status.last_flush = Some(wall.secs());
        }
    }

    fn look_at_space(&mut self, now: Micros, wall: WallMillis) {
        if now < self.space_at {
            return;
        }
        self.space_at = now + SPACE_PERIOD;
        let min_free = u64::from(self.settings.min_free_mb) * MB;
        let mut found = self.disk.free_bytes(&self.folder);
        if now >= self.sweep_at || found.as_ref().is_ok_and(|free| *free < min_free) {
            self.sweep_at = now + SWEEP_PERIOD;
            let rule = Retention {
                open: [&self.run, &self.closing].map(|r| r.as_ref().and_then(Run::file_name)),
                keep_days: self.settings.keep_days,
                min_free,
                wall,
            };
            found = run_files::make_room(&mut *self.disk, &self.folder, &rule);
        }
        match found {
            Ok(free) => {
                let status = &mut self.status;
                status.bytes_free = Some(free);
                status.disk_low = free < min_free;
                let suspended = free < if status.suspended { RESUME_AT } else { SUSPEND_BELOW };
                if suspended != status.suspended {
                    tracing::warn!(free_bytes = free, suspended, "recording and free space");
                }
                status.suspended = suspended;
            }
            Err(error) => {
                // Without the figure recording goes on: a full disk also shows when writing.
                if self.status.bytes_free.take().is_some() {
                    tracing::warn!(%error, folder = %self.folder.display(), "free space unknown");
                }
            }
        }
    }

    fn remember(&mut self, run: &Run) {
        self.status.rows = run.rows();
        if self.status.file.as_deref() != run.file_name() {
            self.status.file = run.file_name().map(Into::into);
        }
    }

    fn note_status(&mut self) {
        self.status.failed =
            [&self.session_backoff, &self.journal_backoff, &self.run_backoff, &self.ring_backoff]
                .into_iter()
                .any(Backoff::is_failing);
    }
}

/// Keeps the back-off of one thing that was written, and logs when its fortune turns; `true` when
/// it failed.
fn judge(what: &'static str, done: io::Result<()>, now: Micros, backoff: &mut Backoff) -> bool {
    match done {
        Ok(()) => {
            if backoff.succeeded() {
                tracing::info!(what, "can be written again");
            }
            false
        }
        Err(error) => {
            if !backoff.is_failing() {
                tracing::warn!(what, %error, "cannot be written, trying again");
            }
            backoff.failed(now);
            true
        }
    }
}

#[cfg(test)]
mod tests;
