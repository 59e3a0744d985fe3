//! The part that holds the sensors: one channel each, the runs beyond limits, what is published.
//!
//! [`Sensors::judge`] takes in the newest word of one sensor and says what is wrong with it;
//! everybody else reads the [`Readings`].

mod channel;

pub(crate) use channel::{HeatContext, is_bad};
pub use channel::{celsius, ohms, share, volts};

use crate::alarm::{AlarmCode, Cause};
use crate::alarms::Finding;
use crate::roles::{self, Place};
use channel::{CONFIRM, SensorChannel};
use tve_config::{Config, SensorConfig, TempSettings};
use tve_hal::{AdcReading, PerSensor, Reading, Sensor, Zone};
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
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            channels: roles::per_sensor(|sensor| channel_of(config, sensor)),
            runs: roles::per_sensor(|_| LimitRuns::default()),
            published: roles::per_sensor(|_| None),
            published_at: None,
        }
    }

    /// Every sensor, in the order in which they are judged.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Sensor> + use<> {
        self.channels.ids()
    }

    /// What the sensors say, as of `now`.
    pub(crate) const fn readings(&self, now: Micros) -> Readings<'_> {
        Readings { channels: &self.channels, now }
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
        adc: &[AdcReading; 4],
        config: &Config,
        window: Micros,
        heat: HeatContext,
    ) -> Shown {
        let channel = &mut self.channels[sensor];
        let before = channel.reading();
        let is_new = channel.advance(now, adc, config.adc.fsr, &config.safety, heat, window);
        let reading = channel.reading();
        if !is_new && before == reading {
            return Shown::default();
        }
        let failed = self.failed(now, sensor);
        let value = reading.value().filter(|_| is_new);
        let [over, under] = value.map_or([None; 2], |t| self.beyond(sensor, t, config, heat));
        [failed, over, under]
    }

    /// The alarm of a sensor that gives no temperature.
    fn failed(&self, now: Micros, sensor: Sensor) -> Option<Finding> {
        let channel = &self.channels[sensor];
        let reading = channel.reading();
        if !is_bad(reading) {
            return None;
        }
        let code = match (roles::place_of(sensor), reading) {
            (Place::Zone(_), Reading::Stale | Reading::BusError) => {
                // Nothing has been sampled yet: acquisition gets its time to begin.
                if channel.sampled_at().is_none() && now < ACQUISITION_START {
                    return None;
                }
                AlarmCode::TempDataStale
            }
            (Place::Zone(_), Reading::Frozen) => AlarmCode::SensorFrozen,
            (Place::Zone(_), _) => AlarmCode::HeaterSensorFailure,
            (Place::Motor, _) => AlarmCode::MotorSensorFailure,
            (Place::Throat, _) => AlarmCode::FeedSensorFailure,
        };
        Some(Finding::new(code, Cause::Sensor(sensor, reading)))
    }

    /// The alarms of a sample that is one too many beyond its limit.
    fn beyond(
        &mut self,
        sensor: Sensor,
        t: Celsius,
        config: &Config,
        heat: HeatContext,
    ) -> [Option<Finding>; 2] {
        let safety = &config.safety;
        let (too_hot, limit) = match roles::place_of(sensor) {
            Place::Zone(_) => (AlarmCode::HeaterOverTemperature, safety.over_temperature),
            Place::Motor => (AlarmCode::MotorOverheat, safety.motor_max),
            Place::Throat => (AlarmCode::FeedThroatHot, safety.feed_throat_max),
        };
        let reading = t.get();
        let found = |code, limit| Finding::new(code, Cause::Limit { sensor, reading, limit });
        let runs = &mut self.runs[sensor];
        let over = confirmed(&mut runs.over, reading > limit).then(|| found(too_hot, limit));
        let floor = safety.under_temperature;
        let cold = heat.heated && heat.duty != 0.0 && reading < floor;
        let under = confirmed(&mut runs.under, cold)
            .then(|| found(AlarmCode::HeaterUnderTemperature, floor));
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
    pub(crate) fn rewire(&mut self, old: &Config, new: &Config) {
        for sensor in self.ids() {
            let measured = |c: &Config| {
                let measures = |s: &&SensorConfig| s.enabled && s.logical == *sensor.name();
                c.sensors.iter().find(|s| c.adc.enabled && measures(s)).cloned()
            };
            if measured(old) != measured(new) {
                self.channels[sensor] = channel_of(new, sensor);
            }
        }
    }

    /// Completes what was read from a black box by its configuration.
    #[cfg(feature = "state")]
    pub(crate) fn resume(&mut self, config: &Config) {
        for sensor in self.ids() {
            self.channels[sensor].rewire(channel_of(config, sensor));
        }
    }
}

/// What the sensors say at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readings<'a> {
    channels: &'a PerSensor<SensorChannel>,
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

    /// The judgement of the sensor of a zone.
    pub(crate) fn zone(&self, zone: Zone) -> Reading {
        self.of(roles::sensor_of(zone))
    }

    /// The temperature of a zone whose sensor is good now, °C.
    pub(crate) fn temperature(&self, zone: Zone) -> Option<f64> {
        self.zone(zone).value().map(Celsius::get)
    }

    /// Mean of the newest second of a zone, °C; only while its reading is a value.
    pub(crate) fn mean(&self, zone: Zone) -> Option<f64> {
        self.channels[roles::sensor_of(zone)].mean(self.now)
    }

    /// When the newest sample of a zone was taken.
    pub(crate) fn sampled_at(&self, zone: Zone) -> Option<Micros> {
        self.channels[roles::sensor_of(zone)].sampled_at()
    }

    /// The last temperature of a zone that was believed, °C, also when its sensor has failed since.
    pub(crate) fn last_believed(&self, zone: Zone) -> Option<f64> {
        self.channels[roles::sensor_of(zone)].last_believed()
    }

    /// When the newest sample of any sensor was taken.
    pub(crate) fn newest(&self) -> Option<Micros> {
        self.channels.iter().filter_map(SensorChannel::sampled_at).max()
    }
}

/// The channel of a sensor as the configuration wires it.
fn channel_of(config: &Config, sensor: Sensor) -> SensorChannel {
    let channel = config
        .sensors
        .iter()
        .position(|s| config.adc.enabled && s.enabled && s.logical == *sensor.name());
    let settings = config.sensors[channel.unwrap_or(sensor.index())].clone();
    SensorChannel::new(channel, settings)
}
