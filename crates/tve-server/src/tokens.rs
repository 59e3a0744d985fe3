//! The token file of the data folder: `tve token`, and the service that sees what it did.
//!
//! The file is replaced as a whole, so a reader finds the old or the new one. The service looks
//! at its size, time and inode once a second and reads it when one of them has changed; requests
//! never touch it.

use crate::auth::Access;
use crate::error::StartError;
use crate::http::stopped;
use crate::options::default_data_dir;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tve_access::{Role, TokenBook, TokenFault};

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
            Ok((seen, tokens)) => Ok((Self { path, seen }, tokens)),
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
        Some(read(&self.path))
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
        // A disk that does not answer holds this task up and nobody else.
        let looked = tokio::task::spawn_blocking(move || {
            let change = file.look();
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
                access.replace_tokens(tokens);
                failing = false;
            }
            Some(Err(error)) => {
                // What cannot be read may have been a revocation.
                access.replace_tokens(TokenBook::default());
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

/// Has `change` done to the token file, as one step even when two of them run at a time.
fn edit<T>(
    data_dir: &Path,
    change: impl FnOnce(&mut TokenBook) -> Result<T, TokenFault>,
) -> anyhow::Result<T> {
    let folder = data_dir.display();
    fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot make the data folder {folder}"))?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(data_dir.join(LOCK_FILE))
        .with_context(|| format!("cannot write to the data folder {folder}"))?;
    lock.lock().with_context(|| format!("cannot lock {LOCK_FILE} in {folder}"))?;
    let path = data_dir.join(FILE);
    let named = || format!("the token file {}", path.display());
    let mut book = read(&path).with_context(named)?;
    let result = change(&mut book)?;
    replace(data_dir, &path, &book.to_text()).with_context(named)?;
    Ok(result)
}

fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
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

/// `tve token`.
#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    action: Action,
    /// Data folder of the service [default: /var/lib/tve, else the user's].
    #[arg(long, value_name = "DIR", env = "TVE_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it; it is shown this once.
    Create {
        /// What it is for, for example the name of the script or panel.
        #[arg(long)]
        name: String,
        /// What its bearer may do: viewer, operator, engineer or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        /// Days until it expires.
        #[arg(long, value_name = "N", default_value_t = 90)]
        days: u32,
    },
    /// Print the tokens: name, role, days left.
    List,
    /// Make a token worthless.
    Revoke {
        /// Its name.
        name: String,
    },
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("a role is one of {}", names.join(", "))
    })
}

/// Runs `tve token`.
pub(crate) fn run(args: Tokens) -> anyhow::Result<ExitCode> {
    let folder = args.data_dir.unwrap_or_else(default_data_dir);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = now.as_secs();
    let mut out = io::stdout().lock();
    match args.action {
        Action::Create { name, role, days } => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).context("the system gave no random bytes")?;
            let token = edit(&folder, |book| book.create(&name, role, days, now, secret))?;
            writeln!(out, "{token}")?;
            eprintln!(
                "This is shown once. A running service knows it within a second; send it as \
                 \"Authorization: Bearer TOKEN\"."
            );
        }
        Action::List => {
            let path = folder.join(FILE);
            let book = read(&path).with_context(|| format!("the token file {}", path.display()))?;
            for token in book.iter() {
                let (name, role) = (&token.name, token.role.name());
                match token.expires.checked_sub(now) {
                    Some(left) if left > 0 => {
                        writeln!(out, "{name}  {role}  {} days left", left.div_ceil(DAY_S))?;
                    }
                    _ => writeln!(out, "{name}  {role}  expired")?,
                }
            }
        }
        Action::Revoke { name } => {
            edit(&folder, |book| book.revoke(&name))?;
            writeln!(out, "{name} is revoked; a running service knows it within a second")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

const DAY_S: u64 = 86_400;
