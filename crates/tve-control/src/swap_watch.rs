//! Is the zone that gets the heat the zone that gets warm?
//!
//! A zone *dominates* while its duty exceeds its model holding duty by [`EXCESS`] and the other is
//! *quiet*: its own duty does not make it rise. One minute after a domination began, the other zone must not have risen in its place.

use crate::alarm::{AlarmCode, Cause};
use crate::heat_watch::HeatWatch;
use tve_hal::Zone;
use tve_units::Micros;

/// Duty above the holding duty that must make a zone rise, %.
pub(crate) const EXCESS: f64 = 30.0;
/// Duty above the holding duty up to which a zone is quiet, %: on the default plant it makes 2 °C
/// a minute, less than [`RISE`]. Between the two a zone rises by its own heat, which proves nothing.
const QUIET: f64 = 5.0;
/// The warm-up pulse: zone 1 alone for this long.
pub(crate) const PULSE: Micros = Micros::from_secs(45);
/// The verdict falls this long after the domination was seen to begin, which may be one evaluation
/// (100 ms) after it began: together 60 s.
const VERDICT: Micros = Micros::from_millis(59_900);
/// Heat already on its way in the other zone has arrived after this long.
const COAST: Micros = Micros::from_secs(100);
/// A rise that noise and coupling do not explain, °C a minute.
const RISE: f64 = 3.0;

/// One zone at one evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SwapView {
    pub(crate) pv: Option<f64>,
    /// Duty less the model's holding duty, %.
    pub(crate) excess: f64,
}

/// A zone that dominates.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct Dominance {
    zone: Zone,
    since: Micros,
    /// When the other zone was heated last before: that heat may still be on its way in it.
    other_heated: Option<Micros>,
}

/// Memory of both zones.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SwapWatch {
    dominance: Option<Dominance>,
    /// A domination that lasted a pulse and awaits its verdict.
    pending: Option<Dominance>,
    last_heat: [Option<Micros>; 2],
}

impl SwapWatch {
    /// One evaluation; `Some` when the wrong zone rises.
    pub(crate) fn advance(
        &mut self,
        now: Micros,
        views: [SwapView; 2],
        watches: &[HeatWatch; 2],
    ) -> Option<(AlarmCode, Cause)> {
        let over = views.map(|v| v.excess >= EXCESS);
        let heating = views.map(|v| v.excess >= QUIET);
        let dominant = match (over, heating) {
            ([true, _], [_, false]) => Some(Zone::Z1),
            ([_, true], [false, _]) => Some(Zone::Z2),
            _ => None,
        };
        match (self.dominance, dominant) {
            (Some(dominance), Some(zone)) if dominance.zone == zone => {
                if now.since(dominance.since) >= PULSE {
                    self.pending = Some(dominance);
                }
            }
            (_, Some(zone)) => {
                let other_heated = self.last_heat[zone.other().index()];
                self.dominance = Some(Dominance { zone, since: now, other_heated });
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
            judge(now, dominance, views, watches)
        });
        for (last, heating) in self.last_heat.iter_mut().zip(heating) {
            if heating {
                *last = Some(now);
            }
        }
        verdict
    }
}

fn judge(
    now: Micros,
    dominance: Dominance,
    views: [SwapView; 2],
    watches: &[HeatWatch; 2],
) -> Option<(AlarmCode, Cause)> {
    if dominance.other_heated.is_some_and(|last| now.since(last) < COAST) {
        return None;
    }
    let heated = dominance.zone;
    let rise =
        |zone: Zone| views[zone.index()].pv.and_then(|pv| watches[zone.index()].gain(pv, 60));
    let (own_rise, other_rise) = (rise(heated)?, rise(heated.other())?);
    (other_rise >= RISE && own_rise < other_rise / 2.0)
        .then_some((AlarmCode::ZonesSwapped, Cause::Swapped { heated, own_rise, other_rise }))
}
