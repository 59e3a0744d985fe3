//! Local time for people: file names and the `Time_Str` column. Decisions use monotonic time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tve_units::WallMillis;

/// The time zone of the machine, read once at start.
#[derive(Debug, Clone)]
pub(crate) struct LocalTime(TimeZone);

impl LocalTime {
    /// The zone that the system is set to; UTC where it says nothing.
    pub(crate) fn of_system() -> Self {
        Self(TimeZone::system())
    }

    #[cfg(test)]
    pub(crate) fn at_offset_hours(hours: i8) -> Self {
        Self(TimeZone::fixed(jiff::tz::offset(hours)))
    }

    fn civil(&self, wall: WallMillis) -> DateTime {
        // A clock beyond the calendar labels its rows with the epoch instead of losing them.
        let stamp = Timestamp::from_millisecond(wall.get()).unwrap_or(Timestamp::UNIX_EPOCH);
        self.0.to_datetime(stamp)
    }

    /// `YYYYMMDD_HHMMSS`.
    pub(crate) fn file_stamp(&self, wall: WallMillis) -> String {
        let t = self.civil(wall);
        format!(
            "{:04}{:02}{:02}_{:02}{:02}{:02}",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    /// `HH:MM:SS.mmm`.
    pub(crate) fn clock(&self, wall: WallMillis) -> String {
        let t = self.civil(wall);
        format!("{:02}:{:02}:{:02}.{:03}", t.hour(), t.minute(), t.second(), t.millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14 22:13:20.123 UTC.
    const WALL: WallMillis = WallMillis::new(1_700_000_000_123);

    #[test]
    fn names_and_times_are_local() {
        let there = LocalTime::at_offset_hours(2);
        assert_eq!(there.file_stamp(WALL), "20231115_001320");
        assert_eq!(there.clock(WALL), "00:13:20.123");
    }

    #[test]
    fn a_clock_beyond_the_calendar_still_yields_a_label() {
        assert_eq!(LocalTime::at_offset_hours(0).clock(WallMillis::new(i64::MAX)), "00:00:00.000");
    }
}
