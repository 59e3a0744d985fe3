//! Rules about the lists of zones and motors: names, and what they refer to.

use crate::Config;
use crate::issue::Issue;
use crate::sections::layout::names_of;
use tve_machine::{Name, PwmOutput, Signal};

impl Config {
    /// The lists of zones and motors among each other, and the sensors that they name.
    pub(crate) fn check_layout(&self, errors: &mut Vec<Issue>) {
        let (zones, motors) = match (&self.zones, &self.motors) {
            (Some(zones), Some(motors)) => (zones, motors),
            (None, None) => {
                if self.feed_throat.is_some() {
                    errors.push(Issue::new("feed_throat", "needs `zones`; without, t1 guards it"));
                }
                return;
            }
            (Some(_), None) => return errors.push(Issue::new("motors", "is needed with `zones`")),
            (None, Some(_)) => return errors.push(Issue::new("zones", "is needed with `motors`")),
        };
        if zones.is_empty() {
            errors.push(Issue::new("zones", "must name one zone or more"));
        }
        unique("zones", zones.iter().map(|zone| zone.name), errors);
        unique("motors", motors.iter().map(|motor| motor.name), errors);
        self.check_signal_names(errors);
        let zones = zones.iter().enumerate().map(|(i, zone)| {
            (format!("zones[{i}].sensor"), Some(zone.sensor), format!("zone {}", zone.name))
        });
        let motors = motors.iter().enumerate().map(|(i, motor)| {
            (format!("motors[{i}].sensor"), motor.sensor, format!("motor {}", motor.name))
        });
        let throat = ("feed_throat".to_owned(), self.feed_throat, "the feed throat".to_owned());
        let mut taken: Vec<(Name, String)> = Vec::new();
        for (path, sensor, user) in zones.chain(motors).chain([throat]) {
            let Some(sensor) = sensor else { continue };
            let known = || self.sensors.iter().filter(|s| s.enabled).map(|s| &s.logical);
            if !known().any(|name| *name == sensor) {
                let known = names_of(known());
                let reason = format!("no sensor is called {sensor}; known: {known}");
                errors.push(Issue::new(path, reason));
            } else if let Some((_, other)) = taken.iter().find(|(name, _)| *name == sensor) {
                errors.push(Issue::new(path, format!("{sensor} already measures {other}")));
            }
            taken.push((sensor, user));
        }
    }

    /// No name of a zone or motor makes the name of a signal that is there already.
    fn check_signal_names(&self, errors: &mut Vec<Issue>) {
        let names = self.names();
        let mut made: Vec<String> = Signal::all(&names).map(|(name, _)| name).collect();
        made.sort_unstable();
        let mut driven: Vec<String> = PwmOutput::all(&names).map(|(name, _)| name).collect();
        driven.sort_unstable();
        let twice = |list: &[String]| list.windows(2).find(|w| w[0] == w[1]).map(|w| w[0].clone());
        if let Some(name) = twice(&made).or_else(|| twice(&driven)) {
            let reason = format!("the names of zones and motors make two signals called {name}");
            errors.push(Issue::new("zones", reason));
        }
    }
}

fn unique(list: &str, names: impl Iterator<Item = Name>, errors: &mut Vec<Issue>) {
    let mut seen: Vec<Name> = Vec::new();
    for (i, name) in names.enumerate() {
        if let Some(other) = seen.iter().position(|known| *known == name) {
            let reason = format!("{name} is already the name of {list}[{other}]");
            errors.push(Issue::new(format!("{list}[{i}].name"), reason));
        }
        seen.push(name);
    }
}
