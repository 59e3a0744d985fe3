//! Looking at the machine: sensing each tick, and the alarm rows that the controller itself sees.

use super::Controller;
use super::heat::holding_duty;
use crate::alarm::{AlarmCode, Cause, Reaction};
use crate::autotune::Autotune;
use crate::heat_watch::{HeatView, PERIOD};
use crate::permissives::{Condition, ConditionKind, Permissives};
use crate::sensors::{CONFIRM, HeatContext, is_bad};
use crate::snapshot::TuneStatus;
use crate::swap_watch::SwapView;
use tve_hal::{Motor, Reading, Sensor, Zone};
use tve_units::{Celsius, Micros};

/// A tick that comes later than this is a stall of the control loop.
const OVERRUN: Micros = Micros::from_millis(500);
/// What idle setback takes off each target, °C.
const SETBACK: f64 = 40.0;
/// The time that conversions may take to begin after a start.
const ACQUISITION_START: Micros = Micros::from_secs(2);

/// Raw samples in a row beyond a limit.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct LimitRuns {
    over: [u8; 2],
    under: [u8; 2],
    motor: u8,
    throat: u8,
    cold_since: Option<Micros>,
}

/// Counts samples in a row; `true` from the fourth on.
fn confirmed(run: &mut u8, beyond: bool) -> bool {
    *run = if beyond { run.saturating_add(1) } else { 0 };
    *run >= CONFIRM
}

impl Controller {
    /// Takes in the converter's words and raises what single samples show.
    pub(super) fn sense(&mut self, gap: Micros) {
        if gap >= OVERRUN {
            self.raise(AlarmCode::ControlOverrun, Cause::Seconds(gap.secs()));
        }
        if self.estop_is_pressed() {
            self.raise(AlarmCode::EmergencyStopBtn, Cause::Plain);
        }
        if self.inputs.drive_alarm {
            self.raise(AlarmCode::DriverFault, Cause::Plain);
        }
        if self.pwm_mismatched() {
            self.raise(AlarmCode::OutputMismatch, Cause::Plain);
        }
        let window = Micros::from_secs_f64(self.config.temp_settings.avg_window);
        for sensor in Sensor::ALL {
            let heat = match sensor.zone() {
                Some(zone) => self.zones[zone.index()].heat_context(),
                None => HeatContext::default(),
            };
            let chain = &mut self.chains[sensor.index()];
            let before = chain.reading();
            let is_new = chain.advance(
                self.now,
                &self.inputs.adc,
                self.config.adc.fsr,
                &self.config.safety,
                heat,
                window,
            );
            if is_new || before != chain.reading() {
                self.judge(sensor, is_new);
            }
        }
    }

    /// The alarms that follow from one sensor's newest judgement.
    fn judge(&mut self, sensor: Sensor, is_new: bool) {
        let reading = self.chains[sensor.index()].reading();
        match (sensor, reading) {
            (Sensor::T2 | Sensor::T3, Reading::Stale | Reading::BusError) => {
                // Nothing has been sampled yet: acquisition gets its time to begin.
                let begun = self.chains[sensor.index()].sampled_at().is_some();
                if begun || self.now >= ACQUISITION_START {
                    self.raise(AlarmCode::TempDataStale, Cause::Sensor(sensor, reading));
                }
            }
            (Sensor::T2 | Sensor::T3, Reading::Frozen) => {
                self.raise(AlarmCode::SensorFrozen, Cause::Sensor(sensor, reading));
            }
            (Sensor::T2 | Sensor::T3, r) if is_bad(r) => {
                self.raise(AlarmCode::HeaterSensorFailure, Cause::Sensor(sensor, reading));
            }
            (Sensor::Motor, r) if is_bad(r) => {
                self.raise(AlarmCode::MotorSensorFailure, Cause::Sensor(sensor, reading));
            }
            (Sensor::T1, r) if is_bad(r) => {
                self.peltier = tve_units::Duty::ZERO;
                self.raise(AlarmCode::FeedSensorFailure, Cause::Sensor(sensor, reading));
            }
            _ => {}
        }
        if !is_new {
            return;
        }
        let Some(t) = reading.value().map(Celsius::get) else {
            return;
        };
        let safety = self.config.safety;
        match sensor {
            Sensor::T2 | Sensor::T3 => {
                let i = usize::from(sensor == Sensor::T3);
                let heated = !self.zones[i].duty.is_zero();
                if confirmed(&mut self.runs.over[i], t > safety.over_temperature) {
                    let limit = safety.over_temperature;
                    let cause = Cause::Limit { sensor, reading: t, limit };
                    self.raise(AlarmCode::HeaterOverTemperature, cause);
                }
                let cold = heated && t < safety.under_temperature;
                if confirmed(&mut self.runs.under[i], cold) {
                    let limit = safety.under_temperature;
                    let cause = Cause::Limit { sensor, reading: t, limit };
                    self.raise(AlarmCode::HeaterUnderTemperature, cause);
                }
            }
            Sensor::Motor if confirmed(&mut self.runs.motor, t > safety.motor_max) => {
                let cause = Cause::Limit { sensor, reading: t, limit: safety.motor_max };
                self.raise(AlarmCode::MotorOverheat, cause);
            }
            Sensor::T1 if confirmed(&mut self.runs.throat, t > safety.feed_throat_max) => {
                let cause = Cause::Limit { sensor, reading: t, limit: safety.feed_throat_max };
                self.raise(AlarmCode::FeedThroatHot, cause);
            }
            // goes when the controller counts its zones
            _ => {}
        }
    }

    /// The rules that look at histories; every [`PERIOD`], not every tick.
    pub(super) fn watch(&mut self) {
        if self.watched_at.is_some_and(|last| self.now.since(last) < PERIOD) {
            return;
        }
        self.watched_at = Some(self.now);
        self.publish();
        self.watch_heat();
        self.watch_unseen();
        self.watch_cold_screw();
        self.watch_soak();
        self.watch_idle();
    }

    fn watch_heat(&mut self) {
        let safety = self.config.safety;
        let screw_turning = self.axes[Motor::Main.index()].is_turning();
        let mut swap = [SwapView { pv: None, excess: 0.0 }; 2];
        for zone in Zone::ALL {
            let i = zone.index();
            let pv = self.chains[zone.sensor().index()].mean(self.now);
            let duty = self.zones[i].duty.get();
            self.zones[i].model(pv, &safety, PERIOD.secs());
            let target = self.closed_loop_setpoint(zone);
            let relay_high =
                self.tune.as_ref().filter(|tune| tune.zone == zone).and_then(Autotune::relay_high);
            let view = HeatView { zone, pv, target, duty, relay_high, screw_turning };
            if let Some((code, cause)) = self.heat_watches[i].advance(self.now, view, &safety) {
                self.raise(code, cause);
            }
            let holding = pv.map_or(0.0, |t| holding_duty(t, &safety));
            swap[i] = SwapView { pv, excess: duty - holding };
        }
        if let Some((code, cause)) = self.swap_watch.advance(self.now, swap, &self.heat_watches) {
            self.raise(code, cause);
        }
    }

    /// A relay that sticks on a zone that nobody can see is ended by the contactor alone, and by it
    /// before the zone can be too hot. Where none is fitted the other zone may as well hold on.
    fn watch_unseen(&mut self) {
        let safety = self.config.safety;
        let fitted = self.config.pins.get("contactor").is_some();
        for zone in Zone::ALL {
            let sensor = zone.sensor();
            let chain = &self.chains[sensor.index()];
            let could_be = self.unseen[zone.index()].advance(
                chain.reading(),
                chain.last_believed(),
                PERIOD.secs(),
                &safety,
            );
            let limit = safety.over_temperature;
            if let Some(could_be) = could_be.filter(|t| fitted && *t > limit) {
                let cause = Cause::Unseen { sensor, could_be, limit };
                self.raise(AlarmCode::HeaterOverTemperature, cause);
            }
        }
    }

    fn watch_cold_screw(&mut self) {
        let safety = &self.config.safety;
        let limit = safety.min_temp_for_motor - safety.cold_zone_margin;
        let too_cold = |zone: Zone| {
            self.chains[zone.sensor().index()].reading().value().filter(|t| t.get() < limit)
        };
        let cold = Zone::ALL.into_iter().find_map(|z| too_cold(z).map(|t| (z, t.get())));
        let turning = self.axes[Motor::Main.index()].is_turning();
        let Some((zone, reading)) = cold.filter(|_| turning) else {
            self.runs.cold_since = None;
            return;
        };
        let since = *self.runs.cold_since.get_or_insert(self.now);
        // The cold was there up to one evaluation before it was seen.
        let delay = Micros::from_secs_f64(safety.cold_zone_delay);
        if self.now.since(since) + PERIOD >= delay {
            let cause = Cause::Limit { sensor: zone.sensor(), reading, limit };
            self.raise(AlarmCode::ColdZone, cause);
        }
    }

    fn watch_soak(&mut self) {
        let band = self.config.safety.soak_band;
        let within = Zone::ALL.into_iter().all(|z| {
            let target = self.zones[z.index()].target.get();
            self.chains[z.sensor().index()]
                .mean(self.now)
                .is_some_and(|t| target > 0.0 && (t - target).abs() <= band)
        });
        self.soak_since = within.then(|| self.soak_since.unwrap_or(self.now));
    }

    fn watch_idle(&mut self) {
        let safety = self.config.safety;
        let idle_min = self.now.since(self.last_activity).secs() / 60.0;
        let due = |after: f64| after > 0.0 && idle_min >= after;
        let stage =
            if due(safety.idle_off_min) { 2 } else { u8::from(due(safety.idle_setback_min)) };
        let heated = self.zones.iter().any(|z| !z.target.is_zero());
        if stage <= self.setback_stage || !heated || self.tune.is_some() {
            return;
        }
        self.setback_stage = stage;
        for zone in &mut self.zones {
            let lower = if stage == 2 { 0.0 } else { (zone.target.get() - SETBACK).max(0.0) };
            zone.target = Celsius::clamped(lower);
        }
        self.raise(AlarmCode::IdleSetback, Cause::Seconds(idle_min * 60.0));
    }

    /// Brings the published temperatures up to date, as often as `temp_settings` asks.
    fn publish(&mut self) {
        let settings = self.config.temp_settings;
        let due = self
            .published_at
            .is_none_or(|at| self.now.since(at).secs() + 1e-9 >= settings.poll_interval);
        for sensor in Sensor::ALL {
            let chain = &self.chains[sensor.index()];
            let Some(newest) = chain.reading().value() else {
                self.published[sensor.index()] = None;
                continue;
            };
            if due || self.published[sensor.index()].is_none() {
                let window = Micros::from_secs_f64(settings.avg_window);
                let value = if settings.use_average {
                    chain.published_mean(self.now, window).unwrap_or(newest.get())
                } else {
                    newest.get()
                };
                let scale = libm::pow(10.0, f64::from(chain.config().decimals));
                self.published[sensor.index()] =
                    Some(Celsius::clamped(libm::round(value * scale) / scale));
            }
        }
        if due {
            self.published_at = Some(self.now);
        }
    }

    /// What must hold before the screw may turn, with live values.
    pub(super) fn permissives(&self) -> Permissives {
        let safety = &self.config.safety;
        let reading = |zone: Zone| self.chains[zone.sensor().index()].reading();
        let age = Zone::ALL
            .into_iter()
            .filter_map(|z| self.chains[z.sensor().index()].sampled_at())
            .map(|at| self.now.since(at).secs())
            .fold(0.0, f64::max);
        let warm = |zone: Zone| {
            let value = reading(zone).value().map(Celsius::get);
            (value.is_some_and(|t| t >= safety.min_temp_for_motor), value)
        };
        let off_target = Zone::ALL
            .into_iter()
            .filter_map(|z| {
                let target = self.zones[z.index()].target.get();
                reading(z).value().map(|t| (t.get() - target).abs())
            })
            .reduce(f64::max);
        let soaked = self.soak_since.map_or(0.0, |since| self.now.since(since).secs());
        let soak_ok =
            safety.soak_band == 0.0 || self.soak_since.is_some() && soaked >= safety.soak_time;
        let latched = self.alarms.iter().filter(|a| a.code.row().reaction > Reaction::Note).count();
        let condition = |kind| {
            let (ok, value, limit, time_left_s) = match kind {
                ConditionKind::NoAlarm => {
                    (!self.latches.any_stop(), Some(latched as f64), Some(0.0), None)
                }
                ConditionKind::SensorsFresh => {
                    let ok = Zone::ALL.into_iter().all(|z| reading(z).value().is_some());
                    (ok, Some(age), Some(safety.stale_after), None)
                }
                ConditionKind::Zone1Warm => {
                    let (ok, value) = warm(Zone::Z1);
                    (ok, value, Some(safety.min_temp_for_motor), None)
                }
                ConditionKind::Zone2Warm => {
                    let (ok, value) = warm(Zone::Z2);
                    (ok, value, Some(safety.min_temp_for_motor), None)
                }
                ConditionKind::Soak => {
                    let left = self.soak_since.map(|_| (safety.soak_time - soaked).max(0.0));
                    (soak_ok, off_target, Some(safety.soak_band), left.filter(|_| !soak_ok))
                }
                ConditionKind::EstopDeclared => (!self.capabilities.needs_estop, None, None, None),
            };
            Condition { kind, ok, value, limit, time_left_s }
        };
        let is_warm = warm(Zone::Z1).0 && warm(Zone::Z2).0;
        Permissives {
            conditions: ConditionKind::ALL.map(condition),
            cold_jog_turns_left: Motor::ALL
                .map(|m| (!is_warm).then(|| self.cold_jogs[m.index()].left(self.now))),
        }
    }

    /// The setpoint of a zone's closed loop, if one is closed.
    fn closed_loop_setpoint(&self, zone: Zone) -> Option<f64> {
        match &self.tune {
            Some(tune) if tune.zone == zone => Some(tune.setpoint),
            _ if self.mode == crate::command::Mode::Manual => None,
            _ => Some(self.zones[zone.index()].target.get()).filter(|t| *t > 0.0),
        }
    }

    pub(super) fn end_tune(&mut self, status: TuneStatus) {
        if let Some(tune) = self.tune.take() {
            self.zones[tune.zone.index()].hand_over();
            self.tune_view.status = status;
        }
    }
}
