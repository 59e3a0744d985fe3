//! Limits, delays and the thermal model that the safety rules use.

use crate::field::{Choice, Flag, Nullable, choice, num};
use crate::section::section;

choice! {
    /// Contact of the emergency-stop input.
    pub enum EstopContact {
        /// Normally closed: an open contact or a broken wire stops.
        Nc = "nc",
        /// Normally open: a closed contact stops.
        No = "no",
    }
}

choice! {
    /// A declaration about the emergency stop that replaces a mapped input.
    pub enum EstopDeclaration {
        /// A contactor outside this program removes heater and motor power; no input is wired.
        HardwiredOnly = "hardwired_only",
    }
}

section! {
    /// Limits, delays and the model behind the alarms.
    pub struct Safety / SafetyPatch : Copy {
        /// Highest target that a zone accepts, in °C; at least 15 °C below `over_temperature`.
        max_target: f64 = 265.0, num(50.0, 265.0, "°C");
        /// A zone above this trips, in °C.
        over_temperature: f64 = 280.0, num(100.0, 300.0, "°C");
        /// A heated zone that reads below this trips, in °C.
        under_temperature: f64 = 5.0, num(-50.0, 50.0, "°C");
        /// Greatest believable difference of two successive samples, in °C.
        jump_limit: f64 = 10.0, num(1.0, 100.0, "°C");
        /// A thermistor whose voltage is above this share of `v_ref` is open.
        open_ratio: f64 = 0.996, num(0.9, 1.0, "");
        /// A thermistor whose voltage is below this share of `v_ref` is shorted.
        short_ratio: f64 = 0.005, num(0.0, 0.1, "");
        /// A sample older than this is stale, in s.
        stale_after: f64 = 1.0, num(0.5, 5.0, "s");
        /// A code that stands still this long although the heater should move it is uncertain, in s.
        frozen_uncertain_after: f64 = 10.0, num(1.0, 600.0, "s");
        /// A code that stands still this long although the heater should move it is bad, in s.
        frozen_after: f64 = 30.0, num(1.0, 600.0, "s");
        /// Rise of a zone at 100 % duty in the long run, in °C.
        zone_gain: f64 = 430.0, num(50.0, 2000.0, "°C");
        /// Time constant of a zone in s.
        zone_time_constant: f64 = 600.0, num(30.0, 6000.0, "s");
        /// Time before a zone answers its heater, in s.
        zone_dead_time: f64 = 15.0, num(1.0, 120.0, "s");
        /// Room temperature that the model assumes, in °C.
        ambient: f64 = 23.0, num(-20.0, 60.0, "°C");
        /// A zone this far above its target and not falling has a heater stuck on, in °C.
        stuck_on_margin: f64 = 30.0, num(5.0, 100.0, "°C");
        /// Missing heat that trips, in °C s.
        not_heating_area: f64 = 120.0, num(10.0, 10_000.0, "°C s");
        /// A screw motor above this stops, in °C.
        motor_max: f64 = 65.0, num(40.0, 120.0, "°C");
        /// A feed throat above this stops the motors, in °C.
        feed_throat_max: f64 = 80.0, num(40.0, 150.0, "°C");
        /// Both zones must be this hot before the screw may turn, in °C.
        min_temp_for_motor: f64 = 170.0, num(0.0, 300.0, "°C");
        /// Both zones must be this near to their targets before the screw may turn, in °C; 0 asks for no band.
        soak_band: f64 = 0.0, num(0.0, 50.0, "°C");
        /// How long the zones must stay in `soak_band` before the screw may turn, in s.
        soak_time: f64 = 0.0, num(0.0, 3600.0, "s");
        /// While a zone is hotter than this, a trip leaves fan and pump on, in °C.
        cooling_above: f64 = 50.0, num(0.0, 300.0, "°C");
        /// A turning screw stops when a zone is this far under `min_temp_for_motor`, in °C.
        cold_zone_margin: f64 = 5.0, num(0.0, 100.0, "°C");
        /// How long a zone may be too cold for a turning screw, in s.
        cold_zone_delay: f64 = 5.0, num(0.0, 60.0, "s");
        /// A STOP ends within this, in s: what `extruder_sequence.shutdown` has for later comes 2 s before it.
        stop_max_s: f64 = 60.0, num(5.0, 300.0, "s");
        /// Minutes without motion or command before the heat is turned down, by 40 °C or by the duty that holds them; 0 means never.
        idle_setback_min: f64 = 30.0, num(0.0, 1440.0, "min");
        /// Minutes without motion or command before the heat is switched off; 0 means never.
        idle_off_min: f64 = 120.0, num(0.0, 1440.0, "min");
        /// Minutes that melt may stand hot before a note says so; 0 means any time.
        residence_min: f64 = 0.0, num(0.0, 1440.0, "min");
        /// Contact of the emergency-stop input; null means `nc` without having said so.
        estop_contact: Option<EstopContact> = None, Nullable(Choice);
        /// Whether the stop button of the panel locks the motors until the start button of the panel releases them.
        local_stop: bool = false, Flag;
        /// `hardwired_only` declares that the emergency stop works without an input here.
        estop: Option<EstopDeclaration> = None, Nullable(Choice);
    }
}

/// Time in which motors come to rest once they have to, s.
const REST_S: f64 = 2.0;

impl Safety {
    /// Time from the begin of a STOP after which no step of its sequence may come, s, so that what it
    /// stops has come to rest within `stop_max_s`.
    pub fn last_stop_step_s(&self) -> f64 {
        self.stop_max_s - REST_S
    }

    /// The contact that applies: the one of the file, else normally closed.
    pub fn estop_contact(&self) -> EstopContact {
        self.estop_contact.unwrap_or(EstopContact::Nc)
    }
}
