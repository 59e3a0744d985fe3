//! Users who wait for their replies: goose starts and stops them, the pace is kept here.
//!
//! Each user has its own absolute schedule: user `k` of `n` is due at `(k/n + m)` periods. A reply
//! that is late makes the next request late, and its latency counts from the instant it was due.

use super::deadline::DeadlineTimer;
use super::dispatch::{Dispatch, Order};
use crate::measure::layout::Span;
use crate::plan::{Phase, Plan};
use crate::random::generator;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionResult};
use goose::{GooseAttack, GooseScheduler};
use rand::SeedableRng as _;
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::SmallRng;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Longest that a user does not look whether it is to leave.
const TURN: Duration = Duration::from_millis(500);

/// Requests that a user may be behind; older ones are given up and count as errors.
const BACKLOG: u64 = 10;

/// What all users of a scenario share.
struct Kind {
    dispatch: Arc<Dispatch>,
    seed: u64,
    index: u64,
    /// 0: as fast as the replies come.
    period_us: f64,
    users: u64,
    /// From here on nobody sends: goose takes seconds to let hundreds of users go.
    until_us: u64,
    next_user: AtomicU64,
    /// Requests of each flow.
    flows: Vec<Vec<usize>>,
    /// How often each of them is chosen.
    weights: WeightedIndex<u32>,
}

/// One user between two turns.
struct State {
    kind: Arc<Kind>,
    rng: SmallRng,
    /// Which of the absolute instants is next.
    turn: u64,
    phase: f64,
    free_us: u64,
    flow: usize,
    step: usize,
    pending: Option<JoinHandle<u64>>,
    timer: DeadlineTimer,
}

impl Drop for State {
    fn drop(&mut self) {
        self.kind.dispatch.users.fetch_sub(1, Ordering::Relaxed);
    }
}

impl State {
    fn new(kind: &Arc<Kind>) -> Self {
        let number = kind.next_user.fetch_add(1, Ordering::Relaxed);
        let now_us = kind.dispatch.now_us();
        let phase = (number % kind.users) as f64 / kind.users as f64;
        let mut state = Self {
            kind: Arc::clone(kind),
            rng: generator(kind.seed, (kind.index << 32) + number),
            turn: 0,
            phase,
            free_us: now_us,
            flow: 0,
            step: 0,
            pending: None,
            timer: DeadlineTimer::new(),
        };
        if kind.period_us > 0.0 {
            state.turn = (now_us as f64 / kind.period_us - phase).ceil().max(0.0) as u64;
        }
        state.choose();
        kind.dispatch.users.fetch_add(1, Ordering::Relaxed);
        state
    }

    fn due_us(&self) -> u64 {
        if self.kind.period_us > 0.0 {
            ((self.phase + self.turn as f64) * self.kind.period_us) as u64
        } else {
            self.free_us
        }
    }

    fn request(&self) -> usize {
        self.kind.flows[self.flow][self.step]
    }

    fn choose(&mut self) {
        self.flow = self.kind.weights.sample(&mut self.rng);
        self.step = 0;
    }

    fn advance(&mut self) {
        self.turn += 1;
        self.step += 1;
        if self.step == self.kind.flows[self.flow].len() {
            self.choose();
        }
    }

    /// Gives up what is too far behind.
    fn drop_backlog(&mut self) {
        let dispatch = Arc::clone(&self.kind.dispatch);
        if self.kind.period_us <= 0.0 {
            return;
        }
        let allowed_us = (self.kind.period_us * BACKLOG as f64) as u64;
        let until_us = self.kind.until_us;
        let is_lost = |due_us: u64| due_us < until_us && due_us + allowed_us < dispatch.now_us();
        while is_lost(self.due_us()) && !dispatch.is_stopped() {
            if self.free_us > self.due_us() {
                dispatch.overdue(self.request(), self.due_us());
            } else {
                // The user was free and the generator did not come round to it.
                dispatch.recorder().missed();
            }
            self.advance();
        }
    }

    /// One turn: waits, sends, waits for the reply; never longer than about twice [`TURN`].
    async fn turn(&mut self) {
        if let Some(pending) = &mut self.pending {
            match tokio::time::timeout(TURN, pending).await {
                Err(_) => return,
                Ok(done_us) => {
                    self.free_us = done_us.unwrap_or_else(|_| self.kind.dispatch.now_us());
                }
            }
            self.pending = None;
        }
        let dispatch = Arc::clone(&self.kind.dispatch);
        if dispatch.is_stopped() {
            tokio::time::sleep(TURN / 10).await;
            return;
        }
        self.drop_backlog();
        let due_us = self.due_us();
        if due_us >= self.kind.until_us {
            tokio::time::sleep(TURN / 10).await;
            return;
        }
        let wait = Duration::from_micros(due_us.saturating_sub(dispatch.now_us()));
        if wait > TURN {
            tokio::time::sleep(TURN).await;
            return;
        }
        self.timer.until(dispatch.instant(due_us)).await;
        let order = Order {
            request: self.request(),
            scenario: self.kind.index as usize,
            due_us,
            free_us: self.free_us,
        };
        let mut rng = SmallRng::from_rng(&mut self.rng);
        dispatch.announce();
        let mut pending =
            tokio::spawn(async move { dispatch.send(dispatch.client(), order, &mut rng).await });
        self.advance();
        match tokio::time::timeout(TURN, &mut pending).await {
            Ok(done_us) => self.free_us = done_us.unwrap_or_else(|_| self.kind.dispatch.now_us()),
            // A user must be able to leave while its request hangs.
            Err(_) => self.pending = Some(pending),
        }
    }
}

/// What goose keeps for a user between two turns; goose wants to be able to copy it.
#[derive(Clone)]
struct Session(Arc<Mutex<Option<State>>>);

async fn turn(kind: Arc<Kind>, user: &mut GooseUser) -> TransactionResult {
    if user.get_session_data::<Session>().is_none() {
        user.set_session_data(Session(Arc::new(Mutex::new(Some(State::new(&kind))))));
    }
    let Some(session) = user.get_session_data::<Session>().cloned() else { return Ok(()) };
    let state = session.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut state) = state {
        state.turn().await;
        *session.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
    }
    Ok(())
}

fn scenario(kind: &Arc<Kind>, name: &str, weight: usize) -> anyhow::Result<Scenario> {
    let kind = Arc::clone(kind);
    let transaction = Transaction::new(Arc::new(move |user| {
        let kind = Arc::clone(&kind);
        Box::pin(turn(kind, user))
    }));
    Ok(Scenario::new(name).register_transaction(transaction).set_weight(weight)?)
}

/// Starts consecutive user phases, each with its stretch. The task ends when the last user has left,
/// which is some time after the last request.
///
/// # Errors
/// goose refuses what the plan asks for.
pub(crate) fn start(
    plan: &Plan,
    dispatch: &Arc<Dispatch>,
    host: &str,
    phases: &[(&Phase, Span)],
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    use std::fmt::Write as _;
    let mut shape = String::new();
    for (phase, span) in phases {
        let _ = write!(shape, "{},{}s;", phase.users, span.to_s - span.from_s);
    }
    shape.push_str("0,0s");
    let until_us = phases.last().map_or(0, |(_, span)| span.to_s * 1_000_000);
    // Its tables, its chart and its remote control would only cost: figures are ours.
    let configuration = GooseConfiguration::parse_args_default(&[
        "--host",
        host,
        "--test-plan",
        &shape,
        "--no-metrics",
        "--no-print-metrics",
        "--no-telnet",
        "-qqq",
    ])?;
    // Requests go over the client of the run. One that goose built for each user would read all
    // certificates of the system each time, and hold the users up.
    let unused = GooseClientBuilder::new().without_cookies();
    let mut attack = GooseAttack::initialize_with_config(configuration)?
        .set_scheduler(GooseScheduler::RoundRobin)
        .set_client_builder_without_cookies(unused)?;
    let names: Vec<&String> = plan.requests.keys().collect();
    let most = phases.iter().map(|(p, _)| p.users).max().unwrap_or(0);
    let all: usize = plan.scenarios.iter().map(|s| s.users).sum();
    for (index, row) in plan.scenarios.iter().enumerate() {
        let place = |step: &String| names.iter().position(|n| *n == step);
        let flows = row.flows.iter().map(|f| f.steps.iter().filter_map(place).collect());
        let kind = Arc::new(Kind {
            dispatch: Arc::clone(dispatch),
            seed: plan.seed,
            index: index as u64,
            period_us: row.period_ms * 1000.0,
            users: (row.users * most.max(1)).div_ceil(all.max(1)).max(1) as u64,
            until_us,
            next_user: AtomicU64::new(0),
            flows: flows.collect(),
            weights: WeightedIndex::new(row.flows.iter().map(|f| f.weight))?,
        });
        attack = attack.register_scenario(scenario(&kind, &row.name, row.users)?);
    }
    Ok(tokio::spawn(async move {
        // The attack is a large value; it lives on the heap while it runs.
        Box::pin(attack.execute()).await?;
        Ok(())
    }))
}
