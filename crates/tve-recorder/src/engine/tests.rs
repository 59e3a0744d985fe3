//! Claims about the recorder in virtual time, on a disk that fills and fails on request.

use super::*;
use crate::fake_disk::FakeDisk;
use crate::inbox::Inbox;
use crate::local_time::LocalTime;
use crate::row::Row;
use crate::testing::{self, layout};
use tve_control::AlarmEvent;

const WALL: i64 = 1_700_000_000_000;
const FIRST_FILE: &str = "/data/logs/run_20231114_221320.csv";

struct Rig {
    disk: FakeDisk,
    engine: Engine,
    inbox: Inbox,
    batch: Batch,
    history: RwLock<History>,
    now: Micros,
    energised: bool,
    inbox_dropped: u64,
}

impl Rig {
    fn new() -> Self {
        Self::with(LoggingSettings::default())
    }

    fn with(settings: LoggingSettings) -> Self {
        let disk = FakeDisk::new();
        let text = RunText::new(layout(), LocalTime::at_offset_hours(0));
        Self {
            engine: Engine::new(Path::new("/data"), settings, Box::new(disk.clone()), text),
            disk,
            inbox: Inbox::new(settings.interval),
            batch: Batch::new(),
            history: RwLock::new(History::new(layout())),
            now: Micros::ZERO,
            energised: false,
            inbox_dropped: 0,
        }
    }

    fn wall(&self) -> WallMillis {
        WallMillis::new(WALL + (self.now.get() / 1000).cast_signed())
    }

    /// One tick of the machine; the recorder looks every 100 ms.
    fn tick(&mut self) {
        let row = testing::row(self.now, self.wall(), [Some(25.0); 4]);
        self.inbox_dropped += self.inbox.offer(&row);
        if self.now.get().is_multiple_of(100_000) {
            self.turn();
        }
        self.now = self.now + Micros::from_millis(10);
    }

    fn turn(&mut self) {
        self.inbox.swap_into(&mut self.batch);
        let wall = self.wall();
        self.engine.turn(
            self.now,
            wall,
            MachineNote { energised: self.energised, overrun: false },
            &mut self.batch,
            &self.history,
        );
    }

    fn run_for(&mut self, seconds: u64) {
        for _ in 0..seconds * 100 {
            self.tick();
        }
    }

    fn finish(&mut self) {
        self.inbox.swap_into(&mut self.batch);
        let wall = self.wall();
        self.engine.finish(self.now, wall, MachineNote::default(), &mut self.batch, &self.history);
    }

    fn rows_in(&self, file: &str) -> usize {
        self.disk.text(file).lines().count().saturating_sub(1)
    }

    fn status(&self) -> &RecorderStatus {
        self.engine.status()
    }

    fn run_files(&self) -> Vec<String> {
        self.disk.paths().into_iter().filter(|p| p.contains("run_")).collect()
    }
}

#[test]
fn a_run_has_a_row_every_interval_and_the_history_one_a_second() {
    let mut rig = Rig::new();
    rig.run_for(10);
    rig.inbox.start_run();
    rig.run_for(20);
    rig.inbox.stop_run();
    rig.run_for(5);
    assert_eq!(rig.run_files(), ["/data/logs/run_20231114_221330.csv"]);
    assert_eq!(rig.rows_in("/data/logs/run_20231114_221330.csv"), 80);
    assert_eq!((rig.status().rows, rig.status().dropped_rows), (80, 0));
    assert_eq!(rig.status().file.as_deref(), Some("run_20231114_221330.csv"));
    assert_eq!(rig.history.read().unwrap().newest(1000).len(), 35);
}

#[test]
fn a_run_without_rows_leaves_no_file() {
    let mut rig = Rig::new();
    rig.run_for(1);
    rig.inbox.start_run();
    rig.turn();
    rig.inbox.stop_run();
    rig.turn();
    rig.finish();
    assert_eq!(rig.run_files(), [""; 0]);
    assert_eq!(rig.status().last_flush, None);
}

#[test]
fn rows_between_a_stop_and_a_start_belong_to_no_run() {
    let mut rig = Rig::new();
    rig.turn();
    rig.inbox.start_run();
    let offer = |rig: &mut Rig, ms: u64| {
        let wall = WallMillis::new(WALL + ms.cast_signed());
        rig.inbox.offer(&Row { now: Micros::from_millis(ms), wall, ..Row::default() });
    };
    offer(&mut rig, 0);
    offer(&mut rig, 250);
    rig.inbox.stop_run();
    offer(&mut rig, 5000);
    rig.inbox.start_run();
    offer(&mut rig, 6000);
    rig.turn();
    rig.finish();
    assert_eq!(rig.rows_in(FIRST_FILE), 2);
    assert_eq!(rig.rows_in("/data/logs/run_20231114_221326.csv"), 1);
}

#[test]
fn a_new_interval_holds_from_the_next_row() {
    let mut rig = Rig::new();
    rig.inbox.start_run();
    rig.run_for(2);
    rig.inbox.configure(LoggingSettings::from_config(1.0, 60.0, 30, 500));
    rig.run_for(10);
    rig.finish();
    assert_eq!(rig.rows_in(FIRST_FILE), 8 + 10);
}

#[test]
fn a_failing_disk_is_reported_retried_with_growing_pauses_and_forgiven() {
    let mut rig = Rig::new();
    rig.run_for(1);
    rig.disk.fail(true);
    let tries = rig.disk.tries();
    rig.inbox.start_run();
    rig.run_for(120);
    assert!(rig.status().failed);
    // 1, 2, 4, 8, 16, 30, 30 s apart: seven or eight tries in two minutes, not 1200.
    let tries = rig.disk.tries() - tries;
    assert!((6..=9).contains(&tries), "{tries}");
    assert_eq!(rig.status().write_failures, tries as u64);
    assert_eq!(rig.status().dropped_rows, 0, "480 rows fit into memory");

    rig.disk.fail(false);
    rig.run_for(60);
    assert!(!rig.status().failed);
    rig.finish();
    let file = rig.run_files().pop().unwrap();
    assert_eq!(rig.rows_in(&file), 180 * 4, "not one row is lost");
}

#[test]
fn a_disk_that_fails_for_hours_costs_the_oldest_rows_and_no_more_memory() {
    let mut rig = Rig::with(LoggingSettings::from_config(0.1, 60.0, 30, 500));
    rig.disk.fail(true);
    rig.inbox.start_run();
    rig.run_for(600);
    let dropped = rig.status().dropped_rows;
    assert_eq!(dropped, 6000 - crate::run::MOST_WAITING as u64);
    rig.disk.fail(false);
    rig.run_for(31);
    rig.finish();
    let file = rig.run_files().pop().unwrap();
    assert_eq!(rig.rows_in(&file) as u64 + rig.status().dropped_rows, 6310);
    assert_eq!(rig.inbox_dropped, 0);
}

#[test]
fn an_ordered_flush_that_fails_is_tried_again_without_a_new_order() {
    let mut rig = Rig::new();
    rig.inbox.start_run();
    rig.run_for(2);
    assert_eq!(rig.rows_in(FIRST_FILE), 1, "the rest waits for the flush interval");
    rig.disk.fail(true);
    rig.inbox.orders.push(Order::Flush);
    rig.turn();
    assert!(rig.status().failed);
    rig.disk.fail(false);
    rig.run_for(2);
    assert!(!rig.status().failed && rig.rows_in(FIRST_FILE) >= 8);
}

#[test]
fn an_ended_run_is_still_written_when_the_disk_comes_back() {
    let mut rig = Rig::new();
    rig.inbox.start_run();
    rig.run_for(5);
    rig.disk.fail(true);
    rig.inbox.stop_run();
    rig.run_for(1);
    rig.inbox.start_run();
    rig.run_for(20);
    rig.disk.fail(false);
    rig.run_for(30);
    rig.finish();
    assert_eq!(rig.rows_in(FIRST_FILE), 20);
    assert_eq!(rig.rows_in("/data/logs/run_20231114_221326.csv"), 200);
    assert_eq!(rig.status().dropped_rows, 0);
}

#[test]
fn a_full_disk_never_tears_a_line() {
    let mut rig = Rig::with(LoggingSettings::from_config(0.25, 1.0, 30, 500));
    rig.disk.set_room(Some(1234));
    rig.inbox.start_run();
    rig.run_for(30);
    assert!(rig.status().failed && rig.status().write_failures > 0);
    rig.disk.set_room(None);
    rig.run_for(60);
    rig.finish();
    let text = rig.disk.text(FIRST_FILE);
    assert_eq!(text.lines().count(), 1 + 360);
    let commas = |line: &str| line.matches(',').count();
    assert!(text.split_terminator("\r\n").all(|line| commas(line) == 12));
}

#[test]
fn under_the_limit_old_runs_go_and_the_disk_counts_as_low_until_there_is_room() {
    let mut rig = Rig::new();
    let mb = 1_000_000;
    rig.disk.put_run("run_old.csv", 60 * mb, WALL as f64 / 1000.0 - 2000.0);
    rig.disk.put_run("run_new.csv", 60 * mb, WALL as f64 / 1000.0 - 1000.0);
    rig.disk.set_free(450 * mb);
    rig.run_for(1);
    assert_eq!(rig.disk.run_names(), ["run_new.csv"]);
    assert_eq!((rig.status().bytes_free, rig.status().disk_low), (Some(510 * mb), false));

    rig.disk.set_free(400 * mb);
    rig.run_for(20);
    assert!(rig.disk.run_names().is_empty());
    assert!(rig.status().disk_low && !rig.status().suspended && !rig.status().failed);
}

#[test]
fn recording_stops_under_100_mb_and_goes_on_when_there_is_space_again() {
    let mut rig = Rig::new();
    let mb = 1_000_000;
    rig.inbox.start_run();
    rig.run_for(20);
    rig.disk.set_free(99 * mb);
    rig.run_for(20);
    assert!(rig.status().suspended && rig.status().disk_low);
    let (rows, dropped) = (rig.status().rows, rig.status().dropped_rows);
    rig.run_for(10);
    assert_eq!((rig.status().rows, rig.status().dropped_rows), (rows, dropped + 40));

    rig.disk.set_free(120 * mb);
    rig.run_for(20);
    assert!(rig.status().suspended, "it does not flap round the limit");
    rig.disk.set_free(600 * mb);
    rig.run_for(20);
    assert!(!rig.status().suspended && !rig.status().disk_low);
    rig.finish();
    assert_eq!(rig.rows_in(FIRST_FILE) as u64 + rig.status().dropped_rows, 90 * 4);
    assert_eq!(rig.run_files().len(), 1, "the run goes on in its file");
}

#[test]
fn the_session_record_follows_the_outputs_and_ends_clean() {
    let mut rig = Rig::new();
    let record = |rig: &Rig| rig.disk.text("/data/session.json");
    rig.turn();
    assert_eq!(record(&rig), "{\"energised\":false,\"clean\":false}\n");
    rig.energised = true;
    rig.turn();
    assert_eq!(record(&rig), "{\"energised\":true,\"clean\":false}\n");
    let tries = rig.disk.tries();
    rig.run_for(60);
    assert_eq!(rig.disk.tries(), tries, "an unchanged record costs no write");
    rig.finish();
    assert_eq!(record(&rig), "{\"energised\":false,\"clean\":true}\n");
}

#[test]
fn an_alarm_is_in_the_journal_after_one_turn() {
    let mut rig = Rig::new();
    assert!(rig.inbox.alarm(AlarmEvent::Cleared { id: 3 }));
    rig.turn();
    let text = rig.disk.text("/data/alarms.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("{\"event\":\"format\",\"number\":3,"), "{text}");
    assert!(lines[1].starts_with("{\"event\":\"cleared\",\"id\":3,"), "{text}");
}

#[test]
fn the_last_turn_tries_everything_once_more() {
    let mut rig = Rig::new();
    rig.inbox.start_run();
    rig.disk.fail(true);
    assert!(rig.inbox.alarm(AlarmEvent::Cleared { id: 3 }));
    // Tries at 0, 1 and 3 s have failed; by itself the next would come at 7 s.
    rig.run_for(5);
    rig.disk.fail(false);
    rig.finish();
    assert_eq!(rig.rows_in(FIRST_FILE), 20);
    assert!(rig.disk.text("/data/alarms.jsonl").contains("cleared"));
    assert!(rig.disk.text("/data/session.json").contains("\"clean\":true"));
}
