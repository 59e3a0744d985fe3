//! A second opinion on the sensor of a zone, from the words of its converter alone.

use crate::thermometer::{self, Junction};
use tve_config::{MachineConfig, Source};
use tve_hal::{Quality, Sensor, SensorInput};
use tve_units::Micros;

/// Samples in a row that make a sensor bad.
pub(super) const CONFIRM: u8 = 4;
/// Resistances beyond which a wire is broken or wires touch, ohm.
const OPEN_OHMS: f64 = 1e6;
const SHORT_OHMS: f64 = 20.0;
/// A sensor that has read above this is not cold, °C.
const WARM: f64 = 40.0;

/// A second opinion on the sensor of a zone.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SecondOpinion {
    at: Option<Micros>,
    /// Words in a row that were an open wire.
    pub(super) open_run: u8,
    short_run: u8,
    /// Words in a row that were temperatures.
    value_run: u8,
    was_warm: bool,
    /// The newest four temperatures, °C; an outlier among them may have been discarded.
    recent: [f64; CONFIRM as usize],
    next: usize,
}

impl SecondOpinion {
    /// Takes the newest word of the sensor's converter in.
    pub(super) fn look(&mut self, input: SensorInput, machine: &MachineConfig, sensor: Sensor) {
        let SensorInput::Sample { raw, quality, taken_at, .. } = input else { return };
        if self.at == Some(taken_at) {
            return;
        }
        self.at = Some(taken_at);
        let Some((open, short, celsius)) = judged(raw, quality, machine, sensor) else { return };
        self.open_run = if open { self.open_run.saturating_add(1) } else { 0 };
        self.short_run = if short { self.short_run.saturating_add(1) } else { 0 };
        self.value_run = if open || short { 0 } else { self.value_run.saturating_add(1) };
        if let Some(t) = celsius.filter(|_| !open && !short) {
            // A single sample may be an outlier that a controller need not believe.
            let steady = self.recent.iter().all(|other| (t - other).abs() < WARM);
            self.was_warm |= t > WARM && steady && self.value_run > CONFIRM;
            self.recent[self.next] = t;
            self.next = (self.next + 1) % self.recent.len();
        }
    }

    /// The highest of the newest temperatures, °C.
    pub(super) fn highest(&self) -> f64 {
        self.recent.iter().copied().fold(f64::MIN, f64::max)
    }

    /// Why the zone must not be heated at `now`.
    pub(super) fn fault(&self, now: Micros, stale_after: f64) -> Option<&'static str> {
        match self.at {
            None => Some("has given no sample"),
            Some(at) if now.since(at).secs() > stale_after => Some("is stale"),
            _ if self.short_run >= CONFIRM => Some("is shorted"),
            _ if self.open_run >= CONFIRM && self.was_warm => Some("is open"),
            _ => None,
        }
    }
}

/// Whether the word says that the wire is broken or that wires touch, and its temperature, °C.
fn judged(
    raw: i32,
    quality: Quality,
    machine: &MachineConfig,
    sensor: Sensor,
) -> Option<(bool, bool, Option<f64>)> {
    match machine.sensors.get(sensor)?.source? {
        Source::Adc { .. } => {
            let tap = thermometer::tap(raw, machine, sensor)?;
            let (part, resistance) = (tap.part(), tap.ohms());
            let open = part > machine.safety.open_ratio
                || resistance.is_some_and(|r| r > OPEN_OHMS)
                || resistance.is_none() && part >= 1.0;
            let short = !open
                && (part < machine.safety.short_ratio || resistance.is_none_or(|r| r < SHORT_OHMS));
            Some((open, short, tap.celsius()))
        }
        Source::Max31856(_) => {
            let open = quality == Quality::Open;
            let short = matches!(quality, Quality::Shorted | Quality::OutOfRange);
            Some((open, short, Junction { count: raw, quality }.celsius()))
        }
    }
}
