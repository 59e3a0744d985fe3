//! The text of a run file: header, rows, and rows read back.
//!
//! No field ever holds a comma, a quote or a line break, so a line is its fields joined by commas.

use crate::layout::Layout;
use crate::local_time::LocalTime;
use crate::row::Row;
use std::io::Write;
use std::sync::Arc;
use tve_control::Status;
use tve_units::WallMillis;

const MISSING: &str = "NAN";
/// Added to the status of a row in which a value is missing.
const PARTIAL: &str = "_PARTIAL";

/// Writes rows of one machine as its run files hold them.
#[derive(Debug, Clone)]
pub struct RunText {
    layout: Arc<Layout>,
    local: LocalTime,
}

impl RunText {
    /// With `Time_Str` in the time zone of this system.
    pub fn of_system(layout: Arc<Layout>) -> Self {
        Self::new(layout, LocalTime::of_system())
    }

    pub(crate) const fn new(layout: Arc<Layout>, local: LocalTime) -> Self {
        Self { layout, local }
    }

    pub(crate) const fn local(&self) -> &LocalTime {
        &self.local
    }

    pub(crate) const fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// First line of a file, with its line end.
    pub fn header(&self) -> &str {
        self.layout.header()
    }

    /// Appends the line of `row`, with its line end.
    pub fn line(&self, row: &Row, out: &mut Vec<u8>) {
        let ms = row.wall.get();
        let columns = self.layout.columns();
        let partial = columns.iter().any(|column| row.value(column.value).is_none());
        let suffix = if partial { PARTIAL } else { "" };
        put(out, format_args!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000)));
        put(out, format_args!(",{},{}{suffix}", self.local.clock(row.wall), row.status.name()));
        for column in columns {
            number(out, row.value(column.value), column.decimals);
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn number(out: &mut Vec<u8>, value: Option<f64>, decimals: Option<u8>) {
    match (value, decimals) {
        (None, _) => put(out, format_args!(",{MISSING}")),
        // Debug is the shortest text that reads back as the same number, always with a decimal.
        (Some(v), None) => put(out, format_args!(",{v:?}")),
        (Some(v), Some(decimals)) => {
            // Half a unit of the last decimal below zero rounds to "-0.00", which is zero.
            let v = if v.abs() < 0.5 * 0.1_f64.powi(decimals.into()) { 0.0 } else { v };
            put(out, format_args!(",{v:.0$}", usize::from(decimals)));
        }
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A Vec takes every byte; the result only exists for other writers.
    let _: std::io::Result<()> = out.write_fmt(text);
}

/// The row of one complete line; `None` for the header, torn and foreign lines.
pub(crate) fn parse(layout: &Layout, line: &[u8]) -> Option<Row> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut fields = line.split(',');
    let wall = WallMillis::new((finite(fields.next()?)? * 1000.0).round() as i64);
    let status = fields.by_ref().nth(1)?;
    let status = status.strip_suffix(PARTIAL).unwrap_or(status);
    let status = Status::ALL.into_iter().find(|s| s.name() == status)?;
    let mut row = Row { wall, status, ..Row::default() };
    for column in layout.columns() {
        let field = fields.next()?;
        let value = row.values.get_mut(column.value)?;
        *value = if field == MISSING { f64::NAN } else { finite(field)? };
    }
    fields.next().is_none().then_some(row)
}

fn finite(field: &str) -> Option<f64> {
    field.parse().ok().filter(|v: &f64| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{four_zones, layout};
    use tve_control::Snapshot;
    use tve_units::{Celsius, Duty, Rpm};

    fn snapshot(temps: [Option<f64>; 4]) -> Snapshot {
        Snapshot {
            wall: WallMillis::new(1_700_000_000_123),
            status: Status::Running,
            temps: temps.map(|t| t.and_then(|t| Celsius::new(t).ok())).into(),
            targets: [210.0, 0.0].map(Celsius::clamped).into(),
            heater_duty: [33.33, 100.0].map(Duty::clamped).into(),
            motors: [10.0, -12.345].map(Rpm::clamped).into(),
            ..Snapshot::default()
        }
    }

    fn warm() -> Snapshot {
        snapshot([Some(25.126), Some(210.0), Some(-0.001), Some(41.25)])
    }

    fn text(layout: &Arc<Layout>, row: &Row) -> String {
        let mut out = Vec::new();
        RunText::new(Arc::clone(layout), LocalTime::at_offset_hours(0)).line(row, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn line(snapshot: &Snapshot) -> String {
        let layout = layout();
        text(&layout, &layout.row(snapshot))
    }

    #[test]
    fn a_row_has_the_columns_and_decimals_of_the_contract() {
        assert_eq!(
            layout().header(),
            "Timestamp,Time_Str,Status,T1_Feed,T2_Mid,T3_Nozzle,T_Motor,Target_Z1,Target_Z2,\
             Pwr_Z1_%,Pwr_Z2_%,RPM_Main,RPM_Feed\r\n"
        );
        assert_eq!(
            line(&warm()),
            "1700000000.123,22:13:20.123,RUNNING,25.13,210.00,0.00,41.2,210.0,0.0,33.3,100.0,10.0,-12.345\r\n"
        );
    }

    #[test]
    fn a_machine_of_four_zones_has_a_column_for_each() {
        let layout = four_zones();
        let snapshot = Snapshot {
            temps: tve_machine::PerSensor::from_fn(7, |s| {
                Celsius::new(20.0 + s.index() as f64).ok()
            }),
            targets: tve_machine::PerZone::from_fn(4, |z| Celsius::clamped(z.index() as f64)),
            heater_duty: tve_machine::PerZone::from_fn(4, |_| Duty::ZERO),
            motors: [Rpm::clamped(5.0), Rpm::clamped(6.0)].into(),
            ..Snapshot::default()
        };
        let text = text(&layout, &layout.row(&snapshot));
        assert_eq!(
            text,
            "0.000,00:00:00.000,READY,20.00,21.00,22.00,23.00,24.00,25.0,26.00,0.0,1.0,2.0,3.0,\
             0.0,0.0,0.0,0.0,5.0,6.0\r\n"
        );
        assert_eq!(text.split(',').count(), layout.header().split(',').count());
    }

    #[test]
    fn a_missing_temperature_is_nan_and_marks_the_status() {
        let text = line(&snapshot([Some(25.126), None, Some(-0.001), Some(41.25)]));
        assert!(text.contains(",RUNNING_PARTIAL,25.13,NAN,0.00,"), "{text}");
    }

    #[test]
    fn a_line_reads_back_as_its_row() {
        let layout = layout();
        let mut written = snapshot([Some(25.12), None, Some(180.5), Some(41.0)]);
        written.heater_duty = [33.3, 0.0].map(Duty::clamped).into();
        let written = layout.row(&written);
        let read = parse(&layout, text(&layout, &written).as_bytes()).unwrap();
        assert_eq!((read.wall, read.status), (written.wall, written.status));
        for column in layout.columns() {
            assert_eq!(read.value(column.value), written.value(column.value));
        }
    }

    #[test]
    fn a_line_torn_at_any_byte_is_no_row() {
        let layout = layout();
        let whole = line(&warm());
        for end in 0..whole.len() {
            assert!(parse(&layout, &whole.as_bytes()[..end]).is_none(), "torn after {end} bytes");
        }
        assert!(parse(&layout, layout.header().as_bytes()).is_none());
        assert!(parse(&layout, whole.replace("25.13", "1e999").as_bytes()).is_none());
        assert!(parse(&four_zones(), whole.as_bytes()).is_none(), "another machine's");
    }
}
