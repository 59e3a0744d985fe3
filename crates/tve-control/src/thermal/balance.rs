//! The heat balance of a zone: what was put in against what its sensor shows, in every mode.
//!
//! ```text
//!  duty ─► dead time, heater band ─► arrived ─┐
//!                                             ├─► how much the zone may lose, how much it may gain
//!  reading, neighbours, screw, cooler ────────┘
//!        it loses more, or gains less  ─► `missing`: heat that does not show, so may be in the metal
//!        it gains more, or loses less  ─► `unasked`: heat that nobody gave
//! ```
//!
//! Beside the account stands a bound that no alarm and no clear resets: how cold the metal can be by
//! now, had its heater given nothing and everything around it taken all it can. A sensor that falls
//! below that has lost the metal, and whatever it shows from then on says nothing of it.
//!
//! The model is a first-order lag: `time_constant · dT/dt = gain · duty − (T − ambient)`, all flows in
//! °C of long-run lift. It is taken for no more than it is worth: see [`HEATING`] and [`COOLING`].
//!
//! `missing` and `unasked` are one-sided cumulative sums (Page, *Biometrika* 41, 1954): a healthy zone
//! stays within the margins and holds them at zero; what is beyond adds up and says, in °C, how far
//! sensor and energy have come apart.

use super::zone::Model;
use tve_units::Micros;

/// How many seconds of duty are kept: the longest dead time with its margin.
const KEPT: usize = 192;
/// Dead time at the soonest and at the latest, as shares of the model's.
const SOONEST: f64 = 0.3;
const LATEST: f64 = 1.3;
/// Lag of a slow heater band behind the latest dead time, s.
const BAND_LAG_S: f64 = 30.0;
/// So many lags after the latest dead time nothing is on its way any more from before a start.
const SETTLED_LAGS: f64 = 3.0;
/// What may be on its way at a start, %: the process before it may have heated with all there is.
const UNKNOWN_DUTY: f64 = 100.0;

/// How much of the model's heating a zone shows at least and at most, as a share: its gain over its
/// time constant, before anybody has measured them.
const HEATING: Range = Range { least: 0.4, most: 2.2 };
/// How much of the model's cooling it shows at least and at most, as a share.
const COOLING: Range = Range { least: 0.3, most: 1.7 };
/// Mains within 10 % of nominal: power within a fifth.
const MAINS: f64 = 0.2;
/// What a draught takes at most, and what a room that warms up gives, °C of lift.
const DRAUGHT: f64 = 30.0;
const CALM: f64 = 12.0;
/// What the material takes while a screw turns, and what its shear gives, as shares of the gain.
const MATERIAL: f64 = 0.3;
const SHEAR: f64 = 0.08;
/// What a neighbour takes or gives at most, as a share of the difference.
const NEIGHBOUR: f64 = 0.25;
/// A neighbour that nobody can see may be as hot as this, °C.
const UNSEEN_NEIGHBOUR: f64 = 280.0;
/// How much more than the room a cooler takes, as a share.
const COOLER: f64 = 1.5;
/// A reading this far below what its metal can be has lost it, °C, where another zone shows that the
/// supply of the dividers has not moved, and where none does.
const LOST: f64 = 4.0;
const LOST_UNWITNESSED: f64 = 10.0;
/// Colder than this a divider is too near its end for one sensor to speak for another, °C.
const BLIND_BELOW: f64 = 35.0;
/// For how long, so that every sensor has been sampled since.
const LOST_FOR: Micros = Micros::from_secs(2);
/// A sensor that moves with the supply has lost at least this by then, °C.
const MOVED: f64 = 1.0;
/// One this much hotter than another moves so little beside it that it proves nothing, °C.
const AS_COLD: f64 = 20.0;
/// Below this a supply that is 1 % off moves a reading by more than the latter, °C; and how much more for
/// each °C.
const SURE_ABOVE: f64 = 80.0;
const LESS_SURE: f64 = 0.5;

/// What is beside a zone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Neighbour {
    /// No zone: it is the first or the last.
    None,
    /// A zone whose sensor gives no temperature.
    Unseen,
    /// A zone that reads so many °C.
    At(f64),
}

impl Neighbour {
    /// The coldest and the hottest that it can be, °C; `None` where there is none.
    fn range(self, ambient: f64) -> Option<(f64, f64)> {
        match self {
            Self::None => None,
            Self::Unseen => Some((ambient, UNSEEN_NEIGHBOUR)),
            Self::At(t) => Some((t, t)),
        }
    }
}

/// What is known of a zone at one evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flows {
    /// Mean of the newest second, °C; `None` while the sensor gives no temperature.
    pub(crate) pv: Option<f64>,
    /// Duty in force, %.
    pub(crate) duty: f64,
    /// The zones beside it.
    pub(crate) neighbours: [Neighbour; 2],
    pub(crate) screw_turns: bool,
    pub(crate) cooled: bool,
}

/// Least and most of something.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Range {
    pub(super) least: f64,
    pub(super) most: f64,
}

/// Heat on its way: the duty of the past minutes, one entry a second, %.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct UnderWay {
    #[cfg_attr(feature = "state", serde(with = "crate::array_state"))]
    past: [f32; KEPT],
    newest: usize,
    since: Micros,
    sum: f64,
    count: u32,
    late: f64,
    /// Time since the start, up to where nothing from before it is on its way, s.
    known_for: f64,
}

impl UnderWay {
    const fn new() -> Self {
        Self {
            past: [0.0; KEPT],
            newest: 0,
            since: Micros::ZERO,
            sum: 0.0,
            count: 0,
            late: 0.0,
            known_for: 0.0,
        }
    }

    fn advance(&mut self, now: Micros, duty: f64, dead_time: f64, dt: f64) -> Range {
        self.sum += duty;
        self.count += 1;
        if now.since(self.since) >= Micros::from_secs(1) {
            self.newest = (self.newest + 1) % KEPT;
            self.past[self.newest] = (self.sum / f64::from(self.count)) as f32;
            (self.since, self.sum, self.count) = (now, 0.0, 0);
        }
        self.late += (self.ago(LATEST * dead_time) - self.late) * dt / (BAND_LAG_S + dt);
        let soon = self.ago(SOONEST * dead_time);
        let settled = LATEST * dead_time + SETTLED_LAGS * BAND_LAG_S;
        self.known_for = (self.known_for + dt).min(settled);
        let most = if self.known_for < settled { UNKNOWN_DUTY } else { soon.max(self.late) };
        Range { least: soon.min(self.late), most }
    }

    fn ago(&self, seconds: f64) -> f64 {
        let back = (seconds as usize).min(KEPT - 1);
        f64::from(self.past[(self.newest + KEPT - back) % KEPT])
    }
}

/// The account of one zone.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct HeatBalance {
    under_way: UnderWay,
    /// How the reading may change now, °C/s.
    rates: Range,
    last: Option<f64>,
    missing: f64,
    unasked: f64,
    unasked_since: Option<Micros>,
    /// What the metal is at least, °C; `None` before it was ever seen.
    coldest: Option<f64>,
    lost_since: Option<Micros>,
}

impl Default for HeatBalance {
    fn default() -> Self {
        Self {
            under_way: UnderWay::new(),
            rates: Range::default(),
            last: None,
            missing: 0.0,
            unasked: 0.0,
            unasked_since: None,
            coldest: None,
            lost_since: None,
        }
    }
}

impl HeatBalance {
    /// How the reading may change now, °C/s.
    pub(super) const fn rates(&self) -> Range {
        self.rates
    }

    /// Duty of so many seconds ago, %.
    pub(super) fn given(&self, seconds_ago: f64) -> f64 {
        self.under_way.ago(seconds_ago)
    }

    /// Duty that has arrived also where it arrives at the latest, %.
    pub(super) const fn surely_arrived(&self) -> f64 {
        self.under_way.late
    }

    /// Heat that was put in and does not show, °C.
    pub(crate) const fn missing(&self) -> f64 {
        self.missing
    }

    /// Heat that shows and that nobody gave, °C.
    pub(crate) const fn unasked(&self) -> f64 {
        self.unasked
    }

    /// For how long some heat has been unasked.
    pub(crate) fn unasked_for(&self, now: Micros) -> Option<Micros> {
        self.unasked_since.map(|since| now.since(since))
    }

    /// How far the reading is below what the metal can be, °C.
    fn lost(&self) -> f64 {
        self.coldest.zip(self.last).map_or(0.0, |(coldest, pv)| coldest - pv)
    }

    /// What the metal is at least, °C, where the reading cannot be its temperature: it fell faster than
    /// any metal cools, and not with the sensors of `others`.
    pub(crate) fn detached<'a>(
        &self,
        now: Micros,
        mut others: impl Iterator<Item = &'a Self>,
    ) -> Option<f64> {
        let coldest = self.coldest?;
        let lasting = self.lost_since.is_some_and(|since| now.since(since) >= LOST_FOR);
        let stands = |other: &Self| {
            other.last.is_some_and(|pv| pv <= coldest + AS_COLD) && other.lost() < MOVED
        };
        let alone = LOST_UNWITNESSED + LESS_SURE * (SURE_ABOVE - coldest).max(0.0);
        let witnessed = lasting && coldest >= BLIND_BELOW && others.any(stands);
        let detached = self.lost() >= alone || witnessed;
        detached.then_some(coldest)
    }

    /// One evaluation, `dt` s after the last.
    pub(crate) fn advance(&mut self, now: Micros, flows: Flows, model: Model, dt: f64) {
        let arrived = self.under_way.advance(now, flows.duty, model.zone.dead_time, dt);
        let cooled = |t: f64| t - fastest_loss(t, &flows, model) / model.zone.time_constant * dt;
        let coldest = self.coldest.map(cooled);
        self.coldest = coldest.map_or(flows.pv, |t| Some(flows.pv.map_or(t, |pv| pv.max(t))));
        let Some(pv) = flows.pv else {
            // Its sensor has an alarm of its own; what comes after is not compared with before.
            self.forget();
            return;
        };
        let range = rates(pv, arrived, &flows, model);
        self.rates = range;
        if let Some(last) = self.last.replace(pv) {
            let change = pv - last;
            self.missing = (self.missing + range.least * dt - change).max(0.0);
            self.unasked = (self.unasked + change - range.most * dt).max(0.0);
            self.unasked_since =
                if self.unasked > 0.0 { self.unasked_since.or(Some(now)) } else { None };
        }
        self.lost_since = (self.lost() >= LOST).then(|| self.lost_since.unwrap_or(now));
    }

    /// The account begins anew; what is on its way is on its way, and the metal is as hot as it is.
    fn forget(&mut self) {
        let Self { under_way, coldest, .. } = *self;
        *self = Self { under_way, coldest, ..Self::default() };
    }

    /// What its sensor shows is believed again: somebody has looked after it.
    pub(crate) fn trust(&mut self) {
        self.forget();
        self.coldest = None;
    }

    /// Nobody asks for heat: what was missing has been said.
    pub(crate) fn rest(&mut self) {
        self.missing = 0.0;
    }
}

/// The most that metal at `t` °C can lose, °C of lift.
fn fastest_loss(t: f64, flows: &Flows, model: Model) -> f64 {
    let lift = t - model.ambient;
    // A zone below the room is warmed by it.
    let mut loss = DRAUGHT + lift * if lift > 0.0 { COOLING.most } else { COOLING.least };
    for (coldest, _) in flows.neighbours.iter().filter_map(|n| n.range(model.ambient)) {
        loss += NEIGHBOUR * (t - coldest).max(0.0);
    }
    if flows.screw_turns {
        loss += MATERIAL * model.zone.gain;
    }
    if flows.cooled {
        loss += COOLER * lift.max(0.0);
    }
    loss
}

/// How the reading may change, °C/s.
fn rates(pv: f64, arrived: Range, flows: &Flows, model: Model) -> Range {
    let gain = model.zone.gain / 100.0;
    let lift = pv - model.ambient;
    let slower = if lift > 0.0 { COOLING.least } else { COOLING.most };
    let least =
        gain * arrived.least * HEATING.least * (1.0 - MAINS) - fastest_loss(pv, flows, model);
    let mut most = gain * arrived.most * HEATING.most * (1.0 + MAINS) - lift * slower + CALM;
    for (_, hottest) in flows.neighbours.iter().filter_map(|n| n.range(model.ambient)) {
        most += NEIGHBOUR * (hottest - pv).max(0.0);
    }
    if flows.screw_turns {
        most += SHEAR * model.zone.gain;
    }
    let tau = model.zone.time_constant;
    Range { least: least / tau, most: most / tau }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::{Safety, ZoneModel};

    const DT: f64 = 0.1;

    /// A zone that follows the model exactly, with a sensor that may lie.
    struct Zone {
        balance: HeatBalance,
        now: Micros,
        t: f64,
    }

    impl Zone {
        fn at(t: f64) -> Self {
            Self { balance: HeatBalance::default(), now: Micros::ZERO, t }
        }

        fn run(&mut self, seconds: f64, duty: f64, shown: impl Fn(f64) -> Option<f64>) {
            let safety = Safety::default();
            let model = Model { ambient: safety.ambient, zone: ZoneModel::of(&safety) };
            for _ in 0..(seconds / DT) as u32 {
                self.now = self.now + Micros::from_secs_f64(DT);
                let lift = self.t - model.ambient;
                self.t += (model.zone.gain * duty / 100.0 - lift) / model.zone.time_constant * DT;
                let flows = Flows {
                    pv: shown(self.t),
                    duty,
                    neighbours: [Neighbour::None; 2],
                    screw_turns: false,
                    cooled: false,
                };
                self.balance.advance(self.now, flows, model, DT);
            }
        }
    }

    #[test]
    fn a_zone_that_follows_its_model_owes_nothing_and_hides_nothing() {
        let mut zone = Zone::at(23.0);
        for duty in [100.0, 0.0, 43.0, 10.0, 60.0] {
            zone.run(300.0, duty, Some);
            assert_eq!(zone.balance.missing, 0.0, "{duty} %");
            assert!(zone.balance.unasked < 1.0, "{duty} %: {}", zone.balance.unasked);
        }
    }

    #[test]
    fn heat_that_does_not_show_adds_up_and_is_forgotten_where_nobody_asks_for_any() {
        let mut zone = Zone::at(210.0);
        zone.run(60.0, 43.0, Some);
        zone.run(15.0, 43.0, |_| Some(40.0));
        assert!(zone.balance.missing() > 140.0, "{}", zone.balance.missing());
        zone.balance.rest();
        assert_eq!(zone.balance.missing(), 0.0);
    }

    #[test]
    fn warmth_without_duty_is_unasked() {
        let mut zone = Zone::at(210.0);
        zone.run(300.0, 43.0, Some);
        zone.run(240.0, 0.0, |_| Some(210.0));
        assert!(zone.balance.unasked() > 5.0, "{}", zone.balance.unasked());
        assert!(zone.balance.unasked_for(zone.now).unwrap() > Micros::from_secs(60));
    }
}
