//! The watch over the zones: one evaluation each [`PERIOD`] of the rules that need a history.

use super::autotune::Autotune;
use super::balance::{Flows, Neighbour};
use super::cross_wiring::ZoneView;
use super::runaway::{HeatView, PERIOD};
use super::stillness::RATE_OVER;
use super::unseen::Seen;
use super::zone::Model;
use super::{HeatMode, Thermal};
use crate::alarm::{AlarmCode, Cause};
use crate::alarms::Finding;
use crate::sensors::Readings;
use tve_config::MachineConfig;
use tve_hal::Zone;
use tve_units::Micros;

/// Heat that does not show, at which a zone is switched off, °C.
const MISSING: f64 = 10.0;
/// Heat that nobody gave, °C, and for how long, at which the machine is switched off.
const UNASKED: f64 = 5.0;
const UNASKED_FOR: Micros = Micros::from_secs(60);
/// Heat that nobody gave, °C, from which a rise is not the loop's.
const UNBRAKED: f64 = 1.0;
/// Where a zone may be heading for at most, °C.
const PEAK: f64 = 290.0;
/// For how long heat that is under way goes on to raise a zone, beside the dead time, s.
const UNDER_WAY_S: f64 = 25.0;

impl Thermal {
    /// One evaluation of a zone: does it follow its heater?
    pub(crate) fn watch(
        &mut self,
        zone: Zone,
        readings: &Readings<'_>,
        screw_turning: bool,
        config: &MachineConfig,
    ) -> Option<Finding> {
        let pv = readings.mean(zone);
        let model = Model::of(config, zone);
        let duty = self.zones[zone].duty().get();
        let target = self.closed_loop_setpoint(zone);
        let relay_high = self.tune_of(zone).and_then(Autotune::relay_high);
        let dead_time = model.zone.dead_time;
        let view = HeatView { zone, pv, target, duty, relay_high, screw_turning, dead_time };
        let finding = self.monitors[zone].advance(readings.now(), view, &config.safety);
        let holding = pv.map_or(0.0, |t| model.holding_duty(t));
        self.seen[zone] = ZoneView { pv, excess: duty - holding };
        finding
    }

    /// One evaluation of a zone: is the heat that went in the heat that shows, and no more?
    pub(crate) fn account(
        &mut self,
        zone: Zone,
        readings: &Readings<'_>,
        screw_turns: bool,
        cooled: bool,
        config: &MachineConfig,
    ) -> Option<Finding> {
        let beside = |zone: Option<Zone>| match zone {
            Some(zone) => readings.mean(zone).map_or(Neighbour::Unseen, Neighbour::At),
            None => Neighbour::None,
        };
        let before = zone.index().checked_sub(1).map(Zone::at);
        let flows = Flows {
            pv: readings.mean(zone),
            duty: self.zones[zone].duty().get(),
            neighbours: [beside(before), beside(self.next(zone))],
            screw_turns,
            cooled,
        };
        let model = Model::of(config, zone);
        let monitor = &self.monitors[zone];
        let rise = |seconds| flows.pv.and_then(|pv| monitor.gain(pv, seconds));
        let open = self.closed_loop_setpoint(zone).is_none() && flows.duty > 0.0;
        let balance = &mut self.balances[zone];
        balance.advance(readings.now(), flows, model, PERIOD.secs());
        let shown = rise(RATE_OVER).unwrap_or(0.0) / RATE_OVER as f64;
        let stands = readings.stands_since(zone);
        self.stillness[zone].advance(stands, shown, balance, model, PERIOD.secs());
        // Whoever asks for no heat there is not told that it does not show.
        if self.zones[zone].is_off() {
            balance.rest();
        }
        if balance.missing() >= MISSING {
            let minute = rise(60).unwrap_or(0.0);
            let expected = minute + balance.missing();
            let cause = Cause::Rate { zone, expected, actual: minute };
            return Some(Finding::new(AlarmCode::HeaterNotHeating, cause));
        }
        let pv = flows.pv?;
        let others = self.balances.entries().filter(|(other, _)| *other != zone).map(|(_, b)| b);
        if let Some(coldest) = self.balances[zone].detached(readings.now(), others) {
            let cause = Cause::Fell { sensor: readings.sensor(zone), reading: pv, coldest };
            return Some(Finding::new(AlarmCode::SensorDetached, cause));
        }
        let balance = &self.balances[zone];
        let moment = rise(10).unwrap_or(0.0);
        let peak = pv + moment.max(0.0) / 10.0 * (model.zone.dead_time + UNDER_WAY_S);
        let lasting = balance.unasked_for(readings.now()).is_some_and(|span| span >= UNASKED_FOR);
        let unasked = balance.unasked() >= UNASKED && lasting;
        // A closed loop turns its heat down in time; nobody does so for heat that it has not given.
        let nobody_brakes = open || balance.unasked() >= UNBRAKED;
        (unasked || (nobody_brakes && peak >= PEAK)).then(|| {
            let target = self.shown_target(zone).get();
            Finding::new(AlarmCode::HeatUnasked, Cause::Runaway { zone, reading: pv, target })
        })
    }

    /// One evaluation of a pair of neighbours, after each of them: do they get each other's heat?
    pub(crate) fn watch_wiring(&mut self, now: Micros, zone: Zone) -> Option<Finding> {
        let pair = [zone, self.next(zone)?];
        let views = pair.map(|z| self.seen[z]);
        let monitors = pair.map(|z| &self.monitors[z]);
        self.wiring[zone].advance(now, pair, views, monitors)
    }

    /// How hot a zone could be that nobody can see, °C; one evaluation.
    pub(crate) fn could_be(
        &mut self,
        zone: Zone,
        readings: &Readings<'_>,
        config: &MachineConfig,
    ) -> Option<f64> {
        let hottest_target = config.zones[zone].limits.max_target;
        // A frozen sensor has not been telling the truth for a while.
        let silent_for = config.safety.frozen_after;
        let believed = readings.last_believed(zone).unwrap_or(hottest_target);
        let seen = Seen { reading: readings.zone(zone), believed, silent_for };
        self.unseen[zone].advance(seen, PERIOD.secs(), Model::of(config, zone))
    }

    /// Since when every zone is within the soak band of its target; one evaluation.
    pub(crate) fn watch_soak(&mut self, readings: &Readings<'_>, config: &MachineConfig) {
        let within = self.ids().all(|zone| {
            let target = self.zones[zone].target().get();
            readings
                .mean(zone)
                .is_some_and(|t| target > 0.0 && (t - target).abs() <= config.safety.soak_band)
        });
        self.soak_since = within.then(|| self.soak_since.unwrap_or(readings.now()));
    }

    /// For how long every zone has been within the soak band, s.
    pub(crate) fn soaked(&self, now: Micros) -> Option<f64> {
        self.soak_since.map(|since| now.since(since).secs())
    }

    /// Whether a zone rises, or nobody can see that it does not.
    pub(crate) fn rises(&self, zone: Zone, readings: &Readings<'_>) -> bool {
        readings.mean(zone).is_none_or(|pv| self.monitors[zone].is_rising(pv))
    }

    /// The setpoint of a zone's closed loop, if one is closed.
    fn closed_loop_setpoint(&self, zone: Zone) -> Option<f64> {
        match &self.mode {
            HeatMode::Tuning(tune) if tune.zone == zone => Some(tune.setpoint),
            HeatMode::Manual => None,
            HeatMode::Auto | HeatMode::Tuning(_) => {
                Some(self.zones[zone].target().get()).filter(|t| *t > 0.0)
            }
        }
    }
}
