//! Token buckets: how many commands a client may send in a second, and at once.

use crate::bounded::Bounded;
use crate::client::Client;
use std::time::Duration;
use tve_config::Limits;

/// Clients that are remembered. Who is forgotten begins with a full bucket.
const CLIENTS: usize = 4096;

#[derive(Debug)]
struct Bucket {
    /// Commands that may still be sent, with fractions.
    level: f64,
    /// When `level` was right.
    at: Duration,
}

/// One bucket a client.
#[derive(Debug)]
pub struct Buckets {
    per_second: f64,
    burst: f64,
    clients: Bounded<Client, Bucket>,
}

impl Buckets {
    /// Full buckets for everybody.
    pub fn new(limits: &Limits) -> Self {
        Self {
            per_second: f64::from(limits.commands_per_second),
            burst: f64::from(limits.burst),
            clients: Bounded::new(CLIENTS),
        }
    }

    /// Takes one command of `client` out at `now`.
    ///
    /// # Errors
    /// How long to wait until there is one again.
    pub fn take(&mut self, now: Duration, client: &Client) -> Result<(), Duration> {
        let burst = self.burst;
        let bucket =
            self.clients.entry(client.clone(), |_| false, || Bucket { level: burst, at: now });
        let gained = now.saturating_sub(bucket.at).as_secs_f64() * self.per_second;
        bucket.level = (bucket.level + gained).min(burst);
        bucket.at = now;
        if bucket.level >= 1.0 {
            bucket.level -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.level) / self.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn client(n: u32) -> Client {
        Client::new(Some("anna"), IpAddr::V4(Ipv4Addr::from(n)))
    }

    #[test]
    fn forty_commands_at_once_pass_and_the_forty_first_waits_for_a_twentieth_of_a_second() {
        let mut buckets = Buckets::new(&Limits::default());
        let now = Duration::from_secs(7);
        for i in 0..40 {
            assert_eq!(buckets.take(now, &client(1)), Ok(()), "{i}");
        }
        let wait = buckets.take(now, &client(1)).unwrap_err();
        assert_eq!(wait, Duration::from_millis(50));
        assert_eq!(buckets.take(now, &client(2)), Ok(()), "another client has its own");
        assert!(buckets.take(now + wait / 2, &client(1)).is_err());
        assert_eq!(buckets.take(now + wait, &client(1)), Ok(()));
    }

    #[test]
    fn in_the_long_run_twenty_a_second_pass_and_a_rest_refills_no_more_than_the_burst() {
        let mut buckets = Buckets::new(&Limits::default());
        let passed = (0..10_000)
            .filter(|&ms| buckets.take(Duration::from_millis(ms), &client(1)).is_ok())
            .count();
        assert!((239..=240).contains(&passed), "{passed}");
        let later = Duration::from_hours(1);
        let passed = (0..100).filter(|_| buckets.take(later, &client(1)).is_ok()).count();
        assert_eq!(passed, 40);
    }

    #[test]
    fn a_clock_that_stands_still_or_steps_back_gives_nothing_away() {
        let mut buckets = Buckets::new(&Limits { commands_per_second: 1, burst: 1 });
        assert!(buckets.take(Duration::from_secs(9), &client(1)).is_ok());
        assert!(buckets.take(Duration::from_secs(3), &client(1)).is_err());
    }
}
