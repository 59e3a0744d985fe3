//! `step` and `snapshot` do not allocate, whatever the machine is doing.

use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use tve_config::{Config, MachineConfig, Serves};
use tve_control::{Command, Controller, Restored, Snapshot, parse_control};
use tve_hal::{AdcReading, Contact, Inputs, MachineKind, SensorInput};
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

/// The machine in the field, and one of as many zones as there can be.
fn machines() -> [Arc<MachineConfig>; 2] {
    let names: Vec<String> = (1..=8).map(|n| format!("z{n}")).collect();
    let zone = |name: &String| json!({"name": name, "sensor": format!("s{name}")});
    let measured = names.iter().map(|name| format!("s{name}"));
    let sensors: serde_json::Map<String, Value> = measured
        .chain(["throat".to_owned(), "motor".to_owned()])
        .enumerate()
        .map(|(i, name)| (i.to_string(), json!({"logical": name, "r_fixed": 4700.0})))
        .collect();
    let eight = json!({
        "zones": names.iter().map(zone).collect::<Vec<_>>(),
        "motors": [
            {"name": "main", "role": "screw", "sensor": "motor"},
            {"name": "feed", "role": "feeder"},
            {"name": "pull", "role": "puller"},
            {"name": "cut", "role": "other"},
        ],
        "feed_throat": "throat",
        "control": {"law": 2},
        "sensors": sensors,
        "adc": {"more": [{"bus": 1, "address": 73}, {"bus": 1, "address": 74}]},
    });
    [Config::embedded(), Config::parse(&eight.to_string()).unwrap()].map(|file| file.machine())
}

fn samples(machine: &MachineConfig, now: Micros, zones: i16) -> Inputs {
    let mild = if zones == i16::MAX { zones } else { MILD };
    let sensors = machine.sensors.map(|_, point| {
        let code = if matches!(point.serves, Serves::Zone(_)) { zones } else { mild };
        SensorInput::of_adc(AdcReading::Sample { code, taken_at: now }, machine.converters[0].fsr)
    });
    let inputs = Inputs::unread(machine.motors.len(), machine.sensors.len());
    Inputs { sensors, estop: Contact::Closed, ..inputs }
}

#[test]
fn step_and_snapshot_do_not_allocate_while_heating_running_tripping_and_in_alarm() {
    for machine in machines() {
        let zones = machine.zones.len();
        assert_eq!(allocations_of(&machine), ([0; 4], zones + 2), "{zones} zones");
    }
}

/// Allocations while idle, running, tripping and in alarm, and the alarms of broken wires.
fn allocations_of(machine: &Arc<MachineConfig>) -> ([u64; 4], usize) {
    let simulator = MachineKind::Simulator;
    let mut controller = Controller::new(Arc::clone(machine), simulator, Restored::default());
    let mut snapshot = Snapshot::default();
    let mut now = Micros::ZERO;
    let mut counted = |controller: &mut Controller, ticks: u64, code: fn(u64) -> i16| {
        let before = ALLOCATIONS.with(Cell::get);
        for tick in 0..ticks {
            now = now + Micros::from_millis(10);
            controller.step(now, &samples(machine, now, code(tick)));
            controller.snapshot(&mut snapshot);
        }
        (ALLOCATIONS.with(Cell::get) - before, now)
    };
    // About 200 °C behind 4.7 kohm.
    let hot = |tick: u64| 3700 + (tick % 2) as i16;
    let (idle, at) = counted(&mut controller, 500, hot);
    let targets: serde_json::Map<String, Value> =
        machine.zones.iter().map(|zone| (zone.name.to_string(), json!(230))).collect();
    for body in [
        json!({"command": "SET_TARGET", "value": targets}),
        json!({"command": "SET_MOTOR", "value": {"motor": "main", "rpm": 60}}),
    ] {
        let command = parse_control(&body, &machine.names).unwrap();
        controller.command(at, command).unwrap();
    }
    let (running, _) = counted(&mut controller, 5000, hot);
    // The wires break: four samples later the machine trips and stays so.
    let (tripping, at) = counted(&mut controller, 500, |_| 32767);
    let mut shown = Snapshot::default();
    controller.snapshot(&mut shown);
    controller.command(at, Command::EmergencyStop).unwrap();
    let (alarm, _) = counted(&mut controller, 500, hot);
    ([idle, running, tripping, alarm], shown.alarms.len())
}
