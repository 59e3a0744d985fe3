//! The machine of two zones, screw and feeder, which a file may leave unsaid: its names, and the keys
//! that only its file, or only another's, has.

use tve_machine::{Name, Names};

/// Keys that only a file with a list of zones has, and that only one without has.
pub(crate) const OF_LISTS: [&str; 3] = ["zones", "motors", "feed_throat"];
pub(crate) const OF_TWO: [&str; 2] = ["z1", "z2"];

/// The names of the machine of two zones, screw and feeder.
pub(crate) fn classic_names() -> Names {
    let name = |text| Name::new(text).unwrap_or_default();
    Names { zones: ["z1", "z2"].map(name).into(), motors: ["main", "feed"].map(name).into() }
}
