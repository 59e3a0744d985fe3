//! What is measured: outcomes, histograms, rolling windows, the course of a run.

pub mod histogram;
pub mod layout;
pub mod outcome;
pub mod recorder;
pub mod sample;
pub mod tally;
pub mod timeline;
pub mod window;
