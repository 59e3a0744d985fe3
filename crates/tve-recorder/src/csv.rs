//! The text of a run file: header, rows, and rows read back.
//!
//! No field ever holds a comma, a quote or a line break, so a line is its fields joined by commas.

use crate::local_time::LocalTime;
use crate::row::Row;
use std::io::Write;
use tve_control::Status;
use tve_units::WallMillis;

/// First line of each run file.
pub(crate) const HEADER: &str = "Timestamp,Time_Str,Status,T1_Feed,T2_Mid,T3_Nozzle,T_Motor,Target_Z1,Target_Z2,Pwr_Z1_%,Pwr_Z2_%,RPM_Main,RPM_Feed\r\n";

const COLUMNS: usize = 13;
const MISSING: &str = "NAN";
/// Added to the status of a row in which a temperature is missing.
const PARTIAL: &str = "_PARTIAL";

/// Decimals of T1 to T3 and of the motor temperature.
const TEMP_DECIMALS: [u8; 4] = [2, 2, 2, 1];
/// Decimals of targets and power.
const OTHER_DECIMALS: u8 = 1;

/// Writes rows as run files hold them, for those who keep rows elsewhere.
#[derive(Debug, Clone)]
pub struct RunText(LocalTime);

impl RunText {
    /// First line of a file, with its line end.
    pub const HEADER: &'static str = HEADER;

    /// With `Time_Str` in the time zone of this system.
    pub fn of_system() -> Self {
        Self(LocalTime::of_system())
    }

    /// Appends the line of `row`, with its line end.
    pub fn line(&self, row: &Row, out: &mut Vec<u8>) {
        render(row, &self.0, out);
    }
}

/// Appends the line of `row`.
pub(crate) fn render(row: &Row, local: &LocalTime, out: &mut Vec<u8>) {
    let ms = row.wall.get();
    let partial = row.temps.iter().any(|t| !t.is_some_and(f64::is_finite));
    let suffix = if partial { PARTIAL } else { "" };
    put(out, format_args!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000)));
    put(out, format_args!(",{},{}{suffix}", local.clock(row.wall), row.status.name()));
    for (value, decimals) in row.temps.iter().zip(TEMP_DECIMALS) {
        number(out, *value, decimals);
    }
    for value in row.targets.iter().chain(&row.heater_duty) {
        number(out, Some(*value), OTHER_DECIMALS);
    }
    for rpm in row.motors {
        // Debug is the shortest text that reads back as the same number, always with a decimal.
        put(out, format_args!(",{rpm:?}"));
    }
    out.extend_from_slice(b"\r\n");
}

fn number(out: &mut Vec<u8>, value: Option<f64>, decimals: u8) {
    let places = usize::from(decimals);
    match value.filter(|v| v.is_finite()) {
        // Half a unit of the last decimal below zero rounds to "-0.00", which is zero.
        Some(v) if v.abs() < 0.5 * 0.1_f64.powi(decimals.into()) => {
            put(out, format_args!(",{:.places$}", 0.0));
        }
        Some(v) => put(out, format_args!(",{v:.places$}")),
        None => put(out, format_args!(",{MISSING}")),
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A Vec takes every byte; the result only exists for other writers.
    let _: std::io::Result<()> = out.write_fmt(text);
}

/// The row of one complete line; `None` for the header, torn and foreign lines.
pub(crate) fn parse(line: &[u8]) -> Option<Row> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut fields = [""; COLUMNS];
    let mut count = 0;
    for field in line.split(',') {
        *fields.get_mut(count)? = field;
        count += 1;
    }
    if count != COLUMNS {
        return None;
    }
    let status = fields[2].strip_suffix(PARTIAL).unwrap_or(fields[2]);
    let status = Status::ALL.into_iter().find(|s| s.name() == status)?;
    let mut temps = [None; 4];
    for (temp, field) in temps.iter_mut().zip(&fields[3..7]) {
        *temp = if *field == MISSING { None } else { Some(finite(field)?) };
    }
    Some(Row {
        wall: WallMillis::new((finite(fields[0])? * 1000.0).round() as i64),
        status,
        temps,
        targets: [finite(fields[7])?, finite(fields[8])?],
        heater_duty: [finite(fields[9])?, finite(fields[10])?],
        motors: [finite(fields[11])?, finite(fields[12])?],
        ..Row::default()
    })
}

fn finite(field: &str) -> Option<f64> {
    field.parse().ok().filter(|v: &f64| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            wall: WallMillis::new(1_700_000_000_123),
            status: Status::Running,
            temps: [Some(25.126), Some(210.0), Some(-0.001), Some(41.25)],
            targets: [210.0, 0.0],
            heater_duty: [33.33, 100.0],
            motors: [10.0, -12.345],
            ..Row::default()
        }
    }

    fn text(row: &Row) -> String {
        let mut out = Vec::new();
        render(row, &LocalTime::at_offset_hours(0), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_has_the_columns_and_decimals_of_the_contract() {
        assert_eq!(
            text(&row()),
            "1700000000.123,22:13:20.123,RUNNING,25.13,210.00,0.00,41.2,210.0,0.0,33.3,100.0,10.0,-12.345\r\n"
        );
        assert_eq!(HEADER.trim_end().split(',').count(), COLUMNS);
    }

    #[test]
    fn a_missing_temperature_is_nan_and_marks_the_status() {
        for missing in [None, Some(f64::NAN)] {
            let mut row = row();
            row.temps[1] = missing;
            let text = text(&row);
            assert!(text.contains(",RUNNING_PARTIAL,25.13,NAN,0.00,"), "{text}");
        }
    }

    #[test]
    fn a_line_reads_back_as_its_row() {
        let mut written = row();
        written.temps = [Some(25.12), None, Some(180.5), Some(41.0)];
        written.heater_duty = [33.3, 0.0];
        assert_eq!(parse(text(&written).as_bytes()), Some(written));
    }

    #[test]
    fn a_line_torn_at_any_byte_is_no_row() {
        let whole = text(&row());
        for end in 0..whole.len() {
            assert_eq!(parse(&whole.as_bytes()[..end]), None, "torn after {end} bytes");
        }
        assert_eq!(parse(HEADER.as_bytes()), None);
        assert_eq!(parse(whole.replace("25.13", "1e999").as_bytes()), None);
    }
}
