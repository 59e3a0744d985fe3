//! What waits for the disk: bounded for each class, with repetitions counted instead of kept.

use crate::class::{Class, PerClass};
use crate::event::Event;
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes of a class that wait at most.
const BYTES: usize = 512 * 1024;

/// A line that says what one of the last so long has said is counted, and the count is written when
/// the time is over.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// A line that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Unix milliseconds.
    pub(crate) at_ms: i64,
    /// Members of its object as JSON text, without braces.
    pub(crate) members: String,
}

/// A line that was given to the disk a moment ago.
struct Said {
    members: String,
    /// When; time of the process.
    at: Duration,
    /// How often it was said since.
    repeated: u64,
    /// When the last time, Unix milliseconds.
    last_ms: i64,
}

impl Said {
    /// The line that stands for the repetitions.
    fn repetition(&self) -> Option<Waiting> {
        let members = format!("{},\"repeated\":{}", self.members, self.repeated);
        (self.repeated > 0).then_some(Waiting { at_ms: self.last_ms, members })
    }
}

#[derive(Default)]
struct Lines {
    waiting: Vec<Waiting>,
    bytes: usize,
    /// Lines that found no room since they were last taken.
    lost: u64,
    said: VecDeque<Said>,
}

/// The lines of every class.
#[derive(Default)]
pub(crate) struct Queue(PerClass<Lines>);

impl Queue {
    /// Takes a line in; `false` when there is no room for it.
    pub(crate) fn push(
        &mut self,
        class: Class,
        now: Duration,
        at_ms: i64,
        members: String,
    ) -> bool {
        let lines = &mut self.0[class];
        let known = lines.said.iter().position(|said| said.members == members);
        if let Some(said) = known.and_then(|at| lines.said.get_mut(at))
            && now.saturating_sub(said.at) < WINDOW
        {
            said.repeated += 1;
            said.last_ms = at_ms;
            return true;
        }
        // Its time is over, or the oldest makes room.
        let full = lines.said.len() >= class.room().remembered;
        let gone = known.or(full.then_some(0)).and_then(|at| lines.said.remove(at));
        if let Some(line) = gone.and_then(|said| said.repetition()) {
            lines.keep(class, line);
        }
        let kept = lines.keep(class, Waiting { at_ms, members: members.clone() });
        if kept {
            lines.said.push_back(Said { members, at: now, repeated: 0, last_ms: at_ms });
        }
        kept
    }

    /// Lets repetitions become lines whose time is over, or all at the end.
    pub(crate) fn count(&mut self, now: Duration, end: bool) {
        for (class, lines) in self.0.iter_mut() {
            let mut said = std::mem::take(&mut lines.said);
            said.retain_mut(|said| {
                if !end && now.saturating_sub(said.at) < WINDOW {
                    return true;
                }
                let Some(line) = said.repetition() else { return false };
                lines.keep(class, line);
                (said.at, said.repeated) = (now, 0);
                true
            });
            lines.said = said;
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, lines)| lines.waiting.is_empty() && lines.lost == 0)
    }

    /// Everything that waits, each class with a word about what it has lost.
    pub(crate) fn take(&mut self, at_ms: i64) -> PerClass<Vec<Waiting>> {
        PerClass::from_fn(|class| {
            let lines = &mut self.0[class];
            lines.bytes = 0;
            let mut taken = std::mem::take(&mut lines.waiting);
            let lost = std::mem::take(&mut lines.lost);
            if lost > 0 {
                taken.push(Waiting { at_ms, members: Event::Gap { lost }.members() });
            }
            taken
        })
    }
}

impl Lines {
    fn keep(&mut self, class: Class, line: Waiting) -> bool {
        let room =
            self.waiting.len() < class.room().waiting && self.bytes + line.members.len() <= BYTES;
        if room {
            self.bytes += line.members.len();
            self.waiting.push(line);
        } else {
            self.lost += 1;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What class `class` has given to the disk, as members and times.
    fn taken(queue: &mut Queue, class: Class) -> Vec<(i64, String)> {
        let lines = queue.take(-1);
        lines[class].iter().map(|line| (line.at_ms, line.members.clone())).collect()
    }

    #[test]
    fn a_line_that_is_repeated_is_written_once_and_then_counted() {
        let mut queue = Queue::default();
        for ms in 0..100_000_i64 {
            assert!(queue.push(
                Class::Calming,
                at(ms.cast_unsigned() / 10_000),
                ms,
                "\"a\":1".into()
            ));
        }
        queue.count(at(9), false);
        assert_eq!(taken(&mut queue, Class::Calming), [(0, "\"a\":1".into())]);
        queue.count(at(10), false);
        let counted = (99_999, "\"a\":1,\"repeated\":99999".to_owned());
        assert_eq!(taken(&mut queue, Class::Calming), [counted]);
        // Nothing more came: the next one is a line of its own again.
        queue.count(at(20), false);
        assert!(queue.is_empty());
        queue.push(Class::Calming, at(20), 7, "\"a\":1".into());
        queue.push(Class::Calming, at(21), 8, "\"a\":1".into());
        queue.count(at(21), true);
        let expected = [(7, "\"a\":1".into()), (8, "\"a\":1,\"repeated\":1".into())];
        assert_eq!(taken(&mut queue, Class::Calming), expected);
    }

    #[test]
    fn a_command_between_two_that_are_equal_keeps_all_three_in_order() {
        let mut queue = Queue::default();
        for (ms, members) in (0..).zip(["a", "a", "b", "a", "a"]) {
            queue.push(Class::Commands, at(0), ms, format!("\"x\":\"{members}\""));
        }
        queue.count(at(10), false);
        let lines = taken(&mut queue, Class::Commands);
        let expected = [
            (0, "\"x\":\"a\""),
            (1, "\"x\":\"a\",\"repeated\":1"),
            (2, "\"x\":\"b\""),
            (3, "\"x\":\"a\""),
            (4, "\"x\":\"a\",\"repeated\":1"),
        ];
        assert_eq!(lines, expected.map(|(ms, text)| (ms, text.to_owned())));
    }

    #[test]
    fn a_flood_of_one_class_takes_no_room_from_another_and_what_is_lost_is_said() {
        let mut queue = Queue::default();
        let room = Class::Calming.room().waiting as u64;
        for n in 0..100_000_i64 {
            queue.push(Class::Calming, at(0), n, format!("\"n\":{n}"));
        }
        assert!(queue.push(Class::Commands, at(0), 0, "\"me\":0".into()));
        let lines = queue.take(5);
        assert_eq!(lines[Class::Commands].len(), 1);
        assert_eq!(lines[Class::Calming].len() as u64, room + 1);
        let gap = format!("\"event\":\"gap\",\"lost\":{}", 100_000 - room);
        let gap = Waiting { at_ms: 5, members: gap };
        assert_eq!(lines[Class::Calming].last(), Some(&gap));
        let long = "x".repeat(BYTES / 2 + 1);
        assert!(queue.push(Class::Refused, at(0), 0, long.clone()));
        assert!(!queue.push(Class::Refused, at(0), 0, long + "y"));
    }
}
