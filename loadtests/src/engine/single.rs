//! One client that sends one request after another, and many that send everything at one instant.

use super::dispatch::{Dispatch, Order};
use crate::measure::sample::NO_SCENARIO;
use crate::random::generator;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use std::sync::Arc;

/// In a rush nobody can be sent first: the time that the generator takes to send all of it is part
/// of the latency and no lateness of its own.
const RUSH: u64 = u64::MAX;

/// One client: each request of the plan alone for an equal share of the time.
pub(crate) async fn each(dispatch: &Arc<Dispatch>, seed: u64, from_us: u64, seconds: u64) {
    let requests = dispatch.requests() as u64;
    let share_us = seconds * 1_000_000 / requests.max(1);
    let mut rng = generator(seed, from_us);
    tokio::time::sleep_until(dispatch.instant(from_us).into()).await;
    for request in 0..requests {
        let until_us = from_us + (request + 1) * share_us;
        let mut free_us = dispatch.now_us();
        while free_us < until_us && !dispatch.is_stopped() {
            let order = Order {
                request: request as usize,
                scenario: NO_SCENARIO,
                due_us: free_us,
                free_us,
            };
            dispatch.announce();
            free_us = dispatch.send(dispatch.client(), order, &mut rng).await;
        }
    }
}

/// `copies` of every request of the plan at one instant; returns when the phase is over.
pub(crate) async fn together(
    dispatch: &Arc<Dispatch>,
    seed: u64,
    copies: usize,
    from_us: u64,
    seconds: u64,
) {
    let mut rng = generator(seed, from_us);
    tokio::time::sleep_until(dispatch.instant(from_us).into()).await;
    for _ in 0..copies {
        for request in 0..dispatch.requests() {
            let mut own = SmallRng::from_rng(&mut rng);
            let dispatch = Arc::clone(dispatch);
            let order = Order { request, scenario: NO_SCENARIO, due_us: from_us, free_us: RUSH };
            dispatch.announce();
            tokio::spawn(async move { dispatch.send(dispatch.client(), order, &mut own).await });
        }
    }
    let end = dispatch.instant(from_us + seconds * 1_000_000);
    tokio::time::sleep_until(end.into()).await;
}
