//! The bound on Socket.IO sessions, and what of a request the library gets to see.
//!
//! A session by polling belongs to no connection: the library forgets one that nobody has joined after
//! [`CONNECT_LIMIT`], and one whose client is silent by its heartbeat.
//! A session over a WebSocket lives as long as its connection, which keeps its place. One address may
//! have all there are; a newcomer of another one makes the address with most give one up.

use crate::places::Seat;
use crate::reply::ApiError;
use crate::shares::{Shares, Slot};
use crate::sockets::CONNECT_LIMIT;
use socketioxide::socket::Sid;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tve_control::RefusalCode;

/// Sessions at a time. Each may have 512 events wait for it.
const BOUND: usize = 128;

/// Time in which a session that nobody has joined is not taken for abandoned.
const SPARED: Duration = Duration::from_secs(2);

/// A session that has been joined is given up after every other one.
const JOINED: u64 = 1 << 62;

struct Session {
    since: Instant,
    joined: bool,
    /// Its name, once the library has given it one; over a WebSocket that is not looked for.
    sid: Option<Sid>,
    /// Ends the connection that it lives on, if it lives on one.
    connection: Option<CancellationToken>,
}

struct Table {
    sessions: Shares<Session>,
    by_sid: HashMap<Sid, Slot>,
}

/// The sessions there are.
pub(crate) struct Sessions {
    began: Instant,
    bound: usize,
    table: Mutex<Table>,
}

/// A claim on a session; dropping it gives it back.
pub(crate) struct Claim {
    sessions: Arc<Sessions>,
    /// `None` once the library says when it ends.
    slot: Option<Slot>,
}

/// What has to end so that a newcomer finds room.
pub(crate) enum Ends {
    Nothing,
    /// A session by polling, told to the library in its client's stead.
    Polling(Sid),
}

impl Table {
    fn remove(&mut self, slot: Slot) -> Option<Session> {
        let session = self.sessions.remove(slot)?;
        if let Some(sid) = session.sid {
            self.by_sid.remove(&sid);
        }
        Some(session)
    }

    fn is_joined(&mut self, slot: Slot) -> bool {
        self.sessions.get_mut(slot).is_some_and(|session| session.joined)
    }
}

impl Sessions {
    pub(crate) fn new() -> Arc<Self> {
        Self::with(BOUND)
    }

    fn with(bound: usize) -> Arc<Self> {
        let table = Table { sessions: Shares::new(), by_sid: HashMap::new() };
        Arc::new(Self { began: Instant::now(), bound, table: Mutex::new(table) })
    }

    /// Room for a session of the client at `address`; over a WebSocket it lives as long as
    /// `connection`.
    ///
    /// # Errors
    /// 503 where all are taken and nobody has more than this address.
    pub(crate) fn open(
        self: &Arc<Self>,
        now: Instant,
        address: IpAddr,
        connection: Option<CancellationToken>,
    ) -> Result<(Claim, Ends), ApiError> {
        let mut table = self.lock();
        let mut ends = Ends::Nothing;
        if table.sessions.used() >= self.bound {
            let own = table.sessions.of(address);
            let key = |session: &Session| {
                let age = now.saturating_duration_since(session.since);
                let order = session.since.saturating_duration_since(self.began).as_micros() as u64;
                if session.joined { Some(order | JOINED) } else { (age >= SPARED).then_some(order) }
            };
            let victim = table.sessions.victim(key);
            let victim = victim.filter(|(slot, address)| {
                !table.is_joined(*slot) || table.sessions.of(*address) > own + 1
            });
            let Some(session) = victim.and_then(|(slot, _)| table.remove(slot)) else {
                return Err(ApiError::new(
                    RefusalCode::TooManyConnections,
                    format!("there are {} sockets already; close some of them", self.bound),
                ));
            };
            match (session.connection, session.sid) {
                (Some(connection), _) => connection.cancel(),
                (None, Some(sid)) => ends = Ends::Polling(sid),
                (None, None) => {}
            }
        }
        let session = Session { since: now, joined: false, sid: None, connection };
        let slot = table.sessions.add(address, 1, session);
        Ok((Claim { sessions: Arc::clone(self), slot: Some(slot) }, ends))
    }

    /// The session has moved from polling to a WebSocket on the connection at `seat`. `false` when
    /// there is no such session, or it lives on a connection already.
    pub(crate) fn moves(&self, sid: Sid, seat: &Seat) -> bool {
        let mut table = self.lock();
        let Some(&slot) = table.by_sid.get(&sid) else {
            return false;
        };
        let Some(session) = table.sessions.get_mut(slot) else {
            return false;
        };
        let first = session.connection.is_none();
        if first {
            session.connection = Some(seat.thrown_out().clone());
        }
        first
    }

    /// The client of a session has joined.
    pub(crate) fn joined(&self, slot: Slot) {
        if let Some(session) = self.lock().sessions.get_mut(slot) {
            session.joined = true;
        }
    }

    /// A session has ended.
    pub(crate) fn left(&self, slot: Slot) {
        self.lock().remove(slot);
    }

    /// Forgets sessions by polling that the library has forgotten: those that were never joined in
    /// time, and those joined that are no more among its sockets.
    pub(crate) fn review(&self, now: Instant, lives: impl Fn(Sid) -> bool) {
        let mut table = self.lock();
        let over = |session: &Session| {
            let Some(sid) = session.sid else { return false };
            let age = now.saturating_duration_since(session.since);
            age > CONNECT_LIMIT && !lives(sid)
        };
        let found = table.sessions.iter().filter(|(_, session)| over(session));
        let over: Vec<_> = found.map(|(slot, _)| slot).collect();
        for slot in over {
            table.remove(slot);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Tables of counters are as good after a panic as before it.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// What the session is called here.
    pub(crate) fn slot(&self) -> Option<Slot> {
        self.slot
    }

    /// The session by polling that the library has made: from now on it ends as the library says.
    pub(crate) fn becomes(mut self, sid: Sid) {
        let Some(slot) = self.slot.take() else { return };
        let mut table = self.sessions.lock();
        if let Some(session) = table.sessions.get_mut(slot) {
            session.sid = Some(sid);
            table.by_sid.insert(sid, slot);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.sessions.lock().remove(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn at(n: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, n))
    }

    fn polling(sessions: &Arc<Sessions>, now: Instant, n: u8) -> (Slot, Sid) {
        let (claim, _) = sessions.open(now, at(n), None).unwrap_or_else(|_| panic!("no room"));
        let (slot, sid) = (claim.slot().unwrap(), Sid::new());
        claim.becomes(sid);
        (slot, sid)
    }

    fn ended(opened: Result<(Claim, Ends), ApiError>) -> Option<Sid> {
        match opened {
            Ok((claim, Ends::Polling(sid))) => {
                claim.becomes(Sid::new());
                Some(sid)
            }
            Ok((_, Ends::Nothing)) | Err(_) => None,
        }
    }

    #[test]
    fn one_address_may_have_all_sessions_until_another_one_asks() {
        let sessions = Sessions::with(3);
        let now = Instant::now();
        let sids = [1, 1, 1].map(|n| polling(&sessions, now, n));
        for (slot, _) in sids {
            sessions.joined(slot);
        }
        let later = now + SPARED;
        assert!(sessions.open(later, at(1), None).is_err(), "it has them all already");
        assert_eq!(ended(sessions.open(later, at(2), None)), Some(sids[0].1));
        assert!(sessions.open(later, at(2), None).is_err(), "then each would have as many");
    }

    #[test]
    fn what_nobody_joined_is_given_up_first_and_forgotten_in_time() {
        let sessions = Sessions::with(3);
        let now = Instant::now();
        let sids = [1, 1, 2].map(|n| polling(&sessions, now, n));
        sessions.joined(sids[0].0);
        assert!(sessions.open(now, at(1), None).is_err(), "it may still be joined");
        assert_eq!(ended(sessions.open(now + SPARED, at(1), None)), Some(sids[1].1));
        sessions.review(now + CONNECT_LIMIT + SPARED * 2, |sid| sid == sids[0].1);
        assert_eq!(sessions.lock().sessions.used(), 1);
        sessions.left(sids[0].0);
        assert_eq!(sessions.lock().sessions.used(), 0);
    }

    #[test]
    fn a_session_over_a_web_socket_ends_with_its_connection_and_the_other_way_round() {
        let sessions = Sessions::with(1);
        let now = Instant::now();
        let connection = CancellationToken::new();
        let Ok((claim, _)) = sessions.open(now, at(1), Some(connection.clone())) else {
            panic!("there is room");
        };
        assert!(sessions.open(now, at(2), None).is_err());
        let other = sessions.open(now + SPARED, at(2), None);
        assert!(other.is_ok() && connection.is_cancelled());
        drop(claim);
        assert_eq!(sessions.lock().sessions.used(), 1, "what was lost is not given back twice");
    }
}
