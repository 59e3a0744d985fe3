//! How a row of the fault table is put together, and the zone that it may be about.

use crate::certify::states::State;
use crate::certify::table::{Bound, Expected, Row, Source, Stimulus};
use tve_config::{MachineConfig, ZoneConfig};
use tve_hal::{Sensor, Zone};
use tve_machine::Name;

/// A zone that holds is no further below its target, °C.
pub(super) const BAND: f64 = 5.0;
/// For what shows at once, s.
const SOON: f64 = 5.0;

/// A zone, as its rows speak of it.
#[derive(Clone, Copy)]
pub(super) struct Place<'m> {
    pub(super) zone: Zone,
    pub(super) config: &'m ZoneConfig,
    pub(super) sensor: Sensor,
    pub(super) sensor_name: Name,
    /// By which sample of it faults of its wires count.
    pub(super) wires: Source,
}

impl<'m> Place<'m> {
    pub(super) fn new(machine: &MachineConfig, (zone, config): (Zone, &'m ZoneConfig)) -> Self {
        let sensor = config.sensor;
        let point = &machine.sensors[sensor];
        let wires = match point.source {
            Some(tve_config::Source::Max31856(_)) => Source::Wires(sensor),
            Some(tve_config::Source::Adc { .. }) | None => Source::Sample(sensor),
        };
        Self { zone, config, sensor, sensor_name: point.name, wires }
    }

    /// Whether it is the zone that is tuned where one is.
    pub(super) const fn is_tuned(&self) -> bool {
        self.zone.index() == 0
    }

    /// A row about its sensor.
    pub(super) fn sensor_row(&self, family: &'static str, fault: &str, stimulus: Stimulus) -> Row {
        let fault = format!("zone {} sensor {fault}", self.zone.index() + 1);
        row(family, format!("{family}-{}", self.sensor_name), fault, stimulus)
    }

    /// A row about its heater and what switches it.
    pub(super) fn heater_row(&self, family: &'static str, fault: &str, stimulus: Stimulus) -> Row {
        let fault = format!("zone {} {fault}", self.zone.index() + 1);
        row(family, format!("{family}-{}", self.config.name), fault, stimulus)
    }
}

/// A row about whatever a hot machine does, after which nothing may follow; [`Row`]'s methods say
/// what is otherwise.
pub(super) fn row(family: &'static str, id: String, fault: String, stimulus: Stimulus) -> Row {
    Row {
        family,
        id,
        fault,
        states: State::HOT,
        expected: Expected::Nothing,
        zone: None,
        bound: Bound::Own,
        source: Source::Event,
        watch_s: SOON,
        stimulus,
    }
}

/// A row of which a machine has one.
pub(super) fn one(family: &'static str, fault: impl Into<String>, stimulus: Stimulus) -> Row {
    row(family, family.to_owned(), fault.into(), stimulus)
}

impl Row {
    pub(super) fn strikes(self, states: &'static [State]) -> Self {
        Self { states, ..self }
    }

    pub(super) fn raises(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// The alarm must be about this zone.
    pub(super) fn about(self, place: &Place<'_>) -> Self {
        Self { zone: Some(place.zone), ..self }
    }

    pub(super) fn from(self, source: Source) -> Self {
        Self { source, ..self }
    }

    pub(super) fn within(self, bound: Bound) -> Self {
        Self { bound, ..self }
    }

    pub(super) fn watched(self, watch_s: f64) -> Self {
        Self { watch_s, ..self }
    }
}
