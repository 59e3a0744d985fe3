//! Who may do what: authenticates, authorizes, keeps clients to their limits.
//!
//! While `security.enabled` is false, whoever reaches the listening address may do everything;
//! that is why the service then listens on loopback alone unless it is told otherwise. While it is
//! true, the table of `tve-access` decides.
//!
//! The slow part, comparing a password with its hash, runs on a blocking thread, one at a time, so
//! that passwords cost at most one core. Commands that only calm the machine have a lane of their
//! own where they name a user: they wait behind no made-up name and behind no password that was sent
//! for anything else, and a lock leaves them some checks.

mod pass;
mod policy;
mod queue;

pub use pass::Pass;
pub(crate) use policy::has_admin;
pub use policy::unusable;

use crate::identity::Identity;
use crate::refused::ServiceError;
use arc_swap::ArcSwap;
use policy::Policy;
use queue::{Queue, Rank, lock};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tve_access::{
    Admission, Buckets, Caller, Client, Credentials, Login, LoginThrottle, Need, Role, Token,
    TokenBook, Verdict, address_of, table,
};
use tve_audit::{AuditHandle, Event, LoginOutcome, TokenChange};
use tve_config::Security;
use tve_control::{CommandKind, Refusal, RefusalCode};

/// What a request shows of its sender, before anything is proven.
#[derive(Debug, Clone)]
pub struct Arrival {
    address: IpAddr,
    credentials: Credentials,
}

impl Arrival {
    /// Where it comes from, proxies looked through.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

/// Which queue a password check waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Whatever can wait.
    Ordinary,
    /// Commands that only calm the machine.
    Calming,
}

/// How logins ended, and commands that were too many.
#[derive(Debug, Default)]
pub struct Counts {
    /// Passwords that were right, each check once.
    pub ok: AtomicU64,
    /// Wrong passwords, unknown users, bad tokens, damaged headers.
    pub failed: AtomicU64,
    /// Refused unread, because user and address are locked.
    pub locked: AtomicU64,
    /// Commands beyond the limit of their client.
    pub limited: AtomicU64,
}

/// Who may do what, and who has tried.
pub struct Access {
    policy: ArcSwap<Policy>,
    /// Nobody knows who the users are.
    lost: bool,
    tokens: ArcSwap<TokenBook>,
    throttle: Mutex<LoginThrottle>,
    buckets: Mutex<Buckets>,
    ordinary: Queue,
    calming: Queue,
    started: Instant,
    counts: Counts,
    /// Where logins are noted.
    journal: OnceLock<AuditHandle>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Hashes and tokens are nobody's to print.
        f.debug_struct("Access").field("enabled", &self.is_enabled()).finish_non_exhaustive()
    }
}

impl Access {
    /// The policy of `identity`. `key` is random. A user whose hash cannot be read is left out;
    /// [`unusable`] names them.
    pub(crate) fn new(identity: &Identity, key: [u8; 32], tokens: TokenBook) -> Self {
        let security = identity.security();
        Self {
            policy: ArcSwap::from_pointee(Policy::of(&security)),
            lost: *identity == Identity::Lost,
            tokens: ArcSwap::from_pointee(tokens),
            throttle: Mutex::new(LoginThrottle::new(key)),
            buckets: Mutex::new(Buckets::new(&security.limits)),
            ordinary: Queue::default(),
            calming: Queue::default(),
            started: Instant::now(),
            counts: Counts::default(),
            journal: OnceLock::new(),
        }
    }

    /// Notes logins, lock-outs and tokens in `journal` from now on.
    pub(crate) fn report_to(&self, journal: AuditHandle) {
        // Once a start; a second one would find the same journal.
        let _ = self.journal.set(journal);
    }

    fn report(&self, event: &Event) {
        if let Some(journal) = self.journal.get() {
            journal.record(event);
        }
    }

    /// Puts another `security` in force, at once and for everybody.
    pub(crate) fn enforce(&self, security: &Security) {
        let before = self.policy.swap(Arc::new(Policy::of(security)));
        // A password that was right a moment ago may be so no more.
        lock(&self.throttle).forget_known();
        if before.security.limits != security.limits {
            *lock(&self.buckets) = Buckets::new(&security.limits);
        }
    }

    /// Whether nobody knows who the users are, so that stops alone are taken.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether logins are asked for at all.
    pub fn is_enabled(&self) -> bool {
        self.policy.load().security.enabled
    }

    /// Whether there are proxies that are believed for whom they speak.
    pub fn has_proxies(&self) -> bool {
        !self.policy.load().security.trusted_proxies.is_empty()
    }

    /// How logins ended so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Puts other tokens in force. One that has ended stays so.
    pub(crate) fn replace_tokens(&self, tokens: &TokenBook) {
        let before = self.tokens.load_full();
        let missing = |of: &TokenBook, from: &TokenBook, change| {
            // When it expires may have changed: what has expired is ended.
            let same = |a: &Token, b: &Token| (&a.name, a.created) == (&b.name, b.created);
            for token in of.iter().filter(|token| !from.iter().any(|t| same(t, token))) {
                self.report(&Event::Token { change, name: Some(token.name.clone()) });
            }
        };
        missing(&before, tokens, TokenChange::Revoked);
        missing(tokens, &before, TokenChange::Created);
        self.tokens.rcu(|old| {
            let mut tokens = TokenBook::clone(tokens);
            tokens.end_as(old);
            tokens
        });
    }

    /// Ends the tokens that have expired, for good.
    pub(crate) fn end_expired_tokens(&self, now: u64) {
        if self.tokens.load().has_expired(now) {
            self.tokens.rcu(|old| {
                let mut tokens = TokenBook::clone(old);
                tokens.end_expired(now);
                tokens
            });
        }
    }

    /// Puts none in force: what cannot be read may have been a revocation.
    pub(crate) fn lose_tokens(&self) {
        self.tokens.store(Arc::default());
        self.report(&Event::Token { change: TokenChange::Unreadable, name: None });
    }

    /// The role that is needed; `None` when no login is.
    pub fn role(&self, need: Need) -> Option<Role> {
        need.role(&self.policy.load().security)
    }

    /// The role that commands of `kind` need; `None` when no login is.
    ///
    /// # Errors
    /// `UNKNOWN_COMMAND` for a kind that the service alone sends.
    pub fn role_for(&self, kind: CommandKind) -> Result<Option<Role>, ServiceError> {
        match table::command(kind) {
            Some(need) => Ok(self.role(need)),
            None => Err(Refusal::from(RefusalCode::UnknownCommand).into()),
        }
    }

    /// Whether `caller` may send commands of `kind`.
    ///
    /// # Errors
    /// 403 with both roles; `UNKNOWN_COMMAND` for a kind that the service alone sends.
    pub fn authorize(&self, caller: &Caller, kind: CommandKind) -> Result<(), ServiceError> {
        match self.role_for(kind)? {
            Some(role) => require(caller, role, kind.row().name),
            None => Ok(()),
        }
    }

    /// What a request over a connection from `peer` shows of its sender: the lines in which proxies
    /// say for whom they speak, oldest first, and its credentials as they stand in the header
    /// `Authorization`, of which there may be one.
    pub fn arrival<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
        mut credentials: impl Iterator<Item = &'a [u8]>,
    ) -> Arrival {
        let first = credentials.next();
        Arrival {
            address: address_of(peer, forwarded, &self.policy.load().security.trusted_proxies),
            credentials: match credentials.next() {
                None => Credentials::parse(first),
                Some(_) => Credentials::Malformed,
            },
        }
    }

    /// Whether `peer` is a proxy that says for whom, and as whom, it speaks.
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        let policy = self.policy.load();
        policy.security.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == peer)
    }

    /// Decides without comparing a password: `None` when that is needed.
    pub fn at_once(&self, arrival: &Arrival) -> Option<Result<Caller, ServiceError>> {
        self.decide(arrival, Lane::Ordinary)
    }

    fn decide(&self, arrival: &Arrival, lane: Lane) -> Option<Result<Caller, ServiceError>> {
        if self.lost {
            return Some(Err(ServiceError::new(
                RefusalCode::SecurityUnreadable,
                "who may do what cannot be read, so only stops are taken: mend the configuration \
                 (GET /api/status has its errors) and restart",
            )));
        }
        match &arrival.credentials {
            Credentials::None => Some(Err(ServiceError::new(
                RefusalCode::LoginRequired,
                "send a user and password (HTTP Basic) or a token (Bearer)",
            ))),
            Credentials::Malformed => Some(Err(self.failed(
                arrival.address,
                "the Authorization header is neither \"Basic\" with user:password in base64 nor \
                 \"Bearer\" with a token",
            ))),
            Credentials::Bearer(token) => Some(self.bearer(token, arrival.address)),
            Credentials::Basic(login) => match self.ask(login, arrival.address, lane) {
                Admission::Check => None,
                Admission::Locked(left) => Some(Err(self.locked(left, login, arrival.address))),
                Admission::Known => self.known(login, arrival.address).map(Ok),
            },
        }
    }

    /// Proves who the sender is, comparing the password where it must be.
    ///
    /// # Errors
    /// 401 for what proves nothing, 429 for a locked pair or too many waiting logins.
    pub async fn authenticate(
        self: &Arc<Self>,
        arrival: &Arrival,
        lane: Lane,
    ) -> Result<Caller, ServiceError> {
        if let Some(decided) = self.decide(arrival, lane) {
            return decided;
        }
        let Credentials::Basic(login) = arrival.credentials.clone() else {
            return Err(ServiceError::internal());
        };
        let is_user = self.policy.load().users.contains_key(&login.user);
        let rank = if is_user { Rank::User } else { Rank::Stranger };
        let queue = match (lane, rank) {
            (Lane::Calming, Rank::User) => &self.calming,
            (Lane::Calming, Rank::Stranger) | (Lane::Ordinary, _) => &self.ordinary,
        };
        let turn = queue.turn(arrival.address, rank).await?;
        // While waiting, the same login may have been proven, or the pair been locked.
        match lane {
            Lane::Ordinary => {
                if let Some(decided) = self.decide(arrival, lane) {
                    return decided;
                }
            }
            // What a lock leaves it has been taken already.
            Lane::Calming => {
                if lock(&self.throttle).knows(self.now(), &login)
                    && let Some(caller) = self.known(&login, arrival.address)
                {
                    return Ok(caller);
                }
            }
        }
        let (access, address) = (Arc::clone(self), arrival.address);
        // Whoever hangs up meanwhile has still tried: the outcome is noted in there.
        let check = tokio::task::spawn_blocking(move || {
            let right = access.compare(&login, address);
            drop(turn);
            right.then(|| access.known(&login, address)).flatten()
        });
        match check.await {
            Ok(Some(caller)) => Ok(caller),
            Ok(None) => Err(ServiceError::new(
                RefusalCode::LoginFailed,
                "user and password do not fit; five failures lock them out for 15 minutes",
            )),
            Err(_) => Err(ServiceError::internal()),
        }
    }

    /// Who sends it as far as it shows without a password check: for what needs no login.
    pub fn glance(&self, arrival: &Arrival) -> Caller {
        let stranger = || Caller { role: Role::Viewer, ..anybody(arrival.address) };
        match &arrival.credentials {
            Credentials::Bearer(token) => {
                self.bearer(token, arrival.address).unwrap_or_else(|_| stranger())
            }
            Credentials::Basic(login)
                if self.ask(login, arrival.address, Lane::Ordinary) == Admission::Known =>
            {
                self.known(login, arrival.address).unwrap_or_else(stranger)
            }
            Credentials::None | Credentials::Basic(_) | Credentials::Malformed => stranger(),
        }
    }

    /// Takes one command out of the bucket of `caller`.
    ///
    /// # Errors
    /// 429 when it is empty, 401 for a user who is gone meanwhile.
    pub(crate) fn take(&self, caller: &Caller) -> Result<(), ServiceError> {
        if !self.is_enabled() {
            return Ok(());
        }
        if !caller.by_token && !self.stands(caller) {
            return Err(ServiceError::new(
                RefusalCode::LoginFailed,
                "this user is gone, or has another role, since the request began",
            ));
        }
        let mut buckets = lock(&self.buckets);
        buckets.take(self.now(), &Client::from(caller)).map_err(|wait| {
            self.counts.limited.fetch_add(1, Ordering::Relaxed);
            let limits = self.policy.load().security.limits;
            let detail = format!(
                "a client may send {} commands a second and {} at once; stops and zero setpoints \
                 are never limited",
                limits.commands_per_second, limits.burst
            );
            ServiceError::too_fast(RefusalCode::TooManyCommands, detail, wait)
        })
    }

    /// Whether a user is still who he was when his request began.
    fn stands(&self, caller: &Caller) -> bool {
        let policy = self.policy.load();
        let user = caller.user.as_deref().and_then(|name| policy.users.get(name));
        user.is_some_and(|user| user.role >= caller.role)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn ask(&self, login: &Login, address: IpAddr, lane: Lane) -> Admission {
        let mut throttle = lock(&self.throttle);
        match lane {
            Lane::Ordinary => throttle.ask(self.now(), login, address),
            Lane::Calming => throttle.ask_calming(self.now(), login, address),
        }
    }

    /// The user of a login whose password was right; `None` when he is gone meanwhile.
    fn known(&self, login: &Login, address: IpAddr) -> Option<Caller> {
        let policy = self.policy.load();
        let user = policy.users.get(&login.user)?;
        let name = Some(Arc::clone(&user.name));
        Some(Caller { user: name, role: user.role, address, by_token: false })
    }

    /// Compares a password, which takes its time whether or not there is such a user, and notes
    /// the outcome.
    fn compare(&self, login: &Login, address: IpAddr) -> bool {
        let policy = self.policy.load_full();
        let user = policy.users.get(&login.user);
        let decoy = lock(&self.throttle).riddle(&login.user, policy.decoys.len());
        let hash = user.map_or(&policy.decoys[decoy], |user| &user.hash);
        let fits = login.fits(hash) && user.is_some();
        let right = {
            let mut throttle = lock(&self.throttle);
            // Under the lock: who has changed the users meanwhile makes it forget what is noted here.
            let of = |policy: &Policy| policy.security.users.get(&login.user).cloned();
            let right = fits && of(&policy) == of(&self.policy.load());
            throttle.note(self.now(), login, address, right);
            right
        };
        let count = if right { &self.counts.ok } else { &self.counts.failed };
        count.fetch_add(1, Ordering::Relaxed);
        if !right {
            tracing::warn!(user = login.user, %address, "a login failed");
        }
        let outcome = match (right, self.ask(login, address, Lane::Ordinary)) {
            (true, _) => LoginOutcome::Ok,
            (false, Admission::Locked(_)) => LoginOutcome::LockedOut,
            (false, Admission::Known | Admission::Check) => LoginOutcome::Failed,
        };
        self.report(&Event::login(Some(&login.user), address, outcome));
        right
    }

    fn bearer(&self, token: &str, address: IpAddr) -> Result<Caller, ServiceError> {
        match self.tokens.load().check(token, since_1970()) {
            Verdict::Good(token) => {
                let name = Some(token.name.as_str().into());
                Ok(Caller { user: name, role: token.role, address, by_token: true })
            }
            Verdict::Expired => {
                self.end_expired_tokens(since_1970());
                let detail = "the token has expired; make a new one with `tve token create`";
                Err(self.failed(address, detail))
            }
            Verdict::Unknown => {
                let detail =
                    "the token was not made here or is revoked; `tve token list` shows them";
                Err(self.failed(address, detail))
            }
        }
    }

    fn failed(&self, address: IpAddr, detail: &'static str) -> ServiceError {
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        self.report(&Event::login(None, address, LoginOutcome::Failed));
        ServiceError::new(RefusalCode::LoginFailed, detail)
    }

    fn locked(&self, left: Duration, login: &Login, address: IpAddr) -> ServiceError {
        self.counts.locked.fetch_add(1, Ordering::Relaxed);
        self.report(&Event::login(Some(&login.user), address, LoginOutcome::Locked));
        let detail = "five logins of this user from this address have failed; wait, or log in from \
                      another address";
        ServiceError::too_fast(RefusalCode::LoginLocked, detail, left)
    }
}

/// Seconds since 1970, as tokens count them.
pub(crate) fn since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whoever reaches the service while security is disabled.
pub fn anybody(address: IpAddr) -> Caller {
    Caller { user: None, role: Role::Admin, address, by_token: false }
}

/// Refuses `caller` what needs more than its role.
///
/// # Errors
/// 403 with both roles.
pub fn require(caller: &Caller, needed: Role, what: &str) -> Result<(), ServiceError> {
    if caller.role >= needed {
        return Ok(());
    }
    let (needed, role) = (needed.name(), caller.role.name());
    Err(ServiceError::new(
        RefusalCode::RoleTooLow,
        format!("{what} needs the role {needed}; this login is {role}"),
    ))
}

#[cfg(test)]
mod tests;
