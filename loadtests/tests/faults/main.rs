//! Whole runs against a service whose faults are known: the verdict must be the right one.

mod ends;
mod toy;
mod verdicts;
