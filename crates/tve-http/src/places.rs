//! The places of connections: whoever comes gets one, and where all are taken somebody who only
//! waits makes room.
//!
//! Ordinary places are for everybody, and one address may have them all. Beyond them there is a
//! reserve: a newcomer is seated there at once, while the connection that has been silent for longest,
//! of the address that holds most, is thrown out and the newcomer counts in its stead. So a
//! connection that has just come, a stop above all, never waits for a place and never loses it before
//! as many others have come after it.

use crate::sessions::Claim;
use crate::shares::{Shares, Slot};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Connections at a time; one more, and one that is silent makes room. Each may hold a few KiB.
const ORDINARY: usize = 2048;

/// Places for those who come while others are leaving.
const RESERVE: usize = 64;

/// Connections at a time of which a body is awaited; each keeps some 30 KiB. One more, and the oldest
/// of the address that has most is thrown out.
const BODIES: usize = 256;

/// Requests after which a connection lets the others go first. One that sends many at once would keep
/// them waiting for all of its own.
const TURN: u64 = 4;

/// Descriptors for everything that is no connection: files, the listener, the buses of the board.
const OTHER_DESCRIPTORS: usize = 128;

/// Fewest places, however few descriptors there are.
const FEWEST: usize = 64;

/// The places.
pub(crate) struct Places {
    ordinary: usize,
    began: Instant,
    /// Those who have not been told to leave.
    seated: Mutex<Shares<Arc<Seat>>>,
    /// Those of whom a body is awaited.
    awaited: Mutex<Shares<Arc<Seat>>>,
    bodies: usize,
    /// All who are still there.
    present: AtomicUsize,
    left: Notify,
    /// Those that had to make room.
    evicted: Box<dyn Fn() + Send + Sync>,
}

/// One connection, as others see it.
pub(crate) struct Seat {
    places: Arc<Places>,
    /// Whom it counts for: the client, as far as it is known.
    stands_for: Mutex<IpAddr>,
    slot: OnceLock<Slot>,
    /// When its client last showed itself: µs since the places were made.
    touched: AtomicU64,
    /// Requests that were asked over it.
    asked: AtomicU64,
    /// It has become a socket, which is silent by nature and whose number has a bound of its own.
    is_socket: AtomicBool,
    thrown_out: CancellationToken,
    /// What goes with the connection.
    carried: Mutex<Option<Claim>>,
}

/// A taken place; dropping it leaves.
pub(crate) struct Place(Arc<Seat>);

/// A body that is awaited; dropping it says that it has come.
pub(crate) struct Awaited {
    places: Arc<Places>,
    slot: Slot,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        lock(&self.places.awaited).remove(self.slot);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Tables of counters are as good after a panic as before it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    /// As many as the limit of descriptors allows. `evicted` is called for each connection that had to
    /// make room.
    pub(crate) fn new(evicted: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        use rustix::process::{Resource, getrlimit};
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let room = descriptors.saturating_sub(OTHER_DESCRIPTORS + RESERVE);
        Self::with(ORDINARY.min(room.max(FEWEST)), evicted)
    }

    fn with(ordinary: usize, evicted: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            ordinary,
            began: Instant::now(),
            seated: Mutex::new(Shares::new()),
            awaited: Mutex::new(Shares::new()),
            bodies: BODIES.min(ordinary / 2),
            present: AtomicUsize::new(0),
            left: Notify::new(),
            evicted: Box::new(evicted),
        })
    }

    /// Waits until a newcomer can be seated: at once, unless as many as the reserve holds have been
    /// thrown out and not gone yet.
    pub(crate) async fn room(&self) {
        while self.present.load(Ordering::Acquire) >= self.ordinary + RESERVE {
            let left = self.left.notified();
            if self.present.load(Ordering::Acquire) < self.ordinary + RESERVE {
                return;
            }
            left.await;
        }
    }

    /// Seats a newcomer from `peer`; where the ordinary places are taken somebody makes room.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Place {
        self.present.fetch_add(1, Ordering::AcqRel);
        let seat = Arc::new(Seat {
            places: Arc::clone(self),
            stands_for: Mutex::new(peer),
            slot: OnceLock::new(),
            touched: AtomicU64::new(self.micros(Instant::now())),
            asked: AtomicU64::new(0),
            is_socket: AtomicBool::new(false),
            thrown_out: CancellationToken::new(),
            carried: Mutex::new(None),
        });
        let mut seated = lock(&self.seated);
        let mut leaves = None;
        if seated.used() >= self.ordinary
            && let Some((slot, _)) = seated
                .victim(|seat| seat.silent_since())
                .or_else(|| seated.victim(|seat| Some(seat.touched.load(Ordering::Relaxed))))
        {
            leaves = seated.remove(slot);
        }
        let slot = seated.add(peer, 1, Arc::clone(&seat));
        drop(seated);
        // It is set once, here.
        let _ = seat.slot.set(slot);
        if let Some(leaves) = leaves {
            (self.evicted)();
            leaves.thrown_out.cancel();
        }
        Place(seat)
    }

    /// Whether there are so many connections that each has to do with less memory.
    pub(crate) fn is_crowded(&self) -> bool {
        self.present.load(Ordering::Relaxed) > self.ordinary / 4
    }

    fn micros(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.began).as_micros() as u64
    }
}

impl Place {
    /// The connection as others see it.
    pub(crate) fn seat(&self) -> &Arc<Seat> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let places = &self.0.places;
        if let Some(slot) = self.0.slot.get() {
            lock(&places.seated).remove(*slot);
        }
        drop(lock(&self.0.carried).take());
        places.present.fetch_sub(1, Ordering::AcqRel);
        places.left.notify_one();
    }
}

impl Seat {
    /// The head of a request has arrived.
    pub(crate) fn touch(&self, at: Instant) {
        self.touched.store(self.places.micros(at), Ordering::Relaxed);
    }

    /// Counts a request; whether it is time to let others go first.
    pub(crate) fn has_had_its_turn(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) % TURN == TURN - 1
    }

    /// A body is awaited; where there are too many, somebody else's is given up. One that comes at
    /// once, as a stop's does, is never among the oldest.
    pub(crate) fn awaits_body(self: &Arc<Self>) -> Awaited {
        let mut awaited = lock(&self.places.awaited);
        let touched = |seat: &Arc<Self>| Some(seat.touched.load(Ordering::Relaxed));
        let full = awaited.used() >= self.places.bodies;
        let out = if full { awaited.victim(touched) } else { None };
        let out = out.and_then(|(slot, _)| awaited.remove(slot));
        let slot = awaited.add(self.stands_at(), 1, Arc::clone(self));
        drop(awaited);
        if let Some(out) = out {
            (self.places.evicted)();
            out.throw_out();
        }
        Awaited { places: Arc::clone(&self.places), slot }
    }

    /// Whom the connection counts for from now on: the client of a trusted proxy.
    pub(crate) fn stand_for(&self, address: IpAddr) {
        *lock(&self.stands_for) = address;
        if let Some(slot) = self.slot.get() {
            lock(&self.places.seated).hand_over(*slot, address);
        }
    }

    /// Whom the connection counts for.
    pub(crate) fn stands_at(&self) -> IpAddr {
        *lock(&self.stands_for)
    }

    /// The connection becomes a socket.
    pub(crate) fn becomes_socket(&self) {
        self.is_socket.store(true, Ordering::Release);
    }

    /// Keeps the claim on a session until the connection ends.
    pub(crate) fn carry(&self, claim: Claim) {
        *lock(&self.carried) = Some(claim);
    }

    pub(crate) fn is_socket(&self) -> bool {
        self.is_socket.load(Ordering::Acquire)
    }

    /// Ends the connection.
    pub(crate) fn throw_out(&self) {
        self.thrown_out.cancel();
    }

    /// Told when the connection has to end.
    pub(crate) fn thrown_out(&self) -> &CancellationToken {
        &self.thrown_out
    }

    fn silent_since(&self) -> Option<u64> {
        (!self.is_socket()).then(|| self.touched.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    fn is_out(place: &Place) -> bool {
        place.seat().thrown_out().is_cancelled()
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_is_always_seated_and_the_longest_silent_of_the_greediest_leaves() {
        let places = Places::with(4, || ());
        let taken: Vec<_> = [ONE, TWO, ONE, ONE].map(|peer| places.take(peer)).into();
        for (place, seconds) in taken.iter().zip([40, 10, 20, 30]) {
            place.seat().touch(places.began + Duration::from_secs(seconds));
        }
        let newcomer = places.take(ONE);
        newcomer.seat().touch(places.began + Duration::from_secs(50));
        let out: Vec<_> = taken.iter().map(is_out).collect();
        assert_eq!(out, [false, false, true, false], "TWO is silent for longer, but has one place");
        assert!(!is_out(&newcomer));
    }

    #[test]
    fn a_body_that_comes_is_taken_however_many_never_do() {
        let places = Places::with(8, || ());
        let taken: Vec<_> = [ONE, TWO, ONE, ONE, ONE].map(|peer| places.take(peer)).into();
        for (seconds, place) in taken.iter().enumerate() {
            place.seat().touch(places.began + Duration::from_secs(seconds as u64));
        }
        let awaited: Vec<_> = taken.iter().map(|place| place.seat().awaits_body()).collect();
        let out: Vec<_> = taken.iter().map(is_out).collect();
        assert_eq!(out, [true, false, false, false, false]);
        drop(awaited);
        assert_eq!(lock(&places.awaited).used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_newcomers_waits_for_those_who_leave_and_sockets_stay() {
        let places = Places::with(4, || ());
        let mut taken = vec![places.take(ONE)];
        taken[0].seat().becomes_socket();
        taken.extend((1..4 + RESERVE).map(|_| places.take(ONE)));
        let wait = tokio::time::timeout(Duration::from_secs(1), places.room());
        assert!(wait.await.is_err(), "nobody has left yet");
        assert_eq!(taken.iter().filter(|place| is_out(place)).count(), RESERVE);
        assert!(!is_out(&taken[0]), "a socket is silent by nature");
        taken.retain(|place| !is_out(place));
        places.room().await;
        assert_eq!(taken.len(), 4);
    }
}
