//! What the settings commands change: publishing, logging, motion, display.

use crate::field::{
    Choice, Flag, Leniency, Named, Nullable, Shape, Spec, choice, int, num, quoted,
};
use crate::issue::{Issue, join, unknown};
use crate::section::{object, section};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tve_units::Rpm;

section! {
    /// How temperatures are published; alarms and control do not depend on it.
    pub struct TempSettings / TempSettingsPatch : Copy, derived ["freshness_timeout"] {
        /// Publishing interval in s.
        poll_interval: f64 = 0.25, num(0.01, 60.0, "s");
        /// Length of the average in s.
        avg_window: f64 = 2.0, num(0.01, 600.0, "s");
        /// Whether the average is published instead of the newest sample.
        use_average: bool = true, Flag;
        /// Decimals of a temperature whose sensor does not say.
        decimals_default: u8 = 1, int(0, 5, "");
    }
}

section! {
    /// Run logs.
    pub struct Logging / LoggingPatch : Copy {
        /// Interval of rows in s.
        interval: f64 = 0.25, num(0.01, 3600.0, "s");
        /// Interval of writes to the disk in s.
        flush_interval: f64 = 60.0, num(0.1, 3600.0, "s");
        /// Days that run files are kept.
        keep_days: u32 = 30, int(1, 3650, "d");
        /// Free space in MB under which the oldest run files are removed and a warning shows; under 100 MB recording pauses, the machine never.
        min_free_mb: u32 = 500, int(1, 1_000_000, "MB");
    }
}

section! {
    /// Ramps of the motors; 0 means the built-in safe default.
    pub struct Motion / MotionPatch : Copy {
        /// Time from standstill to a new speed in s; 0 means `max_accel` decides.
        ramp_up: f64 = 0.0, num(0.0, 600.0, "s");
        /// Time from a speed to standstill in s; 0 means `max_accel` decides.
        ramp_down: f64 = 0.0, num(0.0, 600.0, "s");
        /// Greatest acceleration in rpm/s.
        max_accel: f64 = 0.0, num(0.0, 100_000.0, "rpm/s");
        /// Greatest jerk in rpm/s²; 0 means a trapezoid.
        max_jerk: f64 = 0.0, num(0.0, 1e6, "rpm/s²");
        /// Speed of a started motor that had none before, in rpm.
        start_rpm: f64 = 10.0, num(0.1, 5000.0, "rpm");
        /// Highest speed of a screw that gives none of its own, in rpm.
        screw_max_rpm: f64 = Rpm::MAX, num(0.1, Rpm::MAX, "rpm");
        /// Highest speed of a feeder that gives none of its own, in rpm.
        feeder_max_rpm: f64 = Rpm::MAX, num(0.1, Rpm::MAX, "rpm");
    }
}

choice! {
    /// A curve of the history chart.
    pub enum Series {
        /// Feed throat.
        T1 = "t1",
        /// Zone 1.
        T2 = "t2",
        /// Zone 2.
        T3 = "t3",
        /// Screw motor temperature.
        MotorTemp = "motor_temp",
        /// Target of zone 1.
        TargetZ1 = "target_z1",
        /// Target of zone 2.
        TargetZ2 = "target_z2",
        /// Heater duty of zone 1.
        HeaterZ1Duty = "heater_z1_duty",
        /// Heater duty of zone 2.
        HeaterZ2Duty = "heater_z2_duty",
        /// Screw speed.
        MainRpm = "main_rpm",
        /// Feeder speed.
        FeedRpm = "feed_rpm",
        /// Fan.
        FanRpm = "fan_rpm",
        /// Pump.
        PumpState = "pump_state",
    }
}

choice! {
    /// The axis that a curve is drawn on.
    pub enum Axis {
        /// Left axis.
        Left = "left",
        /// Right axis.
        Right = "right",
        /// Not drawn.
        None = "none",
    }
}

/// Greatest magnitude of a chart limit: beyond it a display shows nothing.
const Y_LIMIT: f64 = 1e9;

section! {
    /// Display settings of the history chart, kept for the operator panel.
    pub struct History / HistoryPatch {
        /// Lower end of the left axis; null lets the display choose.
        y_left_min: Option<f64> = None, Nullable(num(-Y_LIMIT, Y_LIMIT, ""));
        /// Upper end of the left axis; null lets the display choose.
        y_left_max: Option<f64> = None, Nullable(num(-Y_LIMIT, Y_LIMIT, ""));
        /// Lower end of the right axis; null lets the display choose.
        y_right_min: Option<f64> = None, Nullable(num(-Y_LIMIT, Y_LIMIT, ""));
        /// Upper end of the right axis; null lets the display choose.
        y_right_max: Option<f64> = None, Nullable(num(-Y_LIMIT, Y_LIMIT, ""));
        /// Axis of each curve; curves that are not named keep theirs.
        series_axis: BTreeMap<Series, Axis> = default_axes(), SeriesAxes;
    }
}

/// Temperatures left, everything else right.
fn default_axes() -> BTreeMap<Series, Axis> {
    Series::ALL
        .iter()
        .map(|&series| {
            let temperature = series <= Series::TargetZ2;
            (series, if temperature { Axis::Left } else { Axis::Right })
        })
        .collect()
}

/// Curve to axis, merged by curve.
struct SeriesAxes;

impl Spec<BTreeMap<Series, Axis>> for SeriesAxes {
    fn read(
        &self,
        value: &Value,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<BTreeMap<Series, Axis>> {
        let mut axes = BTreeMap::new();
        for (key, value) in object(value, path, errors)? {
            let path = join(path, key);
            let Some(series) = Series::from_name(key) else {
                errors.push(Issue::new(path, unknown("series", key, Series::NAMES)));
                continue;
            };
            if let Some(axis) = Spec::<Axis>::read(&Choice, value, how, &path, errors) {
                axes.insert(series, axis);
            }
        }
        Some(axes)
    }

    fn merge(&self, current: &mut BTreeMap<Series, Axis>, patch: &BTreeMap<Series, Axis>) {
        current.extend(patch);
    }

    fn write(&self, value: &BTreeMap<Series, Axis>) -> Value {
        let members: Map<String, Value> =
            value.iter().map(|(s, a)| (s.name().to_owned(), json!(a.name()))).collect();
        Value::Object(members)
    }

    fn shape(&self) -> Shape {
        let schema = json!({
            "type": "object",
            "propertyNames": {"enum": Series::NAMES},
            "additionalProperties": {"enum": Axis::NAMES},
        });
        Shape::new("object of series to axis", quoted(Axis::NAMES), "", schema)
    }
}
