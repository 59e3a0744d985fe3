//! The history of the last run, read back at start so that the charts do not begin empty.

use crate::csv;
use crate::history::{CAPACITY, History, PERIOD};
use crate::layout::Layout;
use crate::run_files;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek, SeekFrom};
use std::path::Path;
use tve_units::{Micros, WallMillis};

/// Tail of the file that is read: 24 h of rows at the default interval are about 40 MB.
const LONGEST_TAIL: u64 = 48_000_000;
/// A line that is longer than this is not ours.
const LONGEST_LINE: u64 = 1024;
/// Rows land on ticks, so a sample may come this much before its second is over.
const TICK: Micros = Micros::from_millis(10);

/// Fills `history` from the newest run file of `folder` with what is not older than 24 h and not
/// from a future that a corrected clock has taken back.
///
/// # Errors
/// When the folder or the file cannot be read; the rows before the fault are in `history`.
pub(crate) fn reload(
    layout: &Layout,
    history: &mut History,
    folder: &Path,
    wall: WallMillis,
) -> io::Result<()> {
    let runs = run_files::scan(folder)?;
    let Some(newest) = runs.first() else {
        return Ok(());
    };
    let mut file = File::open(folder.join(&newest.name))?;
    let mut header = Vec::with_capacity(256);
    BufReader::new(&mut file).take(LONGEST_LINE).read_until(b'\n', &mut header)?;
    if header != layout.header().as_bytes() {
        // Written for another machine: its columns say something else, or it has no row yet.
        return Ok(());
    }
    file.rewind()?;
    if newest.size > LONGEST_TAIL {
        // The line that the cut falls into is torn, and skipped like any other torn line.
        file.seek(SeekFrom::Start(newest.size - LONGEST_TAIL))?;
    }
    read_rows(layout, BufReader::new(file), history, wall)
}

fn read_rows(
    layout: &Layout,
    mut lines: impl BufRead,
    history: &mut History,
    wall: WallMillis,
) -> io::Result<()> {
    let oldest = wall.get() - CAPACITY.cast_signed() as i64 * millis(PERIOD);
    let spacing = millis(PERIOD - TICK);
    let mut last: Option<i64> = None;
    let mut line = Vec::with_capacity(256);
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let Some(row) = csv::parse(layout, &line) else {
            continue;
        };
        let t = row.wall.get();
        let in_time = (oldest..=wall.get()).contains(&t);
        // A step back of the clock begins a new grid.
        if in_time && last.is_none_or(|last| t < last || t - last >= spacing) {
            history.push(&row);
            last = Some(t);
        }
    }
}

const fn millis(span: Micros) -> i64 {
    (span.get() / 1000).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::RunText;
    use crate::history::{Sample, Samples};
    use crate::local_time::LocalTime;
    use crate::testing::{self, layout};
    use tve_machine::Sensor;
    use tve_tags::Tag;

    const START: i64 = 1_700_000_000_000;

    fn file(rows: i64) -> Vec<u8> {
        let text = RunText::new(layout(), LocalTime::at_offset_hours(0));
        let mut bytes = text.header().as_bytes().to_vec();
        for i in 0..rows {
            let wall = WallMillis::new(START + i * 250);
            let temps = [Some(20.0), Some(100.0 + i as f64), None, Some(30.0)];
            text.line(&testing::row(Micros::ZERO, wall, temps), &mut bytes);
        }
        bytes
    }

    fn read(bytes: &[u8], now_ms: i64) -> Samples {
        let mut history = History::new(layout());
        read_rows(&layout(), bytes, &mut history, WallMillis::new(now_ms)).unwrap();
        history.all(&history.newest(CAPACITY))
    }

    /// What a folder with one run gives.
    fn found(run: &[u8]) -> Samples {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("run_20231114_221320.csv"), run).unwrap();
        let mut history = History::new(layout());
        reload(&layout(), &mut history, dir.path(), WallMillis::new(START + 60_000)).unwrap();
        history.all(&history.newest(CAPACITY))
    }

    fn temp(sample: &Sample<'_>, sensor: usize) -> Option<f64> {
        sample.value(layout().index(Tag::SensorTemperature(Sensor::at(sensor))).unwrap())
    }

    #[test]
    fn the_newest_run_comes_back_as_one_sample_a_second() {
        let samples = found(&file(40));
        assert_eq!(samples.len(), 10);
        let last = samples.iter().next_back().unwrap();
        assert_eq!(last.t_ms(), START + 9000);
        assert_eq!((temp(&last, 1), temp(&last, 2)), (Some(136.0), None));
    }

    #[test]
    fn a_run_of_another_machine_is_left_alone() {
        let swapped = String::from_utf8(file(40)).unwrap();
        let swapped = swapped.replace("T1_Feed,T2_Mid", "T2_Mid,T1_Feed");
        assert!(found(swapped.as_bytes()).is_empty());
        assert!(found(b"").is_empty());
    }

    #[test]
    fn an_empty_folder_is_an_empty_history() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::new(layout());
        reload(&layout(), &mut history, dir.path(), WallMillis::new(START)).unwrap();
        assert!(history.newest(1).is_empty());
    }

    #[test]
    fn a_file_torn_at_any_byte_keeps_its_whole_lines() {
        let whole = file(5);
        for end in 0..whole.len() {
            let samples = read(&whole[..end], START + 60_000);
            assert!(samples.len() <= 2, "torn after {end} bytes");
            assert!(samples.iter().all(|s| temp(&s, 0) == Some(20.0)));
        }
        assert_eq!(read(&whole, START + 60_000).len(), 2);
    }

    #[test]
    fn lines_that_are_not_ours_are_skipped() {
        let mut bytes = vec![b'x'; 10_000];
        bytes.extend_from_slice(b"\r\n\xff\xfe\r\n,,,,\r\n");
        bytes.extend_from_slice(&file(4));
        assert_eq!(read(&bytes, START + 60_000).len(), 1);
    }

    #[test]
    fn rows_older_than_a_day_and_rows_from_the_future_stay_out() {
        let day = 86_400_000;
        let bytes = file(40);
        assert_eq!(read(&bytes, START + day + 5000).len(), 5);
        assert_eq!(read(&bytes, START + 3000).len(), 4);
    }
}
