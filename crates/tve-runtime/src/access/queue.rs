//! The queue in which password checks wait for their turn.

use crate::refused::ServiceError;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tve_control::RefusalCode;

/// Logins that may wait for their password check.
const WAITING: usize = 64;

/// Of these, from one address: a page opens six connections. Loopback may be a proxy for many.
pub(super) const WAITING_FROM_ONE: usize = 16;

/// Checks one password at a time.
pub(super) struct Queue {
    turn: Arc<Semaphore>,
    waiting: Mutex<Vec<IpAddr>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), waiting: Mutex::new(Vec::new()) }
    }

    /// Waits until it is the turn of a password from `address`, which lasts until it is dropped.
    ///
    /// # Errors
    /// 429 when too many wait already.
    pub(super) async fn turn(
        &self,
        address: IpAddr,
    ) -> Result<Option<OwnedSemaphorePermit>, ServiceError> {
        let place = self.join(address)?;
        // Nobody closes the semaphore.
        let turn = Arc::clone(&self.turn).acquire_owned().await.ok();
        drop(place);
        Ok(turn)
    }

    /// A place among those who wait; dropping it leaves the queue.
    pub(super) fn join(&self, address: IpAddr) -> Result<Place<'_>, ServiceError> {
        let mut waiting = lock(&self.waiting);
        let alike = waiting.iter().filter(|a| **a == address).count();
        if waiting.len() >= WAITING || (alike >= WAITING_FROM_ONE && !address.is_loopback()) {
            let wait = Duration::from_secs(1);
            return Err(ServiceError::too_fast(
                RefusalCode::LoginBusy,
                "too many passwords wait to be checked",
                wait,
            ));
        }
        waiting.push(address);
        Ok(Place { queue: self, address })
    }
}

/// A place in the queue.
pub(super) struct Place<'a> {
    queue: &'a Queue,
    address: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.queue.waiting);
        if let Some(place) = waiting.iter().position(|a| *a == self.address) {
            waiting.swap_remove(place);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Tables of counters are as good after a panic as before it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
