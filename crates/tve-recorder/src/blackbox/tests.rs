//! The black box from tape to replay, with the simulator as the machine.

use super::*;
use crate::{DataDir, LoggingSettings, RealDisk, Recorder, RecorderConfig};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tve_config::{Config, MotionPatch};
use tve_control::{AlarmEvent, Command, Mode};
use tve_hal::Motor;
use tve_rig::{Rig, TICK};
use tve_units::{Celsius, Rpm};

/// Time for a recorder to end on a disk that answers.
const TIMELY: Duration = Duration::from_secs(10);

/// A controller on the simulator, recorded as the control thread does it.
struct Machine {
    rig: Rig,
    tape: Tape,
    recorder: Recorder,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let settings = RecorderConfig {
            data_dir,
            logging: LoggingSettings::default(),
            machine: Config::embedded().machine(),
        };
        let recorder = Recorder::start(settings, Box::new(RealDisk)).unwrap();
        let mut rig = Rig::new(&Config::embedded());
        rig.soak(200.0);
        let tape = recorder.handle().tape(&rig.controller, rig.config());
        Self { rig, tape, recorder, folder }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 100 {
            self.rig.sense(TICK);
            self.tape.begin(
                self.rig.now(),
                self.rig.inputs.wall,
                &self.rig.controller,
                self.rig.config(),
            );
            let outputs = *self.rig.decide();
            self.tape.tick(self.rig.now(), &self.rig.inputs, &outputs);
            for record in self.rig.raised.drain(..) {
                self.tape.event(&AlarmEvent::Raised(record));
            }
            // The machine runs in virtual time, so the recorder must be given the time to follow.
            let began = Instant::now();
            while lock_of(&self.recorder) > 1 {
                assert!(began.elapsed() < Duration::from_secs(20), "the recorder does not follow");
                std::thread::yield_now();
            }
        }
    }

    fn command(&mut self, command: Command) -> bool {
        let carrying = self.tape.carry(self.rig.now(), &command);
        let accepted = self.rig.send(command).is_ok();
        self.tape.carried_out(&carrying, accepted);
        accepted
    }

    /// Ends everything and returns the incident files, newest first.
    fn end(self) -> (Vec<Vec<u8>>, TempDir) {
        drop(self.tape);
        assert!(self.recorder.shutdown_within(TIMELY));
        (files_in(&self.folder), self.folder)
    }
}

fn lock_of(recorder: &Recorder) -> usize {
    crate::shared::lock(&recorder.handle().shared().handover).full.len()
}

fn paths_in(folder: &TempDir) -> Vec<PathBuf> {
    let list = list_incidents(folder.path(), 0).unwrap();
    list.runs.iter().map(|f| incident_folder(folder.path()).join(&f.name)).collect()
}

fn files_in(folder: &TempDir) -> Vec<Vec<u8>> {
    paths_in(folder).iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Heats, turns, changes gains and the configuration on the way, and is stopped.
fn eventful() -> (Vec<Vec<u8>>, TempDir) {
    let mut machine = Machine::new();
    machine.run(3);
    let target = Celsius::clamped(211.3);
    assert!(machine.command(Command::SetTarget { zones: [Some(target); 2].into() }));
    machine.run(20);
    assert!(machine.command(Command::SetMotor { motor: Motor::at(0), rpm: Rpm::clamped(33.3) }));
    assert!(
        !machine.command(Command::SetTarget { zones: [Some(Celsius::clamped(999.0)); 2].into() })
    );
    machine.run(30);
    let patch = MotionPatch { start_rpm: Some(12.345), ..MotionPatch::default() };
    assert!(machine.command(Command::UpdateMotionConfig(patch)));
    machine.run(17);
    assert!(machine.command(Command::SetMode(Mode::Manual)));
    machine.run(20);
    assert!(machine.command(Command::EmergencyStop));
    machine.run(45);
    machine.end()
}

#[test]
fn an_incident_replays_to_the_bit_from_a_minute_before_the_alarm_to_half_a_minute_after() {
    let (files, _folder) = eventful();
    assert_eq!(files.len(), 1);
    let mut last = 0.0;
    let replayed = replay(&files[0], &mut |snapshot| last = snapshot.now.secs()).unwrap();
    assert!(replayed.difference.is_none(), "{}", replayed.difference.unwrap());
    assert_eq!(replayed.alarms[0].0, "EMERGENCY_STOP");
    let alarm_at = 90.0;
    let (from, until) = (replayed.span.0.secs(), replayed.span.1.secs());
    assert!(from <= alarm_at - 60.0 && from >= alarm_at - 75.0, "{from}");
    assert!(until >= alarm_at + 30.0 && until <= alarm_at + 41.0, "{until}");
    assert_eq!(last, until);
    assert_eq!(replayed.gaps, 1, "the change of the configuration");
    assert_eq!(replayed.commands, 4, "SET_MOTOR, a refused SET_TARGET, SET_MODE, EMERGENCY_STOP");
    assert_eq!(replayed.ticks as f64, ((until - from) * 100.0).round() + 1.0);
    assert!(files[0].len() < 1_000_000, "{} bytes", files[0].len());
}

#[test]
fn a_changed_byte_is_detected_wherever_it_is() {
    let (files, _folder) = eventful();
    let whole = &files[0];
    for at in (0..whole.len()).step_by(whole.len() / 300) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        let refused = replay(&changed, &mut |_| {}).unwrap_err();
        assert!(matches!(refused, IncidentError::Damaged | IncidentError::NoIncident), "{at}");
    }
    for cut in [0, 7, 8, 39, 40, 100, whole.len() / 2, whole.len() - 1] {
        assert!(replay(&whole[..cut], &mut |_| {}).is_err(), "cut to {cut} bytes");
    }
}

/// The file with one occurrence of `old` in the place of which `new` stands, and a right checksum.
fn forged(file: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    assert_eq!(old.len(), new.len());
    let mut body = file[..file.len() - 32].to_vec();
    let at = body.windows(old.len()).position(|window| window == old).unwrap();
    body[at..at + old.len()].copy_from_slice(new);
    let checksum = Sha256::digest(&body);
    body.extend_from_slice(&checksum);
    body
}

#[test]
fn another_format_is_refused_with_the_version_that_can_read_it() {
    let (files, _folder) = eventful();
    let format = format!("\"format\":{}", file::FORMAT);
    let refused = replay(&forged(&files[0], format.as_bytes(), b"\"format\":9"), &mut |_| {});
    let version = env!("CARGO_PKG_VERSION").to_owned();
    assert_eq!(refused.unwrap_err(), IncidentError::Format { found: 9, version });
}

#[test]
fn a_file_from_before_formats_had_numbers_is_refused() {
    let (files, _folder) = eventful();
    let format = format!("\"format\":{}", file::FORMAT);
    let refused = replay(&forged(&files[0], format.as_bytes(), b"\"fromat\":1"), &mut |_| {});
    assert!(matches!(refused, Err(IncidentError::Format { found: 0, .. })), "{refused:?}");
}

#[test]
fn another_version_of_the_same_format_is_replayed_and_named() {
    let (files, _folder) = eventful();
    let version = format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let other = version.replace("0.1.0", "9.9.9");
    let file = forged(&files[0], version.as_bytes(), other.as_bytes());
    let replayed = replay(&file, &mut |_| {}).unwrap();
    assert_eq!((replayed.version.as_str(), replayed.difference.is_none()), ("9.9.9", true));
}

#[test]
fn a_controller_that_decides_otherwise_is_caught_at_its_first_different_tick() {
    let (files, _folder) = eventful();
    // The same record with a higher proportional gain in the configuration.
    let gain = Config::embedded().z1.kp;
    let old = format!("\"kp\":{gain:?}");
    let new = old.replacen(['3', '4', '5'], "9", 1);
    assert_ne!(old, new);
    let replayed = replay(&forged(&files[0], old.as_bytes(), new.as_bytes()), &mut |_| {}).unwrap();
    let difference = replayed.difference.expect("another gain gives another duty");
    let text = difference.to_string();
    assert!(text.contains("recorded") || text.contains("state"), "{text}");
}

#[test]
fn an_alarm_is_on_disk_at_once_and_survives_a_process_that_dies_with_it() {
    let mut machine = Machine::new();
    machine.run(5);
    assert!(machine.command(Command::EmergencyStop));
    machine.run(1);
    let began = Instant::now();
    while paths_in(&machine.folder).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "no file after the alarm");
        std::thread::yield_now();
    }
    // Nothing is ended in order here: this is what a kill would leave.
    let file = files_in(&machine.folder).remove(0);
    let replayed = replay(&file, &mut |_| {}).unwrap();
    assert!(replayed.difference.is_none());
    assert!(replayed.ticks >= 500, "{}", replayed.ticks);
}

#[test]
fn a_note_makes_no_incident_and_a_quiet_hour_no_file() {
    let mut machine = Machine::new();
    machine.run(200);
    let (files, _folder) = machine.end();
    assert!(files.is_empty());
}

#[test]
fn a_recorder_that_does_not_come_costs_segments_and_never_time() {
    let mut machine = Machine::new();
    let handle = machine.recorder.handle();
    let held = crate::shared::lock(&handle.shared().handover);
    // Without `run`, which waits for the recorder: the lock is held the whole time.
    for _ in 0..100 * 100 {
        let rig = &mut machine.rig;
        rig.sense(TICK);
        machine.tape.begin(rig.now(), rig.inputs.wall, &rig.controller, rig.config());
        let outputs = *rig.decide();
        machine.tape.tick(rig.now(), &rig.inputs, &outputs);
        rig.raised.clear();
    }
    drop(held);
    assert!(machine.command(Command::EmergencyStop));
    machine.run(2);
    let (files, _folder) = machine.end();
    let replayed = replay(&files[0], &mut |_| {}).unwrap();
    assert!(replayed.difference.is_none(), "what is left replays");
}
