//! The machines and rows that the tests of the recorder share.

use crate::layout::Layout;
use crate::row::Row;
use std::sync::{Arc, OnceLock};
use tve_config::Config;
use tve_control::Snapshot;
use tve_units::{Celsius, Micros, WallMillis};

/// The layout of the default machine.
pub(crate) fn layout() -> Arc<Layout> {
    static LAYOUT: OnceLock<Arc<Layout>> = OnceLock::new();
    Arc::clone(LAYOUT.get_or_init(|| Arc::new(Layout::of(&Config::embedded().machine()))))
}

/// The layout of the machine of four zones.
pub(crate) fn four_zones() -> Arc<Layout> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/machines/four-zone.json");
    let text = std::fs::read_to_string(path).unwrap();
    Arc::new(Layout::of(&Config::parse(&text).unwrap().machine()))
}

/// A row of a machine that shows nothing but these temperatures.
pub(crate) fn row(now: Micros, wall: WallMillis, temps: [Option<f64>; 4]) -> Row {
    let temps = temps.map(|t| t.and_then(|t| Celsius::new(t).ok())).into();
    layout().row(&Snapshot { now, wall, temps, ..Snapshot::default() })
}
