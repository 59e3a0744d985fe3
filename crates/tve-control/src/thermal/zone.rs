//! One heated zone: its target, how it gets its duty, and the relay that makes heat of it.

use super::pid::{Pid, PidInput};
use super::ssr::SigmaDelta;
use crate::sensors::Readings;
use tve_config::{MachineConfig, PidGains, ZoneModel};
use tve_hal::Zone;
use tve_units::{Celsius, Duty, Micros};

/// What the configuration says of the heat of a zone: a first-order lag towards `gain` above
/// ambient at full duty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    /// °C.
    pub(super) ambient: f64,
    pub(super) zone: ZoneModel,
}

impl Model {
    pub(super) fn of(config: &MachineConfig, zone: Zone) -> Self {
        Self { ambient: config.safety.ambient, zone: config.zones[zone].model }
    }

    /// Duty that holds the zone at `t` °C in the long run, %.
    pub(super) fn holding_duty(self, t: f64) -> f64 {
        ((t - self.ambient) / self.zone.gain * 100.0).clamp(0.0, 100.0)
    }
}

/// How a closed loop computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Law {
    pub(super) gains: PidGains,
    /// Share of the model's holding duty that is believed to hold.
    pub(super) holding: f64,
    /// Share of it at which the integral waits while saturated.
    pub(super) waiting: f64,
    pub(super) integrate: bool,
}

/// How a zone gets its duty. A loop has state only while it is closed.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum Drive {
    Off,
    Closed { pid: Pid, last: Micros },
    Open,
}

/// One heated zone.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct ZoneControl {
    target: Celsius,
    manual: Duty,
    /// Duty in force.
    duty: Duty,
    drive: Drive,
    ssr: SigmaDelta,
}

impl Default for ZoneControl {
    fn default() -> Self {
        Self {
            target: Celsius::ZERO,
            manual: Duty::ZERO,
            duty: Duty::ZERO,
            drive: Drive::Off,
            ssr: SigmaDelta::default(),
        }
    }
}

impl ZoneControl {
    pub(super) const fn target(&self) -> Celsius {
        self.target
    }

    pub(super) fn set_target(&mut self, target: Celsius) {
        self.target = target;
    }

    pub(super) const fn manual(&self) -> Duty {
        self.manual
    }

    pub(super) fn set_manual(&mut self, duty: Duty) {
        self.manual = duty;
    }

    /// Duty in force.
    pub(super) const fn duty(&self) -> Duty {
        self.duty
    }

    pub(super) fn set_duty(&mut self, duty: Duty) {
        self.duty = duty;
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

    /// Hands the zone to another loop, which takes over its duty.
    pub(super) fn hand_over(&mut self) {
        if !matches!(self.drive, Drive::Off) {
            self.drive = Drive::Open;
        }
    }

    /// From the loop to the operator, who begins with the duty that runs, but with no more than what
    /// holds the target, as the loop has found it or by the model: in a warm-up full duty runs, and
    /// nobody turns that down by hand in time.
    pub(super) fn take_in_hand(&mut self, model: Model) {
        let found = match &self.drive {
            Drive::Closed { pid, .. } => pid.found(),
            Drive::Off | Drive::Open => None,
        };
        let holding = model.holding_duty(self.target.get());
        let most = found.map_or(holding, |found| holding.max(found));
        self.manual = Duty::clamped(self.duty.get().min(most));
    }

    /// Keeps the output where it is when the gains change.
    pub(super) fn rebase(&mut self) {
        if let Drive::Closed { pid, .. } = &mut self.drive {
            pid.rebase(self.duty.get());
        }
    }

    /// No duty now; the next loop starts from rest.
    pub(super) fn rest(&mut self) {
        self.duty = Duty::ZERO;
        self.drive = Drive::Off;
    }

    /// Somebody else decides the duty; the next loop takes it over.
    pub(super) fn open(&mut self) {
        self.drive = Drive::Open;
    }

    /// The PID's output, %; computed once for each new sample, held between.
    pub(super) fn closed(
        &mut self,
        zone: Zone,
        readings: &Readings<'_>,
        setpoint: f64,
        law: Law,
        max: f64,
        model: Model,
    ) -> f64 {
        if setpoint <= 0.0 {
            self.drive = Drive::Off;
            return 0.0;
        }
        let sampled = readings.sampled_at(zone).unwrap_or(readings.now());
        let held = self.duty.get();
        let computed = matches!(self.drive, Drive::Closed { last, .. } if last == sampled);
        if computed && readings.zone(zone).value().is_some() {
            return held;
        }
        let Some(pv) = readings.mean(zone) else {
            // At the cold end of the divider there is nothing to compute with.
            self.drive = Drive::Off;
            return max;
        };
        let model_duty = model.holding_duty(setpoint);
        let holding_duty = law.holding * model_duty;
        let waiting_duty = law.waiting * model_duty;
        let (mut pid, last) = match self.drive {
            Drive::Closed { pid, last } => (pid, last),
            Drive::Open => (Pid::resume(held), sampled),
            Drive::Off => (Pid::holding(holding_duty), sampled),
        };
        let dt = sampled.since(last).secs();
        let integrate = law.integrate;
        let input = PidInput { setpoint, pv, dt, holding_duty, waiting_duty, integrate, max };
        let output = pid.update(&law.gains, input);
        self.drive = Drive::Closed { pid, last: sampled };
        output
    }

    /// Whether the relay of the zone conducts from `now` on.
    pub(super) fn conducts(&mut self, now: Micros, slot: Micros, duty: Duty) -> bool {
        self.ssr.advance(now, slot, duty)
    }
}
