//! A rate that nothing holds up: requests are sent when they are due, whatever the service does.
//!
//! Each thread that sends sleeps towards absolute deadlines, writes, and reads the replies itself: a
//! request that is handed from one thread to another waits for each of them to be woken, and at these
//! rates that took most of the generator's time.

use super::deadline::DeadlineTimer;
use super::dispatch::{Dispatch, Order};
use crate::measure::sample::NO_SCENARIO;
use crate::plan::Plan;
use crate::random::generator;
use rand::SeedableRng as _;
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::SmallRng;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Time between two looks whether the last replies have come.
const LAST_LOOK: Duration = Duration::from_millis(10);

/// Threads that send.
const SENDERS: usize = 2;

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
pub(crate) struct Mix {
    requests: Vec<usize>,
    weights: WeightedIndex<u64>,
}

impl Mix {
    /// The mix that the scenarios of a plan send.
    ///
    /// # Errors
    /// They send nothing.
    pub(crate) fn of(plan: &Plan) -> anyhow::Result<Self> {
        let names: Vec<&String> = plan.requests.keys().collect();
        let (mut requests, mut weights) = (Vec::new(), Vec::new());
        for scenario in &plan.scenarios {
            let all: u64 = scenario.flows.iter().map(|f| u64::from(f.weight)).sum();
            for flow in &scenario.flows {
                for step in &flow.steps {
                    // Scaled so that shares stay whole numbers.
                    let share = 10_000 * scenario.users as u64 * u64::from(flow.weight)
                        / (all.max(1) * flow.steps.len() as u64);
                    if let Some(place) = names.iter().position(|n| *n == step) {
                        requests.push(place);
                        weights.push(share.max(1));
                    }
                }
            }
        }
        Ok(Self { requests, weights: WeightedIndex::new(weights)? })
    }

    fn choose(&self, rng: &mut SmallRng) -> usize {
        self.requests[self.weights.sample(rng)]
    }
}

/// A stretch of an open rate.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    /// What is sent.
    pub mix: Mix,
    /// Seed of the order of requests and of their bodies.
    pub seed: u64,
    /// Requests a second.
    pub rate: f64,
    /// First instant, µs since the origin.
    pub from_us: u64,
    /// Length.
    pub seconds: u64,
}

/// One thread's share: every [`SENDERS`]th request from `first` on.
struct Share {
    stretch: Stretch,
    first: u64,
    /// Told when the last of them has been sent.
    sent: oneshot::Sender<()>,
}

/// The threads that send, each with connections of its own. They end with this value, when the
/// replies they wait for have come.
#[derive(Debug)]
pub(crate) struct Senders(Vec<mpsc::UnboundedSender<Share>>);

impl Senders {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no thread or no client.
    pub(crate) fn start(
        dispatch: &Arc<Dispatch>,
        client: impl Fn() -> reqwest::Result<reqwest::Client>,
    ) -> anyhow::Result<Self> {
        let mut senders = Vec::new();
        for _ in 0..SENDERS {
            let (give, mut take) = mpsc::unbounded_channel::<Share>();
            let (dispatch, client) = (Arc::clone(dispatch), client()?);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name("sender".to_owned()).spawn(move || {
                runtime.block_on(async {
                    let places = Arc::new(Semaphore::new(CONNECTIONS / SENDERS));
                    while let Some(share) = take.recv().await {
                        send(&dispatch, &client, &places, share).await;
                    }
                    // Also those that have not begun: they would end with the runtime, unrecorded.
                    while dispatch.in_flight() > 0 {
                        tokio::time::sleep(LAST_LOOK).await;
                    }
                });
            })?;
            senders.push(give);
        }
        Ok(Self(senders))
    }

    /// Offers `stretch`; returns when its last request has been sent.
    pub(crate) async fn offer(&self, stretch: &Stretch) {
        let mut waits = Vec::new();
        for (first, sender) in (0..).zip(&self.0) {
            let (sent, wait) = oneshot::channel();
            // A thread that is gone drops its share, which ends the wait for it.
            let _ = sender.send(Share { stretch: stretch.clone(), first, sent });
            waits.push(wait);
        }
        for wait in waits {
            let _ = wait.await;
        }
    }
}

async fn send(
    dispatch: &Arc<Dispatch>,
    client: &reqwest::Client,
    places: &Arc<Semaphore>,
    share: Share,
) {
    let Stretch { mix, seed, rate, from_us, seconds } = &share.stretch;
    let timer = DeadlineTimer::new();
    let mut rng = generator(*seed, from_us + share.first);
    let arrivals = (rate * *seconds as f64).round() as u64;
    for arrival in (share.first..arrivals).step_by(SENDERS) {
        let due_us = from_us + (arrival as f64 * 1e6 / rate) as u64;
        let due = dispatch.instant(due_us);
        let late = Instant::now().saturating_duration_since(due);
        if late.is_zero() {
            timer.until(due).await;
        } else {
            // Replies are read between two requests, also when the next is late.
            tokio::task::yield_now().await;
        }
        if dispatch.is_stopped() {
            break;
        }
        let request = mix.choose(&mut rng);
        if late > TOO_LATE {
            dispatch.recorder().missed();
            continue;
        }
        if dispatch.in_flight() >= MOST_IN_FLIGHT {
            dispatch.overdue(request, due_us);
            continue;
        }
        let mut own = SmallRng::from_rng(&mut rng);
        let (dispatch, client) = (Arc::clone(dispatch), client.clone());
        dispatch.announce();
        let places = Arc::clone(places);
        tokio::spawn(async move {
            let at_once = Arc::clone(&places).try_acquire_owned().ok();
            let waited = at_once.is_none();
            let place = match at_once {
                Some(place) => Some(place),
                // An error would mean that the semaphore was closed, which nobody does.
                None => places.acquire_owned().await.ok(),
            };
            let free_us = if waited { dispatch.now_us() } else { due_us };
            let order = Order { request, scenario: NO_SCENARIO, due_us, free_us };
            dispatch.send(&client, order, &mut own).await;
            drop(place);
        });
    }
    // Nobody listens any more only when the whole run has been given up.
    let _ = share.sent.send(());
}
