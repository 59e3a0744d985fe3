//! Socket.IO clients: do all get in, does every event reach every listener, and how soon?
//!
//! Events are caused by setting the Peltier's duty to a value that is used once, and recognised by
//! that value. Meanwhile one client does not read, some drop and come back at once, some vanish.

use super::socketio::Client;
use crate::address::shown;
use crate::client::upgrading;
use crate::collect;
use crate::measure::histogram::{add, empty, quantile};
use crate::options::Options;
use crate::plan::{Plan, Sockets};
use crate::summary::Finished;
use crate::verdict::{Claim, Trust, Verdict};
use anyhow::Context as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tve_api::{ControlRequest, IoUpdate};

/// First duty, %; each event adds [`STEP`].
const FIRST: f64 = 5.0;

/// Difference of two events' duties, %: far above the change that the service thinks worth telling.
const STEP: f64 = 0.25;

/// Most events whose duties are all different and at most 100 %.
const MOST_EVENTS: usize = 380;

/// How long the last event may take to arrive, and so every event.
const LAST: Duration = Duration::from_secs(2);

/// Arrivals of each event.
type Arrivals = Arc<Mutex<Vec<Vec<Instant>>>>;

fn value(event: usize) -> f64 {
    FIRST + event as f64 * STEP
}

fn which(val: f64) -> usize {
    ((val - FIRST) / STEP).round().max(0.0) as usize
}

async fn listen(mut client: Client, arrivals: Option<Arrivals>) {
    while let Some(event) = client.event().await {
        let Some(arrivals) = &arrivals else { continue };
        let now = Instant::now();
        if event.name != "io_update" {
            continue;
        }
        let Ok(update) = serde_json::from_value::<IoUpdate>(event.payload) else { continue };
        if update.key != "peltier_duty" {
            continue;
        }
        let Some(val) = update.val.as_f64().filter(|v| *v >= FIRST) else { continue };
        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = arrivals.get_mut(which(val)) {
            list.push(now);
        }
    }
}

/// Connects `n` clients over `http` at once: (those that got in, their connect times).
async fn connect(
    http: &reqwest::Client,
    host: &reqwest::Url,
    n: usize,
) -> (Vec<Client>, Vec<Duration>) {
    let tasks: Vec<_> = (0..n)
        .map(|_| {
            let (http, host) = (http.clone(), host.clone());
            tokio::spawn(async move {
                let began = Instant::now();
                Client::connect(&http, &host).await.map(|client| (client, began.elapsed()))
            })
        })
        .collect();
    let mut clients = Vec::new();
    let mut times = Vec::new();
    for task in tasks {
        if let Ok(Ok((client, took))) = task.await {
            clients.push(client);
            times.push(took);
        }
    }
    (clients, times)
}

/// Runs the sockets of `plan`.
///
/// # Errors
/// The machine does not take the commands that cause the events.
pub(super) async fn run(
    plan: &Plan,
    sockets: &Sockets,
    options: &Options,
) -> anyhow::Result<Finished> {
    let started = jiff::Zoned::now();
    let events = sockets.events.min(MOST_EVENTS);
    let timeout = Duration::from_millis(plan.timeout_ms);
    let sockets_http = upgrading(timeout, &options.authorities)?;
    let open = |n: usize| connect(&sockets_http, &options.host, n);
    let (clients, mut times) = open(sockets.clients).await;
    let mut tried = sockets.clients;
    let mut inside = clients.len();
    let arrivals: Arrivals = Arc::new(Mutex::new(vec![Vec::new(); events]));
    let mut tasks = tokio::task::JoinSet::new();
    let mut listeners = 0;
    // The first client never reads; it is kept so that its connection stays.
    let mut clients = clients.into_iter();
    let slow = clients.next();
    for client in clients {
        let listens = listeners < sockets.listeners;
        listeners += usize::from(listens);
        tasks.spawn(listen(client, listens.then(|| Arc::clone(&arrivals))));
    }
    let http = options.client(plan)?;
    let control = options.host.join("/api/control")?;
    let command = |duty: f64| {
        let value = serde_json::json!({ "duty": duty });
        let body = ControlRequest { command: "SET_PELTIER".to_owned(), value };
        http.post(control.clone()).json(&body).send()
    };
    command(0.0).await.context("the machine takes no commands")?;
    let mut causes = Vec::with_capacity(events);
    let origin = Instant::now() + Duration::from_millis(sockets.event_period_ms);
    for event in 0..events {
        let due = origin + Duration::from_millis(sockets.event_period_ms) * event as u32;
        tokio::time::sleep_until(due.into()).await;
        if crate::interrupt::is_set() {
            break;
        }
        if event == events / 3 {
            // A storm: they drop and come back at once, and drop again.
            let (back, more) = open(sockets.storm).await;
            drop(back);
            let (back, again) = open(sockets.storm).await;
            tried += 2 * sockets.storm;
            inside += more.len() + again.len();
            times.extend(more.into_iter().chain(again));
            for client in back {
                tasks.spawn(listen(client, None));
            }
        }
        if event == 2 * events / 3 {
            let (gone, more) = open(sockets.vanish).await;
            tried += sockets.vanish;
            inside += more.len();
            times.extend(more);
            // Dropped without a good-bye.
            drop(gone);
        }
        causes.push(Instant::now());
        let reply = command(value(event)).await.context("the machine takes no commands")?;
        anyhow::ensure!(
            reply.status().is_success(),
            "SET_PELTIER {} answers {}",
            value(event),
            reply.status()
        );
        if options.progress && event % 10 == 0 {
            eprintln!("event {event} of {events}, {listeners} listeners");
        }
    }
    tokio::time::sleep(LAST).await;
    tasks.abort_all();
    drop(slow);
    command(0.0).await.context("the machine takes no commands")?;
    let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let seen = Seen { tried, inside, times, listeners, causes, arrivals };
    Ok(seen.conclude(plan, sockets, options, &started))
}

/// What was seen of the clients and the events.
struct Seen {
    tried: usize,
    inside: usize,
    times: Vec<Duration>,
    listeners: usize,
    causes: Vec<Instant>,
    arrivals: Vec<Vec<Instant>>,
}

impl Seen {
    fn conclude(
        self,
        plan: &Plan,
        sockets: &Sockets,
        options: &Options,
        started: &jiff::Zoned,
    ) -> Finished {
        let mut latency = empty::<u64>();
        let mut span = empty::<u64>();
        let mut reached = 0;
        for (cause, arrivals) in self.causes.iter().zip(&self.arrivals) {
            reached += arrivals.len();
            for arrival in arrivals {
                let took = arrival.saturating_duration_since(*cause);
                add(&mut latency, took.as_micros() as u64);
            }
            if let (Some(first), Some(last)) = (arrivals.iter().min(), arrivals.iter().max()) {
                add(&mut span, last.saturating_duration_since(*first).as_micros() as u64);
            }
        }
        let pairs = self.causes.len() * self.listeners;
        let total: Duration = self.times.iter().sum();
        let mean_ms = total.as_secs_f64() * 1000.0 / self.times.len().max(1) as f64;
        let p95_ms = quantile(&latency, 0.95).map(|us| us as f64 / 1000.0);
        let reach = reached as f64 * 100.0 / pairs.max(1) as f64;
        let mut claims = vec![
            Claim::new(
                "every client gets in",
                format!("{} of {}", self.inside, self.tried),
                self.inside == self.tried,
            ),
            Claim::new(
                format!("they connect within {} ms on average", sockets.connect_mean_ms),
                format!("{mean_ms:.1} ms"),
                self.inside > 0 && mean_ms <= sockets.connect_mean_ms,
            ),
            Claim::new(
                format!("{} % of the events reach every listener", sockets.reach_percent),
                format!("{reach:.2} % ({reached} of {pairs})"),
                pairs > 0 && reach >= sockets.reach_percent,
            ),
        ];
        let what = format!(
            "p95 from the command to the event at most {} ms, one client not reading",
            sockets.event_p95_ms
        );
        claims.push(match p95_ms {
            Some(ms) => Claim::new(what, format!("{ms:.2} ms"), ms <= sockets.event_p95_ms),
            None => Claim::open(what, "no event arrived"),
        });
        let interrupted = crate::interrupt::is_set();
        let trust = Trust::default();
        let verdict = Verdict::of(&claims, &trust, options.short, interrupted);
        let mut summary = collect::bare(plan, &shown(&options.host), started, claims, verdict);
        let p50 = quantile(&latency, 0.5).unwrap_or(0) as f64 / 1000.0;
        let fan_out = quantile(&span, 0.95).unwrap_or(0) as f64 / 1000.0;
        summary.extra.insert("event latency p50".into(), format!("{p50:.2} ms"));
        summary
            .extra
            .insert("fan-out span p95, first to last listener".into(), format!("{fan_out:.2} ms"));
        Finished { summary, histograms: vec![("events".to_owned(), latency)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_recognised_by_its_value() {
        for event in 0..MOST_EVENTS {
            assert_eq!(which(value(event)), event);
        }
        assert!(value(MOST_EVENTS - 1) <= 100.0);
    }
}
