//! One run of a plan: preflight, warm-up, the load itself, and the machine left cold and still.

mod limiter;
mod phases;
mod search;
mod socketio;
mod sockets;

use crate::extruder::Extruder;
use crate::options::Options;
use crate::plan::Plan;
use crate::summary::Finished;

/// Runs `plan`.
///
/// # Errors
/// The service is not there or must not be loaded, or the generator cannot work here.
pub async fn run(plan: &Plan, options: &Options) -> anyhow::Result<Finished> {
    let extruder = Extruder::new(options.client(plan)?, options.host.clone());
    // Before this has passed nothing may be commanded: it may be the wrong machine.
    let driven = extruder.check(plan, options.real_is_known).await?;
    let ready = match plan.limiter {
        // What is refused needs no warm barrel.
        Some(_) => Ok(()),
        None => extruder.warm_up(plan, &driven).await,
    };
    let result = match ready {
        // The run is a large value; it lives on the heap.
        Ok(()) => match (&plan.search, &plan.sockets, &plan.limiter) {
            (_, _, Some(limiter)) => Box::pin(limiter::run(plan, limiter, options, &driven)).await,
            (Some(search), ..) => Box::pin(search::run(plan, search, options)).await,
            (None, Some(sockets), _) => Box::pin(sockets::run(plan, sockets, options)).await,
            (None, None, None) => Box::pin(phases::run(plan, options)).await,
        },
        Err(error) => Err(error),
    };
    // Whatever came of the run, the machine is left cold and still.
    for refusal in extruder.make_safe(plan, &driven).await {
        eprintln!("clean-up: {refusal}");
    }
    result
}
