//! When to look at the machine again: ten times a second, and after a command.

use crate::runner::{Newest, Published};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Time between two looks while nobody commands anything.
const PERIOD: Duration = Duration::from_millis(100);

/// Least time between two looks, so that a flood of commands makes no flood of news.
const PAUSE: Duration = Duration::from_millis(20);

/// One listener's way to hear of the machine.
pub struct Changes {
    carried_out: watch::Receiver<u64>,
    newest: Newest,
    /// When the listener has looked last.
    looked: Instant,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

impl Changes {
    pub(crate) fn new(carried_out: watch::Receiver<u64>, newest: Newest) -> Self {
        Self { carried_out, newest, looked: Instant::now() }
    }

    /// The newest machine, when it is worth a look: at most 20 ms after a command was carried out,
    /// else 100 ms after the last look. Dropped half-way it has missed nothing.
    pub async fn next(&mut self) -> Arc<Published> {
        sleep_until(self.looked + PAUSE).await;
        // Time out and news are both a reason to look; the end of the service is the caller's affair.
        let heard = timeout_at(self.looked + PERIOD, self.carried_out.changed()).await;
        if let Ok(Err(_)) = heard {
            sleep_until(self.looked + PERIOD).await;
        }
        self.looked = Instant::now();
        self.newest.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Published;
    use arc_swap::ArcSwap;
    use tve_config::Config;
    use tve_control::Snapshot;

    fn listener(told: &watch::Sender<u64>) -> Changes {
        let machine = Published {
            seq: 0,
            snapshot: Snapshot::default(),
            config: Arc::new(Config::default()),
            machine: Config::default().machine(),
        };
        Changes::new(told.subscribe(), Arc::new(ArcSwap::from_pointee(machine)))
    }

    async fn waited(changes: &mut Changes) -> Duration {
        let began = Instant::now();
        changes.next().await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_is_told_of_a_command_at_once_of_a_flood_in_steps_and_else_ten_times_a_second()
     {
        let told = watch::Sender::new(0_u64);
        let mut changes = listener(&told);
        assert_eq!(waited(&mut changes).await, PERIOD);
        told.send_modify(|count| *count += 1);
        assert_eq!(waited(&mut changes).await, PAUSE, "after the last look");
        tokio::time::sleep(PAUSE).await;
        told.send_modify(|count| *count += 1);
        assert_eq!(waited(&mut changes).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_is_given_up_half_way_still_hears_of_the_command() {
        let told = watch::Sender::new(0_u64);
        let mut changes = listener(&told);
        told.send_modify(|count| *count += 1);
        assert!(tokio::time::timeout(PAUSE / 2, changes.next()).await.is_err());
        assert_eq!(waited(&mut changes).await, PAUSE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn every_listener_hears_of_a_command_also_where_one_never_listens() {
        let told = watch::Sender::new(0_u64);
        let (_deaf, mut first, mut second) = (listener(&told), listener(&told), listener(&told));
        tokio::time::sleep(PAUSE).await;
        told.send_modify(|count| *count += 1);
        assert_eq!(waited(&mut first).await, Duration::ZERO);
        assert_eq!(waited(&mut second).await, Duration::ZERO);
    }
}
