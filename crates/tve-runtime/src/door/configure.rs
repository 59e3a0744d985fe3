//! Changes of the configuration on their way to the control thread: made here, handed over ready
//! made, and freed here too.

use super::{Asked, Service, on_thread};
use crate::runner::Answer;
use std::sync::{Arc, Mutex, PoisonError};
use tve_config::{Config, Prepared};
use tve_control::{Command, Reaction, Refusal, RefusalCode, TuneResult};

/// How often a change is made again because another one has come first.
const TRIES: u32 = 8;

/// The configurations that are in force, or may still be held by somebody who must not free one.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Prepared>>);

impl Kept {
    /// Keeps a configuration until nobody else holds it. What nobody holds any more is freed now.
    pub(crate) fn keep(&self, prepared: &Prepared) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|old| {
            Arc::strong_count(&old.file) > 1
                || Arc::strong_count(&old.machine) > 1
                || Arc::strong_count(&old.service) > 1
        });
        kept.push(prepared.clone());
    }
}

/// What is to be made to the configuration.
#[derive(Clone)]
enum Wish {
    Settings(Box<Command>),
    Tuned(TuneResult),
}

impl Wish {
    fn prepared(self, file: &Config, revision: u64) -> Result<Command, Refusal> {
        match self {
            Self::Settings(command) => command.prepared(file, revision),
            Self::Tuned(result) => Ok(Command::adopt_tune(&result, file, revision)),
        }
    }
}

impl Service {
    /// Has a command carried out that may change the configuration. One at a time: the caller
    /// holds [`Service::configuring`].
    ///
    /// What can blind a trip waits for a second confirmation while logins are asked for; `asked` is who
    /// is then told so, and `None` when that has come.
    pub(super) async fn configure(&self, command: Command, asked: Option<&Asked>) -> Answer {
        if command == Command::TuneApply {
            let mut reply = self.commands.send(command).await?;
            return match reply.tuned.take() {
                Some(result) => self.adopt(Wish::Tuned(result), asked).await,
                None => Ok(reply),
            };
        }
        self.adopt(Wish::Settings(Box::new(command)), asked).await
    }

    async fn adopt(&self, wish: Wish, asked: Option<&Asked>) -> Answer {
        let mut answer = Err(RefusalCode::ConfigChanged.into());
        for _ in 0..TRIES {
            let (file, revision) = {
                let newest = self.newest.load();
                (Arc::clone(&newest.config), newest.snapshot.config_revision)
            };
            let (made, base) = (wish.clone(), Arc::clone(&file));
            let made = on_thread(move || made.prepared(&file, revision)).await;
            let command = made.map_err(|_| Refusal::from(RefusalCode::Internal))??;
            if let Some(prepared) = command.proposal().and_then(|proposal| proposal.prepared()) {
                if let (Some(asked), Wish::Settings(wish)) = (asked, &wish)
                    && prepared.changes.blinds.any()
                    && self.access.is_enabled()
                {
                    // What a trip forbids anyway need not be confirmed first.
                    let trip = Some(Reaction::Trip);
                    return Err(if self.newest.load().snapshot.alarms.worst() == trip {
                        RefusalCode::AlarmActive.into()
                    } else {
                        self.hold(asked, Command::clone(wish), base, prepared)
                    });
                }
                self.kept.keep(prepared);
            }
            // Held until the answer is here, so that the control thread is not the last to let go.
            let held = command.clone();
            answer = self.commands.send(command).await;
            drop(held);
            let overtaken = |refusal: &Refusal| refusal.code == RefusalCode::ConfigChanged;
            if !answer.as_ref().is_err_and(overtaken) {
                break;
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_freed_by_who_makes_the_next_one_and_by_nobody_before() {
        let kept = Kept::default();
        let first = Config::default().prepared();
        let (file, machine) = (Arc::downgrade(&first.file), Arc::downgrade(&first.machine));
        kept.keep(&first);
        let in_force = Arc::clone(&first.machine);
        drop(first);
        kept.keep(&Config::default().prepared());
        assert!(file.upgrade().is_some(), "its machine is in force");
        drop(in_force);
        assert!(machine.upgrade().is_some(), "who lets go last frees nothing");
        kept.keep(&Config::default().prepared());
        assert!(file.upgrade().is_none() && machine.upgrade().is_none());
    }
}
