//! One run's common ground: the client, the clock, the recorder, and how one request is sent.

use crate::client::cause;
use crate::measure::outcome::Outcome;
use crate::measure::recorder::Recorder;
use crate::measure::sample::{NO_SCENARIO, Sample};
use crate::plan::Plan;
use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest text that is kept of a failure, characters.
const FAILURE_TEXT: usize = 120;

/// A request of the plan, ready to be sent.
#[derive(Debug)]
struct Call {
    method: reqwest::Method,
    url: reqwest::Url,
    bodies: Vec<Bytes>,
    fields: Vec<String>,
}

/// What an engine wants to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// Index of the request in the plan.
    pub request: usize,
    /// Index of the scenario, or [`NO_SCENARIO`].
    pub scenario: usize,
    /// When it should be sent, µs since the origin.
    pub due_us: u64,
    /// When its client was free to, µs since the origin.
    pub free_us: u64,
}

/// Everything that the engines of one run share.
#[derive(Debug)]
pub(crate) struct Dispatch {
    client: reqwest::Client,
    calls: Vec<Call>,
    origin: Instant,
    recorder: Mutex<Recorder>,
    stopped: AtomicBool,
    in_flight: AtomicUsize,
    /// Users that are there at present, for the course of the run.
    pub users: AtomicUsize,
}

impl Dispatch {
    /// The ground for a run of `plan` over `client` against `host` whose clock starts at `origin`.
    ///
    /// # Errors
    /// A path of the plan makes no address with `host`.
    pub(crate) fn new(
        plan: &Plan,
        client: reqwest::Client,
        host: &reqwest::Url,
        origin: Instant,
        recorder: Recorder,
    ) -> anyhow::Result<Self> {
        let mut calls = Vec::new();
        for request in plan.requests.values() {
            let (method, path) = match (&request.get, &request.post) {
                (Some(path), _) => (reqwest::Method::GET, path),
                (None, Some(path)) => (reqwest::Method::POST, path),
                (None, None) => anyhow::bail!("a request has neither get nor post"),
            };
            let bodies = request.bodies.iter().map(|b| Bytes::from(b.to_string())).collect();
            let url = host.join(path)?;
            calls.push(Call { method, url, bodies, fields: request.fields.clone() });
        }
        Ok(Self {
            client,
            calls,
            origin,
            recorder: Mutex::new(recorder),
            stopped: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
        })
    }

    /// µs since the origin; 0 before it.
    pub(crate) fn now_us(&self) -> u64 {
        Instant::now().saturating_duration_since(self.origin).as_micros() as u64
    }

    /// The instant `us` after the origin.
    pub(crate) fn instant(&self, us: u64) -> Instant {
        self.origin + Duration::from_micros(us)
    }

    /// The recorder. A panic elsewhere does not make the figures worse.
    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run early: nothing more is sent.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the run has been ended early.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Requests that wait for their reply.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests of the plan.
    pub(crate) fn requests(&self) -> usize {
        self.calls.len()
    }

    /// Announces a request that is about to be handed to a task, so that nobody ends the run
    /// between the decision to send it and its sending.
    pub(crate) fn announce(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// The client of everybody who has none of his own.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Sends an announced request over `client` and records it; returns when it was done, µs since
    /// the origin.
    pub(crate) async fn send(
        &self,
        client: &reqwest::Client,
        order: Order,
        rng: &mut SmallRng,
    ) -> u64 {
        let Order { request, scenario, due_us, free_us } = order;
        let call = &self.calls[request];
        let mut builder = client.request(call.method.clone(), call.url.clone());
        if let Some(body) = call.bodies.choose(rng) {
            builder = builder
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let sent_us = self.now_us();
        let mut headers_us = None;
        let result = async {
            let reply = builder.send().await?;
            headers_us = Some(self.now_us());
            let status = reply.status();
            // The body is always read: a connection with a body in it cannot be used again.
            reply.bytes().await.map(|body| (status, body))
        }
        .await;
        let done_us = self.now_us();
        let mut bytes = 0;
        let (outcome, failure) = match result {
            Ok((status, body)) => {
                bytes = body.len() as u64;
                let outcome = Outcome::of_status(status.as_u16());
                if outcome.is_error() {
                    (outcome, Some(format!("{status}: {}", excerpt(&body))))
                } else if let Some(missing) = missing_field(&call.fields, &body) {
                    (Outcome::WrongBody, Some(missing))
                } else {
                    (outcome, None)
                }
            }
            Err(error) if error.is_timeout() => {
                (Outcome::Timeout, Some("no answer within the time limit".to_owned()))
            }
            Err(error) => {
                (Outcome::Transport, Some(cause(&error).chars().take(FAILURE_TEXT).collect()))
            }
        };
        let mut recorder = self.recorder();
        let headers_us = headers_us.unwrap_or(done_us);
        recorder.record(&Sample {
            request,
            scenario,
            due_us,
            free_us,
            sent_us,
            headers_us,
            done_us,
            outcome,
            bytes,
        });
        if let Some(text) = failure {
            recorder.failure(request, &text);
        }
        drop(recorder);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        done_us
    }

    /// Records a request that the service kept from being sent.
    pub(crate) fn overdue(&self, request: usize, due_us: u64) {
        let now_us = self.now_us();
        let mut recorder = self.recorder();
        recorder.record(&Sample {
            request,
            scenario: NO_SCENARIO,
            due_us,
            free_us: now_us,
            sent_us: now_us,
            headers_us: now_us,
            done_us: now_us,
            outcome: Outcome::Overdue,
            bytes: 0,
        });
        recorder.failure(request, "never sent: earlier replies were too late");
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(FAILURE_TEXT).collect()
}

fn missing_field(fields: &[String], body: &[u8]) -> Option<String> {
    if fields.is_empty() {
        return None;
    }
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => fields
            .iter()
            .find(|field| value.get(field.as_str()).is_none())
            .map(|field| format!("the body has no {field:?}")),
        Err(error) => Some(format!("the body is no JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_right_when_it_is_json_with_the_fields() {
        let fields = ["state".to_owned(), "config".to_owned()];
        assert_eq!(missing_field(&fields, br#"{"state": 1, "config": null}"#), None);
        assert!(missing_field(&fields, br#"{"state": 1}"#).unwrap().contains("config"));
        assert!(missing_field(&fields, b"<html>").unwrap().contains("JSON"));
        assert_eq!(missing_field(&[], b"<html>"), None);
    }
}
