//! Heat: per zone a loop, a manual duty or nothing, and the duty that comes of it.

use super::Controller;
use crate::alarm::{AlarmCode, Cause};
use crate::autotune::{APPROACH_CALM, APPROACH_TRUST, Progress, TuneDrive, approach_gains};
use crate::command::Mode;
use crate::pid::{Pid, PidInput};
use crate::sensors::HeatContext;
use crate::snapshot::TuneStatus;
use crate::ssr::SigmaDelta;
use crate::swap_watch::PULSE;
use tve_config::{PidGains, Safety};
use tve_hal::{Reading, Zone};
use tve_units::{Celsius, Duty, Micros};

/// Greatest duty while a sensor is at the cold end of its divider, %.
const COLD_MAX: f64 = 30.0;
/// Time constant with which heat arrives at the sensor in the controller's own model, s.
const MODEL_LAG_S: f64 = 30.0;
/// Share of the model's holding duty at which the integral waits while the output saturates:
/// rather approach from below. From 23 to 210 °C on the default plant the overshoot is 1.8 °C with
/// 0.85, 1.5 with 0.8 and 1.0 with 0.7, and 0.7 settles soonest.
const WAITING_SHARE: f64 = 0.7;
/// A zone this far under its target is warming up, °C.
const WARM_UP_GAP: f64 = 20.0;

/// Duty that holds a zone at `t` °C, %, by the linear model of `safety`: in the long run the zone
/// stands `zone_gain` above ambient at full duty.
pub(super) fn holding_duty(t: f64, safety: &Safety) -> f64 {
    ((t - safety.ambient) / safety.zone_gain * 100.0).clamp(0.0, 100.0)
}

/// How a closed loop computes.
#[derive(Debug, Clone, Copy)]
struct Law {
    gains: PidGains,
    /// Share of the model's holding duty that is believed to hold.
    holding: f64,
    /// Share of it at which the integral waits while saturated.
    waiting: f64,
    integrate: bool,
}

/// How a zone gets its duty. A loop has state only while it is closed.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum Drive {
    Off,
    Closed { pid: Pid, last: Micros },
    Open,
}

/// The check of the wiring in the first warm-up after a start: zone 1 alone for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum WarmUp {
    Pending,
    Pulsing(Micros),
    Done,
}

/// One heated zone.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct ZoneControl {
    pub(super) target: Celsius,
    pub(super) manual: Duty,
    /// Duty in force.
    pub(super) duty: Duty,
    drive: Drive,
    pub(super) ssr: SigmaDelta,
    arrived_duty: f64,
    expected_rate: f64,
}

impl ZoneControl {
    pub(super) fn new() -> Self {
        Self {
            target: Celsius::ZERO,
            manual: Duty::ZERO,
            duty: Duty::ZERO,
            drive: Drive::Off,
            ssr: SigmaDelta::default(),
            arrived_duty: 0.0,
            expected_rate: 0.0,
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.target.is_zero() && self.manual.is_zero() && self.duty.is_zero()
    }

    pub(super) fn switch_off(&mut self) {
        self.target = Celsius::ZERO;
        self.manual = Duty::ZERO;
        self.duty = Duty::ZERO;
        self.drive = Drive::Off;
    }

    pub(super) fn heat_context(&self) -> HeatContext {
        HeatContext { heated: true, duty: self.duty.get(), expected_rate: self.expected_rate }
    }

    /// Moves the first-order model on: what rate of rise should the sensor show?
    pub(super) fn model(&mut self, pv: Option<f64>, safety: &Safety, dt: f64) {
        self.arrived_duty += (self.duty.get() - self.arrived_duty) * dt / (MODEL_LAG_S + dt);
        self.expected_rate = pv.map_or(0.0, |t| {
            (safety.ambient + safety.zone_gain * self.arrived_duty / 100.0 - t)
                / safety.zone_time_constant
        });
    }

    /// Hands the zone to another loop, which takes over its duty.
    pub(super) fn hand_over(&mut self) {
        if !matches!(self.drive, Drive::Off) {
            self.drive = Drive::Open;
        }
    }

    /// Keeps the output where it is when the gains change.
    pub(super) fn rebase(&mut self) {
        if let Drive::Closed { pid, .. } = &mut self.drive {
            pid.rebase(self.duty.get());
        }
    }
}

impl Controller {
    /// Decides each zone's duty for this tick.
    pub(super) fn heat(&mut self) {
        let pulsing = self.warm_up_pulse();
        for zone in Zone::ALL {
            self.heat_zone(zone, pulsing && zone == Zone::Z2);
        }
    }

    fn heat_zone(&mut self, zone: Zone, held_off: bool) {
        let i = zone.index();
        let reading = self.chains[zone.sensor().index()].reading();
        let forbidden = self.latches.trip || self.latches.zone_trip[i] || self.shutting_down;
        let max = match reading {
            _ if forbidden => None,
            Reading::Good(_) | Reading::Uncertain(_) => Some(Duty::FULL.get()),
            Reading::ColdOrOpen => Some(COLD_MAX),
            Reading::NotFitted => {
                // Without a sensor there is no heat, and whoever asks for it hears why.
                if !self.zones[i].target.is_zero() || !self.zones[i].manual.is_zero() {
                    let cause = Cause::Sensor(zone.sensor(), reading);
                    self.raise(AlarmCode::HeaterSensorFailure, cause);
                }
                None
            }
            Reading::Starting
            | Reading::Stale
            | Reading::Open
            | Reading::Shorted
            | Reading::Jumping
            | Reading::Frozen
            | Reading::BusError => None,
        };
        let Some(max) = max else {
            self.zones[i].duty = Duty::ZERO;
            self.zones[i].drive = Drive::Off;
            return;
        };
        let tuned = self.tune.is_some_and(|tune| tune.zone == zone);
        let wanted = if tuned {
            self.tune_duty(zone, max)
        } else if self.mode == Mode::Manual {
            self.zones[i].drive = Drive::Open;
            self.zones[i].manual.get()
        } else {
            if !self.zones[i].target.is_zero() {
                self.announce_tune_needed();
            }
            let law =
                Law { gains: self.gains[i], holding: 1.0, waiting: WAITING_SHARE, integrate: true };
            self.closed_duty(zone, self.zones[i].target.get(), law, max)
        };
        let duty = if held_off { 0.0 } else { wanted.min(max) };
        self.zones[i].duty = Duty::clamped(duty);
    }

    /// The PID's output; computed once for each new sample, held between.
    fn closed_duty(&mut self, zone: Zone, setpoint: f64, law: Law, max: f64) -> f64 {
        let i = zone.index();
        if setpoint <= 0.0 {
            self.zones[i].drive = Drive::Off;
            return 0.0;
        }
        let chain = &self.chains[zone.sensor().index()];
        let sampled = chain.sampled_at().unwrap_or(self.now);
        let held = self.zones[i].duty.get();
        let computed = matches!(self.zones[i].drive, Drive::Closed { last, .. } if last == sampled);
        if computed && chain.reading().value().is_some() {
            return held;
        }
        let Some(pv) = chain.mean(self.now) else {
            // At the cold end of the divider there is nothing to compute with.
            self.zones[i].drive = Drive::Off;
            return max;
        };
        let model = holding_duty(setpoint, &self.config.safety);
        let holding_duty = law.holding * model;
        let waiting_duty = law.waiting * model;
        let (mut pid, last) = match self.zones[i].drive {
            Drive::Closed { pid, last } => (pid, last),
            Drive::Open => (Pid::resume(held), sampled),
            Drive::Off => (Pid::holding(holding_duty), sampled),
        };
        let dt = sampled.since(last).secs();
        let integrate = law.integrate;
        let input = PidInput { setpoint, pv, dt, holding_duty, waiting_duty, integrate, max };
        let output = pid.update(&law.gains, input);
        self.zones[i].drive = Drive::Closed { pid, last: sampled };
        output
    }

    fn tune_duty(&mut self, zone: Zone, max: f64) -> f64 {
        let Some(mut tune) = self.tune else {
            return 0.0;
        };
        let i = zone.index();
        let chain = &self.chains[zone.sensor().index()];
        let Some(pv) = chain.mean(self.now) else {
            return 0.0;
        };
        let duty = match tune.drive() {
            TuneDrive::Pid => {
                let calm =
                    self.heat_watches[i].gain(pv, 60).is_none_or(|gain| gain.abs() < APPROACH_CALM);
                let law = Law {
                    gains: approach_gains(&self.config.safety),
                    holding: APPROACH_TRUST,
                    waiting: APPROACH_TRUST,
                    integrate: calm,
                };
                self.closed_duty(zone, tune.setpoint, law, max)
            }
            TuneDrive::Relay(duty) => {
                self.zones[i].drive = Drive::Open;
                duty
            }
        };
        match tune.advance(self.now, pv, duty) {
            Progress::Running => self.tune = Some(tune),
            Progress::Failed => self.end_tune(TuneStatus::Failed),
            Progress::Done(result) => {
                self.tune_view.cycle = tune.cycle();
                self.tune_view.result = Some(result);
                self.end_tune(TuneStatus::Done);
            }
        }
        duty
    }

    /// Whether zone 1 is being warmed alone to see that the right sensor answers.
    fn warm_up_pulse(&mut self) -> bool {
        match self.warm_up {
            WarmUp::Done => false,
            WarmUp::Pulsing(since) => {
                let over = self.now.since(since) >= PULSE
                    || self.mode == Mode::Manual
                    || self.zones[0].target.is_zero();
                if over {
                    self.warm_up = WarmUp::Done;
                }
                !over
            }
            WarmUp::Pending => {
                let warming = |zone: Zone| {
                    let target = self.zones[zone.index()].target.get();
                    self.chains[zone.sensor().index()]
                        .reading()
                        .value()
                        .is_some_and(|t| target - t.get() > WARM_UP_GAP)
                };
                let begins = self.mode == Mode::Auto
                    && self.tune.is_none()
                    && warming(Zone::Z1)
                    && warming(Zone::Z2);
                if begins {
                    self.warm_up = WarmUp::Pulsing(self.now);
                }
                begins
            }
        }
    }

    fn announce_tune_needed(&mut self) {
        if self.config.control.law < 2 && !self.tune_announced {
            self.tune_announced = true;
            self.raise(AlarmCode::TuneNeeded, Cause::Plain);
        }
    }
}
