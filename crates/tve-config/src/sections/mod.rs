//! The sections of config.json, one topic a file.

pub(crate) mod board;
pub(crate) mod calibration;
pub(crate) mod gains;
pub(crate) mod labels;
pub(crate) mod layout;
pub(crate) mod pins;
pub(crate) mod plant;
pub(crate) mod safety;
pub(crate) mod security;
pub(crate) mod sensors;
pub(crate) mod sequence;
pub(crate) mod server;
pub(crate) mod settings;
pub(crate) mod thermistor;
