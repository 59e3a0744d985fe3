//! The control thread against machines that misbehave, and the proof that a tick does not allocate.

use super::*;
use crate::clock::SystemClock;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use tempfile::TempDir;
use tve_config::MachineConfig;
use tve_control::{Mode, RefusalCode, Restored};
use tve_hal::{HardwareError, MachineKind, Motor, Outputs, Reading, Zone};
use tve_recorder::{AlarmHistory, DataDir, LoggingSettings, RealDisk, Recorder, RecorderConfig};
use tve_sim::{SimHardware, SimPowers};
use tve_units::{Celsius, Duty, Rpm};

/// Time for a recorder to end on a disk that answers.
const TIMELY: Duration = Duration::from_secs(10);

thread_local! {
    /// Allocations of this thread.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator with a counter for each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

#[expect(unsafe_code, reason = "counting needs an allocator of our own; it only delegates")]
// SAFETY: every call goes to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more.
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// A recorder in a folder of its own, and what the control thread needs.
struct Bench {
    recorder: Recorder,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let config = RecorderConfig {
            data_dir,
            logging: LoggingSettings::default(),
            machine: Config::embedded().machine(),
        };
        let recorder = Recorder::start(config, Box::new(RealDisk)).unwrap();
        Self { recorder, folder }
    }

    fn parts(&self, hardware: Box<dyn Hardware>) -> Parts {
        Parts {
            config: Arc::new(Config::embedded()),
            controller: Controller::new(
                Config::embedded().machine(),
                MachineKind::Simulator,
                Restored::default(),
            ),
            hardware,
            recorder: self.recorder.handle(),
            alarms: Arc::new(AlarmBook::new(AlarmHistory::default(), None)),
            clock: Arc::new(SystemClock),
            realtime: false,
            speed: 1,
        }
    }
}

/// A simulator that does `act` at each tick and counts how often it was made safe.
struct Odd<F> {
    machine: SimHardware,
    act: F,
    ticks: u64,
    made_safe: Arc<AtomicU64>,
    heaters_on: Arc<AtomicU64>,
}

impl<F: FnMut(u64) -> Result<(), HardwareError>> Odd<F> {
    fn new(act: F) -> Self {
        let mut machine = SimHardware::new(&Config::embedded());
        machine.set_temperature(Celsius::new(200.0).unwrap());
        Self { machine, act, ticks: 0, made_safe: Arc::default(), heaters_on: Arc::default() }
    }
}

impl<F: FnMut(u64) -> Result<(), HardwareError> + Send> Hardware for Odd<F> {
    fn kind(&self) -> MachineKind {
        self.machine.kind()
    }

    fn configure(&mut self, config: &Arc<MachineConfig>) -> Result<(), HardwareError> {
        self.machine.configure(config)
    }

    fn read(&mut self, now: Micros, inputs: &mut Inputs) -> Result<(), HardwareError> {
        self.ticks += 1;
        (self.act)(self.ticks)?;
        self.machine.read(now, inputs)
    }

    fn apply(&mut self, now: Micros, outputs: &Outputs) -> Result<(), HardwareError> {
        let on = outputs.heaters.iter().filter(|h| **h).count() as u64;
        self.heaters_on.store(on, Ordering::SeqCst);
        self.machine.apply(now, outputs)
    }

    fn safe(&mut self) {
        self.made_safe.fetch_add(1, Ordering::SeqCst);
        self.machine.safe();
    }
}

#[test]
fn a_tick_of_a_running_machine_does_not_allocate() {
    let bench = Bench::new();
    let (mut machine, commands) = Machine::new(bench.parts(Box::new(Odd::new(|_| Ok(())))));
    machine.configure_hardware();
    let newest = machine.publisher.newest();
    for _ in 0..200 {
        machine.turn();
    }
    let target = Celsius::new(210.0).unwrap();
    let orders = [
        Command::SetTarget { zones: [Some(target); 2].into() },
        Command::SetMotor { motor: Motor::at(0), rpm: Rpm::new(30.0).unwrap() },
    ];
    for order in orders {
        machine.controller.command(machine.now, order).unwrap();
    }
    bench.recorder.handle().start_run();
    for _ in 0..100 {
        machine.turn();
    }
    // A reader that holds on to an old machine makes no difference.
    let held = newest.load_full();
    let before = allocations();
    // 12 s, so that the black box begins a new segment on the way.
    for tick in 0..1200 {
        machine.turn();
        if tick % 10 == 0 {
            let zones = [Some(Celsius::clamped(200.0 + f64::from(tick) / 1000.0)); 2].into();
            machine.command(machine.now, Command::SetTarget { zones }).unwrap();
        }
        machine.stats.tick(machine.tick_began, Duration::ZERO, Duration::ZERO);
        assert!(!machine.serve_emergency_stop());
        assert_eq!(machine.serve(COMMANDS_PER_GAP), 0);
    }
    let made = allocations() - before;
    assert_eq!(made, 0, "allocations in 1200 ticks");
    assert!(
        newest.load().snapshot.motors_actual[Motor::at(0)].get() > 0.0,
        "the machine was running"
    );
    assert!(newest.load().seq > held.seq);
    drop(commands);
    assert!(bench.recorder.shutdown_within(TIMELY));
}

/// An hour of the wall clock, ms.
const HOUR_MS: i64 = 3_600_000;

/// A wall clock that somebody sets.
#[derive(Default)]
struct SetClock(std::sync::atomic::AtomicI64);

impl WallClock for SetClock {
    fn now(&self) -> tve_units::WallMillis {
        tve_units::WallMillis::new(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn a_wall_clock_that_steps_labels_the_machine_and_changes_nothing_else() {
    let bench = Bench::new();
    let clock = Arc::new(SetClock::default());
    let parts = Parts {
        clock: Arc::clone(&clock) as Arc<dyn WallClock>,
        ..bench.parts(Box::new(Odd::new(|_| Ok(()))))
    };
    let (mut machine, _commands) = Machine::new(parts);
    machine.configure_hardware();
    let newest = machine.publisher.newest();
    for wall in [10 * HOUR_MS, 11 * HOUR_MS, 9 * HOUR_MS] {
        clock.0.store(wall, Ordering::SeqCst);
        for _ in 0..200 {
            machine.turn();
        }
        let published = newest.load();
        assert_eq!(published.snapshot.wall.get(), wall);
        assert!(published.snapshot.alarms.is_empty(), "{:?}", published.snapshot.alarms);
    }
    assert_eq!(newest.load().snapshot.now, Micros::from_secs(6));
    assert!(bench.recorder.shutdown_within(TIMELY));
}

#[tokio::test]
async fn a_panic_ends_with_every_output_off_and_is_reported() {
    let bench = Bench::new();
    let odd = Odd::new(|tick| {
        assert!(tick < 20, "the machine fell over");
        Ok(())
    });
    let made_safe = Arc::clone(&odd.made_safe);
    let mut running = start(bench.parts(Box::new(odd))).unwrap();
    let reason = (&mut running.ended).await.unwrap().unwrap_err();
    assert!(reason.contains("the machine fell over"), "{reason}");
    assert!(made_safe.load(Ordering::SeqCst) > 0);
    let refusal = running.commands.send(Command::Start).await.unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Hardware);
    assert!(!running.stats.hardware_present());
    assert!(bench.recorder.shutdown_within(TIMELY));
}

#[tokio::test]
async fn a_machine_that_is_lost_trips_and_is_reported_once() {
    let bench = Bench::new();
    let odd = Odd::new(|tick| {
        if tick < 100 {
            return Ok(());
        }
        let what = "the bus".to_owned();
        Err(HardwareError::Io { what, source: std::io::ErrorKind::BrokenPipe.into() })
    });
    let running = start(bench.parts(Box::new(odd))).unwrap();
    let began = Instant::now();
    while running.newest.load().snapshot.status != tve_control::Status::Alarm {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let readings = running.newest.load().snapshot.readings;
    let judged = |wanted| readings.iter().any(|reading| *reading == wanted);
    assert!(judged(Reading::BusError) && !judged(Reading::Stale), "{readings:?}");
    let report = running.stats.take_report().unwrap();
    assert!(report.contains("the bus") && report.contains("pipe"), "{report}");
    assert_eq!(running.stats.take_report(), None);
    running.stop();
    drop(running);
    assert!(bench.recorder.shutdown_within(TIMELY));
}

#[tokio::test]
async fn a_loop_that_hangs_is_cut_by_the_guard_while_it_hangs_and_trips_when_it_goes_on() {
    use crate::guard::{self, Guard, KillSwitch, SafeOff, Switched};
    /// A switch that tells when it is used.
    struct Told(KillSwitch, std::sync::mpsc::Sender<()>);
    impl SafeOff for Told {
        fn off(&mut self) -> Result<(), HardwareError> {
            let done = self.0.off();
            let _ = self.1.send(());
            done
        }
    }
    let bench = Bench::new();
    let (cut, hears_cut) = std::sync::mpsc::channel();
    // The tick hangs until the guard has acted.
    let odd = Odd::new(move |tick| {
        if tick == 100 {
            hears_cut.recv_timeout(Duration::from_secs(20)).expect("the guard acts meanwhile");
        }
        Ok(())
    });
    let made_safe = Arc::clone(&odd.made_safe);
    let switch = KillSwitch::default();
    let machine = Switched::new(odd, switch.clone());
    let mut running = start(bench.parts(Box::new(machine))).unwrap();
    let guard = Guard::start(guard::Parts {
        stats: Arc::clone(&running.stats),
        switch: Box::new(Told(switch, cut)),
        recorder: bench.recorder.handle(),
        realtime: false,
        watchdog: None,
    })
    .unwrap();
    let tripped =
        |s: &Snapshot| s.alarms.iter().any(|a| a.code == tve_control::AlarmCode::ControlOverrun);
    let began = Instant::now();
    while !tripped(&running.newest.load().snapshot) {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(made_safe.load(Ordering::SeqCst) > 0, "the cut reached the machine");
    assert_eq!(running.stats.guard_cuts(), 1);
    drop(guard);
    running.stop();
    running.take_join().unwrap().join().unwrap();
    assert!(bench.recorder.shutdown_within(TIMELY));
}

#[tokio::test]
async fn a_panic_of_the_loop_is_noted_for_the_next_process() {
    let bench = Bench::new();
    let odd = Odd::new(|tick| {
        assert!(tick < 20, "the machine fell over");
        Ok(())
    });
    let mut running = start(bench.parts(Box::new(odd))).unwrap();
    (&mut running.ended).await.unwrap().unwrap_err();
    assert!(bench.recorder.shutdown_within(TIMELY));
    let previous = tve_recorder::load_previous_session(bench.folder.path());
    assert!(previous.overrun, "{previous:?}");
    let incidents = tve_recorder::list_incidents(bench.folder.path(), 0).unwrap();
    assert_eq!(incidents.total, 1, "what led to it is kept");
}

#[tokio::test]
async fn an_emergency_stop_reaches_the_outputs_before_its_answer() {
    let bench = Bench::new();
    let odd = Odd::new(|_| Ok(()));
    let heaters_on = Arc::clone(&odd.heaters_on);
    let mut running = start(bench.parts(Box::new(odd))).unwrap();
    let full = Duty::FULL;
    let orders = [
        Command::SetMode(Mode::Manual),
        Command::SetHeater { zone: Zone::at(0), duty: full },
        Command::SetHeater { zone: Zone::at(1), duty: full },
    ];
    for order in orders {
        running.commands.send(order).await.unwrap();
    }
    let began = Instant::now();
    while heaters_on.load(Ordering::SeqCst) != 2 {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.commands.send(Command::EmergencyStop).await.unwrap();
    assert_eq!(heaters_on.load(Ordering::SeqCst), 0);
    assert_eq!(running.newest.load().snapshot.status, tve_control::Status::Alarm);
    running.stop();
    running.take_join().unwrap().join().unwrap();
    assert!(bench.recorder.shutdown_within(TIMELY));
}

#[tokio::test]
async fn stopping_leaves_the_machine_safe() {
    let bench = Bench::new();
    let odd = Odd::new(|_| Ok(()));
    let made_safe = Arc::clone(&odd.made_safe);
    let mut running = start(bench.parts(Box::new(odd))).unwrap();
    running.stop();
    let join = running.take_join().unwrap();
    tokio::task::spawn_blocking(move || join.join()).await.unwrap().unwrap();
    assert!(made_safe.load(Ordering::SeqCst) > 0);
    assert_eq!(running.ended_with(), None);
    assert!(bench.recorder.shutdown_within(TIMELY));
}
