//! The queue in which password checks wait for their turn.
//!
//! Whoever names a user comes before whoever names nobody, so that made-up names cost no user
//! anything; among equals it is the turn of the address that had one longest ago. Where all places
//! are taken, the newest of the address that waits with most loses its own, those without a user
//! first: one address may have them all until another one asks.

use crate::refused::ServiceError;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tve_access::account_of;
use tve_control::RefusalCode;

/// Logins that may wait for their password check.
pub(super) const WAITING: usize = 64;

/// Whom a login names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nobody.
    Stranger,
    /// Somebody.
    User,
}

struct Waiter {
    number: u64,
    address: IpAddr,
    rank: Rank,
    turn: oneshot::Sender<Turn>,
}

#[derive(Default)]
struct Line {
    busy: bool,
    waiting: Vec<Waiter>,
    /// Addresses that had a turn, the newest last.
    served: VecDeque<IpAddr>,
    number: u64,
}

impl Line {
    /// Loses whoever has gone away.
    fn purge(&mut self) {
        self.waiting.retain(|waiter| !waiter.turn.is_closed());
    }

    /// Makes room for a newcomer; `false` when it is the newcomer who has to go.
    fn make_room(&mut self, address: IpAddr, rank: Rank) -> bool {
        self.purge();
        if self.waiting.len() < WAITING {
            return true;
        }
        let alike = |address: IpAddr| self.waiting.iter().filter(|w| w.address == address).count();
        let order = |w: &Waiter| (Reverse(w.rank), alike(w.address), w.number);
        let loser = self.waiting.iter().enumerate().max_by_key(|(_, w)| order(w));
        match loser {
            Some((at, loser)) if order(loser) > (Reverse(rank), alike(address) + 1, u64::MAX) => {
                self.waiting.remove(at);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Who is next.
    fn next(&mut self) -> Option<Waiter> {
        self.purge();
        let served =
            |address| self.served.iter().rposition(|a| *a == address).map_or(0, |at| at + 1);
        let order = |w: &Waiter| (Reverse(w.rank), served(w.address), w.number);
        let next = self.waiting.iter().enumerate().min_by_key(|(_, w)| order(w));
        let next = next.map(|(at, _)| at).map(|at| self.waiting.remove(at));
        self.busy = next.is_some();
        if let Some(waiter) = &next {
            self.note(waiter.address);
        }
        next
    }

    fn note(&mut self, address: IpAddr) {
        self.served.push_back(address);
        if self.served.len() > WAITING {
            self.served.pop_front();
        }
    }
}

/// Checks one password at a time.
#[derive(Default)]
pub(super) struct Queue(Arc<Mutex<Line>>);

/// Leave to check a password; dropping it gives the next one its turn.
pub(super) struct Turn(Arc<Mutex<Line>>);

impl Queue {
    /// Waits until it is the turn of a password from `address`, which lasts until it is dropped.
    ///
    /// # Errors
    /// 429 when too many wait already, or have come before it was its turn.
    pub(super) async fn turn(&self, address: IpAddr, rank: Rank) -> Result<Turn, ServiceError> {
        match self.join(address, rank)? {
            Joined::Next(turn) => Ok(turn),
            Joined::Waits(turn) => turn.await.map_err(|_| busy()),
        }
    }

    /// A place among those who wait.
    pub(super) fn join(&self, address: IpAddr, rank: Rank) -> Result<Joined, ServiceError> {
        let address = account_of(address);
        let mut line = lock(&self.0);
        if !line.busy {
            line.busy = true;
            line.note(address);
            return Ok(Joined::Next(Turn(Arc::clone(&self.0))));
        }
        if !line.make_room(address, rank) {
            return Err(busy());
        }
        let (turn, waits) = oneshot::channel();
        line.number += 1;
        let number = line.number;
        line.waiting.push(Waiter { number, address, rank, turn });
        Ok(Joined::Waits(waits))
    }
}

/// A place in the queue.
pub(super) enum Joined {
    /// Nobody is before it.
    Next(Turn),
    /// Ends with the turn, or without one where another has taken the place.
    Waits(oneshot::Receiver<Turn>),
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = lock(&self.0).next();
        if let Some(waiter) = next {
            // Whoever has gone away gives the turn back by dropping it.
            drop(waiter.turn.send(Self(Arc::clone(&self.0))));
        }
    }
}

fn busy() -> ServiceError {
    let reason = "too many passwords wait to be checked";
    ServiceError::too_fast(RefusalCode::LoginBusy, reason, Duration::from_secs(1))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Tables of counters are as good after a panic as before it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
