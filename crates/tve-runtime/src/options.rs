//! How a service is to be started, and where its data lives by default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tve_config::HardwareKind;

/// What the command line decides; everything else is configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Configuration file. Without one, `config.json` in the data folder where it exists, else the
    /// embedded default.
    pub config: Option<PathBuf>,
    /// The machine; without it `hardware.kind`, else the simulator.
    pub hardware: Option<HardwareKind>,
    /// Address; without it `server.listen`, else 127.0.0.1:5000. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Folder of run files, journal and session record.
    pub data_dir: PathBuf,
    /// Seed of the simulator instead of `plant.seed`.
    pub sim_seed: Option<u64>,
    /// Simulated ticks in one tick of the wall clock, at least 1.
    pub sim_speed: u32,
    /// Temperature of the simulated barrel at the start instead of `plant.start_temp`, °C.
    pub sim_start_temp: Option<f64>,
    /// Scenario file whose faults break the simulated machine, at their times after the start.
    pub sim_scenario: Option<PathBuf>,
    /// Listen beyond loopback although security is disabled.
    pub insecure_open: bool,
    /// Ask for real-time scheduling of the control thread.
    pub realtime: bool,
}

impl Options {
    /// A simulator on a free port of loopback with its data in `data_dir`, as tests want it.
    pub fn in_folder(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            config: None,
            hardware: Some(HardwareKind::Sim),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            data_dir: data_dir.into(),
            sim_seed: None,
            sim_speed: 1,
            sim_start_temp: None,
            sim_scenario: None,
            insecure_open: false,
            realtime: false,
        }
    }
}

/// Folder of the packaged service.
const PACKAGED: &str = "/var/lib/tve";

/// `/var/lib/tve` where it can be written, else a folder of the user.
pub fn default_data_dir() -> PathBuf {
    use rustix::fs::{Access, access};
    let packaged = Path::new(PACKAGED);
    if packaged.is_dir() && access(packaged, Access::WRITE_OK).is_ok() {
        return packaged.to_owned();
    }
    let state = std::env::var_os("XDG_STATE_HOME").filter(|s| !s.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).unwrap_or_else(std::env::temp_dir).join("tve")
}
