//! The throttle of logins: who is locked out, and who is known from a moment ago.

use crate::bounded::Bounded;
use crate::client::Client;
use crate::credentials::Login;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::net::IpAddr;
use std::time::Duration;

/// Failures of a user from an address that lock the two.
pub const FAILURES: u32 = 5;

/// How long they stay locked, and how long a failure is remembered.
pub const LOCK: Duration = Duration::from_mins(15);

/// How long a password that was right needs no second check.
pub const KNOWN_FOR: Duration = Duration::from_mins(1);

/// Checks that a locked pair has for commands that only calm the machine, at once.
pub const CALMING_TRIES: u32 = 5;

/// Time until a locked pair has one more of them. A stop must not be locked out by what others
/// guess from the same address; guessing by stops is still slow, and seen.
pub const CALMING_PAUSE: Duration = Duration::from_secs(2);

/// Pairs of user and address whose failures are remembered.
const PAIRS: usize = 4096;

/// Logins that are remembered: more than a plant has people and panels.
const LOGINS: usize = 256;

/// What the throttle says to a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Its password was right a moment ago.
    Known,
    /// Its password has to be checked; then tell [`LoginThrottle::note`].
    Check,
    /// The user is locked out from this address, for so long.
    Locked(Duration),
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Duration,
    /// Checks of calming commands that were made while it was locked, as far as they count still.
    calming: u32,
    /// When `calming` was right.
    calming_at: Duration,
}

impl Failures {
    fn locked_for(&self, now: Duration) -> Option<Duration> {
        let end = self.last + LOCK;
        (self.count >= FAILURES && now < end).then(|| end.saturating_sub(now))
    }

    /// Takes one check for a calming command; `false` where there is none.
    fn take_calming(&mut self, now: Duration) -> bool {
        let pauses = now.saturating_sub(self.calming_at).as_secs() / CALMING_PAUSE.as_secs();
        let over = u32::try_from(pauses).unwrap_or(u32::MAX);
        if over > 0 {
            self.calming = self.calming.saturating_sub(over);
            self.calming_at = now;
        }
        let left = self.calming < CALMING_TRIES;
        self.calming += u32::from(left);
        left
    }
}

/// Remembers failures and successes, each up to a bound.
pub struct LoginThrottle {
    /// Random, of this process.
    key: [u8; 32],
    failures: Bounded<Client, Failures>,
    /// Keyed hash of a login, never the password, to the time until which it is known.
    known: Bounded<[u8; 32], Duration>,
}

impl std::fmt::Debug for LoginThrottle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginThrottle").finish_non_exhaustive()
    }
}

impl LoginThrottle {
    /// A throttle that remembers nobody; `key` is random.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, failures: Bounded::new(PAIRS), known: Bounded::new(LOGINS) }
    }

    /// What to do about `login` from `address` at `now`.
    ///
    /// A lock comes first: who shares the address of a known login must not find its password out
    /// by trying which one gets through.
    pub fn ask(&self, now: Duration, login: &Login, address: IpAddr) -> Admission {
        let client = Client::new(Some(&login.user), address);
        if let Some(left) = self.failures.get(&client).and_then(|f| f.locked_for(now)) {
            return Admission::Locked(left);
        }
        if self.knows(now, login) { Admission::Known } else { Admission::Check }
    }

    /// The same about a login that sends a command which only calms the machine: a lock leaves it
    /// [`CALMING_TRIES`], and one more every [`CALMING_PAUSE`].
    pub fn ask_calming(&mut self, now: Duration, login: &Login, address: IpAddr) -> Admission {
        let client = Client::new(Some(&login.user), address);
        if let Some(failures) = self.failures.get_mut(&client)
            && let Some(left) = failures.locked_for(now)
            && !failures.take_calming(now)
        {
            return Admission::Locked(left);
        }
        if self.knows(now, login) { Admission::Known } else { Admission::Check }
    }

    /// Whether the password of `login` was right within the last [`KNOWN_FOR`].
    pub fn knows(&self, now: Duration, login: &Login) -> bool {
        self.known.get(&self.fingerprint(login)).is_some_and(|&until| now < until)
    }

    /// Has every password checked anew: users have changed.
    pub fn forget_known(&mut self) {
        self.known = Bounded::new(LOGINS);
    }

    /// Notes that the password of `login` was checked and whether it was right.
    pub fn note(&mut self, now: Duration, login: &Login, address: IpAddr, right: bool) {
        let client = Client::new(Some(&login.user), address);
        if right {
            self.failures.remove(&client);
            let until = now + KNOWN_FOR;
            *self.known.entry(self.fingerprint(login), |_| false, || until) = until;
            return;
        }
        // Made-up names must not push out a lock.
        let locked = |f: &Failures| f.locked_for(now).is_some();
        let failures = self.failures.entry(client, locked, || Failures {
            count: 0,
            last: now,
            calming: 0,
            calming_at: now,
        });
        if now.saturating_sub(failures.last) >= LOCK {
            failures.count = 0;
        }
        failures.count += 1;
        failures.last = now;
    }

    /// A number below `n` that is always the same for a name in this process, and a riddle to
    /// everybody outside.
    pub fn riddle(&self, name: &str, n: usize) -> usize {
        let digest = self.mac(name, "");
        let number = digest.iter().take(8).fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        (number % n.max(1) as u64) as usize
    }

    fn fingerprint(&self, login: &Login) -> [u8; 32] {
        self.mac(&login.user, &login.password)
    }

    fn mac(&self, first: &str, second: &str) -> [u8; 32] {
        // HMAC takes keys of any length; the digest of SHA-256 has 32 bytes.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            unreachable!("HMAC takes any key")
        };
        mac.update(&(first.len() as u64).to_be_bytes());
        mac.update(first.as_bytes());
        mac.update(second.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    fn throttle() -> LoginThrottle {
        LoginThrottle::new([3; 32])
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fail(throttle: &mut LoginThrottle, now: Duration, user: &str, times: u32) {
        for _ in 0..times {
            throttle.note(now, &Login::new(user, "wrong"), HOME, false);
        }
    }

    #[test]
    fn the_fifth_failure_locks_the_pair_for_fifteen_minutes_and_nobody_else() {
        let mut throttle = throttle();
        let right = Login::new("anna", "right");
        fail(&mut throttle, at(10), "anna", 4);
        assert_eq!(throttle.ask(at(10), &right, HOME), Admission::Check);
        fail(&mut throttle, at(11), "anna", 1);
        assert_eq!(throttle.ask(at(11), &right, HOME), Admission::Locked(LOCK));
        assert_eq!(throttle.ask(at(111), &right, HOME), Admission::Locked(at(800)));
        assert_eq!(throttle.ask(at(11), &right, AWAY), Admission::Check, "from elsewhere");
        let other = Login::new("bert", "right");
        assert_eq!(throttle.ask(at(11), &other, HOME), Admission::Check, "somebody else");
        assert_eq!(throttle.ask(at(11) + LOCK, &right, HOME), Admission::Check);
        fail(&mut throttle, at(11) + LOCK, "anna", 1);
        assert_eq!(throttle.ask(at(12) + LOCK, &right, HOME), Admission::Check, "counted anew");
    }

    #[test]
    fn a_success_forgets_the_failures_before_it_and_old_ones_do_not_add_up() {
        let mut throttle = throttle();
        let right = Login::new("anna", "right");
        fail(&mut throttle, at(0), "anna", 4);
        throttle.note(at(1), &right, HOME, true);
        fail(&mut throttle, at(2), "anna", 4);
        assert_eq!(throttle.ask(at(3), &right, HOME), Admission::Known);
        fail(&mut throttle, at(3) + LOCK, "anna", 4);
        assert_eq!(throttle.ask(at(4) + LOCK, &right, HOME), Admission::Check);
    }

    #[test]
    fn a_right_password_is_known_for_a_minute_to_everybody_who_has_it() {
        let mut throttle = throttle();
        let right = Login::new("anna", "right");
        assert_eq!(throttle.ask(at(0), &right, HOME), Admission::Check);
        throttle.note(at(0), &right, HOME, true);
        assert_eq!(throttle.ask(at(59), &right, AWAY), Admission::Known);
        assert_eq!(throttle.ask(at(60), &right, HOME), Admission::Check);
        for (user, password) in [("anna", "Right"), ("ann", "aright"), ("annar", "ight")] {
            let other = Login::new(user, password);
            assert_eq!(throttle.ask(at(1), &other, HOME), Admission::Check, "{user}:{password}");
        }
    }

    #[test]
    fn a_lock_holds_against_a_known_password_too() {
        let mut throttle = throttle();
        let right = Login::new("anna", "right");
        throttle.note(at(0), &right, HOME, true);
        fail(&mut throttle, at(1), "anna", 5);
        assert!(matches!(throttle.ask(at(2), &right, HOME), Admission::Locked(_)));
    }

    #[test]
    fn a_lock_leaves_what_calms_the_machine_some_checks_and_a_right_one_lifts_it() {
        let mut throttle = throttle();
        let (right, wrong) = (Login::new("anna", "right"), Login::new("anna", "wrong"));
        fail(&mut throttle, at(0), "anna", 5);
        for _ in 0..CALMING_TRIES {
            assert_eq!(throttle.ask_calming(at(1), &wrong, HOME), Admission::Check);
            throttle.note(at(1), &wrong, HOME, false);
        }
        assert!(matches!(throttle.ask_calming(at(1), &right, HOME), Admission::Locked(_)));
        assert!(matches!(throttle.ask(at(9), &right, HOME), Admission::Locked(_)));
        let later = at(1) + CALMING_PAUSE;
        assert_eq!(throttle.ask_calming(later, &right, HOME), Admission::Check, "one more");
        assert!(matches!(throttle.ask_calming(later, &right, HOME), Admission::Locked(_)));
        throttle.note(later, &right, HOME, true);
        assert_eq!(throttle.ask(later, &right, HOME), Admission::Known, "it was right");
    }

    #[test]
    fn ten_thousand_made_up_names_do_not_lift_a_lock() {
        let mut throttle = throttle();
        fail(&mut throttle, at(0), "anna", 5);
        for i in 0..10_000 {
            fail(&mut throttle, at(1), &format!("user{i}"), 1);
        }
        let right = Login::new("anna", "right");
        assert!(matches!(throttle.ask(at(2), &right, HOME), Admission::Locked(_)));
    }

    #[test]
    fn a_riddle_is_the_same_every_time_and_another_in_another_process() {
        let (one, other) = (LoginThrottle::new([1; 32]), LoginThrottle::new([2; 32]));
        let names: Vec<String> = (0..64).map(|i| format!("user{i}")).collect();
        let all = |throttle: &LoginThrottle| -> Vec<usize> {
            names.iter().map(|n| throttle.riddle(n, 3)).collect()
        };
        assert_eq!(all(&one), all(&one));
        assert_ne!(all(&one), all(&other));
        assert!(all(&one).iter().all(|&n| n < 3));
    }
}
