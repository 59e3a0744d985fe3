//! Changes that can blind a trip wait for a second confirmation while logins are asked for.
//!
//! Whoever asks for one is told a code. Within ten minutes it has to be confirmed by a second person
//! with the role, by `tve confirm CODE` at the console, or by holding the stop button of the panel, which
//! itself only calms. Then it is made, whole, to the configuration that it was asked for. One waits at a
//! time; a newer one takes its place.

use super::execute::to_the_end;
use super::{Asked, Door, Service};
use crate::refused::ServiceError;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tve_access::{Caller, Role};
use tve_config::{Config, Prepared};
use tve_control::{Command, Refusal, RefusalCode, Reply};
use tve_machine::Signal;

/// How long a change waits.
const PATIENCE: Duration = Duration::from_mins(10);

/// How long the button is held.
const HOLD: Duration = Duration::from_secs(3);

/// Time between two tries of what the button has confirmed while the machine comes to rest.
const AGAIN: Duration = Duration::from_secs(1);

/// What codes are made of: nothing that looks like something else.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Who confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Second {
    /// Somebody with a login, by its code.
    Person(Caller, String),
    /// Somebody at the console, by its code.
    Console(String),
    /// Somebody at the machine.
    Button,
}

/// A change that waits.
#[derive(Debug, Clone)]
struct Pending {
    code: String,
    until: Instant,
    /// Who has asked, and for what.
    caller: Caller,
    name: String,
    command: Command,
    /// The role that the change needs.
    needed: Role,
    /// The configuration that it was asked for.
    base: Arc<Config>,
    /// Whether the button was seen released since, since when it is held, and when it was long enough.
    released: bool,
    held_since: Option<Instant>,
    tried: Option<Instant>,
}

/// The change that waits, if one does.
#[derive(Debug, Default)]
pub(crate) struct Confirmations(Mutex<Option<Pending>>);

impl Confirmations {
    fn lock(&self) -> MutexGuard<'_, Option<Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the change that `second` confirms.
    fn take(&self, second: &Second, now: Instant) -> Result<Pending, ServiceError> {
        let mut waiting = self.lock();
        let Some(pending) = waiting.as_ref().filter(|pending| now < pending.until) else {
            *waiting = None;
            return Err(ServiceError::not_found(
                "change that waits for a confirmation; ten minutes after it was asked for it has to be \
                 asked for again",
            ));
        };
        match second {
            Second::Person(caller, _) => pending.judge(caller)?,
            Second::Console(_) | Second::Button => {}
        }
        let code = match second {
            Second::Person(_, code) | Second::Console(code) => Some(code),
            Second::Button => None,
        };
        if code.is_some_and(|code| !code.eq_ignore_ascii_case(&pending.code)) {
            return Err(ServiceError::not_found("change that waits under that code"));
        }
        waiting.take().ok_or_else(ServiceError::internal)
    }

    /// Takes in whether the button is pressed; `true` when it has confirmed and it is time to try.
    fn press(&self, pressed: bool, now: Instant) -> bool {
        let mut waiting = self.lock();
        let Some(pending) = waiting.as_mut().filter(|pending| now < pending.until) else {
            return false;
        };
        if let Some(tried) = pending.tried {
            if now - tried < AGAIN {
                return false;
            }
        } else if !pressed {
            (pending.released, pending.held_since) = (true, None);
            return false;
        } else {
            // A button that was pressed before is not about this.
            let held = pending.released && now - *pending.held_since.get_or_insert(now) >= HOLD;
            if !held {
                return false;
            }
        }
        pending.tried = Some(now);
        true
    }
}

impl Pending {
    /// Whether `caller` is a second person who may confirm.
    fn judge(&self, caller: &Caller) -> Result<(), ServiceError> {
        let another = |sentence: &str| {
            Err(ServiceError::new(RefusalCode::ConfirmationNeeded, sentence.to_owned()))
        };
        if caller.by_token || self.caller.by_token {
            return another(
                "a token is no person: two people have to log in by password, or somebody confirms at \
                 the machine or the console",
            );
        }
        if caller.user == self.caller.user {
            return another("whoever has asked for it cannot confirm it; a second person has to");
        }
        crate::access::require(caller, self.needed, "confirming this change")
    }
}

impl Service {
    /// Has a change wait, and says so to whoever has asked for it.
    pub(super) fn hold(
        &self,
        asked: &Asked,
        command: Command,
        base: Arc<Config>,
        new: &Prepared,
    ) -> Refusal {
        let mut random = [0; 6];
        if getrandom::fill(&mut random).is_err() {
            return RefusalCode::Internal.into();
        }
        let code: String =
            random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
        let admin = (&base.security, &base.server) != (&new.file.security, &new.file.server);
        let needed = if admin { Role::Admin } else { Role::Engineer };
        let button = match new.machine.signals.pin(Signal::Stop) {
            Some(_) => ", or somebody holds the stop button of the panel for 3 s",
            None => "",
        };
        let what: Vec<&str> = new.changes.blinds.names().collect();
        let sentence = format!(
            "this changes {}, which can blind a trip, so nothing has changed yet: within ten minutes a \
             second person with the role {} sends POST /api/config/confirm {{\"code\": \"{code}\"}}, or \
             somebody at the console runs `tve confirm {code}`{button}",
            what.join(" and "),
            needed.name(),
        );
        *self.confirmations.lock() = Some(Pending {
            code,
            until: Instant::now() + PATIENCE,
            caller: asked.caller.clone(),
            name: asked.name.clone(),
            command,
            needed,
            base,
            released: false,
            held_since: None,
            tried: None,
        });
        Refusal::with(RefusalCode::ConfirmationNeeded, sentence)
    }

    /// Makes the change that waits. What the machine refuses now goes on waiting.
    pub(crate) async fn confirm(
        self: &Arc<Self>,
        mut asked: Asked,
        second: Second,
    ) -> Result<Reply, ServiceError> {
        let alone = self.configuring.lock().await;
        let pending = match self.confirmations.take(&second, Instant::now()) {
            Ok(pending) => pending,
            Err(error) => return Err(asked.refuse(self, error)),
        };
        asked.value = json!({"asked": pending.name, "by": pending.caller.user.as_deref()});
        let before = Arc::clone(&self.newest.load().config);
        if !Arc::ptr_eq(&before, &pending.base) {
            let sentence = "the configuration has changed since it was asked for; ask for it again";
            let error = ServiceError::new(RefusalCode::ConfigChanged, sentence);
            return Err(asked.refuse(self, error));
        }
        let saves = pending.command.saves() || matches!(pending.command, Command::ReplaceConfig(_));
        if let Err(refusal) = self.configure(pending.command.clone(), None).await {
            *self.confirmations.lock() = Some(pending);
            let error = ServiceError::from(refusal);
            // The button tries again by itself.
            return Err(if second == Second::Button { error } else { asked.refuse(self, error) });
        }
        self.enforce_security(&before);
        let changed = self.since(&before);
        drop(alone);
        let saved = if saves { self.save().await } else { Ok(()) };
        let answer = saved.map(|()| Reply::OK);
        self.note_answer(asked, answer, changed, false)
    }

    /// Looks at the stop button of the panel.
    pub(crate) fn watch_button(self: &Arc<Self>) {
        let pressed = self.newest.load().snapshot.stop_pressed;
        if self.confirmations.press(pressed, Instant::now()) {
            let service = Arc::clone(self);
            tokio::spawn(async move {
                let asked = Asked::here("the stop button of the panel");
                // Refused, it goes on waiting, and the next try comes by itself.
                let _ = service.confirm(asked, Second::Button).await;
            });
        }
    }
}

impl Door {
    /// Confirms the change that waits under `code`, on behalf of a second person.
    ///
    /// # Errors
    /// 404 when none does, 409 for whoever has asked for it, 403 where the role is too low, 412 when the
    /// configuration has changed meanwhile, the controller's refusal, 503 when it is in force but could
    /// not be written.
    pub async fn confirm(&self, asked: Asked, code: String) -> Result<Reply, ServiceError> {
        let service = Arc::clone(&self.0);
        to_the_end(async move {
            service.access.take(&asked.caller)?;
            let second = Second::Person(asked.caller.clone(), code);
            service.confirm(asked, second).await
        })
        .await
    }
}

impl Asked {
    /// Something that somebody does at this computer, without a login.
    pub(crate) fn here(name: &str) -> Self {
        let caller = crate::access::anybody(std::net::Ipv4Addr::LOCALHOST.into());
        Self { caller, name: name.to_owned(), value: Value::Null }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::anybody;
    use std::net::Ipv4Addr;

    fn caller(user: &str, role: Role, by_token: bool) -> Caller {
        let nobody = anybody(Ipv4Addr::LOCALHOST.into());
        Caller { user: Some(user.into()), role, by_token, ..nobody }
    }

    fn waiting(now: Instant) -> Confirmations {
        Confirmations(Mutex::new(Some(Pending {
            code: "ABC234".into(),
            until: now + PATIENCE,
            caller: caller("anna", Role::Engineer, false),
            name: "PUT /api/config".into(),
            command: Command::SaveConfig,
            needed: Role::Engineer,
            base: Arc::new(Config::default()),
            released: false,
            held_since: None,
            tried: None,
        })))
    }

    fn status(of: Result<Pending, ServiceError>) -> u16 {
        of.map_or_else(|error| error.status(), |_| 200)
    }

    #[test]
    fn a_second_person_with_the_role_confirms_within_ten_minutes_by_the_code() {
        let now = Instant::now();
        for (user, role, by_token, code, after, expected) in [
            ("bert", Role::Engineer, false, "abc234", PATIENCE / 2, 200),
            ("bert", Role::Engineer, false, "ABC234", PATIENCE, 404),
            ("bert", Role::Engineer, false, "ABC235", HOLD, 404),
            ("bert", Role::Operator, false, "ABC234", HOLD, 403),
            ("anna", Role::Admin, false, "ABC234", HOLD, 409),
            ("bert", Role::Admin, true, "ABC234", HOLD, 409),
        ] {
            let waiting = waiting(now);
            let second = Second::Person(caller(user, role, by_token), code.into());
            assert_eq!(status(waiting.take(&second, now + after)), expected, "{second:?}");
            // Once.
            let again = status(waiting.take(&Second::Console("ABC234".into()), now + HOLD));
            assert_eq!(
                again,
                if [403, 409].contains(&expected) || code == "ABC235" { 200 } else { 404 }
            );
        }
    }

    #[test]
    fn the_button_confirms_when_it_is_pressed_anew_and_held() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let confirmations = waiting(now);
        assert!(!confirmations.press(true, now) && !confirmations.press(true, now + 5 * second));
        assert!(!confirmations.press(false, now + 6 * second));
        assert!(!confirmations.press(true, now + 7 * second));
        assert!(!confirmations.press(false, now + 9 * second), "let go too early");
        assert!(!confirmations.press(true, now + 10 * second));
        assert!(!confirmations.press(true, now + 12 * second));
        assert!(confirmations.press(true, now + 13 * second));
        assert!(!confirmations.press(true, now + 13 * second), "one try at a time");
        assert!(confirmations.press(false, now + 14 * second), "until the machine is at rest");
        assert!(!confirmations.press(true, now + PATIENCE));
        assert!(!Confirmations::default().press(true, now));
    }
}
