//! How a zone is handed to its tune and back, and what the tune asks of it meanwhile.

use super::autotune::{
    APPROACH_CALM, APPROACH_TRUST, Autotune, Progress, TuneDrive, approach_gains,
};
use super::zone::{Law, Model};
use super::{HeatMode, Thermal};
use crate::sensors::Readings;
use crate::tune::{TuneMethod, TuneResult, TuneStatus, TuneView};
use tve_hal::Zone;
use tve_units::{Celsius, Micros};

impl Thermal {
    pub(super) const fn tune(&self) -> Option<&Autotune> {
        match &self.mode {
            HeatMode::Tuning(tune) => Some(tune),
            HeatMode::Auto | HeatMode::Manual => None,
        }
    }

    pub(super) fn tune_of(&self, zone: Zone) -> Option<&Autotune> {
        self.tune().filter(|tune| tune.zone == zone)
    }

    pub(crate) const fn is_tuning(&self) -> bool {
        self.tune().is_some()
    }

    /// Setpoint of the tune of a zone, °C, while one runs.
    pub(crate) fn tune_setpoint(&self, zone: Zone) -> Option<f64> {
        self.tune_of(zone).map(|tune| tune.setpoint)
    }

    pub(crate) const fn tune_result(&self) -> Option<TuneResult> {
        self.tuned.result
    }

    pub(crate) fn shown_tune(&self) -> TuneView {
        match self.tune() {
            Some(tune) => TuneView { status: tune.status(), cycle: tune.cycle(), ..self.tuned },
            None => self.tuned,
        }
    }

    /// From the PID of one zone to its tune.
    pub(crate) fn enter_tuning(
        &mut self,
        now: Micros,
        zone: Zone,
        setpoint: Celsius,
        method: TuneMethod,
    ) {
        self.zones[zone].hand_over();
        self.mode = HeatMode::Tuning(Autotune::new(zone, setpoint.get(), method, now));
        self.tuned = TuneView::default();
    }

    /// From the tune back to the PID, which takes over its duty.
    pub(crate) fn leave_tuning(&mut self, status: TuneStatus) {
        if let HeatMode::Tuning(tune) = self.mode {
            self.zones[tune.zone].hand_over();
            self.tuned.status = status;
            self.mode = HeatMode::Auto;
        }
    }

    pub(super) fn tune_duty(
        &mut self,
        mut tune: Autotune,
        readings: &Readings<'_>,
        max: f64,
        model: Model,
    ) -> f64 {
        let zone = tune.zone;
        let Some(pv) = readings.mean(zone) else {
            return 0.0;
        };
        let duty = match tune.drive() {
            TuneDrive::Pid => {
                let gain = self.monitors[zone].gain(pv, 60);
                let law = Law {
                    gains: approach_gains(&model.zone),
                    holding: APPROACH_TRUST,
                    waiting: APPROACH_TRUST,
                    integrate: gain.is_none_or(|gain| gain.abs() < APPROACH_CALM),
                };
                self.zones[zone].closed(zone, readings, tune.setpoint, law, max, model)
            }
            TuneDrive::Relay(duty) => {
                self.zones[zone].open();
                duty
            }
        };
        match tune.advance(readings.now(), pv, duty) {
            Progress::Running => self.mode = HeatMode::Tuning(tune),
            Progress::Failed => self.leave_tuning(TuneStatus::Failed),
            Progress::Done(result) => {
                self.tuned.cycle = tune.cycle();
                self.tuned.result = Some(result);
                self.leave_tuning(TuneStatus::Done);
            }
        }
        duty
    }
}
