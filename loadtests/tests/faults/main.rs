//! Whole runs against a service whose faults are known: the verdict must be the right one.

mod ends;
mod toy;
mod verdicts;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// goose can do one run at a time in a process, and runs that share two cores disturb each other.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
