//! One client that sends one request after another, and many that send everything at one instant.

use super::field::{Field, Order};
use crate::dice::Dice;
use crate::measure::recorder::NO_SCENARIO;
use std::sync::Arc;

/// In a rush nobody can be sent first: the time that the generator takes to send all of it is part
/// of the latency and no lateness of its own.
const RUSH: u64 = u64::MAX;

/// One client: each request of the plan alone for an equal share of the time.
pub(crate) async fn each(field: &Arc<Field>, seed: u64, from_us: u64, seconds: u64) {
    let requests = field.requests() as u64;
    let share_us = seconds * 1_000_000 / requests.max(1);
    let mut dice = Dice::new(seed, from_us);
    tokio::time::sleep_until(field.instant(from_us).into()).await;
    for request in 0..requests {
        let until_us = from_us + (request + 1) * share_us;
        let mut free_us = field.now_us();
        while free_us < until_us && !field.is_stopped() {
            let order = Order {
                request: request as usize,
                scenario: NO_SCENARIO,
                due_us: free_us,
                free_us,
            };
            field.announce();
            free_us = field.fire(field.client(), order, &mut dice).await;
        }
    }
}

/// `copies` of every request of the plan at one instant; returns when the phase is over.
pub(crate) async fn together(
    field: &Arc<Field>,
    seed: u64,
    copies: usize,
    from_us: u64,
    seconds: u64,
) {
    let mut dice = Dice::new(seed, from_us);
    tokio::time::sleep_until(field.instant(from_us).into()).await;
    for _ in 0..copies {
        for request in 0..field.requests() {
            let mut own = Dice::new(dice.next(), 0);
            let field = Arc::clone(field);
            let order = Order { request, scenario: NO_SCENARIO, due_us: from_us, free_us: RUSH };
            field.announce();
            tokio::spawn(async move { field.fire(field.client(), order, &mut own).await });
        }
    }
    let end = field.instant(from_us + seconds * 1_000_000);
    tokio::time::sleep_until(end.into()).await;
}
