//! Alone with itself: how long nobody has moved or operated the machine, and what is due then.
//!
//! Two stages, the heat turned down and the heat switched off, and before each an announcement.

use tve_config::Safety;
use tve_units::Micros;

/// A stage is announced so long before it comes, min; at half its time where that is shorter.
const NOTICE_MIN: f64 = 10.0;
/// Seconds in a minute.
const MINUTE_S: f64 = 60.0;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Alone {
    /// The next stage comes in so many seconds.
    Announce { in_s: f64 },
    /// The heat is to be turned down; nobody has been there for so many seconds.
    TurnDown { idle_s: f64 },
    /// The heat is to be switched off; nobody has been there for so many seconds.
    SwitchOff { idle_s: f64 },
}

/// How far a stage has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum Stage {
    #[default]
    Ahead,
    Announced,
    Done,
}

/// The time that the machine has been alone.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Idle {
    since: Micros,
    down: Stage,
    off: Stage,
}

impl Idle {
    /// Somebody was there at `now`.
    pub(super) fn since(now: Micros) -> Self {
        Self { since: now, ..Self::default() }
    }

    /// What is due, the harsher first; once for each stage.
    pub(super) fn due(&mut self, now: Micros, safety: &Safety) -> Option<Alone> {
        let idle_s = now.since(self.since).secs();
        let (off_s, down_s) = (safety.idle_off_min * MINUTE_S, safety.idle_setback_min * MINUTE_S);
        let reached = |after: f64, at: f64| after > 0.0 && idle_s >= at;
        if self.off < Stage::Done && reached(off_s, off_s) {
            self.off = Stage::Done;
            self.down = Stage::Done;
            return Some(Alone::SwitchOff { idle_s });
        }
        if self.down < Stage::Done && reached(down_s, down_s) {
            self.down = Stage::Done;
            return Some(Alone::TurnDown { idle_s });
        }
        for (stage, after) in [(&mut self.down, down_s), (&mut self.off, off_s)] {
            let notice = (NOTICE_MIN * MINUTE_S).min(after / 2.0);
            if *stage == Stage::Ahead && reached(after, after - notice) {
                *stage = Stage::Announced;
                return Some(Alone::Announce { in_s: after - idle_s });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is due in which minute, looked at every second.
    fn played(idle_setback_min: f64, idle_off_min: f64, minutes: u64) -> Vec<(u64, &'static str)> {
        let safety = Safety { idle_setback_min, idle_off_min, ..Safety::default() };
        let mut idle = Idle::since(Micros::ZERO);
        let mut due = Vec::new();
        for second in 0..=minutes * 60 {
            due.extend(idle.due(Micros::from_secs(second), &safety).map(|alone| {
                let what = match alone {
                    Alone::Announce { .. } => "announced",
                    Alone::TurnDown { .. } => "down",
                    Alone::SwitchOff { .. } => "off",
                };
                (second / 60, what)
            }));
        }
        due
    }

    #[test]
    fn each_stage_comes_once_and_is_announced_ten_minutes_before() {
        let expected = [(20, "announced"), (30, "down"), (110, "announced"), (120, "off")];
        assert_eq!(played(30.0, 120.0, 300), expected);
    }

    #[test]
    fn stages_that_lie_near_each_other_come_in_their_order() {
        let expected = [(20, "announced"), (25, "announced"), (30, "down"), (35, "off")];
        assert_eq!(played(30.0, 35.0, 60), expected);
        assert_eq!(played(4.0, 4.0, 60), [(2, "announced"), (2, "announced"), (4, "off")]);
    }

    #[test]
    fn a_stage_of_zero_minutes_never_comes() {
        assert_eq!(played(0.0, 0.0, 2000), []);
        assert_eq!(played(0.0, 60.0, 100), [(50, "announced"), (60, "off")]);
        assert_eq!(played(60.0, 0.0, 100), [(50, "announced"), (60, "down")]);
    }
}
