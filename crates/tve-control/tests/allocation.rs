//! `step` and `snapshot` do not allocate, whatever the machine is doing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tve_config::Config;
use tve_control::{Command, Controller, Restored, Snapshot, parse_control};
use tve_hal::{AdcReading, Contact, Inputs, MachineKind};
use tve_units::Micros;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait; every call goes to the system's")]
// SAFETY: both methods forward their arguments unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's obligations are ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are ours.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// About 30 °C behind 4.7 kohm: feed throat and motor.
const MILD: i16 = 24_900;

fn samples(now: Micros, zones: i16) -> Inputs {
    let mild = if zones == i16::MAX { zones } else { MILD };
    let adc = [mild, zones, mild, zones].map(|code| AdcReading::Sample { code, taken_at: now });
    Inputs { adc, estop: Contact::Closed, ..Inputs::default() }
}

#[test]
fn step_and_snapshot_do_not_allocate_while_heating_running_tripping_and_in_alarm() {
    let mut controller =
        Controller::new(Config::embedded().machine(), MachineKind::Simulator, Restored::default());
    let mut snapshot = Snapshot::default();
    let mut now = Micros::ZERO;
    let mut counted = |controller: &mut Controller, ticks: u64, code: fn(u64) -> i16| {
        let before = ALLOCATIONS.with(Cell::get);
        for tick in 0..ticks {
            now = now + Micros::from_millis(10);
            controller.step(now, &samples(now, code(tick)));
            controller.snapshot(&mut snapshot);
        }
        (ALLOCATIONS.with(Cell::get) - before, now)
    };
    // About 200 °C behind 4.7 kohm.
    let hot = |tick: u64| 3700 + (tick % 2) as i16;
    let (idle, at) = counted(&mut controller, 500, hot);
    for body in [
        r#"{"command":"SET_TARGET","value":{"z1":230,"z2":230}}"#,
        r#"{"command":"SET_MOTOR","value":{"motor":"main","rpm":60}}"#,
    ] {
        let command =
            parse_control(&serde_json::from_str(body).unwrap(), &Config::embedded().names())
                .unwrap();
        controller.command(at, command).unwrap();
    }
    let (running, _) = counted(&mut controller, 5000, hot);
    // The wires break: four samples later the machine trips and stays so.
    let (tripping, at) = counted(&mut controller, 500, |_| 32767);
    assert_eq!(snapshot_alarms(&controller), 4);
    controller.command(at, Command::EmergencyStop).unwrap();
    let (alarm, _) = counted(&mut controller, 500, hot);
    assert_eq!([idle, running, tripping, alarm], [0; 4]);
}

fn snapshot_alarms(controller: &Controller) -> usize {
    let mut snapshot = Snapshot::default();
    controller.snapshot(&mut snapshot);
    snapshot.alarms.len()
}
