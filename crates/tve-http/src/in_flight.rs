//! The one bound on bytes that clients have the service keep: bodies that have not arrived as a whole
//! and replies that have not been taken.
//!
//! What a stop needs is far below [`FREE`] and is never counted. Reads are shed first: they may not
//! have the last quarter. Where there is no room left, whoever has kept most for longest loses the
//! connection, if it has had some seconds; else the newcomer is told to come back.

use crate::places::Seat;
use crate::reply::ApiError;
use crate::shares::{Shares, Slot};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tve_control::RefusalCode;

/// Bytes of a body or reply that are not counted. Every command of the HMI is smaller.
pub(crate) const FREE: usize = 4 * 1024;

/// Bytes that all clients together may have the service keep.
const BOUND: usize = 8 * 1024 * 1024;

/// Of these, what reads may have.
const FOR_READS: usize = BOUND / 4 * 3;

/// Time in which nobody loses what it has: a slow tablet takes a long reply in it.
const SPARED: Duration = Duration::from_secs(2);

/// What bytes are kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A reply.
    Read,
    /// A body.
    Write,
}

/// By what the client of one connection may have bytes kept; part of each request.
#[derive(Clone)]
pub(crate) struct Allowance {
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) seat: Arc<Seat>,
}

impl Allowance {
    /// Leave to keep `bytes`.
    ///
    /// # Errors
    /// 503 while others keep too much.
    pub(crate) fn claim(&self, bytes: usize, purpose: Purpose) -> Result<Grant, ApiError> {
        self.in_flight.claim(&self.seat, bytes, purpose)
    }
}

struct Keeper {
    since: Instant,
    seat: Arc<Seat>,
}

/// What is kept for whom.
pub(crate) struct InFlight {
    began: Instant,
    bound: usize,
    for_reads: usize,
    kept: Mutex<Shares<Keeper>>,
}

/// Leave to keep some bytes; dropping it gives them back.
pub(crate) struct Grant {
    from: Arc<InFlight>,
    slot: Slot,
}

impl InFlight {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(BOUND, FOR_READS)
    }

    fn with(bound: usize, for_reads: usize) -> Arc<Self> {
        let kept = Mutex::new(Shares::new());
        Arc::new(Self { began: Instant::now(), bound, for_reads, kept })
    }

    /// Leave to keep `bytes` for the client at `seat`.
    ///
    /// # Errors
    /// 503 while others keep too much.
    pub(crate) fn claim(
        self: &Arc<Self>,
        seat: &Arc<Seat>,
        bytes: usize,
        purpose: Purpose,
    ) -> Result<Grant, ApiError> {
        self.claim_at(Instant::now(), seat, bytes, purpose).ok_or_else(|| {
            ApiError::new(
                RefusalCode::Overloaded,
                "clients have more on the way than the service keeps; ask again in a second",
            )
        })
    }

    fn claim_at(
        self: &Arc<Self>,
        now: Instant,
        seat: &Arc<Seat>,
        bytes: usize,
        purpose: Purpose,
    ) -> Option<Grant> {
        let bound = match purpose {
            Purpose::Read => self.for_reads,
            Purpose::Write => self.bound,
        };
        if bytes > bound {
            return None;
        }
        let mut kept = self.lock();
        let mut out = Vec::new();
        while kept.used() + bytes > bound {
            let spared = |keeper: &Keeper| {
                let since = keeper.since;
                let age = since.saturating_duration_since(self.began).as_micros() as u64;
                (now.saturating_duration_since(since) >= SPARED).then_some(age)
            };
            let (slot, _) = kept.victim(spared)?;
            out.extend(kept.remove(slot));
        }
        let keeper = Keeper { since: now, seat: Arc::clone(seat) };
        let slot = kept.add(seat.stands_at(), bytes, keeper);
        drop(kept);
        for keeper in out {
            keeper.seat.throw_out();
        }
        Some(Grant { from: Arc::clone(self), slot })
    }

    fn lock(&self) -> MutexGuard<'_, Shares<Keeper>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.from.lock().remove(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use std::net::{IpAddr, Ipv4Addr};

    fn at(n: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, n))
    }

    #[test]
    fn reads_leave_room_for_writes_and_what_is_dropped_is_there_again() {
        let places = Places::new(|| ());
        let (one, two) = (places.take(at(1)), places.take(at(2)));
        let bytes = InFlight::with(100, 75);
        let now = Instant::now();
        let claim = |place: &crate::places::Place, bytes_, purpose| {
            bytes.claim_at(now, place.seat(), bytes_, purpose)
        };
        let read = claim(&one, 70, Purpose::Read).unwrap();
        assert!(claim(&two, 10, Purpose::Read).is_none(), "nobody has had its time yet");
        let _write = claim(&two, 30, Purpose::Write).unwrap();
        assert!(claim(&two, 1, Purpose::Write).is_none());
        drop(read);
        assert!(claim(&two, 40, Purpose::Read).is_some());
    }

    #[test]
    fn who_keeps_most_for_some_seconds_loses_it_to_a_newcomer() {
        let places = Places::new(|| ());
        let (one, two, three) = (places.take(at(1)), places.take(at(2)), places.take(at(3)));
        let bytes = InFlight::with(100, 75);
        let now = Instant::now();
        let held = [(&one, 40), (&two, 30)]
            .map(|(place, n)| bytes.claim_at(now, place.seat(), n, Purpose::Read).unwrap());
        let later = now + SPARED;
        let _new = bytes.claim_at(later, three.seat(), 30, Purpose::Read).unwrap();
        let out = [&one, &two, &three].map(|place| place.seat().thrown_out().is_cancelled());
        assert_eq!(out, [true, false, false]);
        drop(held);
        assert_eq!(bytes.lock().used(), 30, "what was lost is not given back twice");
    }
}
