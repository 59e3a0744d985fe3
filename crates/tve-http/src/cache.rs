//! A reply, or what replies are made of, that is made once for a version of its source and shared by everybody who asks.

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// What was made for one version of its source; cheap to clone.
#[derive(Debug)]
pub struct Cached<T = Bytes> {
    held: ArcSwapOption<(u64, T)>,
    making: Mutex<()>,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self { held: ArcSwapOption::empty(), making: Mutex::default() }
    }
}

impl<T: Clone> Cached<T> {
    /// What there is for `version`, made by `make` unless somebody has made it already.
    pub fn get(&self, version: u64, make: impl FnOnce() -> T) -> T {
        if let Some(made) = self.current(version) {
            return made;
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = self.current(version) {
            return made;
        }
        let made = make();
        self.held.store(Some(Arc::new((version, made.clone()))));
        made
    }

    fn current(&self, version: u64) -> Option<T> {
        let held = self.held.load();
        held.as_ref().filter(|held| held.0 == version).map(|held| held.1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_made_once_and_shared() {
        let cached = Cached::default();
        let first = cached.get(1, || Bytes::from(vec![1, 2, 3]));
        let again = cached.get(1, || unreachable!("made already"));
        assert_eq!(first.as_ptr(), again.as_ptr());
        assert_eq!(cached.get(2, || Bytes::from_static(b"new")), "new");
    }
}
