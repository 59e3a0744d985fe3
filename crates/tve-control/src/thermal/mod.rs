//! The part that holds the heat: the zones, who decides their duty, and the watch over them.
//!
//! ```text
//!            ┌─ Auto ◀──enter_auto── Manual
//!  readings ─┤   │ ▲ └─enter_manual──▲
//!            │   │ └──leave_tuning── done, failed, stopped, tripped
//!            │   └────enter_tuning──▶ Tuning(Autotune)
//!            └─▶ per zone: what may be (sensor, alarms) ─▶ what is wanted (PID, tune, hand) ─▶ duty
//! ```

mod autotune;
mod balance;
mod catch;
mod cross_wiring;
mod gains;
mod pid;
mod repeats;
mod runaway;
mod ssr;
mod stillness;
mod tuning;
mod unseen;
mod watch;
mod zone;

pub(crate) use catch::Catch;
pub(crate) use gains::effective_gains;
pub use pid::{Pid, PidInput};
pub(crate) use runaway::PERIOD;

use crate::alarm::{AlarmCode, Cause, HeatFault};
use crate::alarms::{Finding, Latches};
use crate::command::Mode;
use crate::sensors::{HeatContext, Readings};
use crate::tune::{TuneStatus, TuneView};
use autotune::Autotune;
use balance::HeatBalance;
use cross_wiring::{CrossWiringDetector, PULSE, ZoneView};
use repeats::Repeats;
use runaway::ThermalRunawayMonitor;
use ssr::slot_length;
use stillness::Stillness;
use tve_config::{MachineConfig, PidGains};
use tve_hal::{PerZone, Reading, Zone};
use tve_units::{Celsius, Duty, Micros};
use unseen::UnseenZone;
use zone::{Law, Model, ZoneControl};

/// Greatest duty while a sensor is at the cold end of its divider, or is doubted, %.
const DOUBTED_MAX: f64 = 30.0;
/// Share of the model's holding duty at which the integral waits while the output saturates:
/// rather approach from below. From 23 to 210 °C on the default plant the overshoot is 1.8 °C with
/// 0.85, 1.5 with 0.8 and 1.0 with 0.7, and 0.7 settles soonest.
const WAITING_SHARE: f64 = 0.7;
/// A zone this far under its target is warming up, °C.
const WARM_UP_GAP: f64 = 20.0;
/// A zone this near its target is in band, °C.
const IN_BAND: f64 = 5.0;
/// A cooler that runs stops this far above the target, °C: well below [`IN_BAND`], where it starts,
/// so that noise does not switch it with every sample.
const COOLED: f64 = 2.0;

/// Who decides the duties.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum HeatMode {
    /// The PID of each zone.
    Auto,
    /// The operator.
    Manual,
    /// The tune in its zone, the PID in the others.
    Tuning(Autotune),
}

/// The check of the wiring in the first warm-up after a start: each zone but the last alone for a
/// while, in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum WarmUp {
    Pending,
    Pulsing { zone: Zone, since: Micros },
    Done,
}

/// Every heated zone.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Thermal {
    #[cfg_attr(feature = "state", serde(skip))]
    gains: PerZone<PidGains>,
    ssr_slot: Micros,
    mode: HeatMode,
    zones: PerZone<ZoneControl>,
    monitors: PerZone<ThermalRunawayMonitor>,
    /// By the first zone of each pair of neighbours.
    wiring: PerZone<CrossWiringDetector>,
    seen: PerZone<ZoneView>,
    unseen: PerZone<UnseenZone>,
    balances: PerZone<HeatBalance>,
    stillness: PerZone<Stillness>,
    repeats: PerZone<Repeats>,
    warm_up: WarmUp,
    soak_since: Option<Micros>,
    /// How the newest tune ended, and what it found.
    tuned: TuneView,
    tune_announced: bool,
}

impl Thermal {
    pub(crate) fn new(config: &MachineConfig) -> Self {
        let zones = config.zones.len();
        Self {
            gains: effective_gains(config),
            ssr_slot: slot_length(config.control.mains_hz),
            mode: HeatMode::Auto,
            zones: PerZone::new(zones),
            monitors: PerZone::new(zones),
            wiring: PerZone::new(zones.saturating_sub(1)),
            seen: PerZone::new(zones),
            unseen: PerZone::new(zones),
            balances: PerZone::new(zones),
            stillness: PerZone::new(zones),
            repeats: PerZone::new(zones),
            warm_up: WarmUp::Pending,
            soak_since: None,
            tuned: TuneView::default(),
            tune_announced: false,
        }
    }

    /// The zones, in the order in which they stand.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Zone> + use<> {
        self.zones.ids()
    }

    /// The zone after this one, towards the die.
    fn next(&self, zone: Zone) -> Option<Zone> {
        self.ids().nth(zone.index() + 1)
    }

    pub(crate) const fn mode(&self) -> Mode {
        match self.mode {
            HeatMode::Auto | HeatMode::Tuning(_) => Mode::Auto,
            HeatMode::Manual => Mode::Manual,
        }
    }

    pub(crate) fn target(&self, zone: Zone) -> Celsius {
        self.zones[zone].target()
    }

    /// The setpoint that a zone is held at, as shown: its target, or that of its tune.
    pub(crate) fn shown_target(&self, zone: Zone) -> Celsius {
        match self.tune_of(zone) {
            Some(tune) => Celsius::clamped(tune.setpoint),
            None => self.zones[zone].target(),
        }
    }

    pub(crate) fn manual(&self, zone: Zone) -> Duty {
        self.zones[zone].manual()
    }

    /// The duty in force.
    pub(crate) fn duty(&self, zone: Zone) -> Duty {
        self.zones[zone].duty()
    }

    /// Targets and duties at zero.
    pub(crate) fn is_off(&self) -> bool {
        self.zones.iter().all(ZoneControl::is_off)
    }

    /// Some zone has a duty.
    pub(crate) fn heats(&self) -> bool {
        self.zones.iter().any(|zone| !zone.duty().is_zero())
    }

    /// Some zone has a target.
    pub(crate) fn has_target(&self) -> bool {
        self.zones.iter().any(|zone| !zone.target().is_zero())
    }

    /// Every zone that has a target is near it, and one has.
    pub(crate) fn in_band(&self, readings: &Readings<'_>) -> bool {
        let near = |zone: Zone| {
            let target = self.zones[zone].target().get();
            readings.temperature(zone).is_some_and(|t| (t - target).abs() <= IN_BAND)
        };
        self.has_target()
            && self.ids().filter(|zone| !self.zones[*zone].target().is_zero()).all(near)
    }

    /// What the sensor of a zone has to know about its heater.
    pub(crate) fn context(&self, zone: Zone) -> HeatContext {
        let (duty, missed) = (self.duty(zone).get(), self.stillness[zone].missed());
        HeatContext { heated: true, duty, missed }
    }

    /// From the PID to the operator, see [`ZoneControl::take_in_hand`].
    pub(crate) fn enter_manual(&mut self, config: &MachineConfig) {
        for zone in self.ids() {
            self.zones[zone].take_in_hand(Model::of(config, zone));
        }
        self.mode = HeatMode::Manual;
    }

    /// From the operator to the PID; the loop that closes next takes over the manual duty.
    pub(crate) fn enter_auto(&mut self) {
        for zone in &mut self.zones {
            zone.set_manual(Duty::ZERO);
        }
        self.mode = HeatMode::Auto;
    }

    pub(crate) fn set_target(&mut self, zone: Zone, target: Celsius) {
        if target.is_zero() && self.tune_of(zone).is_some() {
            self.leave_tuning(TuneStatus::Failed);
        }
        self.zones[zone].set_target(target);
    }

    pub(crate) fn set_manual(&mut self, zone: Zone, duty: Duty) {
        self.zones[zone].set_manual(duty);
    }

    /// Some zone has a target, or a duty by hand.
    pub(crate) fn is_asked_to_heat(&self) -> bool {
        self.zones.iter().any(|zone| !zone.target().is_zero() || !zone.manual().is_zero())
    }

    /// Lowers every target by so many °C, and every duty by hand by what holds them, at most to zero.
    pub(crate) fn turn_down(&mut self, by: f64, config: &MachineConfig) {
        for (id, zone) in config.zones.entries() {
            let (control, held_by) = (&mut self.zones[id], by / zone.model.gain * 100.0);
            control.set_target(Celsius::clamped((control.target().get() - by).max(0.0)));
            control.set_manual(Duty::clamped((control.manual().get() - held_by).max(0.0)));
        }
    }

    /// Target, duty and tune of a zone are gone.
    pub(crate) fn switch_off(&mut self, zone: Zone) {
        self.zones[zone].switch_off();
        if self.tune_of(zone).is_some() {
            self.leave_tuning(TuneStatus::Failed);
        }
    }

    /// Notes a fault of a zone; whether it is one that has come within the last hour before.
    pub(crate) fn comes_again(&mut self, now: Micros, zone: Zone, fault: HeatFault) -> bool {
        self.repeats[zone].again(now, fault)
    }

    /// Takes in a fault of the process before, which came so long `ago`.
    pub(crate) fn recall(&mut self, zone: Zone, fault: HeatFault, ago: Micros) {
        self.repeats[zone].recall(fault, ago);
    }

    /// Somebody has looked after a zone: its account and its faults begin anew.
    pub(crate) fn release(&mut self, zone: Zone) {
        self.balances[zone].trust();
        self.repeats[zone] = Repeats::default();
    }

    pub(crate) fn switch_all_off(&mut self) {
        for zone in self.ids() {
            self.switch_off(zone);
        }
    }

    /// Takes over gains and mains of a new configuration. A sensor that is now read in another way is
    /// not held against what it showed before.
    pub(crate) fn adopt(&mut self, old: &MachineConfig, config: &MachineConfig) {
        self.ssr_slot = slot_length(config.control.mains_hz);
        let gains = effective_gains(config);
        for zone in self.ids() {
            if gains[zone] != self.gains[zone] {
                self.zones[zone].rebase();
            }
            if old.sensor_of(zone) != config.sensor_of(zone) {
                self.balances[zone].trust();
            }
        }
        self.gains = gains;
    }

    /// Completes what was read from a black box by its configuration.
    #[cfg(feature = "state")]
    pub(crate) fn resume(&mut self, config: &MachineConfig) {
        self.gains = effective_gains(config);
    }

    /// The zone that is warmed alone now, to see that its own sensor answers.
    pub(crate) fn warm_up(&mut self, readings: &Readings<'_>) -> Option<Zone> {
        match self.warm_up {
            WarmUp::Done => None,
            WarmUp::Pulsing { zone, since } => {
                let over = readings.now().since(since) >= PULSE
                    || matches!(self.mode, HeatMode::Manual)
                    || self.zones[zone].target().is_zero();
                if !over {
                    return Some(zone);
                }
                self.enter_pulse(self.next(zone), readings.now())
            }
            WarmUp::Pending => {
                let warming = |zone: Zone| {
                    let target = self.zones[zone].target().get();
                    readings.temperature(zone).is_some_and(|t| target - t > WARM_UP_GAP)
                };
                let begins = matches!(self.mode, HeatMode::Auto) && self.ids().all(warming);
                if !begins {
                    return None;
                }
                let first = self.ids().next();
                self.enter_pulse(first, readings.now())
            }
        }
    }

    /// The pulse of a zone; the last in the row needs none, as its neighbour has had one.
    fn enter_pulse(&mut self, zone: Option<Zone>, since: Micros) -> Option<Zone> {
        let zone = zone.filter(|zone| self.next(*zone).is_some());
        self.warm_up = zone.map_or(WarmUp::Done, |zone| WarmUp::Pulsing { zone, since });
        zone
    }

    /// Decides the duty of a zone for this tick. `alone`: the zone that [`Self::warm_up`] named.
    pub(crate) fn heat(
        &mut self,
        zone: Zone,
        readings: &Readings<'_>,
        forbidden: bool,
        alone: Option<Zone>,
        config: &MachineConfig,
    ) -> Option<Finding> {
        let reading = readings.zone(zone);
        let believed = config.sensor_of(zone).doubt.is_none();
        let (max, finding) = match reading {
            _ if forbidden => (None, None),
            Reading::Good(_) | Reading::Uncertain(_) if believed => (Some(Duty::FULL.get()), None),
            Reading::Good(_) | Reading::Uncertain(_) | Reading::ColdOrOpen => {
                (Some(DOUBTED_MAX), None)
            }
            Reading::NotFitted => {
                // Without a sensor there is no heat, and whoever asks for it hears why.
                let asked =
                    !self.zones[zone].target().is_zero() || !self.zones[zone].manual().is_zero();
                let cause = Cause::Sensor(readings.sensor(zone), reading);
                (None, asked.then_some(Finding::new(AlarmCode::HeaterSensorFailure, cause)))
            }
            Reading::Starting
            | Reading::Stale
            | Reading::Open
            | Reading::Shorted
            | Reading::Jumping
            | Reading::Frozen
            | Reading::BusError => (None, None),
        };
        let Some(max) = max else {
            self.zones[zone].rest();
            return finding;
        };
        let (wanted, finding) = self.wanted(zone, readings, max, config);
        let held_off = alone.is_some_and(|alone| alone != zone);
        let duty = if held_off { 0.0 } else { wanted.min(max) };
        self.zones[zone].set_duty(Duty::clamped(duty));
        finding
    }

    /// The duty that the tune, the operator or the PID wants, %.
    fn wanted(
        &mut self,
        zone: Zone,
        readings: &Readings<'_>,
        max: f64,
        config: &MachineConfig,
    ) -> (f64, Option<Finding>) {
        match self.mode {
            HeatMode::Tuning(tune) if tune.zone == zone => {
                (self.tune_duty(tune, readings, max, Model::of(config, zone)), None)
            }
            HeatMode::Manual => {
                self.zones[zone].open();
                (self.zones[zone].manual().get(), None)
            }
            HeatMode::Auto | HeatMode::Tuning(_) => {
                let target = self.zones[zone].target();
                let finding = if target.is_zero() { None } else { self.tune_needed(config) };
                let law = Law {
                    gains: self.gains[zone],
                    holding: 1.0,
                    waiting: WAITING_SHARE,
                    integrate: true,
                };
                let (control, model) = (&mut self.zones[zone], Model::of(config, zone));
                let duty = control.closed(zone, readings, target.get(), law, max, model);
                (duty, finding)
            }
        }
    }

    /// Once: the gains were made for another law.
    fn tune_needed(&mut self, config: &MachineConfig) -> Option<Finding> {
        if config.control.law >= 2 || self.tune_announced {
            return None;
        }
        self.tune_announced = true;
        Some(Finding::new(AlarmCode::TuneNeeded, Cause::Plain))
    }

    /// Whether the cooler of a zone runs, which it did (`cooled`) or did not until now: from where
    /// the zone is too warm for its target until it nearly has it, and never against its heater.
    pub(crate) fn cools(&self, zone: Zone, readings: &Readings<'_>, cooled: bool) -> bool {
        let control = &self.zones[zone];
        let target = control.target().get();
        let limit = target + if cooled { COOLED } else { IN_BAND };
        let too_warm = readings.temperature(zone).is_some_and(|t| t > limit);
        target > 0.0 && too_warm && control.duty().is_zero()
    }

    /// Whether the relay of a zone conducts during this tick.
    pub(crate) fn conducts(&mut self, now: Micros, zone: Zone, latches: &Latches) -> bool {
        let slot = self.ssr_slot;
        let control = &mut self.zones[zone];
        let duty = if latches.forbids_heat(zone) { Duty::ZERO } else { control.duty() };
        control.conducts(now, slot, duty)
    }
}
