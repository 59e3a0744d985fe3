//! The tags of a machine: everything that can be observed of it, one row each.
//!
//! *Tag*: one observable value, such as the temperature of one sensor. *Row*: what all tags of a
//! kind have in common; a row with a subject stands for one tag a zone, sensor, motor, channel or
//! alarm. *Drop-in columns*: where a tag stands in the replies, events, figures and run files that
//! clients of the original read.
//!
//! [`TAGS`] is the table: what a row lacks does not compile, its reading included. [`Tags`] puts the
//! names of one configuration to it, once; the bodies of the API, the events of Socket.IO, the page
//! of figures, the history and the run files are read from there.

mod docs;
mod named;
mod row;
mod table;

pub use docs::tags_markdown;
pub use named::{Column, Event, Group, Tags};
pub use row::{
    At, Category, Channel, Decimals, DropIn, Form, Kept, Metric, PWM_CHANNELS, Place, RunColumn,
    Shape, Subject, Unit, Value,
};
pub use table::{Each, MAX_KEPT, TAGS, Tag, TagRow};
