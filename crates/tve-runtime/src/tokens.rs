//! The token file of the data folder: changed by the command line, seen by the service.
//!
//! The file is replaced as a whole, so a reader finds the old or the new one. The service looks
//! at its size, time and inode once a second and reads it when one of them has changed; requests
//! never touch it.

use crate::access::{Access, since_1970};
use crate::error::StartError;
use crate::stop::stopped;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tve_access::{TokenBook, TokenFault};

const FILE: &str = "tokens.json";
const LOCK_FILE: &str = "tokens.lock";

/// Time between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);

/// Size, time of change and inode of the file; `None` while there is none.
type Stamp = Option<(u64, i64, i64, u64)>;

/// The token file as it was last seen.
pub(crate) struct TokenFile {
    path: PathBuf,
    seen: Stamp,
    /// What it held then.
    held: TokenBook,
    /// Expired tokens could not be ended in it.
    stuck: bool,
}

impl TokenFile {
    /// The file of `data_dir`, and the tokens in it.
    ///
    /// # Errors
    /// When the file is there and cannot be read or understood.
    pub(crate) fn open(data_dir: &Path) -> Result<(Self, TokenBook), StartError> {
        let path = data_dir.join(FILE);
        // The stamp is older than what is read: a change in between is seen at the next look.
        let opened = stamp(&path).and_then(|seen| Ok((seen, read(&path)?)));
        match opened {
            Ok((seen, tokens)) => {
                Ok((Self { path, seen, held: tokens.clone(), stuck: false }, tokens))
            }
            Err(source) => Err(StartError::Tokens { path, source }),
        }
    }

    /// The tokens, when the file has changed since the last look.
    fn look(&mut self) -> Option<io::Result<TokenBook>> {
        let now = match stamp(&self.path) {
            Ok(now) => now,
            Err(error) => return Some(Err(error)),
        };
        if now == self.seen {
            return None;
        }
        self.seen = now;
        let tokens = read(&self.path);
        self.held = tokens.as_ref().cloned().unwrap_or_default();
        Some(tokens)
    }

    /// Ends the tokens that have expired at `now` in the file, so that they stay so after a restart
    /// with a clock that is behind.
    fn end_expired(&mut self, now: u64) {
        if !self.held.has_expired(now) {
            return;
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let ended = edit(folder, |book| {
            book.end_expired(now);
            Ok(())
        });
        if let Err(error) = &ended
            && !self.stuck
        {
            tracing::error!(%error, "expired tokens would be good again if the clock went back");
        }
        self.stuck = ended.is_err();
    }
}

/// Keeps the tokens of `access` those of the file until `stop` turns true.
pub(crate) async fn follow(
    access: Arc<Access>,
    mut file: TokenFile,
    mut stop: watch::Receiver<bool>,
) {
    let mut timer = interval(LOOK);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stopped(&mut stop) => return,
        }
        if !access.is_enabled() {
            continue;
        }
        let now = since_1970();
        access.end_expired_tokens(now);
        // A disk that does not answer holds this task up and nobody else.
        let looked = tokio::task::spawn_blocking(move || {
            let change = file.look();
            file.end_expired(now);
            (file, change)
        });
        let Ok((same, change)) = looked.await else {
            return;
        };
        file = same;
        match change {
            None => {}
            Some(Ok(tokens)) => {
                tracing::info!(tokens = tokens.iter().count(), "the token file was read");
                access.replace_tokens(&tokens);
                failing = false;
            }
            Some(Err(error)) => {
                access.lose_tokens();
                if !failing {
                    let path = file.path.display();
                    tracing::error!(%path, %error, "the token file cannot be read; no token is valid");
                }
                failing = true;
            }
        }
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    match fs::metadata(path) {
        Ok(m) => Ok(Some((m.len(), m.mtime(), m.mtime_nsec(), m.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<TokenBook> {
    match fs::read_to_string(path) {
        Ok(text) => TokenBook::parse(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(TokenBook::default()),
        Err(error) => Err(error),
    }
}

/// Why the token file was not changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant says what its fields are")]
pub enum TokensError {
    #[error("cannot write to the data folder {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("the token file {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Fault(#[from] TokenFault),
}

/// The tokens of `data_dir`.
///
/// # Errors
/// When the file is there and cannot be read or understood.
pub fn stored(data_dir: &Path) -> Result<TokenBook, TokensError> {
    let path = data_dir.join(FILE);
    read(&path).map_err(|source| TokensError::File { path, source })
}

/// Has `change` done to the token file, as one step even when two of them run at a time.
///
/// # Errors
/// When folder or file cannot be used, or `change` refuses.
pub fn edit<T>(
    data_dir: &Path,
    change: impl FnOnce(&mut TokenBook) -> Result<T, TokenFault>,
) -> Result<T, TokensError> {
    let folder = |source| TokensError::Folder { folder: data_dir.to_owned(), source };
    fs::create_dir_all(data_dir).map_err(folder)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(data_dir.join(LOCK_FILE))
        .map_err(folder)?;
    lock.lock().map_err(folder)?;
    let path = data_dir.join(FILE);
    let named = |source| TokensError::File { path: path.clone(), source };
    let mut book = read(&path).map_err(named)?;
    let result = change(&mut book)?;
    replace(data_dir, &path, &book.to_text()).map_err(named)?;
    Ok(result)
}

/// Replaces a file of the folder as a whole, with mode 0600 and the owner of the folder.
pub(crate) fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    // Made with mode 0600.
    let mut temporary = tempfile::Builder::new().prefix(".tokens-").tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    // `sudo tve token create` must leave a file that the user of the service can read.
    let owner = fs::metadata(folder)?;
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::fchown(temporary.as_file(), Some(owner.uid()), Some(owner.gid()))?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}
