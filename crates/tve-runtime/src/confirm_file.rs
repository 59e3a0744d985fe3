//! `tve confirm CODE` and the running service, by two files of the data folder.
//!
//! Whoever may write there is at the console. The command leaves the code in one file; the service looks
//! once a second, takes the file away, and leaves its answer in the other.

use crate::door::{Asked, Second, Service};
use crate::stop::stopped;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

const QUESTION: &str = "confirm.json";
const ANSWER: &str = "confirmed.json";

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// How long the command waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Serialize, Deserialize)]
struct Question {
    code: String,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    code: String,
    /// Why not; `None` when it is done.
    refused: Option<String>,
}

/// Why a confirmation was not made.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant says what its fields are")]
pub enum ConfirmError {
    #[error("cannot write to the data folder {}: {source}; run it as the user of the service or as root", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error(
        "no service has answered; is one running on the data folder {}, with security.enabled?", folder.display()
    )]
    Silent { folder: PathBuf },
    #[error("{0}")]
    Refused(String),
}

/// Confirms the change that waits under `code` with the service of `data_dir`, and waits for its answer.
///
/// # Errors
/// When the folder cannot be written, no service answers, or it refuses.
pub fn confirm(data_dir: &Path, code: &str) -> Result<(), ConfirmError> {
    let folder = |source| ConfirmError::Folder { folder: data_dir.to_owned(), source };
    let (question, answer) = (data_dir.join(QUESTION), data_dir.join(ANSWER));
    // What is left of a command that did not wait.
    remove(&answer).map_err(folder)?;
    let text = serde_json::to_string(&Question { code: code.to_owned() }).unwrap_or_default();
    crate::tokens::replace(data_dir, &question, &text).map_err(folder)?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(100));
        let Some(said) = read::<Answer>(&answer).filter(|said| said.code == code) else {
            continue;
        };
        remove(&answer).map_err(folder)?;
        return said.refused.map_or(Ok(()), |sentence| Err(ConfirmError::Refused(sentence)));
    }
    remove(&question).map_err(folder)?;
    Err(ConfirmError::Silent { folder: data_dir.to_owned() })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// Takes confirmations from the console until `stop` turns true.
pub(crate) async fn follow(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut timer = interval(LOOK);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stopped(&mut stop) => return,
        }
        if !service.access.is_enabled() {
            continue;
        }
        let folder = service.data_dir.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let path = folder.join(QUESTION);
            let question = read::<Question>(&path)?;
            // One that cannot be taken away would be taken again and again.
            fs::remove_file(&path).ok().map(|()| question)
        });
        let Ok(Some(Question { code })) = asked.await else {
            continue;
        };
        let second = Second::Console(code.clone());
        let done = service.confirm(Asked::here("tve confirm"), second).await;
        let answer = Answer { code, refused: done.err().map(|error| error.sentence()) };
        let folder = service.data_dir.clone();
        let written = tokio::task::spawn_blocking(move || {
            let text = serde_json::to_string(&answer)?;
            crate::tokens::replace(&folder, &folder.join(ANSWER), &text)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "the console cannot be told what became of its confirmation");
        }
    }
}
