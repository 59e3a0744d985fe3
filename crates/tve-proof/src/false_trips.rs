//! The false-trip run: healthy machines under a busy operator, and not one alarm.
//!
//! *Margin*: how near a healthy machine came to what a rule calls a fault, seen from outside.

mod nearest;

pub use nearest::Margin;

use crate::crew;
use crate::rig::Rig;
use crate::subject::{Subject, set_gains};
use nearest::Nearest;
use serde::Serialize;
use serde_json::{Value, json};
use tve_config::{Config, PidGains};
use tve_control::AlarmCode;
use tve_hal::PerZone;
use tve_rig::Dice;
use tve_sim::FaultKind;
use tve_units::Micros;

/// Machine time of one run.
const HOUR_S: f64 = 3600.0;
/// A screw may turn above this, °C; the operator keeps clear of the limit of 170.
const WORKING: f64 = 180.0;
/// Both ramps and the stop sequence are over after this, s.
const STOPPED_S: f64 = 12.0;
/// Noise of the converter, standard deviation in codes: each hour has one of these.
const NOISE_LSB: [f64; 4] = [0.0, 0.5, 2.0, 3.0];

/// An alarm on a healthy machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseTrip {
    /// Seed of the hour.
    pub seed: u64,
    /// When, s.
    pub at_s: f64,
    /// Which rule.
    pub code: &'static str,
    /// Its sentence.
    pub message: String,
    /// What had been done until then.
    pub log: Vec<String>,
}

/// The outcome of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FalseTripReport {
    /// Machine-hours.
    pub hours: u64,
    /// Seed of the first hour; the others count on.
    pub first_seed: u64,
    /// Alarms, of which there must be none.
    pub alarms: Vec<FalseTrip>,
    /// The margin of each rule over all hours.
    pub margins: Vec<Margin>,
}

/// Runs `hours` healthy machine-hours of a machine from `seed` on. `progress(done, total)` counts
/// hours.
pub fn false_trips(
    subject: &Subject,
    hours: u64,
    seed: u64,
    progress: impl FnMut(usize, usize),
) -> FalseTripReport {
    let seeds: Vec<u64> = (0..hours).map(|n| seed.wrapping_add(n)).collect();
    let outcomes = crew::work(&seeds, progress, |&seed| healthy_hour(subject, seed));
    let mut alarms = Vec::new();
    let mut nearest = Nearest::new(&subject.machine_arc());
    for (margins, alarm) in outcomes {
        nearest.merge(&margins);
        alarms.extend(alarm);
    }
    let margins = nearest.margins();
    FalseTripReport { hours, first_seed: seed, alarms, margins }
}

/// Gains as they come: the machine's own, of the field, of a tune on the default plant.
fn configuration(subject: &Subject, dice: &mut Dice) -> Config {
    let mut config = subject.config().clone();
    // Its note says that nobody moved the screw, which an hour of heating does not.
    config.safety.idle_setback_min = 0.0;
    config.safety.idle_off_min = 0.0;
    // No barrel is what its configuration says.
    config.plant.gain *= dice.between(0.9, 1.15);
    config.plant.time_constant *= dice.between(0.85, 1.3);
    config.plant.dead_time *= dice.between(0.7, 1.5);
    config.plant.seed = dice.seed();
    let noise = config.plant.seed as usize % NOISE_LSB.len();
    config.plant.noise_lsb = NOISE_LSB[noise];
    let gains = |kp, ki, kd| Some(PidGains { kp, ki, kd });
    let (law, gains) =
        *dice.pick(&[(2, None), (1, gains(5.0, 0.1, 10.0)), (2, gains(3.23, 0.0094, 80.2))]);
    config.control.law = law;
    if let Some(gains) = gains {
        set_gains(&mut config, gains);
    }
    config
}

struct Operator<'s> {
    subject: &'s Subject,
    rig: Rig,
    dice: Dice,
    nearest: Nearest,
    log: Vec<String>,
}

fn healthy_hour(subject: &Subject, seed: u64) -> (Nearest, Option<FalseTrip>) {
    let mut dice = Dice::new(seed);
    let config = configuration(subject, &mut dice);
    let converted = config.control.law < 2;
    let mut rig = Rig::new(&config);
    if dice.one_in(2) {
        rig.soak(dice.between(40.0, 220.0));
    }
    let percent = dice.between(90.0, 110.0);
    rig.inject(FaultKind::MainsVoltage { percent }, None);
    let log = vec![format!("law {}, mains {percent:.1} %", config.control.law)];
    let nearest = Nearest::new(&subject.machine_arc());
    let mut operator = Operator { subject, rig, dice, nearest, log };
    operator.wait(2.0);
    while operator.rig.plant_time.secs() < HOUR_S {
        operator.act();
        let pause = operator.dice.between(5.0, 240.0);
        operator.wait(pause);
        // The note of converted gains is what such a configuration must say.
        let noted = |code| converted && code == AlarmCode::TuneNeeded;
        if let Some(alarm) = operator.rig.raised.iter().find(|alarm| !noted(alarm.code)) {
            let trip = FalseTrip {
                seed,
                at_s: alarm.raised_at.secs(),
                code: alarm.code.name(),
                message: alarm.to_string(),
                log: operator.log,
            };
            return (operator.nearest, Some(trip));
        }
    }
    (operator.nearest, None)
}

impl Operator<'_> {
    fn order(&mut self, name: &str, value: &Value) {
        let answer = self.rig.command(name, value);
        let answer = answer.map_or_else(|refusal| refusal.to_string(), |_| "ok".to_owned());
        self.log.push(format!("{:.2} s {name} {value}: {answer}", self.rig.now().secs()));
    }

    fn wait(&mut self, seconds: f64) {
        let end = self.rig.now() + Micros::from_secs_f64(seconds);
        while self.rig.now() < end {
            self.rig.tick();
            self.nearest.look(&self.rig);
        }
    }

    /// Targets, after the screw has come to rest where they are too low for it.
    fn heat(&mut self, targets: &PerZone<f64>) {
        if targets.iter().any(|t| *t < WORKING) {
            self.rest();
        }
        self.order("SET_MODE", &json!({"mode": "AUTO"}));
        self.order("SET_TARGET", &self.subject.each_zone(|zone| targets[zone]));
    }

    fn rest(&mut self) {
        self.order("STOP", &Value::Null);
        self.wait(STOPPED_S);
    }

    fn act(&mut self) {
        let snapshot = self.rig.snapshot();
        let targets = snapshot.targets.map(|_, t| t.get());
        let warm = targets.iter().all(|t| *t >= WORKING);
        let highest = self.subject.highest_target();
        match self.dice.below(13) {
            0 | 1 => {
                let target = self.dice.between(WORKING, highest);
                self.heat(&targets.map(|_, _| target));
            }
            2 | 3 => {
                let step = if self.dice.one_in(2) { 60.0 } else { -60.0 };
                self.heat(&targets.map(|_, t| (t + step).clamp(0.0, highest)));
            }
            4 => self.heat(&targets.map(|_, _| 0.0)),
            5 => {
                let target = self.dice.between(150.0, 250.0);
                let alone = self.dice.below(targets.len());
                self.heat(&targets.map(|zone, _| if zone.index() == alone { target } else { 0.0 }));
            }
            6 => self.heat_by_hand(),
            7 | 8 if warm => self.order("START", &Value::Null),
            9 => self.order("STOP", &Value::Null),
            10 if warm => {
                let motor = *self.dice.pick(&self.subject.motor_names());
                let rpm = self.dice.between(-20.0, 100.0).round();
                self.order("SET_MOTOR", &json!({"motor": motor, "rpm": rpm}));
            }
            11 => self.burst(&targets),
            _ => {
                let relay = *self.dice.pick(&["fan", "pump"]);
                let on = self.dice.one_in(2);
                self.order("SET_RELAY", &json!({"relay": relay, "state": on}));
                let duty = self.dice.between(0.0, 100.0).round();
                self.order("SET_PELTIER", &json!({"duty": duty}));
            }
        }
    }

    fn heat_by_hand(&mut self) {
        self.rest();
        self.order("SET_MODE", &json!({"mode": "MANUAL"}));
        for zone in self.subject.zone_names() {
            // At most what holds the hottest target on a barrel that gets as warm as the model says.
            let duty = self.dice.between(25.0, 50.0);
            self.order("SET_HEATER", &json!({"zone": zone, "duty": duty}));
        }
        let time = self.dice.between(60.0, 600.0);
        self.wait(time);
        self.order("SET_MODE", &json!({"mode": "AUTO"}));
    }

    /// Clients that say the same again and again, a tick apart: the workload of the load tests.
    fn burst(&mut self, targets: &PerZone<f64>) {
        const COMMANDS: u32 = 100;
        for n in 0..COMMANDS {
            let (name, value) = match n % 4 {
                0 => ("SET_TARGET", self.subject.each_zone(|zone| targets[zone])),
                1 => ("SET_FILL_TARGET", json!({"level": 20 + n % 10})),
                2 => ("SET_RELAY", json!({"relay": "fan", "state": n % 8 == 2})),
                _ => ("SET_MODE", json!({"mode": "AUTO"})),
            };
            // Some are debounced or say what already is; that is their purpose.
            let _ = self.rig.command(name, &value);
            self.wait(0.01);
        }
        self.log.push(format!("{:.2} s a burst of {COMMANDS}", self.rig.now().secs()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_healthy_hours_raise_no_alarm() {
        let report = false_trips(&Subject::embedded(), 2, 20_260_101, |_, _| {});
        assert_eq!(report.alarms, Vec::new());
        for margin in &report.margins {
            assert!(margin.limit > 0.0, "{margin:?}");
        }
    }
}
