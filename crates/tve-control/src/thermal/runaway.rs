//! Does a zone follow its heater? The rules that need a history: not heating, stuck on.
//!
//! All temperatures °C, duties %. A [`ThermalRunawayMonitor`] sees one zone once every [`PERIOD`].

use crate::alarm::{AlarmCode, Cause};
use crate::alarms::Finding;
use tve_config::Safety;
use tve_hal::Zone;
use tve_units::Micros;

/// How often the rules are evaluated.
pub(crate) const PERIOD: Micros = Micros::from_millis(100);
/// One entry of the temperature history a second.
const HISTORY_STEP: Micros = Micros::from_secs(1);
/// Seconds over which a gain is measured.
const GAIN_WINDOW: usize = 60;
/// Duty that counts as asking for all there is.
const HIGH_DUTY: f64 = 80.0;
/// A healthy zone gains at least this in a minute at high duty.
const APPROACH_GAIN: f64 = 2.0;
/// A zone that holds gains at least this in a minute while it is below its band.
const HOLD_GAIN: f64 = 0.5;
/// Half-width of the band around a target that counts as reached.
const BAND: f64 = 5.0;
/// A target that is set onto the reading, or below it, is reached when the zone has stayed in its
/// band for this long: a barrel that cools sinks through the band before its heater turns it round.
const STAY: Micros = Micros::from_secs(120);
/// A zone far above its target may stay there this long before it counts as stuck: 10 s from the
/// first sample, less the second that the mean and the evaluation may lag behind it.
const STUCK_FOR: Micros = Micros::from_secs(9);
/// Without heat for this long, what was stored in the heater has arrived.
const COAST: Micros = Micros::from_secs(60);
/// A rise without heat beyond this is a heater that is on.
const UNASKED_RISE: f64 = 10.0;

/// What the controller knows about the zone at one evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeatView {
    pub(crate) zone: Zone,
    /// Mean of the newest second; `None` while the sensor is bad.
    pub(crate) pv: Option<f64>,
    /// Setpoint of the loop in AUTO or of the tune; `None` when no loop is closed.
    pub(crate) target: Option<f64>,
    pub(crate) duty: f64,
    /// An autotune's relay drives the zone, and whether it is high. Its swings are wanted, so the
    /// zone is only asked to answer the high half, in the time that an approach would get.
    pub(crate) relay_high: Option<bool>,
    pub(crate) screw_turning: bool,
    /// Time before the zone answers its heater, by its model, s.
    pub(crate) dead_time: f64,
}

/// Memory of one zone.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ThermalRunawayMonitor {
    /// Ring of temperatures, one a second, newest at `next - 1`.
    #[cfg_attr(feature = "state", serde(with = "crate::array_state"))]
    history: [f32; ThermalRunawayMonitor::DEPTH],
    next: usize,
    len: usize,
    last_entry: Micros,
    target: f64,
    reached: bool,
    /// The target was not set above the reading, and the zone has not been below its band since.
    from_above: bool,
    in_band_since: Option<Micros>,
    high_since: Option<Micros>,
    zero_since: Option<Micros>,
    above_since: Option<Micros>,
    deficit: f64,
}

impl Default for ThermalRunawayMonitor {
    fn default() -> Self {
        Self::new()
    }
}

impl ThermalRunawayMonitor {
    const DEPTH: usize = 128;

    const fn new() -> Self {
        Self {
            history: [0.0; Self::DEPTH],
            next: 0,
            len: 0,
            last_entry: Micros::ZERO,
            target: 0.0,
            reached: false,
            from_above: false,
            in_band_since: None,
            high_since: None,
            zero_since: None,
            above_since: None,
            deficit: 0.0,
        }
    }

    /// Temperature `seconds` ago, when the history reaches back that far without a gap.
    fn ago(&self, seconds: usize) -> Option<f64> {
        (seconds < self.len)
            .then(|| f64::from(self.history[(self.next + Self::DEPTH - 1 - seconds) % Self::DEPTH]))
    }

    /// Gain over the last `seconds`.
    pub(crate) fn gain(&self, pv: f64, seconds: usize) -> Option<f64> {
        self.ago(seconds).map(|then| pv - then)
    }

    fn remember(&mut self, now: Micros, pv: f64) {
        if self.len > 0 && now.since(self.last_entry) < HISTORY_STEP {
            return;
        }
        self.last_entry = now;
        self.history[self.next] = pv as f32;
        self.next = (self.next + 1) % Self::DEPTH;
        self.len = (self.len + 1).min(Self::DEPTH);
    }

    /// One evaluation; `Some` names the alarm whose condition holds.
    pub(crate) fn advance(
        &mut self,
        now: Micros,
        view: HeatView,
        safety: &Safety,
    ) -> Option<Finding> {
        let asked = view.relay_high.unwrap_or(view.duty >= HIGH_DUTY);
        self.high_since = asked.then(|| self.high_since.unwrap_or(now));
        let quiet = view.duty == 0.0 && !view.screw_turning;
        self.zero_since = quiet.then(|| self.zero_since.unwrap_or(now));
        let Some(pv) = view.pv else {
            self.len = 0;
            self.deficit = 0.0;
            self.above_since = None;
            return None;
        };
        self.remember(now, pv);
        let target = view.target.unwrap_or(0.0);
        if target != self.target {
            self.target = target;
            self.reached = false;
            self.deficit = 0.0;
            self.above_since = None;
            self.high_since = None;
            self.from_above = pv >= target - BAND;
            self.in_band_since = None;
        }
        self.from_above &= pv >= target - BAND;
        let in_band = target > 0.0 && (pv - target).abs() <= BAND;
        self.in_band_since = in_band.then(|| self.in_band_since.unwrap_or(now));
        self.reached |=
            self.in_band_since.is_some_and(|since| !self.from_above || now.since(since) >= STAY);
        self.unasked_rise(now, pv, view).or_else(|| {
            if target > 0.0 {
                self.far_above(now, pv, target, view.zone, safety)
                    .or_else(|| self.not_heating(now, pv, target, view, safety))
            } else {
                None
            }
        })
    }

    fn not_heating(
        &mut self,
        now: Micros,
        pv: f64,
        target: f64,
        view: HeatView,
        safety: &Safety,
    ) -> Option<Finding> {
        let patience = Micros::from_secs_f64(60.0 + 3.0 * view.dead_time);
        let gain = self.gain(pv, GAIN_WINDOW)?;
        let (lagging, expected) = if self.reached && view.relay_high.is_none() {
            (pv < target - BAND && gain < HOLD_GAIN, HOLD_GAIN)
        } else {
            let long = self.high_since.is_some_and(|since| now.since(since) >= patience);
            (long && gain < APPROACH_GAIN, APPROACH_GAIN)
        };
        if !lagging {
            self.deficit = 0.0;
            return None;
        }
        self.deficit += (target - BAND - pv).max(0.0) * PERIOD.secs();
        (self.deficit >= safety.not_heating_area).then_some(Finding::new(
            AlarmCode::HeaterNotHeating,
            Cause::Rate { zone: view.zone, expected, actual: gain },
        ))
    }

    fn far_above(
        &mut self,
        now: Micros,
        pv: f64,
        target: f64,
        zone: Zone,
        safety: &Safety,
    ) -> Option<Finding> {
        if !(self.reached && pv > target + safety.stuck_on_margin) {
            self.above_since = None;
            return None;
        }
        let since = *self.above_since.get_or_insert(now);
        let falling = self.gain(pv, STUCK_FOR.secs() as usize).is_some_and(|gain| gain < 0.0);
        (now.since(since) >= STUCK_FOR && !falling).then_some(Finding::new(
            AlarmCode::HeaterStuckOn,
            Cause::Runaway { zone, reading: pv, target },
        ))
    }

    fn unasked_rise(&self, now: Micros, pv: f64, view: HeatView) -> Option<Finding> {
        let quiet = now.since(self.zero_since?);
        let since_coast = (quiet.secs() - COAST.secs()).min(GAIN_WINDOW as f64);
        if since_coast < 1.0 {
            return None;
        }
        let rise = self.gain(pv, since_coast as usize)?;
        (rise >= UNASKED_RISE).then_some(Finding::new(
            AlarmCode::HeaterStuckOn,
            Cause::Runaway { zone: view.zone, reading: pv, target: 0.0 },
        ))
    }

    /// Whether the condition of a raised alarm still stands: the zone rises without heat.
    pub(crate) fn is_rising(&self, pv: f64) -> bool {
        self.gain(pv, 10).is_some_and(|gain| gain > 0.5)
    }
}
