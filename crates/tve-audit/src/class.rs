//! Which lines share room: a flood of one class pushes out none of another.

use tve_append::Series;

/// What kind of line it is. Each class is a chain of its own in files of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The life of the service, and what was carried out beyond calming.
    Commands,
    /// What was carried out and only calms the machine: it may need no login, and has no limit.
    Calming,
    /// What was refused, logins too.
    Refused,
    /// Logins that were right, lock-outs, tokens.
    Access,
    /// What the machine itself says: alarms, buttons.
    Alarms,
}

/// The room of a class.
pub(crate) struct Room {
    /// Its files. Those of [`Class::Commands`] are called as all were before there were classes.
    pub(crate) series: Series,
    /// Files of 4 MiB that are kept.
    pub(crate) files: usize,
    /// Lines that wait for the disk at most.
    pub(crate) waiting: usize,
    /// Newest lines with which a new one is compared; with 1 the order of commands stays as it was.
    pub(crate) remembered: usize,
}

const fn room(prefix: &'static str, files: usize, waiting: usize, remembered: usize) -> Room {
    Room { series: Series { prefix, suffix: ".jsonl" }, files, waiting, remembered }
}

impl Class {
    pub(crate) const COUNT: usize = 5;
    pub(crate) const ALL: [Self; Self::COUNT] =
        [Self::Commands, Self::Calming, Self::Refused, Self::Access, Self::Alarms];

    /// 64 files in all: 256 MiB.
    pub(crate) const fn room(self) -> Room {
        match self {
            Self::Commands => room("audit_", 32, 4096, 1),
            Self::Calming => room("calming_", 4, 512, 32),
            Self::Refused => room("refused_", 8, 512, 32),
            Self::Access => room("access_", 8, 512, 32),
            Self::Alarms => room("alarms_", 12, 1024, 1),
        }
    }
}

/// A value for each class.
#[derive(Debug, Clone, Default)]
pub(crate) struct PerClass<T>([T; Class::COUNT]);

impl<T> PerClass<T> {
    pub(crate) fn from_fn(mut of: impl FnMut(Class) -> T) -> Self {
        Self(Class::ALL.map(&mut of))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Class, &T)> {
        Class::ALL.into_iter().zip(&self.0)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Class, &mut T)> {
        Class::ALL.into_iter().zip(&mut self.0)
    }
}

impl<T> From<[T; Class::COUNT]> for PerClass<T> {
    fn from(of: [T; Class::COUNT]) -> Self {
        Self(of)
    }
}

impl<T> std::ops::Index<Class> for PerClass<T> {
    type Output = T;

    fn index(&self, class: Class) -> &T {
        &self.0[class as usize]
    }
}

impl<T> std::ops::IndexMut<Class> for PerClass<T> {
    fn index_mut(&mut self, class: Class) -> &mut T {
        &mut self.0[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_place_and_names_and_all_fit_into_256_mib() {
        for (at, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
            let prefix = class.room().series.prefix;
            let others = Class::ALL.into_iter().filter(|other| *other != class);
            assert!(others.into_iter().all(|o| !o.room().series.prefix.starts_with(prefix)));
        }
        assert_eq!(Class::ALL.into_iter().map(|class| class.room().files).sum::<usize>(), 64);
    }
}
