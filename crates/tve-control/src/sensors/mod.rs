//! The part that holds the sensors: one channel each, the runs beyond limits, what is published.
//!
//! [`Sensors::judge`] takes in the newest word of one sensor and says what is wrong with it;
//! everybody else reads the [`Readings`].

mod boxcar;
mod channel;

pub(crate) use channel::{HeatContext, is_bad, is_unknown};
pub use channel::{celsius, ohms, share, volts};

use crate::alarm::{AlarmCode, Cause};
use crate::alarms::Finding;
use channel::{CONFIRM, SensorChannel};
use tve_config::{MachineConfig, Serves, TempSettings};
use tve_hal::{PerSensor, Reading, Sensor, SensorInput, Zone};
use tve_units::{Celsius, Micros};

/// The time that conversions may take to begin after a start.
const ACQUISITION_START: Micros = Micros::from_secs(2);

/// Raw samples in a row beyond a limit.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct LimitRuns {
    over: u8,
    under: u8,
}

/// Counts samples in a row; `true` from the fourth on.
fn confirmed(run: &mut u8, beyond: bool) -> bool {
    *run = if beyond { run.saturating_add(1) } else { 0 };
    *run >= CONFIRM
}

/// What one look at a sensor showed: at most that it failed, that it is too hot, too cold.
pub(crate) type Shown = [Option<Finding>; 3];

/// Every sensor of the machine.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sensors {
    channels: PerSensor<SensorChannel>,
    runs: PerSensor<LimitRuns>,
    published: PerSensor<Option<Celsius>>,
    published_at: Option<Micros>,
}

impl Sensors {
    pub(crate) fn new(config: &MachineConfig) -> Self {
        let sensors = config.sensors.len();
        Self {
            channels: config.sensors.map(|_, point| SensorChannel::new(point, config)),
            runs: PerSensor::new(sensors),
            published: PerSensor::new(sensors),
            published_at: None,
        }
    }

    /// Every sensor, in the order in which they are judged.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Sensor> + use<> {
        self.channels.ids()
    }

    /// What the sensors say, as of `now`.
    pub(crate) const fn readings<'a>(
        &'a self,
        config: &'a MachineConfig,
        now: Micros,
    ) -> Readings<'a> {
        Readings { channels: &self.channels, config, now }
    }

    /// The temperatures as shown, averaged and rounded.
    pub(crate) const fn published(&self) -> &PerSensor<Option<Celsius>> {
        &self.published
    }

    /// Takes in the newest word of `sensor`. `window`: what published temperatures are averaged
    /// over; `heat`: what the heater of its zone does.
    pub(crate) fn judge(
        &mut self,
        now: Micros,
        sensor: Sensor,
        input: SensorInput,
        config: &MachineConfig,
        window: Micros,
        heat: HeatContext,
    ) -> Shown {
        let channel = &mut self.channels[sensor];
        let before = channel.reading();
        let is_new = channel.advance(now, input, &config.safety, heat, window);
        let reading = channel.reading();
        if !is_new && before == reading {
            return Shown::default();
        }
        let failed = self.failed(now, sensor, config);
        let value = reading.value().filter(|_| is_new);
        let [over, under] = value.map_or([None; 2], |t| self.beyond(sensor, t, config, heat));
        [failed, over, under]
    }

    /// The alarm of a sensor that gives no temperature.
    fn failed(&self, now: Micros, sensor: Sensor, config: &MachineConfig) -> Option<Finding> {
        let channel = &self.channels[sensor];
        let reading = channel.reading();
        if !is_bad(reading) {
            return None;
        }
        let code = match (config.sensors[sensor].serves, reading) {
            (Serves::Zone(_), Reading::Stale | Reading::BusError) => {
                // Nothing has been sampled yet: acquisition gets its time to begin.
                if channel.sampled_at().is_none() && now < ACQUISITION_START {
                    return None;
                }
                AlarmCode::TempDataStale
            }
            (Serves::Zone(_), Reading::Frozen) => AlarmCode::SensorFrozen,
            (Serves::Zone(_), _) => AlarmCode::HeaterSensorFailure,
            (Serves::Motor(_), _) => AlarmCode::MotorSensorFailure,
            (Serves::FeedThroat, _) => AlarmCode::FeedSensorFailure,
            (Serves::Display, _) => return None,
        };
        Some(Finding::new(code, Cause::Sensor(sensor, reading)))
    }

    /// The alarms of a sample that is one too many beyond its limit.
    fn beyond(
        &mut self,
        sensor: Sensor,
        t: Celsius,
        config: &MachineConfig,
        heat: HeatContext,
    ) -> [Option<Finding>; 2] {
        let safety = &config.safety;
        let (too_hot, limit, floor) = match config.sensors[sensor].serves {
            Serves::Zone(zone) => {
                let limits = config.zones[zone].limits;
                let floor = Some(limits.under_temperature);
                (AlarmCode::HeaterOverTemperature, limits.over_temperature, floor)
            }
            Serves::Motor(_) => (AlarmCode::MotorOverheat, safety.motor_max, None),
            Serves::FeedThroat => (AlarmCode::FeedThroatHot, safety.feed_throat_max, None),
            Serves::Display => return [None; 2],
        };
        let reading = t.get();
        let found = |code, limit| Finding::new(code, Cause::Limit { sensor, reading, limit });
        let runs = &mut self.runs[sensor];
        let over = confirmed(&mut runs.over, reading > limit).then(|| found(too_hot, limit));
        let cold = floor.filter(|floor| heat.duty != 0.0 && reading < *floor);
        let under = confirmed(&mut runs.under, cold.is_some())
            .then_some(cold)
            .flatten()
            .map(|floor| found(AlarmCode::HeaterUnderTemperature, floor));
        [over, under]
    }

    /// Brings the published temperatures up to date, as often as `temp_settings` asks.
    pub(crate) fn publish(&mut self, now: Micros, settings: &TempSettings) {
        let due = self
            .published_at
            .is_none_or(|at| now.since(at).secs() + 1e-9 >= settings.poll_interval);
        for (channel, published) in self.channels.iter().zip(&mut self.published) {
            let Some(newest) = channel.reading().value() else {
                *published = None;
                continue;
            };
            if due || published.is_none() {
                let window = Micros::from_secs_f64(settings.avg_window);
                let value = if settings.use_average {
                    channel.published_mean(now, window).unwrap_or(newest.get())
                } else {
                    newest.get()
                };
                let scale = libm::pow(10.0, f64::from(channel.config().decimals));
                *published = Some(Celsius::clamped(libm::round(value * scale) / scale));
            }
        }
        if due {
            self.published_at = Some(now);
        }
    }

    /// Begins anew with each sensor that `new` measures otherwise than `old`.
    pub(crate) fn rewire(&mut self, old: &MachineConfig, new: &MachineConfig) {
        for (sensor, point) in new.sensors.entries() {
            if old.sensors.get(sensor) != Some(point) {
                self.channels[sensor] = SensorChannel::new(point, new);
            }
        }
    }

    /// Completes what was read from a black box by its configuration.
    #[cfg(feature = "state")]
    pub(crate) fn resume(&mut self, config: &MachineConfig) {
        for (channel, point) in self.channels.iter_mut().zip(&config.sensors) {
            channel.rewire(SensorChannel::new(point, config));
        }
    }
}

/// What the sensors say at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readings<'a> {
    channels: &'a PerSensor<SensorChannel>,
    config: &'a MachineConfig,
    now: Micros,
}

impl Readings<'_> {
    /// The moment.
    pub(crate) const fn now(&self) -> Micros {
        self.now
    }

    /// The judgement of a sensor.
    pub(crate) fn of(&self, sensor: Sensor) -> Reading {
        self.channels[sensor].reading()
    }

    /// What measures a zone.
    pub(crate) fn sensor(&self, zone: Zone) -> Sensor {
        self.config.zones[zone].sensor
    }

    /// The judgement of the sensor of a zone.
    pub(crate) fn zone(&self, zone: Zone) -> Reading {
        self.of(self.sensor(zone))
    }

    /// The temperature of a zone whose sensor is good now, °C.
    pub(crate) fn temperature(&self, zone: Zone) -> Option<f64> {
        self.zone(zone).value().map(Celsius::get)
    }

    /// Mean of the newest second of a zone, °C; only while its reading is a value.
    pub(crate) fn mean(&self, zone: Zone) -> Option<f64> {
        self.channels[self.sensor(zone)].mean(self.now)
    }

    /// When the newest sample of a zone was taken.
    pub(crate) fn sampled_at(&self, zone: Zone) -> Option<Micros> {
        self.channels[self.sensor(zone)].sampled_at()
    }

    /// The last temperature of a zone that was believed, °C, also when its sensor has failed since.
    pub(crate) fn last_believed(&self, zone: Zone) -> Option<f64> {
        self.channels[self.sensor(zone)].last_believed()
    }

    /// Since when the code of a zone's sensor stands; only while its reading is a value.
    pub(crate) fn stands_since(&self, zone: Zone) -> Option<Micros> {
        self.channels[self.sensor(zone)].stands_since()
    }

    /// When the newest sample of any sensor was taken.
    pub(crate) fn newest(&self) -> Option<Micros> {
        self.channels.iter().filter_map(SensorChannel::sampled_at).max()
    }
}
