//! A reply that is made once for a version of its source and shared by everybody who asks.

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// A body made for one version of its source.
#[derive(Debug, Default)]
pub struct Cached {
    held: ArcSwapOption<(u64, Bytes)>,
    making: Mutex<()>,
}

impl Cached {
    /// The body for `version`, made by `make` unless somebody has made it already.
    pub fn get(&self, version: u64, make: impl FnOnce() -> Bytes) -> Bytes {
        if let Some(bytes) = self.current(version) {
            return bytes;
        }
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = self.current(version) {
            return bytes;
        }
        let bytes = make();
        self.held.store(Some(Arc::new((version, bytes.clone()))));
        bytes
    }

    fn current(&self, version: u64) -> Option<Bytes> {
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
