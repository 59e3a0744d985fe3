//! Emergency stops by pages of elsewhere: each is carried out, and few of them have a line.
//!
//! Any page may send one, as often as it likes, so a flood of them is one line at once and then one
//! a minute that says how many there were.

use super::execute::to_the_end;
use super::{Asked, Door, Service};
use crate::refused::ServiceError;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tve_control::{Command, CommandKind, Reply};

/// Time between two lines.
const PERIOD: Duration = Duration::from_mins(1);

/// What has no line yet.
#[derive(Debug, Default)]
pub(crate) struct StopsFromElsewhere(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// When the last line was written.
    written: Option<Instant>,
    /// The newest stop without a line, and how many there are.
    newest: Option<(Asked, u64)>,
}

impl StopsFromElsewhere {
    /// Takes a stop in; returns it where it is to be noted now.
    fn take(&self, asked: Asked, now: Instant) -> Option<Asked> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.written.is_some_and(|written| now - written < PERIOD) {
            let count = held.newest.take().map_or(0, |(_, count)| count);
            held.newest = Some((asked, count + 1));
            return None;
        }
        held.written = Some(now);
        Some(asked)
    }

    /// What has waited long enough for its line, `all` without waiting. It says how many it stands
    /// for.
    fn due(&self, now: Instant, all: bool) -> Option<Asked> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all && held.written.is_some_and(|written| now - written < PERIOD) {
            return None;
        }
        let (mut asked, count) = held.newest.take()?;
        held.written = Some(now);
        asked.value["repeated"] = json!(count);
        Some(asked)
    }
}

impl Door {
    /// Stops the machine on behalf of a page that may do nothing else. `asked.value` is an object that
    /// says where it comes from.
    ///
    /// # Errors
    /// 401 or 403 where a stop needs a login, 503 when the control thread has ended.
    pub async fn stop_from_elsewhere(&self, asked: Asked) -> Result<Reply, ServiceError> {
        let service = Arc::clone(&self.0);
        to_the_end(async move {
            service.access.authorize(&asked.caller, CommandKind::EmergencyStop)?;
            let reply = service.commands.send(Command::EmergencyStop).await?;
            if let Some(asked) = service.from_elsewhere.take(asked, Instant::now()) {
                return service.note_answer(asked, Ok(reply), Vec::new(), true);
            }
            Ok(reply)
        })
        .await
    }
}

impl Service {
    /// Writes the line of those that have waited, `all` at the end of the service.
    pub(crate) fn note_stops_from_elsewhere(&self, all: bool) {
        if let Some(asked) = self.from_elsewhere.due(Instant::now(), all) {
            // What is noted was carried out when it came.
            let _ = self.note_answer(asked, Ok(Reply::OK), Vec::new(), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::anybody;
    use std::net::{IpAddr, Ipv4Addr};

    fn stop(origin: &str) -> Asked {
        let caller = anybody(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Asked { caller, name: "EMERGENCY_STOP".into(), value: json!({"origin": origin}) }
    }

    #[test]
    fn the_first_is_noted_at_once_and_the_rest_once_a_minute_with_their_number() {
        let stops = StopsFromElsewhere::default();
        let begun = Instant::now();
        assert!(stops.take(stop("a"), begun).is_some());
        assert!(stops.due(begun, false).is_none() && stops.due(begun, true).is_none());
        for origin in ["b", "c"] {
            assert!(stops.take(stop(origin), begun + PERIOD / 2).is_none());
        }
        assert!(stops.due(begun + PERIOD / 2, false).is_none());
        let line = stops.due(begun + PERIOD, false).unwrap();
        assert_eq!(line.value, json!({"origin": "c", "repeated": 2}));
        assert!(stops.take(stop("d"), begun + PERIOD * 3 / 2).is_none(), "a line a minute");
        let line = stops.due(begun + PERIOD * 3 / 2, true).unwrap();
        assert_eq!(line.value, json!({"origin": "d", "repeated": 1}));
        assert!(stops.take(stop("e"), begun + PERIOD * 3).is_some());
    }
}
