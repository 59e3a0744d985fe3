//! Claims about the machine of two zones, screw and feeder: what its clients read is, byte for byte,
//! what they have always read.

use crate::sockets;
use crate::view;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use tve_config::{Config, MachineConfig};
use tve_control::{Mode, Snapshot, Status};
use tve_recorder::{Layout, Samples};
use tve_tags::Tags;
use tve_units::{Celsius, Duty, Micros, Rpm, WallMillis};

/// A machine of which every figure is a different one.
fn busy(machine: &MachineConfig) -> Snapshot {
    let mut snapshot = Snapshot {
        now: Micros::from_secs(10),
        temps_at: Micros::from_millis(9_900),
        wall: WallMillis::new(1_700_000_000_250),
        tick: 1000,
        status: Status::Running,
        mode: Mode::Manual,
        temps: [Some(23.5), Some(200.25), None, Some(31.125)]
            .map(|t| t.map(Celsius::clamped))
            .into(),
        targets: [200.0, 210.5].map(Celsius::clamped).into(),
        manual_duty: [12.0, 13.5].map(Duty::clamped).into(),
        heater_duty: [40.0, 41.5].map(Duty::clamped).into(),
        heater_on: [true, false].into(),
        motors: [60.0, -5.25].map(Rpm::clamped).into(),
        motors_actual: [59.5, -5.0].map(Rpm::clamped).into(),
        relays: [true, false],
        peltier: Duty::clamped(7.5),
        fill_level: Some(42.0),
        target_fill_level: 50.0,
        ..Snapshot::of(machine)
    };
    snapshot.pwm = std::array::from_fn(|i| Duty::clamped(i as f64 + 0.5));
    snapshot
}

/// A machine that has just started, and one that is busy.
fn page() -> String {
    let tags = Tags::of(Config::embedded().machine());
    let layout = Arc::new(Layout::of(tags.machine()));
    let mut page = String::from(
        "# What the machine of two zones answers, for machines given in drop_in.rs. Clients of the\n\
         # original read these bytes: a difference is a fault of the code, never of this file.\n",
    );
    let machine = tags.machine();
    let machines =
        [("default", Box::new(Snapshot::of(machine))), ("busy", Box::new(busy(machine)))];
    for (name, snapshot) in machines {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let data = text(view::data_text(&snapshot, &tags));
        let state = text(view::state_json(&snapshot, &tags, "simulator", &[], b"[]"));
        let permissives = text(view::json(&view::permissives(&snapshot, &tags)));
        let samples = Samples::of(&layout, &[layout.row(&snapshot)]);
        let mut history = Vec::new();
        view::history(&samples, &tags, &view::Places::of(&layout, &tags), &mut history);
        let history = text(history);
        let metrics = crate::metrics::machine_text(&snapshot, &tags);
        let events = sockets::told(&snapshot, &tags);
        for (what, body) in [
            ("data", data),
            ("state", state),
            ("permissives", permissives),
            ("history", history),
            ("metrics", metrics),
            ("events", events),
        ] {
            let _ = write!(page, "\n## {name}: {what}\n{}\n", body.trim_end());
        }
    }
    page
}

#[test]
fn every_byte_is_as_clients_know_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drop_in.txt");
    let stored = std::fs::read_to_string(path).unwrap();
    let page = page();
    for (line, (wanted, found)) in stored.lines().zip(page.lines()).enumerate() {
        assert_eq!(wanted, found, "line {}", line + 1);
    }
    assert_eq!(stored, page);
}
