//! What the faults that are active right now do to the machine.

use crate::faults::{Fault, FaultKind};
use tve_hal::{PerSensor, PerZone, Sensor, Zone};
use tve_units::Micros;

/// What is wrong with one sensor.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum SensorTrouble {
    #[default]
    None,
    Open,
    Shorted,
    Frozen,
    /// Shows this share of the way from the room to what it sits in.
    Loose(f64),
    Jumping,
    /// Reads this much too high, °C.
    Offset(f64),
}

/// The sum of all active faults of a machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Effects {
    /// Of two faults of one sensor the later injected one counts.
    pub(crate) sensors: PerSensor<SensorTrouble>,
    /// The sensors of this zone and the next are exchanged; of two such pairs the later one counts.
    pub(crate) swapped: Option<Zone>,
    /// Supply of the dividers as a share of nominal.
    pub(crate) rail: f64,
    /// Share of the time that a relay conducts whatever is asked of it.
    pub(crate) leaks: PerZone<f64>,
    /// Heater power while on, as a share of nominal, mains included.
    pub(crate) heater_power: PerZone<f64>,
    pub(crate) adc_gone: bool,
    pub(crate) adc_stopped: bool,
    pub(crate) pwm_write_lost: bool,
    pub(crate) drive_alarm: bool,
    pub(crate) motor_hot: bool,
    pub(crate) throat_hot: bool,
    pub(crate) estop: bool,
    pub(crate) contactor_welded: bool,
    pub(crate) button_start: bool,
    pub(crate) button_stop: bool,
    /// °C of extra loss, see [`FaultKind::DoorDraught`].
    pub(crate) draught: f64,
}

impl Effects {
    /// A healthy machine with so many zones and sensors.
    fn none(zones: usize, sensors: usize) -> Self {
        Self {
            sensors: PerSensor::new(sensors),
            swapped: None,
            rail: 1.0,
            leaks: PerZone::new(zones),
            heater_power: PerZone::from_fn(zones, |_| 1.0),
            adc_gone: false,
            adc_stopped: false,
            pwm_write_lost: false,
            drive_alarm: false,
            motor_hot: false,
            throat_hot: false,
            estop: false,
            contactor_welded: false,
            button_start: false,
            button_stop: false,
            draught: 0.0,
        }
    }

    fn add(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::SensorOpen(s) => self.trouble(s, SensorTrouble::Open),
            FaultKind::SensorShorted(s) => self.trouble(s, SensorTrouble::Shorted),
            FaultKind::SensorFrozen(s) => self.trouble(s, SensorTrouble::Frozen),
            FaultKind::SensorFallenOut(s) => self.trouble(s, SensorTrouble::Loose(0.0)),
            FaultKind::SensorLoose(s, contact) => self.trouble(s, SensorTrouble::Loose(contact)),
            FaultKind::SensorJumping(s) => self.trouble(s, SensorTrouble::Jumping),
            FaultKind::SensorsSwapped(zone) => self.swapped = Some(zone),
            FaultKind::RailOff { percent } => self.rail *= 1.0 + percent / 100.0,
            FaultKind::SensorOffset(s, celsius) => {
                self.trouble(s, SensorTrouble::Offset(celsius));
            }
            FaultKind::SsrStuckOn(z) => self.leak(z, 1.0),
            FaultKind::SsrLeaks(z, share) => self.leak(z, share),
            FaultKind::HeaterDead(z) => self.scale_heater(z, 0.0),
            FaultKind::HeaterPower(z, share) => self.scale_heater(z, share),
            FaultKind::AdcGone => self.adc_gone = true,
            FaultKind::AdcStopped => self.adc_stopped = true,
            FaultKind::PwmWriteLost => self.pwm_write_lost = true,
            FaultKind::DriveAlarm => self.drive_alarm = true,
            FaultKind::MotorHot => self.motor_hot = true,
            FaultKind::FeedThroatHot => self.throat_hot = true,
            FaultKind::EstopOpen => self.estop = true,
            FaultKind::ContactorWelded => self.contactor_welded = true,
            FaultKind::ButtonStart => self.button_start = true,
            FaultKind::ButtonStop => self.button_stop = true,
            FaultKind::DoorDraught { celsius } => self.draught += celsius,
            FaultKind::MainsVoltage { percent } => {
                let share = percent / 100.0;
                for power in &mut self.heater_power {
                    *power *= share * share;
                }
            }
        }
    }

    // A fault of something that this machine does not have does nothing.

    fn trouble(&mut self, sensor: Sensor, trouble: SensorTrouble) {
        if let Some(known) = self.sensors.get_mut(sensor) {
            *known = trouble;
        }
    }

    fn leak(&mut self, zone: Zone, share: f64) {
        if let Some(leak) = self.leaks.get_mut(zone) {
            *leak = leak.max(share);
        }
    }

    fn scale_heater(&mut self, zone: Zone, share: f64) {
        if let Some(power) = self.heater_power.get_mut(zone) {
            *power *= share;
        }
    }
}

/// All injected faults, and what those active now add up to.
#[derive(Debug)]
pub(crate) struct Schedule {
    faults: Vec<Fault>,
    healthy: Effects,
    now: Effects,
    next_change: Micros,
}

impl Schedule {
    /// No fault of a machine with so many zones and sensors.
    pub(crate) fn new(zones: usize, sensors: usize) -> Self {
        let healthy = Effects::none(zones, sensors);
        Self { faults: Vec::new(), now: healthy.clone(), healthy, next_change: Micros::MAX }
    }

    /// What the active faults do.
    #[inline]
    pub(crate) const fn effects(&self) -> &Effects {
        &self.now
    }

    /// The plant time at which [`Self::refresh`] is needed next.
    #[inline]
    pub(crate) const fn next_change(&self) -> Micros {
        self.next_change
    }

    pub(crate) fn push(&mut self, fault: Fault, at: Micros) {
        self.faults.push(fault);
        self.refresh(at);
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
        self.now.clone_from(&self.healthy);
        self.next_change = Micros::MAX;
    }

    /// Bring the effects up to plant time `at`.
    pub(crate) fn refresh(&mut self, at: Micros) {
        self.faults.retain(|fault| !fault.is_over(at));
        self.now.clone_from(&self.healthy);
        self.next_change = Micros::MAX;
        for fault in &self.faults {
            let change = if fault.is_active(at) {
                self.now.add(fault.kind);
                fault.until.unwrap_or(Micros::MAX)
            } else {
                fault.from
            };
            self.next_change = self.next_change.min(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_acts_from_its_start_until_just_before_its_end() {
        let mut schedule = Schedule::new(2, 4);
        let (from, until) = (Micros::from_millis(30), Micros::from_millis(50));
        schedule.push(Fault::between(FaultKind::DriveAlarm, from, until), Micros::ZERO);
        assert_eq!(schedule.next_change(), from);
        for (ms, active) in [(0, false), (29, false), (30, true), (49, true), (50, false)] {
            schedule.refresh(Micros::from_millis(ms));
            assert_eq!(schedule.effects().drive_alarm, active, "at {ms} ms");
        }
        assert_eq!(schedule.next_change(), Micros::MAX);
    }

    #[test]
    fn faults_that_scale_the_same_thing_multiply() {
        let mut schedule = Schedule::new(2, 4);
        for kind in
            [FaultKind::MainsVoltage { percent: 90.0 }, FaultKind::HeaterPower(Zone::at(0), 0.5)]
        {
            schedule.push(Fault::always(kind), Micros::ZERO);
        }
        let [first, second] = *schedule.effects().heater_power.as_slice() else {
            panic!("two zones")
        };
        assert!((first - 0.405).abs() < 1e-12, "{first}");
        assert!((second - 0.81).abs() < 1e-12, "{second}");
    }
}
