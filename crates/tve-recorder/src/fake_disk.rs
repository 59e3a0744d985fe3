//! A disk in memory that fills, fails and blocks on request; for tests.

use crate::disk::Disk;
use crate::folder::{Naming, RunFile};
use crate::run_files::RUNS;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tve_append::AppendFile;

#[derive(Default)]
struct State {
    files: BTreeMap<PathBuf, Vec<u8>>,
    runs: Vec<RunFile>,
    /// Bytes that still fit into files; `None` is no limit.
    room: Option<usize>,
    free: u64,
    failing: bool,
    failing_syncs: bool,
    syncs: usize,
    tries: usize,
    gate: Option<Gate>,
}

/// Holds the next write until the test lets it go.
pub(crate) struct Gate {
    pub(crate) entered: Sender<()>,
    pub(crate) open: Receiver<()>,
}

/// Clones share the one disk.
#[derive(Clone)]
pub(crate) struct FakeDisk(Arc<Mutex<State>>);

struct FakeFile {
    path: PathBuf,
    disk: FakeDisk,
}

impl FakeDisk {
    pub(crate) fn new() -> Self {
        let plenty = 1_000_000_000_000;
        Self(Arc::new(Mutex::new(State { free: plenty, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let bytes = self.state().files.get(Path::new(path)).cloned().unwrap_or_default();
        String::from_utf8(bytes).expect("files are UTF-8")
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.state().files.keys().map(|p| p.display().to_string()).collect()
    }

    /// A run file that was there before, with a size, an age and no content.
    pub(crate) fn put_run(&self, name: &str, size: u64, modified: f64) {
        let mut state = self.state();
        state.files.insert(Path::new("/logs").join(name), Vec::new());
        state.runs.push(RunFile { name: name.into(), size, modified });
        state.runs.sort_by(|a, b| b.modified.total_cmp(&a.modified));
    }

    pub(crate) fn run_names(&self) -> Vec<String> {
        self.state().runs.iter().map(|r| r.name.clone()).collect()
    }

    pub(crate) fn set_free(&self, bytes: u64) {
        self.state().free = bytes;
    }

    pub(crate) fn set_room(&self, room: Option<usize>) {
        self.state().room = room;
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.state().failing = failing;
    }

    pub(crate) fn fail_syncs(&self, failing: bool) {
        self.state().failing_syncs = failing;
    }

    pub(crate) fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// Writes tried, also in vain.
    pub(crate) fn tries(&self) -> usize {
        self.state().tries
    }

    pub(crate) fn block_next_write(&self, gate: Gate) {
        self.state().gate = Some(gate);
    }

    fn check(&self) -> io::Result<()> {
        let mut state = self.state();
        state.tries += 1;
        if state.failing { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }
}

impl AppendFile for FakeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gate = self.disk.state().gate.take();
        if let Some(gate) = gate {
            gate.entered.send(()).expect("the test waits");
            gate.open.recv().expect("the test opens the gate");
        }
        self.disk.check()?;
        let mut state = self.disk.state();
        let n = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(room) = &mut state.room {
            *room -= n;
        }
        state.files.entry(self.path.clone()).or_default().extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        if state.failing_syncs {
            return Err(io::Error::from_raw_os_error(5));
        }
        state.syncs += 1;
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().files.get(&self.path).map_or(0, |f| f.len() as u64))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.disk.check()?;
        let mut state = self.disk.state();
        if let Some(bytes) = state.files.get_mut(&self.path) {
            bytes.truncate(length as usize);
        }
        Ok(())
    }
}

impl Disk for FakeDisk {
    fn create_new(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.check()?;
        let mut state = self.state();
        if state.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(path.into(), Vec::new());
        Ok(Box::new(FakeFile { path: path.into(), disk: self.clone() }))
    }

    fn append_to(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.check()?;
        self.state().files.entry(path.into()).or_default();
        Ok(Box::new(FakeFile { path: path.into(), disk: self.clone() }))
    }

    fn replace(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.state().files.insert(path.into(), bytes.into());
        Ok(())
    }

    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.state().files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&mut self, folder: &Path, naming: Naming) -> io::Result<Vec<RunFile>> {
        let state = self.state();
        if naming == RUNS {
            return Ok(state.runs.clone());
        }
        let files = state.files.iter().filter(|(path, _)| path.starts_with(folder));
        Ok(files
            .map(|(path, bytes)| RunFile {
                name: path.file_name().unwrap_or_default().to_string_lossy().into(),
                size: bytes.len() as u64,
                modified: 0.0,
            })
            .collect())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.files.remove(path);
        if let Some(i) = state.runs.iter().position(|r| path.ends_with(&r.name)) {
            let gone = state.runs.remove(i);
            state.free += gone.size;
        }
        Ok(())
    }

    fn free_bytes(&mut self, _folder: &Path) -> io::Result<u64> {
        Ok(self.state().free)
    }
}
