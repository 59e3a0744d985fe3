//! The thread that writes the journal, and the queue before it, which never makes anybody wait.

use crate::chain::Head;
use crate::event::Event;
use crate::files::{self, AuditError, MODE, SERIES};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tve_append::{AppendFile, Growing, Segment};

/// Lines that wait for the disk at most; more are counted and noted as a gap.
const QUEUE_LINES: usize = 4096;
/// Bytes that wait at most.
const QUEUE_BYTES: usize = 2 * 1024 * 1024;
/// Size beyond which the next line begins a new file, bytes.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Files that are kept: 256 MiB, a million lines.
const FILES: usize = 64;
/// Pause between two writes, so that a flood of commands costs 20 syncs a second and not thousands.
const PAUSE: Duration = Duration::from_millis(50);
/// Pause after a write that failed.
const RETRY: Duration = Duration::from_secs(1);

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
    /// The last write failed.
    pub failing: bool,
}

#[derive(Default)]
struct Queue {
    /// Time in Unix milliseconds and members.
    lines: Vec<(i64, String)>,
    bytes: usize,
    /// Lines that found no room since the last batch.
    lost: u64,
    ending: bool,
    status: AuditStatus,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    /// The queue is whole after every statement, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes events; cheap to clone.
#[derive(Clone)]
pub struct AuditHandle(Arc<Shared>);

impl AuditHandle {
    /// Has `event` written soon. Takes a lock for the time of a push and never waits for the disk.
    pub fn record(&self, event: &Event) {
        let members = event.members();
        let at = wall_ms();
        let mut queue = self.0.lock();
        if queue.lines.len() >= QUEUE_LINES || queue.bytes + members.len() > QUEUE_BYTES {
            queue.lost += 1;
            queue.status.lost += 1;
            return;
        }
        queue.bytes += members.len();
        queue.lines.push((at, members));
        drop(queue);
        self.0.changed.notify_one();
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
    /// Opens the journal in `folder`, repairs its end where a crash has torn it, and starts the
    /// thread.
    ///
    /// # Errors
    /// [`AuditError`] when the folder cannot be used.
    pub fn start(folder: PathBuf, medium: Box<dyn Medium>) -> Result<Self, AuditError> {
        let resumed = files::resume(&folder)?;
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
        let handle = AuditHandle(Arc::clone(&shared));
        tracing::info!(
            line = resumed.head.seq,
            head = resumed.head.hash,
            "audit journal continues"
        );
        if let Some(event) = &resumed.repaired {
            tracing::warn!(?event, "the end of the audit journal was torn and is repaired");
            handle.record(event);
        }
        let mut writer = Writer {
            shared,
            medium,
            head: resumed.head,
            file: resumed.file,
            folder,
            file_bytes: FILE_BYTES,
        };
        let (tell_end, ended) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || {
                writer.run();
                // Nobody may be waiting, which is fine.
                let _ = tell_end.send(());
            })
            .map_err(AuditError::Thread)?;
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
    shared: Arc<Shared>,
    medium: Box<dyn Medium>,
    head: Head,
    file: Option<Growing>,
    folder: PathBuf,
    file_bytes: u64,
}

/// Lines that belong together into one file.
struct Batch {
    lines: Vec<(i64, String)>,
    lost: u64,
    ending: bool,
}

impl Writer {
    fn run(&mut self) {
        loop {
            let batch = self.wait();
            let ending = batch.ending;
            if !self.write(batch) || ending {
                break;
            }
            self.pause(PAUSE);
        }
        tracing::info!(line = self.head.seq, head = self.head.hash, "audit journal ends");
    }

    fn wait(&self) -> Batch {
        let queue = self.shared.lock();
        let mut queue = self
            .shared
            .changed
            .wait_while(queue, |q| q.lines.is_empty() && q.lost == 0 && !q.ending)
            .unwrap_or_else(PoisonError::into_inner);
        queue.bytes = 0;
        Batch {
            lines: std::mem::take(&mut queue.lines),
            lost: std::mem::take(&mut queue.lost),
            ending: queue.ending,
        }
    }

    /// Waits `time`, or until the journal is to end.
    fn pause(&self, time: Duration) -> bool {
        let queue = self.shared.lock();
        let (queue, _) = self
            .shared
            .changed
            .wait_timeout_while(queue, time, |q| !q.ending)
            .unwrap_or_else(PoisonError::into_inner);
        queue.ending
    }

    /// Writes `batch`, however often the disk refuses it; `false` when the journal is to end first.
    fn write(&mut self, mut batch: Batch) -> bool {
        if batch.lost > 0 {
            batch.lines.push((wall_ms(), Event::Gap { lost: batch.lost }.members()));
        }
        let mut rest = batch.lines.as_slice();
        let mut ending = batch.ending;
        while !rest.is_empty() {
            match self.write_piece(rest) {
                Ok(written) => {
                    rest = &rest[written..];
                    let mut queue = self.shared.lock();
                    queue.status.lines += written as u64;
                    queue.status.failing = false;
                }
                Err(error) => {
                    let already = std::mem::replace(&mut self.shared.lock().status.failing, true);
                    if !already {
                        tracing::warn!(%error, folder = %self.folder.display(), "the audit journal cannot be written; it is tried again every second");
                    }
                    if ending {
                        return false;
                    }
                    ending = self.pause(RETRY);
                }
            }
        }
        true
    }

    /// Writes as much of `lines` as belongs into one file, and says how much that was.
    fn write_piece(&mut self, lines: &[(i64, String)]) -> io::Result<usize> {
        let begins = self.file.as_ref().is_none_or(|file| file.size() >= self.file_bytes);
        let full = begins && self.file.is_some();
        let mut head = self.head.clone();
        let mut text = Vec::new();
        let mut outlived = Vec::new();
        if begins {
            outlived = SERIES.outlived(&self.folder, FILES)?;
            for Segment { path, .. } in &outlived {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                head.append(&mut text, wall_ms(), &Event::Removed { file }.members());
            }
        }
        let mut next = Growing::after(self.folder.join(SERIES.name(self.head.seq + 1)), 0);
        let file = self.file.as_mut().filter(|_| !begins).unwrap_or(&mut next);
        let mut written = 0;
        for (at, members) in lines {
            if file.size() + text.len() as u64 >= self.file_bytes && written > 0 {
                break;
            }
            head.append(&mut text, *at, members);
            written += 1;
        }
        file.append(|path| self.medium.open(path), &text)?;
        if begins {
            self.file = Some(next);
        }
        if full {
            tracing::info!(
                line = head.seq,
                head = head.hash,
                "audit journal goes on in a new file"
            );
        }
        self.head = head;
        // Said first and done then: a line may not be missing without a word.
        for gone in outlived {
            if let Err(error) = std::fs::remove_file(&gone.path) {
                tracing::warn!(%error, file = %gone.path.display(), "an old audit file stays");
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests;
