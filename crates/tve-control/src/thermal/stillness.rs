//! Must a reading have moved that stands still?
//!
//! A quiet converter says one code for minutes while a zone is held well, so stillness alone shows
//! nothing. What no zone can do is to stop at once in the middle of a rise or a fall, or to go on
//! standing while its heat becomes more or less:
//!
//! ```text
//!  rate shown until it stood ───────────────────────────┐
//!  duty arriving then, duty arriving now ─► change of ──┴─► how fast it must be moving, at least
//! ```
//!
//! As long as the reading stands, its losses stand too: they are in the rate that it showed before.

use super::balance::HeatBalance;
use super::zone::Model;
use tve_units::Micros;

/// What a change of duty does at least and at most, as a share of what the model says: no barrel is
/// what its configuration says, and mains are within 10 % of nominal. Narrower than the bounds of the
/// balance of heat, which have to hold for energy that adds up for minutes.
const WEAKEST: f64 = 0.5;
const STRONGEST: f64 = 1.7;
/// What a room that changes does meanwhile, °C of lift.
const ROOM: f64 = 6.0;
/// What the rate of a reading in steps is uncertain by, °C/s.
const COARSE: f64 = 0.005;
/// The soonest that heat arrives: dead time as a share of the model's, and the lag of a light band
/// and a quick sensor behind it, s.
const SOON_DEAD_TIME: f64 = 0.5;
const SOON_LAG_S: f64 = 15.0;
/// The rate that a reading shows is taken over this, s.
pub(super) const RATE_OVER: usize = 10;

/// How it was when the reading began to stand.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct Before {
    since: Micros,
    /// °C/s.
    rate: f64,
    /// Duty that had arrived by then at the soonest and at the latest, %.
    soon: f64,
    late: f64,
}

/// Memory of one zone.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Stillness {
    before: Option<Before>,
    /// Duty that has arrived at the soonest, %.
    soon: f64,
    rise: f64,
    fall: f64,
    missed: f64,
}

impl Stillness {
    /// How far the reading must have moved since it stands, either way, °C.
    pub(super) const fn missed(&self) -> f64 {
        self.missed
    }

    /// One evaluation, `dt` s after the last. `since`: when the reading took the code that it has;
    /// `rate`: what it showed of late, °C/s.
    pub(super) fn advance(
        &mut self,
        since: Option<Micros>,
        rate: f64,
        balance: &HeatBalance,
        model: Model,
        dt: f64,
    ) {
        let soon = balance.given(SOON_DEAD_TIME * model.zone.dead_time);
        self.soon += (soon - self.soon) * dt / (SOON_LAG_S + dt);
        let (soon, late) = (self.soon, balance.surely_arrived());
        let Some(since) = since else {
            *self = Self { soon: self.soon, ..Self::default() };
            return;
        };
        let before = match self.before {
            Some(before) if before.since == since => before,
            Some(_) | None => {
                let before = Before { since, rate, soon, late };
                *self = Self { before: Some(before), soon, ..Self::default() };
                before
            }
        };
        let heating = model.zone.gain / 100.0 / model.zone.time_constant;
        let (weakest, strongest) = (heating * WEAKEST, heating * STRONGEST);
        // A change of duty does least where it adds, and most where it takes away, or the other way
        // round; and it has come in full, or hardly yet.
        let (soon, late) = (soon - before.soon, late - before.late);
        let at_least = |change: f64| change * if change > 0.0 { weakest } else { strongest };
        let at_most = |change: f64| change * if change > 0.0 { strongest } else { weakest };
        let unsure = ROOM / model.zone.time_constant + COARSE;
        // What no zone can do at all goes before what this one cannot do of a sudden.
        let possible = balance.rates();
        let slowest = (before.rate + at_least(soon.min(late)) - unsure).max(possible.least);
        let fastest = (before.rate + at_most(soon.max(late)) + unsure).min(possible.most);
        self.rise = (self.rise + slowest * dt).max(0.0);
        self.fall = (self.fall - fastest * dt).max(0.0);
        // What it must have shown once it has missed, wherever it would be by now.
        self.missed = self.missed.max(self.rise).max(self.fall);
    }
}
