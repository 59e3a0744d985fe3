//! Which changes of a machine can blind a trip: an exhaustive comparison, key by key.
//!
//! A key that is new in [`MachineConfig`] does not compile until it is decided here. *Blind*: after the
//! change a trip, or the stop that guards the screw, may come later than before or not at all. A limit
//! that becomes tighter blinds nothing.

use super::{
    Converter, MachineConfig, MotorConfig, SensorPoint, ZoneConfig, ZoneLimits, ZoneModel,
};
use crate::{Control, MotorRole, Safety, SensorConfig, Serves};
use tve_machine::Signal;

/// What a change can blind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blinds {
    /// How a reading becomes a temperature, and which reading belongs to what.
    pub sensors: bool,
    /// From where on a rule trips, and the model that it judges by.
    pub limits: bool,
    /// Which machine is driven.
    pub hardware: bool,
    /// The wiring of the emergency stop, and of what a trip switches or hears by a pin.
    pub emergency_stop: bool,
}

impl Blinds {
    /// What the change from `old` to `new` can blind.
    pub fn between(old: &MachineConfig, new: &MachineConfig) -> Self {
        let MachineConfig {
            names: _,
            classic: _,
            zones,
            motors,
            sensors,
            feed_throat,
            signals,
            pwm: _,
            converters,
            safety,
            control,
            motion: _,
            dm556: _,
            sequence: _,
            temp_settings: _,
            plant: _,
            hardware,
            gpio_labels: _,
        } = new;
        let mut found = Self {
            hardware: old.hardware != *hardware,
            sensors: old.feed_throat != *feed_throat
                || old.converters.len() != converters.len()
                || old.converters.iter().zip(converters).any(|(old, new)| converter(old, new)),
            limits: safety_blinds(&old.safety, safety) || control_blinds(&old.control, control),
            emergency_stop: emergency_stop(&old.safety, safety),
        };
        for (id, new) in zones.entries() {
            match old.zones.get(id) {
                Some(old) => {
                    found.sensors |= old.sensor != new.sensor;
                    found.limits |= zone(old, new);
                }
                None => found.limits = true,
            }
        }
        for (id, new) in motors.entries() {
            found.sensors |= old.motors.get(id).is_none_or(|old| motor(old, new));
        }
        for (id, new) in sensors.entries() {
            found.sensors |= old.sensors.get(id).is_none_or(|old| sensor(old, new));
        }
        let gone = old.zones.len() > zones.len() || old.motors.len() > motors.len();
        found.limits |= gone;
        found.sensors |= gone || old.sensors.len() > sensors.len();
        let watched = old.signals.iter().chain(signals.iter()).map(|(signal, _)| signal);
        found.emergency_stop |= watched
            .filter(|signal| guards(*signal))
            .any(|signal| old.signals.pin(signal) != signals.pin(signal));
        found
    }

    /// Whether it can blind anything.
    pub const fn any(self) -> bool {
        let Self { sensors, limits, hardware, emergency_stop } = self;
        sensors || limits || hardware || emergency_stop
    }

    /// What, in words.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let Self { sensors, limits, hardware, emergency_stop } = self;
        [
            (sensors, "the constants of sensors"),
            (limits, "limits"),
            (hardware, "hardware.kind"),
            (emergency_stop, "the wiring of the emergency stop"),
        ]
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name))
    }
}

/// Whether a trip hears or switches something by this pin.
const fn guards(signal: Signal) -> bool {
    match signal {
        Signal::EmergencyStop
        | Signal::Contactor
        | Signal::ContactorFeedback
        | Signal::PwmEnable
        | Signal::DriveAlarm(_) => true,
        Signal::Heater(_)
        | Signal::Enable(_)
        | Signal::Step(_)
        | Signal::Direction(_)
        | Signal::Peltier
        | Signal::Cooler(_)
        | Signal::Fan
        | Signal::Pump
        | Signal::Lamp(_)
        | Signal::Start
        | Signal::Stop => false,
    }
}

/// A limit that may only be turned down.
fn raised(old: f64, new: f64) -> bool {
    new > old
}

/// A limit that may only be turned up.
fn lowered(old: f64, new: f64) -> bool {
    new < old
}

/// A temperature of which 0 switches the rule off.
fn switched_off(old: f64, new: f64) -> bool {
    new <= 0.0 && old > 0.0
}

fn zone(old: &ZoneConfig, new: &ZoneConfig) -> bool {
    // Which sensor measures it is looked at beside the sensors themselves.
    let ZoneConfig { name: _, sensor: _, power_w, gains: _, limits, model, has_cooler: _ } = *new;
    let ZoneLimits { max_target, over_temperature, under_temperature, min_temp_for_motor } = limits;
    let ZoneModel { gain, time_constant, dead_time } = model;
    old.power_w != power_w
        || raised(old.limits.max_target, max_target)
        || raised(old.limits.over_temperature, over_temperature)
        || lowered(old.limits.under_temperature, under_temperature)
        || switched_off(old.limits.min_temp_for_motor, min_temp_for_motor)
        || old.model.gain != gain
        || old.model.time_constant != time_constant
        || old.model.dead_time != dead_time
}

fn motor(old: &MotorConfig, new: &MotorConfig) -> bool {
    let MotorConfig { name: _, role, sensor, microsteps: _, max_rpm: _ } = *new;
    // The screw alone is guarded against the cold.
    old.sensor != sensor || (old.role == MotorRole::Screw && role != MotorRole::Screw)
}

fn sensor(old: &SensorPoint, new: &SensorPoint) -> bool {
    // What is doubtful follows from the settings.
    let SensorPoint { name: _, serves, channel, source, settings, doubt: _ } = new;
    if old.serves == Serves::Display && *serves == Serves::Display {
        return false;
    }
    let SensorConfig {
        enabled,
        logical: _,
        kind,
        spi,
        chip_select,
        thermocouple,
        r_fixed,
        r_25,
        beta,
        thermistor,
        rt_points,
        v_ref,
        wiring,
        decimals: _,
        cal_points,
    } = settings;
    let was = &old.settings;
    old.serves != *serves
        || old.channel != *channel
        || old.source != *source
        || was.enabled != *enabled
        || was.kind != *kind
        || was.spi != *spi
        || was.chip_select != *chip_select
        || was.thermocouple != *thermocouple
        || was.r_fixed != *r_fixed
        || was.r_25 != *r_25
        || was.beta != *beta
        || was.thermistor != *thermistor
        || was.rt_points != *rt_points
        || was.v_ref != *v_ref
        || was.wiring != *wiring
        || was.cal_points != *cal_points
}

fn converter(old: &Converter, new: &Converter) -> bool {
    let Converter { bus, address, fsr } = *new;
    (old.bus, old.address) != (bus, address) || old.fsr != fsr
}

fn control_blinds(old: &Control, new: &Control) -> bool {
    // The law changes with every tune; the mains' cycle is what the heat is counted in.
    let Control { law: _, mains_hz } = *new;
    old.mains_hz != mains_hz
}

fn emergency_stop(old: &Safety, new: &Safety) -> bool {
    old.estop_contact() != new.estop_contact()
        || old.estop != new.estop
        || (old.local_stop && !new.local_stop)
}

fn safety_blinds(old: &Safety, new: &Safety) -> bool {
    let Safety {
        max_target,
        over_temperature,
        under_temperature,
        jump_limit,
        open_ratio,
        short_ratio,
        stale_after,
        frozen_uncertain_after,
        frozen_after,
        zone_gain,
        zone_time_constant,
        zone_dead_time,
        ambient,
        stuck_on_margin,
        not_heating_area,
        motor_max,
        feed_throat_max,
        min_temp_for_motor,
        // Conditions of production, and what cools after a trip.
        soak_band: _,
        soak_time: _,
        cooling_above: _,
        cold_zone_margin,
        cold_zone_delay,
        stop_max_s,
        idle_setback_min: _,
        idle_off_min: _,
        residence_min: _,
        // Of `emergency_stop`.
        estop_contact: _,
        local_stop: _,
        estop: _,
    } = *new;
    raised(old.max_target, max_target)
        || raised(old.over_temperature, over_temperature)
        || lowered(old.under_temperature, under_temperature)
        || raised(old.jump_limit, jump_limit)
        || raised(old.open_ratio, open_ratio)
        || lowered(old.short_ratio, short_ratio)
        || raised(old.stale_after, stale_after)
        || raised(old.frozen_uncertain_after, frozen_uncertain_after)
        || raised(old.frozen_after, frozen_after)
        || old.zone_gain != zone_gain
        || old.zone_time_constant != zone_time_constant
        || old.zone_dead_time != zone_dead_time
        || old.ambient != ambient
        || raised(old.stuck_on_margin, stuck_on_margin)
        || raised(old.not_heating_area, not_heating_area)
        || raised(old.motor_max, motor_max)
        || raised(old.feed_throat_max, feed_throat_max)
        || switched_off(old.min_temp_for_motor, min_temp_for_motor)
        || raised(old.cold_zone_margin, cold_zone_margin)
        || raised(old.cold_zone_delay, cold_zone_delay)
        || raised(old.stop_max_s, stop_max_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CalPoint, Config, EstopContact, EstopDeclaration, HardwareKind};
    use tve_units::Bcm;

    type Edit = fn(&mut Config);

    fn blinded(change: impl FnOnce(&mut Config)) -> Blinds {
        let old = Config::embedded();
        old.prepare(change).unwrap().changes.blinds
    }

    #[test]
    fn what_a_trip_sees_by_or_judges_by_blinds_it() {
        let sensors = Blinds { sensors: true, ..Blinds::default() };
        let limits = Blinds { limits: true, ..Blinds::default() };
        let emergency_stop = Blinds { emergency_stop: true, ..Blinds::default() };
        let cases: [(&str, Blinds, Edit); 12] = [
            ("beta", sensors, |c| c.sensors[1].beta += 1.0),
            ("r_25", sensors, |c| c.sensors[1].r_25 += 1.0),
            ("a calibration", sensors, |c| {
                let point = |x| CalPoint { x, y: x + 5.0 };
                c.sensors[1].cal_points = vec![point(20.0), point(200.0)];
            }),
            ("a sensor that is off", sensors, |c| c.sensors[0].enabled = false),
            ("a motor's sensor", sensors, |c| c.sensors[2].v_ref = 5.0),
            ("over_temperature", limits, |c| c.safety.over_temperature += 1.0),
            ("min_temp_for_motor", limits, |c| c.safety.min_temp_for_motor = 0.0),
            ("the model", limits, |c| c.safety.zone_gain = 2000.0),
            ("mains", limits, |c| c.control.mains_hz = 60),
            ("hardware", Blinds { hardware: true, ..Blinds::default() }, |c| {
                c.hardware.kind = Some(HardwareKind::Sim);
            }),
            ("the contact", emergency_stop, |c| {
                c.safety.estop_contact = Some(EstopContact::No);
            }),
            ("the declaration", emergency_stop, |c| {
                c.safety.estop = match c.safety.estop {
                    None => Some(EstopDeclaration::HardwiredOnly),
                    Some(_) => None,
                };
            }),
        ];
        for (what, blinds, change) in cases {
            assert_eq!(blinded(change), blinds, "{what}");
            assert!(blinds.any() && blinds.names().count() == 1, "{what}");
        }
        let moved = blinded(|c| c.pins.set("btn_emergency", Some(Bcm::new(17).unwrap())));
        assert_eq!(moved, emergency_stop);
    }

    #[test]
    fn tighter_limits_gains_names_and_what_is_only_shown_blind_nothing() {
        let none = Blinds::default();
        assert!(!none.any());
        let cases: [(&str, Edit); 8] = [
            ("nothing", |_| {}),
            ("gains", |c| c.z1.kp += 1.0),
            ("a lower limit", |c| c.safety.max_target -= 5.0),
            ("another material", |c| c.safety.min_temp_for_motor = 150.0),
            ("decimals", |c| c.sensors[1].decimals = 1),
            ("the seed", |c| c.plant.seed += 1),
            ("the ramp", |c| c.motion.ramp_up = 3.0),
            ("the pause", |c| c.safety.idle_off_min = 0.0),
        ];
        for (what, change) in cases {
            assert_eq!(blinded(change), none, "{what}");
        }
    }
}
