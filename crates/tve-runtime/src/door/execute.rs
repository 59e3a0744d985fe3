//! The audited way of a command: carried out to its end, noted with who asked and what came of it.

use super::{Door, Service};
use crate::refused::ServiceError;
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use tve_access::Caller;
use tve_audit::{Change, Event, masked};
use tve_config::{Config, Difference, differences};
use tve_control::{Command, Refusal, Reply};

/// Something that somebody asks for, on its way into the journal.
#[derive(Debug)]
pub struct Asked {
    /// Who.
    pub caller: Caller,
    /// Name of the command, or method and path.
    pub name: String,
    /// What came with it. Secrets are masked when it is noted.
    pub value: Value,
}

impl Asked {
    /// Notes what has become of it.
    pub(super) fn note(
        self,
        service: &Service,
        status: u16,
        msg: Option<String>,
        differences: Vec<Difference>,
    ) {
        service.audit.record(&self.event(status, msg, differences));
    }

    /// What has become of it, as the journal has it.
    fn event(self, status: u16, msg: Option<String>, differences: Vec<Difference>) -> Event {
        let Caller { user, address, .. } = self.caller;
        let mut event =
            Event::command(user.as_deref(), address, &self.name, self.value, status, msg);
        if let Event::Command { changes, .. } = &mut event {
            changes.extend(differences.into_iter().map(change));
        }
        event
    }

    /// Notes a refusal and passes it on.
    pub(super) fn refuse(self, service: &Service, error: ServiceError) -> ServiceError {
        self.note(service, error.status(), Some(error.sentence()), Vec::new());
        error
    }
}

/// A difference without its secrets.
fn change(difference: Difference) -> Change {
    let Difference { path, old, new } = difference;
    let key = path.rsplit('.').next().unwrap_or_default().to_owned();
    let mask = |value: Value| {
        // The key says whether its value is a secret, but nothing is none.
        if value.is_null() {
            return value;
        }
        masked(serde_json::json!({ key.clone(): value }))[&key].take()
    };
    let (old, new) = (mask(old), mask(new));
    Change { path, old, new }
}

/// Runs `work` to its end, also when the client goes away meanwhile: what is carried out must be
/// noted.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, ServiceError> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(ServiceError::internal()))
}

impl Door {
    /// Has a command of somebody who may send it carried out and noted, and the configuration saved where that belongs to it;
    /// what was refused before it came here is noted as that. Goes on to its end also when the
    /// future is dropped.
    ///
    /// # Errors
    /// The refusal, 403 where the role is too low, 429 for a client that sends too much, 503 when the queue is full, the control
    /// thread has ended or the file of the configuration cannot be written.
    pub async fn execute(
        &self,
        asked: Asked,
        command: Result<Command, ServiceError>,
    ) -> Result<Reply, ServiceError> {
        let service = Arc::clone(&self.0);
        to_the_end(async move {
            // Whichever way a command has come, nobody gets one past here that they may not send.
            let may = |command: Command| {
                service.access.authorize(&asked.caller, command.kind()).map(|()| command)
            };
            let command = match command.and_then(may) {
                Ok(command) => command,
                Err(error) => return Err(asked.refuse(&service, error)),
            };
            // What comes too fast is counted and leaves no line: the journal is not there to be
            // filled.
            if !command.only_calms() {
                service.access.take(&asked.caller)?;
            }
            let (saves, only_calms) = (command.saves(), command.only_calms());
            let (answer, changed) = service.carry_out(command, &asked).await;
            let answer = match answer {
                Ok(reply) if saves => service.save().await.map(|()| reply),
                other => other,
            };
            service.note_answer(asked, answer, changed, only_calms)
        })
        .await
    }

    /// Notes what was refused before it could be asked of the service, and passes it on.
    pub fn refuse(&self, asked: Asked, error: ServiceError) -> ServiceError {
        asked.refuse(&self.0, error)
    }

    /// Starts recording a run; one that is recorded already goes on.
    ///
    /// # Errors
    /// 429 for a client that sends too much.
    pub fn start_run(&self, asked: Asked) -> Result<Reply, ServiceError> {
        self.0.access.take(&asked.caller)?;
        self.0.recorder.start_run();
        asked.note(&self.0, 200, None, Vec::new());
        Ok(Reply::OK)
    }

    /// Ends the run, if one is recorded.
    ///
    /// # Errors
    /// 429 for a client that sends too much.
    pub fn stop_run(&self, asked: Asked) -> Result<Reply, ServiceError> {
        self.0.access.take(&asked.caller)?;
        self.0.recorder.stop_run();
        asked.note(&self.0, 200, None, Vec::new());
        Ok(Reply::OK)
    }
}

impl Service {
    pub(super) fn note_answer(
        &self,
        asked: Asked,
        answer: Result<Reply, Refusal>,
        changed: Vec<Difference>,
        only_calms: bool,
    ) -> Result<Reply, ServiceError> {
        let answer = answer.map_err(ServiceError::from);
        let (status, msg) = match &answer {
            Ok(reply) => (200, reply.msg.clone()),
            Err(error) => (error.status(), Some(error.sentence())),
        };
        let mut event = asked.event(status, msg, changed);
        if let Event::Command { calms, .. } = &mut event {
            *calms = only_calms;
        }
        self.audit.record(&event);
        answer
    }

    /// Sends a command and finds out what it has changed in the configuration.
    async fn carry_out(
        &self,
        command: Command,
        asked: &Asked,
    ) -> (Result<Reply, Refusal>, Vec<Difference>) {
        if !command.configures() {
            return (self.commands.send(command).await, Vec::new());
        }
        let _alone = self.configuring.lock().await;
        let before = Arc::clone(&self.newest.load().config);
        let answer = self.configure(command, Some(asked)).await;
        (answer, self.since(&before))
    }

    /// What has changed in the configuration since it was `before`.
    pub(super) fn since(&self, before: &Arc<Config>) -> Vec<Difference> {
        let after = Arc::clone(&self.newest.load().config);
        if Arc::ptr_eq(before, &after) { Vec::new() } else { differences(before, &after) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Prepared};
    use std::net::{IpAddr, Ipv4Addr};
    use tve_access::Role;

    #[tokio::test]
    async fn nobody_gets_a_command_past_the_door_that_they_may_not_send() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, r#"{"security": {"enabled": true}}"#).unwrap();
        let prepared = Prepared::new(Options::in_folder(folder.path())).unwrap();
        let runtime = prepared.start(None, Box::new(|_| Ok(()))).await.unwrap();
        let door = runtime.door();
        let send = async |role, command: Command| {
            let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let caller = Caller { user: None, role, address, by_token: true };
            let name = command.kind().row().name.to_owned();
            door.execute(Asked { caller, name, value: Value::Null }, Ok(command)).await
        };
        for (role, command, status) in [
            (Role::Viewer, Command::ClearAlarm, Some(403)),
            (Role::Operator, Command::ClearAlarm, None),
            (Role::Operator, Command::SaveConfig, Some(403)),
            (Role::Engineer, Command::SaveConfig, None),
            // A stop needs no login, unless it is said so.
            (Role::Viewer, Command::Stop, None),
        ] {
            let refused = send(role, command.clone()).await.err().map(|error| error.status());
            assert_eq!(refused, status, "{role:?} {command:?}");
        }
        runtime.halt().await.finish().await.unwrap();
    }
}
