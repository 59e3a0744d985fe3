//! Publishing the machine once a tick without a lock and without allocation.
//!
//! A published value is immutable. Retired ones wait in a small pool until the last reader has let
//! go, then they are filled again.

use arc_swap::ArcSwap;
use std::sync::Arc;
use tve_config::{Config, MachineConfig};
use tve_control::Snapshot;

/// The machine at one tick, as every reader sees it.
#[derive(Debug)]
pub struct Published {
    /// Grows by one with every publication.
    pub seq: u64,
    /// The machine.
    pub snapshot: Snapshot,
    /// The configuration in force, revision [`Snapshot::config_revision`].
    pub config: Arc<Config>,
    /// The machine that it describes: what zones, motors and sensors are called and wired to.
    pub machine: Arc<MachineConfig>,
}

/// The newest published value: any number of readers, one writer.
pub(crate) type Newest = Arc<ArcSwap<Published>>;

/// Values in the pool. A reader holds one for microseconds, so that two would nearly do.
const POOL: usize = 8;

/// The writing end.
pub(crate) struct Publisher {
    newest: Newest,
    retired: Vec<Arc<Published>>,
    seq: u64,
}

impl Publisher {
    /// Starts with `snapshot` published.
    pub(crate) fn new(
        snapshot: &Snapshot,
        config: &Arc<Config>,
        machine: &Arc<MachineConfig>,
    ) -> Self {
        let fresh = || {
            let (config, machine) = (Arc::clone(config), Arc::clone(machine));
            Arc::new(Published { seq: 0, snapshot: *snapshot, config, machine })
        };
        Self {
            newest: Arc::new(ArcSwap::new(fresh())),
            retired: (0..POOL).map(|_| fresh()).collect(),
            seq: 0,
        }
    }

    /// The reading end.
    pub(crate) fn newest(&self) -> Newest {
        Arc::clone(&self.newest)
    }

    /// Publishes what `fill` writes. Allocates only when readers hold the whole pool.
    pub(crate) fn publish(
        &mut self,
        config: &Arc<Config>,
        machine: &Arc<MachineConfig>,
        fill: impl FnOnce(&mut Snapshot),
    ) {
        self.seq += 1;
        let free = self.retired.iter_mut().position(|a| Arc::get_mut(a).is_some());
        let mut next = match free {
            Some(index) => self.retired.swap_remove(index),
            None => Arc::new(Published {
                seq: self.seq,
                snapshot: Snapshot::default(),
                config: Arc::clone(config),
                machine: Arc::clone(machine),
            }),
        };
        let Some(slot) = Arc::get_mut(&mut next) else {
            return;
        };
        slot.seq = self.seq;
        if !Arc::ptr_eq(&slot.config, config) {
            slot.config = Arc::clone(config);
            slot.machine = Arc::clone(machine);
        }
        fill(&mut slot.snapshot);
        let old = self.newest.swap(next);
        if self.retired.len() < POOL {
            self.retired.push(old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_its_value_while_hundreds_are_published() {
        let config = Arc::new(Config::default());
        let machine = config.machine();
        let mut publisher = Publisher::new(&Snapshot::default(), &config, &machine);
        let newest = publisher.newest();
        publisher.publish(&config, &machine, |s| s.tick = 7);
        let held = newest.load_full();
        for tick in 8..500 {
            publisher.publish(&config, &machine, |s| s.tick = tick);
            assert_eq!(newest.load().snapshot.tick, tick);
        }
        assert_eq!(held.snapshot.tick, 7);
        assert_eq!(newest.load().seq, 493);
    }

    #[test]
    fn readers_that_hold_everything_do_not_stop_publication() {
        let config = Arc::new(Config::default());
        let machine = config.machine();
        let mut publisher = Publisher::new(&Snapshot::default(), &config, &machine);
        let newest = publisher.newest();
        let mut held = Vec::new();
        for tick in 0..(3 * POOL as u64) {
            publisher.publish(&config, &machine, |s| s.tick = tick);
            held.push(newest.load_full());
        }
        for (tick, value) in held.iter().enumerate() {
            assert_eq!(value.snapshot.tick, tick as u64);
        }
    }
}
