//! The simulated machine.

use crate::field::{Choice, MAX_EXACT, Nullable, int, num, ohm};
use crate::section::section;
use crate::sections::thermistor::Part;
use serde_json::{Map, Value};

section! {
    /// The plant of the simulator. Real machines ignore it.
    pub struct Plant / PlantPatch : Copy, shown hide_unnamed {
        /// Seed of the measurement noise.
        seed: u64 = 1, int(0, MAX_EXACT, "");
        /// Temperature of the whole barrel at start, in °C.
        start_temp: f64 = 23.0, num(-20.0, 300.0, "°C");
        /// Temperature of the room in °C.
        ambient: f64 = 23.0, num(-20.0, 60.0, "°C");
        /// Rise of a zone above the room at 100 % duty in both zones, in °C.
        gain: f64 = 430.0, num(50.0, 2000.0, "°C");
        /// Time constant of a zone in s.
        time_constant: f64 = 600.0, num(30.0, 6000.0, "s");
        /// Second lag, of the heater band, in s.
        second_lag: f64 = 20.0, num(0.0, 600.0, "s");
        /// Time before a zone answers its heater, in s.
        dead_time: f64 = 15.0, num(0.0, 120.0, "s");
        /// Lag of the thermistor in s.
        sensor_lag: f64 = 5.0, num(0.0, 120.0, "s");
        /// Share of a zone's heat that its neighbour takes.
        coupling: f64 = 0.1, num(0.0, 0.5, "");
        /// Noise of the converter, standard deviation in counts.
        noise_lsb: f64 = 1.0, num(0.0, 10.0, "LSB");
        /// Fixed resistor of the plant's own divider in ohm.
        r_fixed: f64 = 1000.0, ohm(1.0, 1e7);
        /// Resistance of the plant's thermistors at 25 °C in ohm.
        r_25: f64 = 100_000.0, ohm(1.0, 1e7);
        /// Beta value of the plant's thermistors in K.
        beta: f64 = 3950.0, num(100.0, 10_000.0, "K");
        /// Which known thermistors the plant has, by their makers' tables; null for those of r_25 and beta.
        thermistor: Option<Part> = None, Nullable(Choice);
        /// Supply of the plant's divider in V.
        supply: f64 = 3.3, num(0.5, 6.0, "V");
        /// Hopper level at start in cm.
        fill_level: f64 = 50.0, num(0.0, 1000.0, "cm");
    }
}

/// Files and clients of before know thermistors by their constants alone.
fn hide_unnamed(plant: &Plant, map: &mut Map<String, Value>) {
    if plant.thermistor.is_none() {
        map.remove("thermistor");
    }
}
