//! The complete state of a controller beside its configuration, for the black box.
//!
//! A controller serialises everything that its next tick depends on, but for the configuration,
//! which is kept as JSON, and events that nobody has drained.

use super::{Controller, settings};
use tve_config::Config;
use tve_hal::Sensor;

impl Controller {
    /// A controller that was deserialised, completed by the configuration that was in force: it
    /// goes on bit for bit where the serialised one stood.
    #[must_use]
    pub fn resume(mut self, config: Config) -> Self {
        for sensor in Sensor::ALL {
            self.chains[sensor.index()].rewire(settings::chain_of(&config, sensor));
        }
        self.gains = settings::effective_gains(&config);
        self.config = config;
        self
    }
}
