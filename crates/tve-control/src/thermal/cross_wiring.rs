//! Is the zone that gets the heat the zone that gets warm?
//!
//! Each detector looks at two neighbours. One of them *dominates* while its duty exceeds its model
//! holding duty by [`EXCESS`] and the other is *quiet*: its own duty does not make it rise. One minute
//! after a domination began, the other zone must not have risen in its place.

use super::runaway::ThermalRunawayMonitor;
use crate::alarm::{AlarmCode, Cause};
use crate::alarms::Finding;
use tve_hal::Zone;
use tve_units::Micros;

/// Duty above the holding duty that must make a zone rise, %.
const EXCESS: f64 = 30.0;
/// Duty above the holding duty up to which a zone is quiet, %: on the default plant it makes 2 °C
/// a minute, less than [`RISE`]. Between the two a zone rises by its own heat, which proves nothing.
const QUIET: f64 = 5.0;
/// The warm-up pulse: one zone alone for this long.
pub(super) const PULSE: Micros = Micros::from_secs(45);
/// A pulse as it is seen: its beginning and its end may each show one evaluation (100 ms) late.
const SEEN: Micros = Micros::from_millis(44_800);
/// The verdict falls this long after the domination was seen to begin, which may be one evaluation
/// (100 ms) after it began: together 60 s.
const VERDICT: Micros = Micros::from_millis(59_900);
/// Heat already on its way in the other zone has arrived after this long.
const COAST: Micros = Micros::from_secs(100);
/// A rise that noise and coupling do not explain, °C a minute.
const RISE: f64 = 3.0;

/// One zone at one evaluation.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct ZoneView {
    pub(super) pv: Option<f64>,
    /// Duty less the model's holding duty, %.
    pub(super) excess: f64,
}

/// A zone that dominates.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct Dominance {
    /// Which of the two.
    side: usize,
    since: Micros,
    /// When the other zone was heated last before: that heat may still be on its way in it.
    other_heated: Option<Micros>,
}

/// Memory of two neighbours.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct CrossWiringDetector {
    dominance: Option<Dominance>,
    /// A domination that lasted a pulse and awaits its verdict.
    pending: Option<Dominance>,
    last_heat: [Option<Micros>; 2],
}

impl CrossWiringDetector {
    /// One evaluation of the zones of `pair`; `Some` when the wrong one rises.
    pub(super) fn advance(
        &mut self,
        now: Micros,
        pair: [Zone; 2],
        views: [ZoneView; 2],
        monitors: [&ThermalRunawayMonitor; 2],
    ) -> Option<Finding> {
        let over = views.map(|v| v.excess >= EXCESS);
        let heating = views.map(|v| v.excess >= QUIET);
        let dominant = match (over, heating) {
            ([true, _], [_, false]) => Some(0),
            ([_, true], [false, _]) => Some(1),
            _ => None,
        };
        match (self.dominance, dominant) {
            (Some(dominance), Some(side)) if dominance.side == side => {
                if now.since(dominance.since) >= SEEN {
                    self.pending = Some(dominance);
                }
            }
            (_, Some(side)) => {
                let other_heated = self.last_heat[1 - side];
                self.dominance = Some(Dominance { side, since: now, other_heated });
            }
            (_, None) => self.dominance = None,
        }
        let verdict = self.pending.and_then(|dominance| {
            if now.since(dominance.since) < VERDICT {
                return None;
            }
            if self.dominance != Some(dominance) {
                self.pending = None;
            }
            verdict(now, dominance, pair, views, monitors)
        });
        for (last, heating) in self.last_heat.iter_mut().zip(heating) {
            if heating {
                *last = Some(now);
            }
        }
        verdict
    }
}

fn verdict(
    now: Micros,
    dominance: Dominance,
    pair: [Zone; 2],
    views: [ZoneView; 2],
    monitors: [&ThermalRunawayMonitor; 2],
) -> Option<Finding> {
    if dominance.other_heated.is_some_and(|last| now.since(last) < COAST) {
        return None;
    }
    let (side, other_side) = (dominance.side, 1 - dominance.side);
    let rise = |side: usize| views[side].pv.and_then(|pv| monitors[side].gain(pv, 60));
    let (own_rise, other_rise) = (rise(side)?, rise(other_side)?);
    let (heated, other) = (pair[side], pair[other_side]);
    (other_rise >= RISE && own_rise < other_rise / 2.0).then_some(Finding::new(
        AlarmCode::ZonesSwapped,
        Cause::Swapped { heated, other, own_rise, other_rise },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thermal::runaway::{HeatView, PERIOD};
    use tve_config::Safety;

    /// A minute and a half in which the first of `pair` gets heat and `rising` of them gets warm, as
    /// the neighbours see it.
    fn verdict_after(pair: [Zone; 2], rising: usize) -> Option<Finding> {
        let mut detector = CrossWiringDetector::default();
        let mut monitors = [ThermalRunawayMonitor::default(); 2];
        let mut now = Micros::ZERO;
        let mut found = None;
        for tick in 0..900 {
            now = now + PERIOD;
            let pv = |side: usize| 60.0 + if side == rising { f64::from(tick) * 0.02 } else { 0.0 };
            for (side, monitor) in monitors.iter_mut().enumerate() {
                let (zone, pv) = (pair[side], Some(pv(side)));
                let view = HeatView {
                    zone,
                    pv,
                    target: None,
                    duty: 0.0,
                    relay_high: None,
                    screw_turning: true,
                    dead_time: 15.0,
                };
                let _ = monitor.advance(now, view, &Safety::default());
            }
            let views =
                [(0, 50.0), (1, 0.0)].map(|(side, excess)| ZoneView { pv: Some(pv(side)), excess });
            let [first, second] = &monitors;
            found = found.or(detector.advance(now, pair, views, [first, second]));
        }
        found
    }

    #[test]
    fn any_two_neighbours_are_judged_by_which_of_them_rises() {
        for first in 0..3 {
            let pair = [Zone::at(first), Zone::at(first + 1)];
            assert_eq!(verdict_after(pair, 0), None);
            let found = verdict_after(pair, 1).unwrap();
            assert_eq!(found.code, AlarmCode::ZonesSwapped);
            let Cause::Swapped { heated, other, .. } = found.cause else { panic!("{found:?}") };
            assert_eq!([heated, other], pair);
        }
    }
}
