//! Claims about the thread: it never slows its producers, and it ends in time.

use super::*;
use crate::disk::RealDisk;
use crate::fake_disk::{FakeDisk, Gate};
use crate::inbox::ROW_CAPACITY;
use crate::row::Row;
use crate::testing;
use crate::{list_runs, load_journal, load_previous_session};
use std::path::Path;
use std::sync::mpsc;
use tve_config::Config;
use tve_control::{AlarmEvent, Unclean};
use tve_units::Micros;

/// Longer than any of these tests may take; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn start(dir: &Path, disk: Box<dyn Disk>) -> Recorder {
    let data_dir = DataDir::open(dir).unwrap();
    let logging = LoggingSettings::from_config(0.01, 60.0, 30, 1);
    Recorder::start(
        RecorderConfig { data_dir, logging, machine: Config::embedded().machine() },
        disk,
    )
    .unwrap()
}

fn row(ms: u64) -> Row {
    let wall = WallMillis::new(wall_clock().get() + ms.cast_signed());
    testing::row(Micros::from_millis(ms), wall, [Some(25.0); 4])
}

/// Offers the row until it is taken, as the ticks of a control thread would.
fn insist(handle: &RecorderHandle, row: &Row) {
    while handle.is_due(row.now) {
        handle.offer(row);
        std::thread::yield_now();
    }
}

#[test]
fn rows_and_events_offered_before_a_shutdown_are_on_the_disk_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = start(dir.path(), Box::new(RealDisk));
    let handle = recorder.handle();
    handle.start_run();
    for i in 0..100 {
        insist(&handle, &row(i * 10));
    }
    while !handle.alarm(&AlarmEvent::Cleared { id: 1 }) {
        std::thread::yield_now();
    }
    handle.energised(true);
    assert!(recorder.shutdown_within(PATIENCE));

    assert!(!handle.status().recording);
    assert_eq!((handle.status().rows, handle.status().dropped_rows), (100, 0));
    let runs = list_runs(dir.path(), 0).unwrap().runs;
    assert_eq!(runs.len(), 1);
    let text = std::fs::read_to_string(dir.path().join("logs").join(&runs[0].name)).unwrap();
    assert_eq!(text.lines().count(), 101);
    assert_eq!(load_journal(dir.path(), &Config::embedded().names()).unread, None);
    assert_eq!(load_previous_session(dir.path()).unclean, None);
    DataDir::open(dir.path()).expect("the folder is free again");
}

#[test]
fn a_process_that_dies_leaves_an_unclean_session() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = start(dir.path(), Box::new(RealDisk));
    let handle = recorder.handle();
    handle.energised(true);
    let began = std::time::Instant::now();
    while load_previous_session(dir.path()).unclean != Some(Unclean { energised: true }) {
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    assert!(recorder.shutdown_within(PATIENCE));
    assert_eq!(load_previous_session(dir.path()).unclean, None);
}

#[test]
fn a_disk_that_blocks_for_ten_seconds_costs_the_oldest_rows_and_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FakeDisk::new();
    let (entered, has_entered) = mpsc::channel();
    let (open_gate, open) = mpsc::channel();
    let recorder = start(dir.path(), Box::new(disk.clone()));
    let handle = recorder.handle();

    disk.block_next_write(Gate { entered, open });
    handle.start_run();
    insist(&handle, &row(0));
    has_entered.recv_timeout(PATIENCE).expect("the first row reaches the disk");

    // Ten seconds at the fastest interval. The disk blocks for as long as this loop takes, so
    // that it ends at all shows that nobody waits for the disk.
    for i in 1..=1000 {
        handle.offer(&row(i * 10));
    }
    let dropped = 1000 - ROW_CAPACITY as u64;
    assert_eq!(handle.status().dropped_rows, dropped);
    assert!(handle.status().recording);
    assert!(handle.alarm(&AlarmEvent::Cleared { id: 1 }));
    handle.energised(true);

    open_gate.send(()).unwrap();
    assert!(recorder.shutdown_within(PATIENCE));
    assert_eq!(handle.status().rows, 1 + ROW_CAPACITY as u64);
    assert_eq!(handle.status().dropped_rows, dropped);
    assert!(disk.text(&format!("{}/alarms.jsonl", dir.path().display())).contains("cleared"));
}

#[test]
fn a_shutdown_does_not_wait_for_a_disk_that_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FakeDisk::new();
    let (entered, has_entered) = mpsc::channel();
    let (open_gate, open) = mpsc::channel();
    let recorder = start(dir.path(), Box::new(disk.clone()));
    let handle = recorder.handle();
    disk.block_next_write(Gate { entered, open });
    handle.start_run();
    insist(&handle, &row(0));
    has_entered.recv_timeout(PATIENCE).expect("the first row reaches the disk");

    let end = Arc::clone(&recorder.end);
    assert!(!recorder.shutdown_within(Duration::from_millis(20)));
    open_gate.send(()).unwrap();
    let state = lock(&end.state);
    let (state, timeout) = end.changed.wait_timeout_while(state, PATIENCE, |s| !s.reached).unwrap();
    assert!(state.reached && !timeout.timed_out(), "the thread ends when the disk lets it");
}

#[test]
fn the_last_run_is_in_the_history_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=2 {
        let recorder = start(dir.path(), Box::new(RealDisk));
        let handle = recorder.handle();
        if round == 2 {
            let began = std::time::Instant::now();
            while handle.history_newest(10).is_empty() {
                assert!(began.elapsed() < PATIENCE);
                std::thread::yield_now();
            }
            assert_eq!(handle.history_since(0, 100).len(), 1);
        }
        handle.start_run();
        insist(&handle, &Row { wall: wall_clock(), ..row(0) });
        assert!(recorder.shutdown_within(PATIENCE));
    }
}
