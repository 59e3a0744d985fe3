//! The last 24 hours in memory, one compact sample a second, for the charts.
//!
//! *Decimation*: of each bucket of samples the ones that hold the lowest and the highest reading of
//! each heated zone are kept, so a peak of one second survives in a chart of a day.

use crate::row::Row;
use std::collections::VecDeque;
use tve_control::{Mode, Status};
use tve_hal::{Motor, PWM_CHANNELS, Sensor, Zone};
use tve_units::Micros;

/// Time between two samples.
pub(crate) const PERIOD: Micros = Micros::from_secs(1);
/// How far back the history reaches, in samples: 24 h.
pub(crate) const CAPACITY: usize = 86_400;
/// Samples that are allocated, and given up, at a time: ten minutes, under 40 KiB.
const CHUNK: usize = 600;
/// Samples kept of each bucket: lowest and highest of each zone.
const KEPT_PER_BUCKET: usize = 4;
/// Steps of a stored heater duty in one percent.
const DUTY_STEPS: f64 = 100.0;
/// Steps of a stored PWM duty in one percent.
const PWM_STEPS: f64 = 2.0;

/// The machine at one second, in 64 bytes; the accessors give it in the usual units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    t_ms: i64,
    temps: [f32; 4],
    targets: [f32; 2],
    motors: [f32; 2],
    duties: [u16; 2],
    pwm: [u8; PWM_CHANNELS],
    switches: u8,
    status: Status,
    mode: Mode,
}

impl Sample {
    const FAN: u8 = 1;
    const PUMP: u8 = 2;
    const HEATERS: [u8; 2] = [4, 8];

    /// Wall-clock time, milliseconds since the Unix epoch.
    pub const fn t_ms(&self) -> i64 {
        self.t_ms
    }

    /// Temperature in °C; `None` when it was bad.
    pub fn temp(&self, sensor: Sensor) -> Option<f64> {
        Some(self.temps[sensor.index()]).filter(|t| t.is_finite()).map(tidy)
    }

    /// Target in °C.
    pub fn target(&self, zone: Zone) -> f64 {
        tidy(self.targets[zone.index()])
    }

    /// Heater duty in %, to 0.01 %.
    pub fn heater_duty(&self, zone: Zone) -> f64 {
        f64::from(self.duties[zone.index()]) / DUTY_STEPS
    }

    /// Whether the heater was conducting.
    pub const fn heater_on(&self, zone: Zone) -> bool {
        self.switches & Self::HEATERS[zone.index()] != 0
    }

    /// Speed as set, rpm.
    pub fn rpm(&self, motor: Motor) -> f64 {
        tidy(self.motors[motor.index()])
    }

    /// Whether the fan was on.
    pub const fn fan(&self) -> bool {
        self.switches & Self::FAN != 0
    }

    /// Whether the pump was on.
    pub const fn pump(&self) -> bool {
        self.switches & Self::PUMP != 0
    }

    /// Duty of the PWM channels in %, to 0.5 %.
    pub fn pwm(&self) -> [f64; PWM_CHANNELS] {
        self.pwm.map(|d| f64::from(d) / PWM_STEPS)
    }

    /// What the machine was doing.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Who decided the duty.
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

impl From<&Row> for Sample {
    fn from(row: &Row) -> Self {
        let bit = |on: bool, bit: u8| if on { bit } else { 0 };
        Self {
            t_ms: row.wall.get(),
            temps: row.temps.map(|t| t.map_or(f32::NAN, |t| t as f32)),
            targets: row.targets.map(|t| t as f32),
            motors: row.motors.map(|m| m as f32),
            duties: row.heater_duty.map(|d| (d * DUTY_STEPS).round() as u16),
            pwm: row.pwm.map(|d| (d * PWM_STEPS).round() as u8),
            switches: bit(row.relays[0], Self::FAN)
                | bit(row.relays[1], Self::PUMP)
                | bit(row.heater_on[0], Self::HEATERS[0])
                | bit(row.heater_on[1], Self::HEATERS[1]),
            status: row.status,
            mode: row.mode,
        }
    }
}

/// The number that was stored, without the digits that single precision adds to it.
fn tidy(x: f32) -> f64 {
    // Singles of our ranges (10,000 °C, 5000 rpm) are at most 0.0005 apart.
    const STEPS: f64 = 1000.0;
    (f64::from(x) * STEPS).round() / STEPS
}

/// A ring of samples in the order in which they were taken.
#[derive(Debug, Default)]
pub(crate) struct History {
    chunks: VecDeque<Vec<Sample>>,
    len: usize,
}

impl History {
    /// Adds the newest sample; the oldest chunk goes when the rest holds 24 h without it.
    pub(crate) fn push(&mut self, sample: Sample) {
        if self.chunks.back().is_none_or(|c| c.len() == CHUNK) {
            self.chunks.push_back(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(sample);
            self.len += 1;
        }
        if self.len >= CAPACITY + CHUNK
            && let Some(oldest) = self.chunks.pop_front()
        {
            self.len -= oldest.len();
        }
    }

    /// The samples of the last 24 h, oldest first.
    fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.chunks.iter().flatten().skip(self.len.saturating_sub(CAPACITY))
    }

    /// The newest `n` samples, oldest first.
    pub(crate) fn newest(&self, n: usize) -> Vec<Sample> {
        let n = n.min(self.len).min(CAPACITY);
        self.chunks.iter().flatten().skip(self.len - n).copied().collect()
    }

    /// The samples with a label of `since_ms` (Unix, ms) or later, oldest first, decimated to at
    /// most `points`.
    ///
    /// The labels are searched one by one: a wall clock that was set back leaves them unordered.
    pub(crate) fn since(&self, since_ms: i64, points: usize) -> Vec<Sample> {
        let found: Vec<Sample> = self.iter().filter(|s| s.t_ms >= since_ms).copied().collect();
        decimate(found, points)
    }
}

/// At most `points` of `samples`: those with the lowest and the highest reading of each zone in
/// buckets of equal count, in their order. A bucket without any reading keeps its first sample, so
/// that a gap shows. Fewer than four points keep the newest samples instead.
fn decimate(samples: Vec<Sample>, points: usize) -> Vec<Sample> {
    if samples.len() <= points {
        return samples;
    }
    let buckets = points / KEPT_PER_BUCKET;
    if buckets == 0 {
        return samples[samples.len() - points..].to_vec();
    }
    let mut kept = Vec::with_capacity(points);
    for b in 0..buckets {
        let from = samples.len() * b / buckets;
        let to = samples.len() * (b + 1) / buckets;
        let bucket = &samples[from..to];
        let mut picked: Vec<usize> = Zone::ALL
            .into_iter()
            .flat_map(|zone| extremes(bucket, zone.sensor()))
            .flatten()
            .collect();
        if picked.is_empty() {
            picked.push(0);
        }
        picked.sort_unstable();
        picked.dedup();
        kept.extend(picked.into_iter().filter_map(|i| bucket.get(i).copied()));
    }
    kept
}

/// Places of the lowest and the highest reading of a sensor.
fn extremes(bucket: &[Sample], sensor: Sensor) -> [Option<usize>; 2] {
    let readings = || bucket.iter().enumerate().filter_map(|(i, s)| s.temp(sensor).map(|t| (i, t)));
    let low = readings().min_by(|a, b| a.1.total_cmp(&b.1));
    let high = readings().max_by(|a, b| a.1.total_cmp(&b.1));
    [low.map(|(i, _)| i), high.map(|(i, _)| i)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_units::WallMillis;

    fn sample(t_s: i64, z1: f64, z2: f64) -> Sample {
        let temps = [Some(20.0), Some(z1), Some(z2), Some(30.0)];
        Sample::from(&Row { wall: WallMillis::new(t_s * 1000), temps, ..Row::default() })
    }

    fn filled(n: i64) -> History {
        let mut history = History::default();
        for t in 0..n {
            history.push(sample(t, 200.0 + (t % 7) as f64 * 0.1, 180.0));
        }
        history
    }

    #[test]
    fn a_sample_takes_64_bytes_and_keeps_what_the_charts_show() {
        assert!(size_of::<Sample>() <= 64);
        let mut row = Row {
            temps: [None, Some(210.55), None, None],
            heater_duty: [33.33, 100.0],
            relays: [false, true],
            heater_on: [true, false],
            motors: [12.5, -3.0],
            mode: Mode::Manual,
            status: Status::Running,
            ..Row::default()
        };
        row.pwm[3] = 62.5;
        let s = Sample::from(&row);
        assert_eq!((s.temp(Sensor::T1), s.temp(Sensor::T2)), (None, Some(210.55)));
        assert_eq!((s.heater_duty(Zone::Z1), s.heater_duty(Zone::Z2)), (33.33, 100.0));
        assert_eq!((s.fan(), s.pump()), (false, true));
        assert_eq!((s.heater_on(Zone::Z1), s.heater_on(Zone::Z2)), (true, false));
        assert_eq!((s.rpm(Motor::Main), s.rpm(Motor::Feed)), (12.5, -3.0));
        assert_eq!((s.pwm()[3], s.mode(), s.status()), (62.5, Mode::Manual, Status::Running));
    }

    #[test]
    fn the_newest_come_oldest_first() {
        let history = filled(2000);
        let newest = history.newest(1000);
        assert_eq!(
            (newest.len(), newest[0].t_ms(), newest[999].t_ms()),
            (1000, 1_000_000, 1_999_000)
        );
        assert_eq!(filled(3).newest(1000).len(), 3);
    }

    #[test]
    fn it_holds_24_hours_and_no_more_memory_than_that() {
        let history = filled(CAPACITY.cast_signed() as i64 + 5000);
        let all = history.since(i64::MIN, usize::MAX);
        assert_eq!((all.len(), all[0].t_ms()), (CAPACITY, 5_000_000));
        assert!(history.chunks.len() <= CAPACITY / CHUNK + 1);
        assert_eq!(history.newest(usize::MAX).len(), CAPACITY);
    }

    #[test]
    fn a_peak_of_one_second_of_either_zone_survives_decimation() {
        let mut history = filled(CAPACITY.cast_signed() as i64);
        history.push(sample(100_000, 263.0, 180.0));
        history.push(sample(100_001, 200.0, 120.0));
        for t in 0..500 {
            history.push(sample(100_002 + t, 200.0, 180.0));
        }
        let shown = history.since(0, 400);
        assert!(shown.len() <= 400 && shown.len() >= 100, "{}", shown.len());
        assert!(shown.iter().any(|s| s.temp(Sensor::T2) == Some(263.0)));
        assert!(shown.iter().any(|s| s.temp(Sensor::T3) == Some(120.0)));
        assert!(shown.is_sorted_by_key(Sample::t_ms));
    }

    #[test]
    fn since_and_points_bound_the_answer() {
        let history = filled(1000);
        assert_eq!(history.since(990_000, 50).len(), 10);
        assert_eq!(history.since(990_001, 50).len(), 9);
        for points in [0, 1, 3, 4, 5, 17, 999, 1000, 5000] {
            assert!(history.since(0, points).len() <= points, "{points}");
        }
        assert_eq!(history.since(0, 2)[1].t_ms(), 999_000);
        assert!(history.since(i64::MAX, 50).is_empty());
    }

    #[test]
    fn a_gap_in_the_readings_still_shows() {
        let mut history = History::default();
        for t in 0..100 {
            history.push(sample(t, f64::NAN, f64::NAN));
        }
        assert_eq!(history.since(0, 8).len(), 2);
    }
}
