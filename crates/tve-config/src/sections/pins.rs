//! Which header pin serves which function.

use crate::field::{Leniency, Scalar, Shape};
use crate::issue::shown;
use crate::section::section;
use serde_json::{Value, json};
use tve_units::Bcm;

/// First pin that is free of the header's I2C buses.
const FIRST_FREE: u8 = 4;
/// Last pin of the header.
const LAST: u8 = Bcm::COUNT as u8 - 1;

/// A pin from 4 to 27, or null for "not fitted".
struct PinSpec;

impl Scalar<Option<Bcm>> for PinSpec {
    fn parse(&self, value: &Value, how: Leniency) -> Result<Option<Bcm>, String> {
        if value.is_null() {
            return Ok(None);
        }
        let number: Result<u8, _> = crate::field::int(0, LAST.into(), "").parse(value, how);
        match number.map(Bcm::new) {
            Ok(Ok(pin)) if pin.is_i2c() => {
                Err(format!("pin {} is reserved for I2C; use {FIRST_FREE} to {LAST}", pin.get()))
            }
            Ok(Ok(pin)) => Ok(Some(pin)),
            Ok(Err(_)) | Err(_) => {
                let value = shown(value);
                Err(format!("must be a pin from {FIRST_FREE} to {LAST} or null, not {value}"))
            }
        }
    }

    fn print(&self, value: &Option<Bcm>) -> Value {
        json!(value.map(Bcm::get))
    }

    fn describe(&self) -> Shape {
        let schema = json!({"anyOf": [
            {"type": "integer", "minimum": FIRST_FREE, "maximum": LAST},
            {"type": "null"},
        ]});
        Shape::new("pin or null", format!("{FIRST_FREE} to {LAST}"), "BCM", schema)
    }
}

/// The default pin with a number known to be good; a wrong one means "not fitted".
fn pin(n: u8) -> Option<Bcm> {
    Bcm::new(n).ok()
}

macro_rules! pins {
    ($($(#[doc = $doc:literal])+ $name:ident = $default:expr;)+) => {
        section! {
            /// The header pin of each function by Broadcom number; null is not fitted.
            pub struct Pins / PinsPatch : Copy {
                $($(#[doc = $doc])+ $name: Option<Bcm> = $default, PinSpec;)+
            }
        }

        impl Pins {
            /// Every function, in the order of the file.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// Every function with its pin.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, Option<Bcm>)> + use<> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }
    };
}

pins! {
    /// Solid-state relay of zone 1.
    ssr_z1 = pin(23);
    /// Solid-state relay of zone 2.
    ssr_z2 = pin(24);
    /// Fan relay.
    ssr_fan = pin(25);
    /// Pump relay.
    ssr_pump = pin(8);
    /// Step pulses of the screw.
    step_main = pin(21);
    /// Direction of the screw.
    dir_main = pin(20);
    /// Drive enable of the screw.
    en_main = pin(26);
    /// Step pulses of the feeder.
    step_feed = None;
    /// Direction of the feeder.
    dir_feed = None;
    /// Drive enable of the feeder.
    en_feed = None;
    /// Fault output of the screw's drive.
    alm_main = None;
    /// Start button.
    btn_start = None;
    /// Stop button.
    btn_stop = None;
    /// Emergency-stop loop.
    btn_emergency = None;
    /// Status lamp.
    led_status = None;
    /// Alarm lamp.
    led_red = None;
    /// Ready lamp.
    led_green = None;
    /// Heating lamp.
    led_yellow = None;
    /// Peltier of the feed throat.
    peltier = None;
    /// Main contactor.
    contactor = None;
    /// Output enable of the PWM board.
    pca_oe = None;
}

impl Pins {
    /// The pin of a function; `None` also when no such function is known.
    pub fn get(&self, name: &str) -> Option<Bcm> {
        self.iter().find(|(known, _)| *known == name).and_then(|(_, pin)| pin)
    }

    /// The function that a pin serves.
    pub fn owner_of(&self, pin: Bcm) -> Option<&'static str> {
        self.iter().find(|(_, owned)| *owned == Some(pin)).map(|(name, _)| name)
    }
}
