//! One sensor channel: ADC code → volts → ohms → °C → judgement → average.
//!
//! ```text
//!  code ──volts()──▶ V ──share()──▶ x = R/(R + r_fixed) ──▶ open? short?
//!                                   │
//!                                   └──ohms()──▶ R ──curve──▶ °C ──line──▶ °C
//!                                                     jump? frozen? ──▶ Reading
//! ```
//!
//! *Share*: the thermistor's part of the divider's supply, whichever way it is wired, so that one
//! rule serves both. Alarms act on what this file calls the reading; the PID on [`SensorChannel::mean`].

use super::boxcar::Boxcar;
use tve_config::{Curve, Line, MachineConfig, Safety, SensorConfig, SensorPoint, Source, Wiring};
use tve_hal::{Quality, Quantity, Reading, SensorInput};
use tve_units::{Celsius, Micros, Ohms, Volts};

/// Samples in a row that make a fault (1.0 s at the slowest sampling of 0.25 s).
pub(crate) const CONFIRM: u8 = 4;
/// Above this the wire is broken, whatever the divider.
const OPEN_OHMS: f64 = 1e6;
/// Below this the wires touch, whatever the divider.
const SHORT_OHMS: f64 = 20.0;
/// A sensor that has been this warm is no cold barrel, °C.
const WARM: f64 = 40.0;
/// A sensor without a heater that stood this far from the open band, as a ratio, did not get there
/// by an error of the supply.
const RAIL_MARGIN: f64 = 1.02;
/// How long a zone at the cold end of its divider may be heated before that counts as open.
const COLD_HEATING_LIMIT: Micros = Micros::from_secs(120);
/// Movement that a stuck code must have missed, in codes.
const FROZEN_CODES: f64 = 10.0;
/// Counts of a thermocouple converter in a degree: its steps of 1/128 °C.
const THERMOCOUPLE_COUNTS: f64 = 128.0;
/// Window of the average that the PID works on.
const MEAN_WINDOW: Micros = Micros::from_millis(1000);

/// The sensor gives no temperature, and that is a fault.
pub(crate) const fn is_bad(reading: Reading) -> bool {
    match reading {
        Reading::Stale
        | Reading::Open
        | Reading::Shorted
        | Reading::Jumping
        | Reading::Frozen
        | Reading::BusError => true,
        Reading::Starting
        | Reading::Good(_)
        | Reading::Uncertain(_)
        | Reading::ColdOrOpen
        | Reading::NotFitted => false,
    }
}

/// Nobody can say what the sensor measures: it is bad, or not judged yet.
pub(crate) const fn is_unknown(reading: Reading) -> bool {
    is_bad(reading) || matches!(reading, Reading::Starting)
}

/// Volts of a code: `code / 32768 * fsr` (ADS1115 data sheet, table 3).
pub fn volts(code: i16, fsr: f64) -> Volts {
    Volts::clamped(f64::from(code) * fsr / 32768.0)
}

/// The thermistor's share of the supply, 0 (shorted) to 1 (open); beyond with a wrong supply.
pub fn share(v: Volts, sensor: &SensorConfig) -> f64 {
    let x = v.get() / sensor.v_ref;
    match sensor.wiring {
        Wiring::NtcToGnd => x,
        Wiring::NtcToVref => 1.0 - x,
    }
}

/// Resistance of the thermistor, or `None` where the share leaves no finite positive one.
pub fn ohms(share: f64, sensor: &SensorConfig) -> Option<Ohms> {
    if share <= 0.0 || share >= 1.0 {
        return None;
    }
    Ohms::new(sensor.r_fixed * share / (1.0 - share)).ok()
}

/// Temperature of a thermistor of this curve.
pub fn celsius(r: Ohms, curve: Curve) -> Celsius {
    // A resistance below what any temperature gives is hotter than everything, not absolute zero.
    Celsius::clamped(curve.celsius(r.get()))
}

/// Codes per °C at a share, from the derivative of divider and curve.
fn codes_per_degree(share: f64, curve: Curve, sensor: &SensorConfig, fsr: f64) -> f64 {
    let steepness = ohms(share, sensor).map_or(0.0, |r| curve.steepness(r.get()));
    sensor.v_ref * share * (1.0 - share) * steepness * 32768.0 / fsr
}

/// One electrical word, judged.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Open,
    Short,
    /// A temperature, °C; of a thermistor with its share.
    Value {
        t: f64,
        share: Option<f64>,
    },
}

/// What a channel needs to know about the heater of its zone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HeatContext {
    /// The sensor measures a heated zone.
    pub(crate) heated: bool,
    /// Duty in force, %.
    pub(crate) duty: f64,
    /// How far the reading must have moved since its code stands, °C.
    pub(crate) missed: f64,
}

/// One sensor from code to reading.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SensorChannel {
    /// The configuration measures it.
    fitted: bool,
    // Configuration is kept beside the state, not in it: `Sensors::resume` puts it back.
    #[cfg_attr(feature = "state", serde(skip))]
    config: SensorConfig,
    #[cfg_attr(feature = "state", serde(skip, default = "identity"))]
    line: Line,
    #[cfg_attr(feature = "state", serde(skip, default = "no_curve"))]
    curve: Curve,
    /// Full scale of its converter, V; what has no divider has none.
    #[cfg_attr(feature = "state", serde(skip))]
    full_scale: f64,
    reading: Reading,
    started: Option<Micros>,
    last_at: Option<Micros>,
    last_raw: i32,
    /// Value of the newest sample that was no outlier, °C.
    accepted: Option<f64>,
    /// Value of the newest sample of any kind, °C.
    newest: Option<f64>,
    /// Share of a thermistor at the newest sample that was no outlier.
    last_share: Option<f64>,
    /// Samples in a row that the wires gave no temperature in, by being apart or by touching.
    wire_run: u8,
    /// The wires touched in one of them.
    touched: bool,
    jump_run: u8,
    steady_run: u8,
    was_warm: bool,
    cold_heating: Micros,
    still_since: Micros,
    recent: Boxcar,
    published: Boxcar,
}

#[cfg(feature = "state")]
const fn identity() -> Line {
    Line::IDENTITY
}

#[cfg(feature = "state")]
fn no_curve() -> Curve {
    SensorConfig::default().curve()
}

impl SensorChannel {
    /// Takes the configuration of `wired` over and keeps the memory.
    #[cfg(feature = "state")]
    pub(crate) fn rewire(&mut self, wired: Self) {
        self.config = wired.config;
        self.line = wired.line;
        self.curve = wired.curve;
        self.full_scale = wired.full_scale;
    }

    /// The channel of `point` as `config` wires it.
    pub(crate) fn new(point: &SensorPoint, config: &MachineConfig) -> Self {
        let full_scale = match point.source {
            Some(Source::Adc { converter, .. }) => {
                config.converters.get(usize::from(converter)).map_or(0.0, |adc| adc.fsr)
            }
            Some(Source::Max31856(_)) | None => 0.0,
        };
        Self::wired(point.source.is_some(), point.settings.clone(), full_scale)
    }

    fn wired(fitted: bool, config: SensorConfig, full_scale: f64) -> Self {
        let line = config.calibration().unwrap_or(Line::IDENTITY);
        Self {
            reading: if fitted { Reading::Starting } else { Reading::NotFitted },
            fitted,
            curve: config.curve(),
            config,
            line,
            full_scale,
            started: None,
            last_at: None,
            last_raw: 0,
            accepted: None,
            newest: None,
            last_share: None,
            wire_run: 0,
            touched: false,
            jump_run: 0,
            steady_run: 0,
            was_warm: false,
            cold_heating: Micros::ZERO,
            still_since: Micros::ZERO,
            recent: Boxcar::new(),
            published: Boxcar::new(),
        }
    }

    pub(crate) const fn reading(&self) -> Reading {
        self.reading
    }

    pub(crate) const fn config(&self) -> &SensorConfig {
        &self.config
    }

    /// Since when the code stands; only while the reading is a value.
    pub(crate) fn stands_since(&self) -> Option<Micros> {
        self.reading.value().map(|_| self.still_since)
    }

    /// When the newest sample was taken.
    pub(crate) const fn sampled_at(&self) -> Option<Micros> {
        self.last_at
    }

    /// The last temperature that was believed, °C, also when the sensor has failed since.
    pub(crate) const fn last_believed(&self) -> Option<f64> {
        self.accepted
    }

    /// Mean of the newest second, °C, for the PID; only while the reading is a value.
    pub(crate) fn mean(&self, now: Micros) -> Option<f64> {
        self.reading.value()?;
        self.recent.mean(now, MEAN_WINDOW)
    }

    /// Mean over the publishing window, °C.
    pub(crate) fn published_mean(&self, now: Micros, window: Micros) -> Option<f64> {
        self.reading.value()?;
        self.published.mean(now, window)
    }

    /// Takes in the word of this tick; `true` when it was a new sample.
    pub(crate) fn advance(
        &mut self,
        now: Micros,
        input: SensorInput,
        safety: &Safety,
        heat: HeatContext,
        publish_window: Micros,
    ) -> bool {
        if !self.fitted {
            return false;
        }
        let started = *self.started.get_or_insert(now);
        let mut is_new = false;
        if let SensorInput::Sample { quantity, quality, raw, taken_at } = input
            && self.last_at != Some(taken_at)
        {
            let dt = taken_at.since(self.last_at.unwrap_or(taken_at));
            self.last_at = Some(taken_at);
            self.published.set_window(publish_window);
            let same_raw = raw == self.last_raw && self.newest.is_some();
            self.last_raw = raw;
            let word = self.word(quantity, quality, safety);
            self.judge(taken_at, dt, word, same_raw, safety, heat);
            is_new = true;
        }
        let age = now.since(self.last_at.unwrap_or(started));
        if age.secs() > safety.stale_after {
            self.restart_runs();
            self.reading =
                if input == SensorInput::BusError { Reading::BusError } else { Reading::Stale };
        }
        is_new
    }

    fn word(&self, quantity: Quantity, quality: Quality, safety: &Safety) -> Word {
        match (quality, quantity) {
            // What a converter cannot convert comes of a wire, not of heat: its range is wider
            // than that of any barrel.
            (Quality::Open | Quality::OutOfRange, _) => Word::Open,
            (Quality::Shorted, _) => Word::Short,
            (Quality::Plausible, Quantity::Volts(v)) => {
                self.divided(share(Volts::clamped(v), &self.config), safety)
            }
            (Quality::Plausible, Quantity::Ohms(r)) => {
                let r = Ohms::clamped(r);
                self.divided(r.get() / (r.get() + self.config.r_fixed), safety)
            }
            (Quality::Plausible, Quantity::Celsius(t)) => {
                Word::Value { t: self.line.at(t), share: None }
            }
        }
    }

    /// What the share of a thermistor in a divider says.
    fn divided(&self, share: f64, safety: &Safety) -> Word {
        match ohms(share, &self.config) {
            _ if share > safety.open_ratio => Word::Open,
            _ if share < safety.short_ratio => Word::Short,
            None => Word::Open,
            Some(r) if r.get() > OPEN_OHMS => Word::Open,
            Some(r) if r.get() < SHORT_OHMS => Word::Short,
            Some(r) => {
                Word::Value { t: self.line.at(celsius(r, self.curve).get()), share: Some(share) }
            }
        }
    }

    fn judge(
        &mut self,
        at: Micros,
        dt: Micros,
        word: Word,
        same_code: bool,
        safety: &Safety,
        heat: HeatContext,
    ) {
        match word {
            Word::Open => self.judge_open(dt, safety, heat),
            Word::Short => {
                self.touched = true;
                if self.no_temperature() {
                    self.reading = Reading::Shorted;
                }
            }
            Word::Value { t, share } => {
                self.wire_run = 0;
                self.touched = false;
                self.cold_heating = Micros::ZERO;
                if same_code && matches!(self.reading, Reading::Frozen) {
                    return;
                }
                self.judge_value(at, t, share, safety);
                let per_degree = self.codes_per_degree(share);
                self.judge_frozen(at, same_code, per_degree, safety, heat);
            }
        }
    }

    /// Counts a sample without a temperature; whether that is a fault by now, which it is whatever
    /// the wires do in turn.
    fn no_temperature(&mut self) -> bool {
        self.wire_run = self.wire_run.saturating_add(1);
        self.steady_run = 0;
        self.wire_run >= CONFIRM
    }

    fn judge_open(&mut self, dt: Micros, safety: &Safety, heat: HeatContext) {
        if !self.no_temperature() {
            return;
        }
        let was_cold = matches!(self.reading, Reading::ColdOrOpen);
        // Only a supply error can move a healthy divider into the band; a sensor without a heater
        // has no heating check behind it, so there the way it came must be short enough.
        let near_band = self.last_share.is_none_or(|share| share * RAIL_MARGIN > safety.open_ratio);
        // A converter that finds the wire broken by itself knows: only a divider cannot tell.
        let may_be_cold = self.full_scale > 0.0
            && !self.was_warm
            && !self.touched
            && if heat.heated { was_cold || heat.duty == 0.0 } else { was_cold || near_band };
        if heat.duty > 0.0 {
            self.cold_heating = self.cold_heating + dt;
        }
        self.reading = if may_be_cold && self.cold_heating <= COLD_HEATING_LIMIT {
            Reading::ColdOrOpen
        } else {
            Reading::Open
        };
    }

    fn judge_value(&mut self, at: Micros, t: f64, share: Option<f64>, safety: &Safety) {
        let limit = safety.jump_limit;
        let steady = self.newest.is_some_and(|newest| (t - newest).abs() <= limit);
        self.steady_run = if steady { self.steady_run.saturating_add(1) } else { 0 };
        self.newest = Some(t);
        // Two samples that agree are enough to know that this sensor is not a cold one, also before
        // it is back in service: what it says next must not pass for a cold barrel.
        self.was_warm |= steady && t > WARM;

        let in_service = matches!(self.reading, Reading::Good(_) | Reading::Uncertain(_));
        if in_service {
            let believed = self.accepted.unwrap_or(t);
            if (t - believed).abs() > limit {
                self.jump_run = self.jump_run.saturating_add(1);
                if self.jump_run >= CONFIRM {
                    self.reading = Reading::Jumping;
                    self.steady_run = 0;
                }
                return;
            }
        } else {
            // A sensor comes into service after two samples that agree, and back into it after
            // as many as took it out.
            let needed = match self.reading {
                Reading::Starting | Reading::ColdOrOpen => 1,
                Reading::Good(_)
                | Reading::Uncertain(_)
                | Reading::Stale
                | Reading::Open
                | Reading::Shorted
                | Reading::Jumping
                | Reading::Frozen
                | Reading::BusError
                | Reading::NotFitted => CONFIRM,
            };
            if self.steady_run < needed {
                return;
            }
            self.recent = Boxcar::new();
            self.published = self.published.emptied();
            self.still_since = at;
        }
        self.jump_run = 0;
        self.accepted = Some(t);
        self.last_share = share;
        self.was_warm |= t > WARM;
        self.recent.push(at, t);
        self.published.push(at, t);
        self.reading = Reading::Good(Celsius::clamped(t));
    }

    /// How far the converter's own count moves with a degree, at the share that a thermistor has.
    fn codes_per_degree(&self, share: Option<f64>) -> f64 {
        share.map_or(THERMOCOUPLE_COUNTS, |share| {
            codes_per_degree(share, self.curve, &self.config, self.full_scale)
        })
    }

    fn judge_frozen(
        &mut self,
        at: Micros,
        same_code: bool,
        per_degree: f64,
        safety: &Safety,
        heat: HeatContext,
    ) {
        if !same_code {
            self.still_since = at;
            return;
        }
        let still = at.since(self.still_since).secs();
        if heat.missed * per_degree < FROZEN_CODES {
            return;
        }
        if still >= safety.frozen_after {
            self.reading = Reading::Frozen;
            self.steady_run = 0;
        } else if still >= safety.frozen_uncertain_after
            && let Reading::Good(t) = self.reading
        {
            self.reading = Reading::Uncertain(t);
        }
    }

    fn restart_runs(&mut self) {
        self.wire_run = 0;
        self.touched = false;
        self.jump_run = 0;
        self.steady_run = 0;
        self.newest = None;
    }
}

impl Default for SensorChannel {
    /// Not fitted.
    fn default() -> Self {
        Self::wired(false, SensorConfig::default(), 0.0)
    }
}

#[cfg(test)]
mod tests;
