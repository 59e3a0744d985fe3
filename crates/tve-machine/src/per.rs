//! Lists with one entry per zone, motor or sensor: bounded, in place, indexed by id.

use crate::ids::{Id, MAX_MOTORS, MAX_SENSORS, MAX_ZONES, Motor, Sensor, Zone};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Index, IndexMut};

/// One `T` for each id of a kind, at most `N`.
#[derive(Clone, Copy)]
pub struct Per<I, T, const N: usize> {
    items: [T; N],
    len: usize,
    id: PhantomData<I>,
}

/// One for each zone.
pub type PerZone<T> = Per<Zone, T, MAX_ZONES>;
/// One for each motor.
pub type PerMotor<T> = Per<Motor, T, MAX_MOTORS>;
/// One for each sensor.
pub type PerSensor<T> = Per<Sensor, T, MAX_SENSORS>;

impl<I: Id, T: Default, const N: usize> Per<I, T, N> {
    /// The first `len` ids, each with what `make` gives.
    ///
    /// # Panics
    /// When `len` is above the bound of the kind; a checked configuration never is.
    #[inline]
    pub fn from_fn(len: usize, mut make: impl FnMut(I) -> T) -> Self {
        assert!(len <= N, "a list of {N} cannot hold {len}");
        let items = core::array::from_fn(|i| if i < len { make(I::at(i)) } else { T::default() });
        Self { items, len, id: PhantomData }
    }

    /// `len` defaults.
    pub fn new(len: usize) -> Self {
        Self::from_fn(len, |_| T::default())
    }

    /// Another list of the same length.
    pub fn map<U: Default>(&self, mut with: impl FnMut(I, &T) -> U) -> Per<I, U, N> {
        Per::from_fn(self.len, |id| with(id, &self[id]))
    }
}

impl<I: Id, T, const N: usize> Per<I, T, N> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ids in order.
    #[inline]
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T, N> {
        (0..self.len).map(I::at)
    }

    /// The entries in the order of their ids.
    #[inline]
    pub fn iter(&self) -> core::slice::Iter<'_, T> {
        self.as_slice().iter()
    }

    /// The entries in the order of their ids, to be changed.
    #[inline]
    pub fn iter_mut(&mut self) -> core::slice::IterMut<'_, T> {
        self.items[..self.len].iter_mut()
    }

    /// Id and entry, in order.
    pub fn entries(&self) -> impl Iterator<Item = (I, &T)> {
        self.ids().zip(self.iter())
    }

    /// The entries as a slice.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        &self.items[..self.len]
    }

    /// The entry of `id`, where the machine has it.
    #[inline]
    pub fn get(&self, id: I) -> Option<&T> {
        self.as_slice().get(id.index())
    }

    /// The entry of `id`, to be changed, where the machine has it.
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.items[..self.len].get_mut(id.index())
    }
}

impl<I: Id, T: Default, const N: usize> Default for Per<I, T, N> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<I: Id, T, const N: usize> Index<I> for Per<I, T, N> {
    type Output = T;

    #[inline]
    fn index(&self, id: I) -> &T {
        &self.items[..self.len][id.index()]
    }
}

impl<I: Id, T, const N: usize> IndexMut<I> for Per<I, T, N> {
    #[inline]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[..self.len][id.index()]
    }
}

impl<I: Id, T, const N: usize> IntoIterator for Per<I, T, N> {
    type Item = T;
    type IntoIter = core::iter::Take<core::array::IntoIter<T, N>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter().take(self.len)
    }
}

/// The first ids, one for each entry of an array no longer than the bound.
impl<I: Id, T: Default + Copy, const N: usize, const M: usize> From<[T; M]> for Per<I, T, N> {
    fn from(entries: [T; M]) -> Self {
        const { assert!(M <= N, "more entries than the kind has ids") };
        Self::from_fn(M, |id| entries[id.index()])
    }
}

impl<'a, I: Id, T, const N: usize> IntoIterator for &'a Per<I, T, N> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, I: Id, T, const N: usize> IntoIterator for &'a mut Per<I, T, N> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<I: Id, T: PartialEq, const N: usize> PartialEq for Per<I, T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<I: Id, T: PartialEq, const N: usize, const M: usize> PartialEq<[T; M]> for Per<I, T, N> {
    fn eq(&self, other: &[T; M]) -> bool {
        self.as_slice() == other
    }
}

impl<I: Id, T: Eq, const N: usize> Eq for Per<I, T, N> {}

impl<I: Id, T: fmt::Debug, const N: usize> fmt::Debug for Per<I, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "state")]
impl<I: Id, T: serde::Serialize, const N: usize> serde::Serialize for Per<I, T, N> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

#[cfg(feature = "state")]
impl<'de, I: Id, T, const N: usize> serde::Deserialize<'de> for Per<I, T, N>
where
    T: Default + serde::Deserialize<'de>,
{
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = Vec::<T>::deserialize(from)?;
        if read.len() > N {
            return Err(serde::de::Error::invalid_length(read.len(), &"a list within its bound"));
        }
        let len = read.len();
        let mut read = read.into_iter();
        Ok(Self::from_fn(len, |_| read.next().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_long_as_it_was_made_and_no_longer() {
        let list = PerZone::from_fn(2, |zone| zone.index() * 10);
        assert_eq!((list.len(), list.as_slice()), (2, &[0, 10][..]));
        assert_eq!(list[Zone::at(1)], 10);
        assert_eq!(PerZone::<u8>::new(1).get(Zone::at(1)), None);
        assert_eq!(list.map(|_, x| x + 1).as_slice(), [1, 11]);
    }

    #[test]
    fn lists_compare_by_what_they_hold_and_by_length() {
        assert_eq!(PerZone::from_fn(1, |_| 7), PerZone::from_fn(1, |_| 7));
        assert_ne!(PerZone::<u8>::new(1), PerZone::<u8>::new(2));
    }
}
