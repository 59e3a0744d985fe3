//! A map that never grows beyond its limit: the entry that was touched longest ago makes room.

use std::collections::HashMap;
use std::hash::Hash;

/// A map of at most `limit` entries.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    entries: HashMap<K, (u64, V)>,
    limit: usize,
    touches: u64,
}

impl<K: Hash + Eq + Clone, V> Bounded<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), limit, touches: 0 }
    }

    /// The value of `key`; does not count as a touch.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// The value of `key`, made by `new` where there is none. When there is no room, the oldest
    /// entry that is not `kept` goes, else the oldest of all.
    pub(crate) fn entry(
        &mut self,
        key: K,
        kept: impl Fn(&V) -> bool,
        new: impl FnOnce() -> V,
    ) -> &mut V {
        if !self.entries.contains_key(&key) && self.entries.len() >= self.limit {
            let oldest =
                self.entries.iter().min_by_key(|(_, (touch, value))| (kept(value), *touch));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.touches += 1;
        let touch = self.touches;
        let slot = self.entries.entry(key).or_insert_with(|| (touch, new()));
        slot.0 = touch;
        &mut slot.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_touched_longest_ago_makes_room_and_kept_ones_stay() {
        let mut map = Bounded::new(3);
        for key in 0..3 {
            *map.entry(key, |_| false, || 0) = key;
        }
        map.entry(0, |_| false, || unreachable!());
        map.entry(3, |&value| value == 1, || 3);
        assert_eq!(map.entries.len(), 3);
        assert!(map.get(&2).is_none(), "1 was older but kept, 0 was touched again");
        map.entry(4, |_| true, || 4);
        assert!(map.get(&1).is_none(), "where all are kept the oldest goes");
    }
}
