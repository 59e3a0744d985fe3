//! A rate that nothing holds up: requests are sent when they are due, whatever the service does.
//!
//! The instants come from a thread of its own that sleeps towards absolute deadlines: the timer of
//! the asynchronous runtime has a resolution of a millisecond and would be the largest part of what
//! is measured.

use super::field::{Field, Order};
use crate::dice::Dice;
use crate::measure::recorder::NO_SCENARIO;
use crate::plan::Plan;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Most requests that wait for a reply at once; beyond it the service is not keeping up, and what
/// is due counts as overdue.
const MOST_IN_FLIGHT: usize = 5000;

/// Most connections: as a pool of clients has them. Beyond it requests wait for one to become free,
/// and their latency counts on from the instant they were due.
const CONNECTIONS: usize = 256;

/// A request that the generator itself is this late with is not sent any more.
const TOO_LATE: Duration = Duration::from_secs(1);

/// Requests by weight.
#[derive(Debug, Clone)]
pub(crate) struct Mix(Vec<(u64, usize)>);

impl Mix {
    /// The mix that the scenarios of a plan send.
    pub(crate) fn of(plan: &Plan) -> Self {
        let names: Vec<&String> = plan.requests.keys().collect();
        let mut rows = Vec::new();
        for scenario in &plan.scenarios {
            let weights: u64 = scenario.flows.iter().map(|f| u64::from(f.weight)).sum();
            for flow in &scenario.flows {
                for step in &flow.steps {
                    // Scaled so that shares stay whole numbers.
                    let share = 10_000 * scenario.users as u64 * u64::from(flow.weight)
                        / (weights.max(1) * flow.steps.len() as u64);
                    if let Some(place) = names.iter().position(|n| *n == step) {
                        rows.push((share.max(1), place));
                    }
                }
            }
        }
        Self(rows)
    }

    fn choose(&self, dice: &mut Dice) -> usize {
        let row = dice.weighted(self.0.iter().map(|r| r.0));
        self.0.get(row).map_or(0, |r| r.1)
    }
}

/// Offers `rate` requests per second from `from_us` for `seconds`; returns when the last has been
/// sent.
pub(crate) async fn run(
    field: &Arc<Field>,
    mix: Mix,
    seed: u64,
    rate: f64,
    from_us: u64,
    seconds: u64,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Handle::current();
    let (ended, wait) = tokio::sync::oneshot::channel();
    let field = Arc::clone(field);
    std::thread::Builder::new().name("dispatch".to_owned()).spawn(move || {
        let mut dice = Dice::new(seed, from_us);
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        let arrivals = (rate * seconds as f64).round() as u64;
        for arrival in 0..arrivals {
            let due_us = from_us + (arrival as f64 * 1e6 / rate) as u64;
            let due = field.instant(due_us);
            let now = Instant::now();
            if due > now {
                std::thread::sleep(due - now);
            }
            if field.is_stopped() {
                break;
            }
            let request = mix.choose(&mut dice);
            if now.saturating_duration_since(due) > TOO_LATE {
                field.recorder().missed();
                continue;
            }
            if field.in_flight() >= MOST_IN_FLIGHT {
                field.overdue(request, due_us);
                continue;
            }
            let mut own = Dice::new(dice.next(), 0);
            let field = Arc::clone(&field);
            field.announce();
            let connections = Arc::clone(&connections);
            runtime.spawn(async move {
                let at_once = Arc::clone(&connections).try_acquire_owned().ok();
                let waited = at_once.is_none();
                let permit = match at_once {
                    Some(permit) => Some(permit),
                    // An error would mean that the semaphore was closed, which nobody does.
                    None => connections.acquire_owned().await.ok(),
                };
                let free_us = if waited { field.now_us() } else { due_us };
                let order = Order { request, scenario: NO_SCENARIO, due_us, free_us };
                field.fire(order, &mut own).await;
                drop(permit);
            });
        }
        // Nobody listens any more only when the whole run has been given up.
        let _ = ended.send(());
    })?;
    // An error means that the thread has ended, which is what is waited for.
    let _ = wait.await;
    Ok(())
}
