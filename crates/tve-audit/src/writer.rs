//! The thread that writes the journal, and the queue before it, which never makes anybody wait.

use crate::chain::Head;
use crate::class::{Class, PerClass};
use crate::event::Event;
use crate::files::{self, Growth, MODE};
use crate::queue::{Queue, Waiting};
use crate::ratchet::{self, Key};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tve_append::{AppendFile, Growing, Segment};

/// Size beyond which the next line begins a new file, bytes.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Pause between two writes, so that a flood of commands costs 20 syncs a second and not thousands.
const PAUSE: Duration = Duration::from_millis(50);
/// Pause after a write that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Longest time without a look at repetitions, and at whether the files are still there.
const LOOK: Duration = Duration::from_secs(1);
/// Least life of a key, so that a flood of lines costs a file a second and not twenty.
const KEY_LIFE: Duration = Duration::from_secs(1);

/// No thread for the writer.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no thread for the audit journal: {0}")]
pub struct AuditError(io::Error);

/// Where lines go; the seam for a disk that fails.
pub trait Medium: Send {
    /// Opens the file at `path` to append to it, or makes it.
    ///
    /// # Errors
    /// Of the system.
    fn open(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>>;
}

/// The file system of the machine.
#[derive(Debug, Clone, Copy)]
pub struct RealMedium;

impl Medium for RealMedium {
    fn open(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        Ok(Box::new(tve_append::open(path, MODE)?))
    }
}

/// How the journal is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditStatus {
    /// Lines written since start.
    pub lines: u64,
    /// Lines lost since start, because the disk was slower than the requests or failed.
    pub lost: u64,
    /// The last write failed, or the journal could not be opened yet.
    pub failing: bool,
    /// Files were removed, cut or replaced since start, not by the service; or its key is lost.
    pub damaged: bool,
}

#[derive(Default)]
struct State {
    queue: Queue,
    ending: bool,
    status: AuditStatus,
}

struct Shared {
    began: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn new() -> Self {
        Self { began: Instant::now(), state: Mutex::default(), changed: Condvar::new() }
    }

    /// The state is whole after every statement, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes events; cheap to clone.
#[derive(Clone)]
pub struct AuditHandle(Arc<Shared>);

impl AuditHandle {
    /// Has `event` written soon, or counted where it says what a line has said a moment ago. Takes a
    /// lock for the time of a push and never waits for the disk.
    pub fn record(&self, event: &Event) {
        self.record_in(event.class(), event);
    }

    fn record_in(&self, class: Class, event: &Event) {
        let members = event.members();
        let (now, at) = (self.0.began.elapsed(), wall_ms());
        let mut state = self.0.lock();
        if !state.queue.push(class, now, at, members) {
            state.status.lost += 1;
        }
        let waits = !state.queue.is_empty();
        drop(state);
        if waits {
            self.0.changed.notify_one();
        }
    }

    /// How the journal is doing.
    pub fn status(&self) -> AuditStatus {
        self.0.lock().status
    }
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The running journal.
pub struct Audit {
    handle: AuditHandle,
    thread: JoinHandle<()>,
    /// Read once, at the end; locked so that a running service can be shared.
    ended: Mutex<Receiver<()>>,
}

impl Audit {
    /// Starts the thread, which opens the journal in `folder` and repairs its ends where a crash has
    /// torn them. A folder that cannot be used is tried again every second; the status says so.
    ///
    /// # Errors
    /// [`AuditError`] when the system gives no thread.
    pub fn start(folder: PathBuf, medium: Box<dyn Medium>) -> Result<Self, AuditError> {
        let handle = AuditHandle(Arc::new(Shared::new()));
        let mut writer = Writer::new(handle.clone(), medium, folder, FILE_BYTES);
        let (tell_end, ended) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || {
                writer.run();
                // Nobody may be waiting, which is fine.
                let _ = tell_end.send(());
            })
            .map_err(AuditError)?;
        Ok(Self { handle, thread, ended: Mutex::new(ended) })
    }

    /// An end for another thread.
    pub fn handle(&self) -> AuditHandle {
        self.handle.clone()
    }

    /// Writes what waits and ends the thread. Returns within `limit`, with `false` when the disk
    /// did not let it finish; the thread is then left behind.
    pub fn shutdown_within(self, limit: Duration) -> bool {
        self.handle.0.lock().ending = true;
        self.handle.0.changed.notify_one();
        self.ended.into_inner().unwrap_or_else(PoisonError::into_inner).recv_timeout(limit).is_ok()
            && self.thread.join().is_ok()
    }
}

struct Writer {
    handle: AuditHandle,
    medium: Box<dyn Medium>,
    folder: PathBuf,
    file_bytes: u64,
    /// Number of the newest line of all classes.
    seq: u64,
    growth: PerClass<Growth>,
    signing: Option<Signing>,
    /// When it was seen last that all files are there.
    looked: Instant,
}

/// The keys of the lines to come.
struct Signing {
    keys: PerClass<Key>,
    /// Which of them have signed a line.
    used: PerClass<bool>,
    since: Instant,
}

/// What is to be written.
struct Batch {
    lines: PerClass<Vec<Waiting>>,
    ending: bool,
}

impl Writer {
    fn new(handle: AuditHandle, medium: Box<dyn Medium>, folder: PathBuf, file_bytes: u64) -> Self {
        let none = |_| Growth { head: Head::origin(), file: None, files: 0 };
        let growth = PerClass::from_fn(none);
        Self {
            handle,
            medium,
            folder,
            file_bytes,
            seq: 0,
            growth,
            signing: None,
            looked: Instant::now(),
        }
    }

    fn run(&mut self) {
        if self.open() {
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        loop {
            let batch = self.wait();
            let ending = batch.ending;
            let thoroughly = self.looked.elapsed() >= LOOK;
            if thoroughly {
                self.looked = Instant::now();
            }
            for class in Class::ALL {
                self.look_after(class, thoroughly);
            }
            if !self.write(&batch) || ending {
                break;
            }
            self.pause(PAUSE);
        }
        self.log_heads("audit journal ends");
    }

    /// Opens the journal, however often it takes; `false` when it is to end first.
    fn open(&mut self) -> bool {
        let resumed = loop {
            match files::resume(&self.folder) {
                Ok(resumed) => break resumed,
                Err(error) => {
                    self.failed(&error);
                    if self.pause(RETRY) {
                        return false;
                    }
                }
            }
        };
        self.handle.0.lock().status.failing = false;
        self.growth = resumed.growth;
        self.seq = self.growth.iter().map(|(_, growth)| growth.head.seq).max().unwrap_or(0);
        self.log_heads("audit journal continues");
        for (class, event) in resumed.repaired {
            tracing::warn!(?event, "an end of the audit journal was torn and is repaired");
            self.handle.record_in(class, &event);
        }
        match ratchet::load(&self.folder) {
            Ok(None) => {}
            Ok(Some(keys)) => {
                for (class, key) in keys.iter() {
                    if key.index == 0 {
                        self.handle.record_in(class, &Event::Signed);
                    }
                }
                let used = PerClass::default();
                self.signing = Some(Signing { keys, used, since: Instant::now() });
            }
            Err(error) => {
                tracing::error!(%error, "the key of the audit journal cannot be read; its lines are not signed any more");
                self.handle.0.lock().status.damaged = true;
            }
        }
        true
    }

    fn log_heads(&self, what: &str) {
        for (class, Growth { head, .. }) in self.growth.iter().filter(|(_, g)| g.head.seq > 0) {
            let chain = class.room().series.prefix;
            tracing::info!(chain, line = head.seq, head = head.hash, "{what}");
        }
    }

    fn wait(&self) -> Batch {
        let Shared { began, changed, .. } = &*self.handle.0;
        let mut state = self.handle.0.lock();
        if state.queue.is_empty() && !state.ending {
            let waited = changed
                .wait_timeout_while(state, LOOK, |s| s.queue.is_empty() && !s.ending)
                .unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        let ending = state.ending;
        state.queue.count(began.elapsed(), ending);
        Batch { lines: state.queue.take(wall_ms()), ending }
    }

    /// Waits `time`, or until the journal is to end.
    fn pause(&self, time: Duration) -> bool {
        let Shared { changed, .. } = &*self.handle.0;
        let (state, _) = changed
            .wait_timeout_while(self.handle.0.lock(), time, |s| !s.ending)
            .unwrap_or_else(PoisonError::into_inner);
        state.ending
    }

    fn failed(&self, error: &io::Error) {
        let already = std::mem::replace(&mut self.handle.0.lock().status.failing, true);
        if !already {
            tracing::warn!(%error, folder = %self.folder.display(), "the audit journal cannot be written; it is tried again every second");
        }
    }

    /// Writes `batch`, however often the disk refuses it; `false` when the journal is to end first.
    fn write(&mut self, batch: &Batch) -> bool {
        let mut ending = batch.ending;
        for (class, lines) in batch.lines.iter() {
            let mut rest = lines.as_slice();
            while !rest.is_empty() {
                match self.write_piece(class, rest) {
                    Ok(written) => {
                        rest = &rest[written..];
                        let status = &mut self.handle.0.lock().status;
                        status.lines += written as u64;
                        status.failing = false;
                    }
                    Err(error) => {
                        self.failed(&error);
                        if ending {
                            return false;
                        }
                        ending = self.pause(RETRY);
                    }
                }
            }
        }
        self.turn_keys(ending);
        true
    }

    /// Sees to it that what is written is also there: where somebody else has been at the files of
    /// `class`, it goes on in a new one.
    fn look_after(&mut self, class: Class, thoroughly: bool) {
        let growth = &mut self.growth[class];
        let in_place = growth.file.as_ref().is_none_or(Growing::is_in_place);
        let missing = if thoroughly || !in_place { growth.missing(class, &self.folder) } else { 0 };
        if in_place && missing == 0 {
            return;
        }
        growth.files -= missing;
        growth.file = None;
        let already = std::mem::replace(&mut self.handle.0.lock().status.damaged, true);
        if !already {
            let chain = class.room().series.prefix;
            tracing::error!(chain, folder = %self.folder.display(), "files of the audit journal were removed, cut or replaced; it goes on in a new one");
        }
        self.handle.record_in(class, &Event::Damaged { files: missing.max(1) });
    }

    /// Writes as much of `lines` as belongs into one file, and says how much that was.
    fn write_piece(&mut self, class: Class, lines: &[Waiting]) -> io::Result<usize> {
        let room = class.room();
        let key = self.signing.as_ref().map(|signing| &signing.keys[class]);
        let growth = &mut self.growth[class];
        let begins = growth.file.as_ref().is_none_or(|file| file.size() >= self.file_bytes);
        let full = begins && growth.file.is_some();
        let (mut head, mut seq) = (growth.head.clone(), self.seq);
        let mut text = Vec::new();
        let mut outlived = Vec::new();
        if begins {
            outlived = match room.series.outlived(&self.folder, room.files) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                other => other?,
            };
            for Segment { path, .. } in &outlived {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                seq += 1;
                head.append(&mut text, seq, wall_ms(), &Event::Removed { file }.members(), key);
            }
        }
        let mut next = Growing::after(self.folder.join(room.series.name(self.seq + 1)), 0);
        let file = growth.file.as_mut().filter(|_| !begins).unwrap_or(&mut next);
        let mut written = 0;
        for Waiting { at_ms, members } in lines {
            if file.size() + text.len() as u64 >= self.file_bytes && written > 0 {
                break;
            }
            seq += 1;
            head.append(&mut text, seq, *at_ms, members, key);
            written += 1;
        }
        file.append(|path| self.medium.open(path), &text)?;
        if begins {
            growth.file = Some(next);
            growth.files = (growth.files + 1).saturating_sub(outlived.len());
        }
        if full {
            let chain = room.series.prefix;
            tracing::info!(
                chain,
                line = seq,
                head = head.hash,
                "audit journal goes on in a new file"
            );
        }
        growth.head = head;
        self.seq = seq;
        if let Some(signing) = &mut self.signing {
            signing.used[class] = true;
        }
        // Said first and done then: a line may not be missing without a word.
        for gone in outlived {
            if let Err(error) = std::fs::remove_file(&gone.path) {
                tracing::warn!(%error, file = %gone.path.display(), "an old audit file stays");
            }
        }
        Ok(written)
    }

    /// Leaves the keys behind that have signed lines, when they have lived long enough or at the end.
    fn turn_keys(&mut self, end: bool) {
        let Some(signing) = &mut self.signing else { return };
        let used = signing.used.iter().any(|(_, used)| *used);
        if !used || (signing.since.elapsed() < KEY_LIFE && !end) {
            return;
        }
        let mut keys = signing.keys.clone();
        for (_, key) in keys.iter_mut().filter(|(class, _)| signing.used[*class]) {
            key.advance();
        }
        signing.since = Instant::now();
        match ratchet::store(&self.folder, &keys) {
            // Only what is on the medium counts: after a crash the next process takes it from there.
            Ok(()) => {
                (signing.keys, signing.used) = (keys, PerClass::default());
                self.handle.0.lock().status.failing = false;
            }
            Err(error) => self.failed(&error),
        }
    }
}

#[cfg(test)]
mod tests;
