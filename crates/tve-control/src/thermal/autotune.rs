//! Relay autotune after Åström and Hägglund.
//!
//! ```text
//!  Approach ──PID near setpoint, steady──▶ Relay: u0 ± d around the setpoint ──5 cycles──▶ Done
//!      └───────────── too hot, too long, sensor lost, stopped ─────────────▶ Failed
//! ```
//!
//! The approach uses gains of its own, far below any that could oscillate: the gains in force may be
//! what is wrong with the loop.
//!
//! The relay swings the holding duty `u0` by `±d` with a hysteresis `e`; the zone answers with an
//! oscillation of amplitude `a` and period `Pu`. The describing function of a relay with
//! hysteresis gives the ultimate gain `Ku = 4 d / (pi sqrt(a² - e²))` (Åström and Hägglund,
//! *Automatica* 20, 1984, pp. 645-651). Peaks are tracked after a switch: the zone goes on in the
//! old direction for the dead time, and the extreme lies there.

use crate::tune::{TuneMethod, TuneResult, TuneStatus};
use tve_config::{PidGains, ZoneModel};
use tve_hal::Zone;
use tve_units::Micros;

/// Half-width of the relay's dead band, °C.
const HYSTERESIS: f64 = 0.5;
/// Greatest swing to either side of the holding duty, %.
const MAX_SWING: f64 = 35.0;
/// Smallest swing that still moves a barrel, %.
const MIN_SWING: f64 = 3.0;
/// `d` is halved where it would swing the zone by more than this, °C. The first cycle, which is
/// discarded anyway, runs with half of `d` to find out: the heat of a full one is on its way before
/// anybody can see how far it goes.
const SWING_LIMIT: f64 = 10.0;
/// Cycles that count, after the first is discarded.
const CYCLES: usize = 4;
/// Largest spread of the periods, as a share of their mean.
const PERIOD_SPREAD: f64 = 0.15;
/// Most cycles that are run before the spread is given up on.
const MAX_CYCLES: u8 = 12;
/// The approach is over when the zone stayed this near the setpoint, °C ...
const STEADY_BAND: f64 = 2.0;
/// ... for this long.
const STEADY_FOR: Micros = Micros::from_secs(120);
/// The zone moves less than this within the steady time, °C: the duty then holds.
const STEADY_DRIFT: f64 = 0.5;
/// One cycle may take this long.
const CYCLE_LIMIT: Micros = Micros::from_secs(20 * 60);
/// The whole tune may take this long.
const TOTAL_LIMIT: Micros = Micros::from_secs(2 * 3600);
/// Above the setpoint by this, or above [`ABORT_AT`], the tune gives up, °C.
const ABORT_ABOVE: f64 = 30.0;
/// Absolute limit, °C: under the over-temperature trip.
const ABORT_AT: f64 = 275.0;

/// Share of `T / (K L)` that the approach dares as its gain. A loop is calm up to about 0.5; this
/// leaves room for a plant of twice the gain, half the time constant and nearly twice the lag.
const APPROACH_CAUTION: f64 = 0.075;
/// Lags of heater and sensor beside the dead time, s.
const APPROACH_LAG_S: f64 = 25.0;
/// Integral time of the approach as a share of the time constant of the zone.
const APPROACH_TI_SHARE: f64 = 0.5;
/// Derivative time of the approach, s.
const APPROACH_TD_S: f64 = 20.0;

/// The approach integrates only while the zone moves less than this, °C a minute: what it has not
/// yet answered must not be asked for twice.
pub(crate) const APPROACH_CALM: f64 = 4.0;
/// Share of the model's holding duty that the approach begins with; right for twice the gain.
pub(crate) const APPROACH_TRUST: f64 = 0.5;

/// Gains for the approach, from the model of the zone: `Kp = c T / (K (L + lags))`.
pub(crate) fn approach_gains(model: &ZoneModel) -> PidGains {
    let gain_per_percent = model.gain / 100.0;
    let kp = APPROACH_CAUTION * model.time_constant
        / (gain_per_percent * (model.dead_time + APPROACH_LAG_S));
    PidGains { kp, ki: kp / (APPROACH_TI_SHARE * model.time_constant), kd: kp * APPROACH_TD_S }
}

/// What the tuned zone is to do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum TuneDrive {
    /// Let the zone's PID hold the setpoint.
    Pid,
    /// Drive this duty, %.
    Relay(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum Phase {
    Approach { near_since: Option<(Micros, f64)>, duty_sum: f64, samples: u32 },
    Relay(Relay),
}

/// The oscillation: it exists only while the relay runs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct Relay {
    u0: f64,
    d: f64,
    high: bool,
    peak: f64,
    trough: f64,
    cycle_started: Option<Micros>,
    phase_started: Micros,
    cycles: u8,
    /// (amplitude, period in s) of the newest cycles.
    measured: [(f64, f64); CYCLES],
}

/// A tune under way.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Autotune {
    pub(crate) zone: Zone,
    pub(crate) setpoint: f64,
    method: TuneMethod,
    started: Micros,
    phase: Phase,
}

/// What one sample led to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Progress {
    Running,
    Done(TuneResult),
    Failed,
}

impl Autotune {
    pub(crate) fn new(zone: Zone, setpoint: f64, method: TuneMethod, now: Micros) -> Self {
        let phase = Phase::Approach { near_since: None, duty_sum: 0.0, samples: 0 };
        Self { zone, setpoint, method, started: now, phase }
    }

    pub(crate) fn status(&self) -> TuneStatus {
        match self.phase {
            Phase::Approach { .. } => TuneStatus::Starting,
            Phase::Relay(Relay { high: true, .. }) => TuneStatus::Heating,
            Phase::Relay(_) => TuneStatus::Cooling,
        }
    }

    pub(crate) fn cycle(&self) -> u8 {
        match self.phase {
            Phase::Approach { .. } => 0,
            Phase::Relay(relay) => relay.cycles,
        }
    }

    /// Whether the relay runs, and if so whether it is high.
    pub(crate) fn relay_high(&self) -> Option<bool> {
        match self.phase {
            Phase::Approach { .. } => None,
            Phase::Relay(relay) => Some(relay.high),
        }
    }

    pub(crate) fn drive(&self) -> TuneDrive {
        match self.phase {
            Phase::Approach { .. } => TuneDrive::Pid,
            Phase::Relay(r) => TuneDrive::Relay(if r.high { r.u0 + r.d } else { r.u0 - r.d }),
        }
    }

    /// Takes in a temperature in °C and the duty in force in %.
    pub(crate) fn advance(&mut self, now: Micros, pv: f64, duty: f64) -> Progress {
        if now.since(self.started) > TOTAL_LIMIT
            || pv > self.setpoint + ABORT_ABOVE
            || pv > ABORT_AT
        {
            return Progress::Failed;
        }
        match &mut self.phase {
            Phase::Approach { near_since, duty_sum, samples } => {
                let near = (pv - self.setpoint).abs() <= STEADY_BAND;
                match *near_since {
                    Some((_, first)) if near && (pv - first).abs() <= STEADY_DRIFT => {}
                    _ if near => {
                        *near_since = Some((now, pv));
                        *duty_sum = 0.0;
                        *samples = 0;
                    }
                    _ => *near_since = None,
                }
                if let Some((since, _)) = *near_since {
                    *duty_sum += duty;
                    *samples += 1;
                    if now.since(since) >= STEADY_FOR {
                        let u0 = *duty_sum / f64::from(*samples);
                        return self.begin_relay(now, pv, u0);
                    }
                }
                Progress::Running
            }
            Phase::Relay(relay) => relay.advance(now, pv, self.setpoint, self.zone, self.method),
        }
    }

    fn begin_relay(&mut self, now: Micros, pv: f64, u0: f64) -> Progress {
        let d = MAX_SWING.min(u0).min(100.0 - u0);
        if d / 2.0 < MIN_SWING {
            return Progress::Failed;
        }
        self.phase = Phase::Relay(Relay {
            u0,
            d: d / 2.0,
            high: pv < self.setpoint,
            peak: pv,
            trough: pv,
            cycle_started: None,
            phase_started: now,
            cycles: 0,
            measured: [(0.0, 0.0); CYCLES],
        });
        Progress::Running
    }
}

impl Relay {
    fn advance(
        &mut self,
        now: Micros,
        pv: f64,
        setpoint: f64,
        zone: Zone,
        method: TuneMethod,
    ) -> Progress {
        self.peak = self.peak.max(pv);
        self.trough = self.trough.min(pv);
        if now.since(self.phase_started) > CYCLE_LIMIT {
            return Progress::Failed;
        }
        if self.high && pv > setpoint + HYSTERESIS {
            self.high = false;
            return self.end_cycle(now, pv, zone, method);
        }
        if !self.high && pv < setpoint - HYSTERESIS {
            self.high = true;
        }
        Progress::Running
    }

    /// A cycle runs from one switch to low to the next, so it holds one peak and one trough, each
    /// after its switch.
    fn end_cycle(&mut self, now: Micros, pv: f64, zone: Zone, method: TuneMethod) -> Progress {
        self.phase_started = now;
        let Some(started) = self.cycle_started.replace(now) else {
            (self.peak, self.trough) = (pv, pv);
            return Progress::Running;
        };
        let amplitude = (self.peak - self.trough) / 2.0;
        let period = now.since(started).secs();
        (self.peak, self.trough) = (pv, pv);
        self.cycles += 1;
        if self.cycles == 1 {
            if amplitude <= SWING_LIMIT / 2.0 {
                self.d *= 2.0;
            }
            return Progress::Running;
        }
        self.measured.rotate_left(1);
        self.measured[CYCLES - 1] = (amplitude, period);
        if usize::from(self.cycles) <= CYCLES {
            return Progress::Running;
        }
        let (longest, shortest, sum) = self
            .measured
            .iter()
            .fold((0.0_f64, f64::INFINITY, 0.0), |(long, short, sum), (_, p)| {
                (long.max(*p), short.min(*p), sum + p)
            });
        let pu = sum / CYCLES as f64;
        if longest - shortest > PERIOD_SPREAD * pu {
            return if self.cycles >= MAX_CYCLES { Progress::Failed } else { Progress::Running };
        }
        let a = self.measured.iter().map(|(a, _)| a).sum::<f64>() / CYCLES as f64;
        if a <= HYSTERESIS {
            return Progress::Failed;
        }
        let swing = libm::sqrt(a * a - HYSTERESIS * HYSTERESIS);
        let ku = 4.0 * self.d / (core::f64::consts::PI * swing);
        Progress::Done(rule(zone, method, ku, pu))
    }
}

fn rule(zone: Zone, method: TuneMethod, ku: f64, pu: f64) -> TuneResult {
    let (kp, ti, td) = match method {
        TuneMethod::TyreusLuyben => (ku / 2.2, 2.2 * pu, pu / 6.3),
        TuneMethod::ZieglerNichols => (0.6 * ku, pu / 2.0, pu / 8.0),
        TuneMethod::NoOvershoot => (0.2 * ku, pu / 2.0, pu / 3.0),
    };
    TuneResult { zone, method, kp, ki: kp / ti, kd: kp * td, ku, pu }
}
