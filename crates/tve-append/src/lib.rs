//! Files that grow at their end: what is written is on the medium whole, or it is not there.
//!
//! *Sound end*: the length up to which a file is known to be whole. A write that fails leaves the
//! sound end where it was, and the next one cuts off what it left beyond. *Series*: files of a
//! folder that are numbered by what they begin with, so that going on in a new one renames nothing.
//!
//! Both journals stand on this: that of alarms is one [`Growing`] file, the audit journal a
//! [`Series`] of them.

mod growing;
mod seal;
mod series;
mod tail;

pub use growing::{AppendFile, Growing, in_its_folder, open};
pub use seal::{content, is_sealed, seal, true_sum};
pub use series::{Segment, Series};
pub use tail::{last_sound, set_aside};
