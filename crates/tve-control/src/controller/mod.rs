//! The controller: the parts put together, a tick at a time.
//!
//! Each part owns its state and sees no other's: what one knows is handed to the next as a value.
//!
//! ```text
//!  Inputs ─▶ Sensors ──Readings──▶ Thermal ──duties──┐
//!               │                     │              ▼
//!            findings              findings       Outlets ─▶ Outputs
//!               ▼                     ▼              ▲
//!            Alarms ──reaction──▶ react: Thermal, Motion, Supervisor, Outlets
//! ```

mod commands;
mod guards;
mod reactions;
mod restored;
mod settings;
mod view;
mod watch;

pub use restored::{Restored, Unclean};

use crate::alarm::{AlarmCode, AlarmEvent, Cause};
use crate::alarms::{Alarms, Finding};
use crate::capabilities::Capabilities;
use crate::command::Relay;
use crate::contactor::{Contactor, Wanted};
use crate::motion::Motion;
use crate::outlets::{Demand, Outlets};
use crate::refusal::RefusalCode;
use crate::sensors::{HeatContext, Readings, Sensors, is_bad};
use crate::snapshot::Status;
use crate::supervisor::{Press, Pressed, SequenceKind, Supervisor};
use crate::thermal::Thermal;
use std::sync::Arc;
use tve_config::{Action, Device, MachineConfig, MotorRole, Serves, Step};
use tve_hal::{Inputs, MachineKind, Motor, MotorDrive, Outputs};
use tve_units::{Duty, Micros, Rpm, WallMillis};

/// Longest step of time that ramps accept, s; a longer gap is a stall, not a move.
const MAX_DT: f64 = 0.1;

/// The extruder controller. See the crate documentation for the theory of operation.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Controller {
    kind: MachineKind,
    #[cfg_attr(feature = "state", serde(skip, default = "nothing"))]
    config: Arc<MachineConfig>,
    config_revision: u64,
    capabilities: Capabilities,

    now: Micros,
    wall: WallMillis,
    tick: u64,
    last_tick: Option<Micros>,
    watched_at: Option<Micros>,
    inputs: Inputs,
    outputs: Outputs,
    /// Of the newest tick, for whoever keeps a record; nothing depends on it.
    #[cfg_attr(feature = "state", serde(skip))]
    press: Option<Press>,

    sensors: Sensors,
    thermal: Thermal,
    motion: Motion,
    alarms: Alarms,
    supervisor: Supervisor,
    outlets: Outlets,
    contactor: Contactor,
}

impl Controller {
    /// A controller with everything off.
    pub fn new(config: Arc<MachineConfig>, kind: MachineKind, restored: Restored) -> Self {
        let capabilities = Capabilities::of(kind, &config);
        let screw_fitted = capabilities.has_role(MotorRole::Screw, &config);
        let mut controller = Self {
            capabilities,
            sensors: Sensors::new(&config),
            thermal: Thermal::new(&config),
            motion: Motion::new(config.motors.len(), screw_fitted),
            alarms: Alarms::restore(restored.latched, restored.next_alarm_id, &config),
            supervisor: Supervisor::new(),
            outlets: Outlets::new(&config),
            contactor: Contactor::default(),
            kind,
            inputs: Inputs::unread(config.motors.len(), config.sensors.len()),
            outputs: Outputs::off(config.zones.len(), config.motors.len()),
            press: None,
            config,
            config_revision: 0,
            now: Micros::ZERO,
            wall: WallMillis::default(),
            tick: 0,
            last_tick: None,
            watched_at: None,
        };
        for alarm in &restored.past {
            controller.recall(alarm, restored.wall);
        }
        if restored.config_fault {
            controller.raise(AlarmCode::ConfigFault, Cause::Plain);
        }
        match restored.unclean {
            Some(Unclean { energised: true }) => {
                controller.raise(AlarmCode::UncleanStop, Cause::Plain);
            }
            Some(Unclean { energised: false }) => {
                controller.raise(AlarmCode::UncleanStopIdle, Cause::Plain);
            }
            None => {}
        }
        controller.note_settings();
        controller
    }

    /// A controller that was deserialised, completed by the configuration that was in force: it
    /// goes on bit for bit where the serialised one stood.
    ///
    /// A controller serialises everything that its next tick depends on, but for the configuration,
    /// which the black box keeps as JSON, and events that nobody has drained.
    #[cfg(feature = "state")]
    #[must_use]
    pub fn resume(mut self, config: Arc<MachineConfig>) -> Self {
        self.sensors.resume(&config);
        self.thermal.resume(&config);
        self.config = config;
        self
    }

    /// One tick: takes in the machine's inputs as of `now`, returns what it is to do.
    ///
    /// Never allocates, never fails: what is wrong becomes an alarm and outputs that are safe.
    pub fn step(&mut self, now: Micros, inputs: &Inputs) -> &Outputs {
        let gap = now.since(self.last_tick.unwrap_or(now));
        self.now = now;
        self.wall = inputs.wall;
        self.inputs = *inputs;
        self.tick += 1;

        self.look_at_contacts(gap);
        self.look_at_sensors();
        self.watch();
        self.take_buttons();
        self.run_sequence();
        self.heat();
        self.advance_motors(gap.secs().min(MAX_DT));
        self.compose();
        self.last_tick = Some(now);
        &self.outputs
    }

    /// The outputs of the newest tick.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The machine that the configuration in force describes.
    pub fn machine(&self) -> &Arc<MachineConfig> {
        &self.config
    }

    /// Grows with every change of the configuration.
    pub fn config_revision(&self) -> u64 {
        self.config_revision
    }

    /// What was pressed at the panel at the newest tick.
    pub fn press(&self) -> Option<Press> {
        self.press
    }

    /// The next event for the journal, oldest first.
    pub fn pop_event(&mut self) -> Option<AlarmEvent> {
        self.alarms.pop_event()
    }

    /// From now on everything goes to rest: heaters off, motors down by the STOP ramp.
    pub fn shut_down(&mut self, now: Micros) {
        self.now = now;
        self.supervisor.shut_down();
        self.thermal.switch_all_off();
        self.outlets.set_peltier(Duty::ZERO);
        self.motion.stop_all(self.now, &self.config);
    }

    /// Whether nothing turns any more.
    pub fn is_at_rest(&self) -> bool {
        self.motion.is_at_rest()
    }

    /// What the machine is doing.
    pub fn status(&self) -> Status {
        let runs = self.motion.runs(&self.config);
        self.supervisor.status(self.alarms.latches().any_stop(), runs)
    }

    /// Motors, duties and targets at zero; no jog, tune or sequence.
    fn is_idle(&self) -> bool {
        self.is_at_rest()
            && self.supervisor.is_free()
            && !self.thermal.is_tuning()
            && self.thermal.is_off()
    }

    /// Anything that can heat or move is on, or will be by a standing setpoint.
    fn is_energised(&self) -> bool {
        self.outputs.is_energised() || !self.is_idle()
    }

    fn readings(&self) -> Readings<'_> {
        self.sensors.readings(&self.config, self.now)
    }

    fn take_buttons(&mut self) {
        let pressed = self.supervisor.pressed(self.now, self.inputs.buttons);
        let mut refused = None;
        if pressed.is_some() {
            self.attended();
        }
        match pressed {
            Some(Pressed::Stop) if self.config.safety.local_stop => {
                self.raise(AlarmCode::LocalStop, Cause::Plain);
            }
            Some(Pressed::Stop) => self.stop(),
            // Who releases the motors does not start them in the same breath.
            Some(Pressed::Start) if self.alarms.is_active(AlarmCode::LocalStop) => {
                refused = (!self.release()).then_some(RefusalCode::AlarmActive);
            }
            // A start that is not permitted does nothing, as the lamps show.
            Some(Pressed::Start) => refused = self.start().err().map(|refusal| refusal.code),
            None => {}
        }
        self.press = pressed.map(|button| Press { button, refused });
    }

    /// Releases what the stop button has locked, unless it is still down.
    fn release(&mut self) -> bool {
        let released = !self.inputs.buttons.stop;
        if released {
            self.alarms.withdraw(AlarmCode::LocalStop);
        }
        released
    }

    fn enter_starting(&mut self) {
        let steps = &self.config.sequence.startup;
        // What waited for the screw comes when the sequence says, at the speed that it had.
        for step in steps {
            if let Device::Motor(motor) = step.device {
                self.motion.take_up(motor, Rpm::ZERO);
            }
        }
        self.supervisor.enter_starting(steps, self.now, self.wall);
    }

    fn enter_stopping(&mut self) {
        let steps = &self.config.sequence.shutdown;
        self.supervisor.enter_stopping(steps, self.now, self.wall);
    }

    fn enter_emergency(&mut self) {
        let steps = &self.config.sequence.emergency;
        self.supervisor.enter_emergency(steps, self.now, self.wall);
    }

    fn run_sequence(&mut self) {
        let Some((kind, due)) = self.supervisor.take_due(self.now, &self.config.safety) else {
            return;
        };
        for step in due {
            self.carry_out(kind, step);
            if self.supervisor.is_free() {
                return;
            }
        }
        if !self.supervisor.is_done() {
            return;
        }
        if kind == SequenceKind::Shutdown {
            self.motion.stop_all(self.now, &self.config);
            if !self.is_at_rest() {
                return;
            }
        }
        self.supervisor.leave();
    }

    fn carry_out(&mut self, kind: SequenceKind, step: Step) {
        if !self.capabilities.has_device(step.device) {
            return;
        }
        match step.device {
            Device::Motor(motor) => self.move_by_sequence(kind, motor, step.action),
            Device::Fan => self.cool_by_sequence(kind, Relay::Fan, step.action),
            Device::Pump => self.cool_by_sequence(kind, Relay::Pump, step.action),
        }
    }

    fn move_by_sequence(&mut self, kind: SequenceKind, motor: Motor, action: Action) {
        match (action, kind) {
            // Only a start turns a motor on.
            (Action::On, SequenceKind::Shutdown | SequenceKind::Emergency) => {}
            (Action::On, SequenceKind::Startup) if self.permissives().granted() => {
                let rpm = self.motion.start_speed(motor, &self.config);
                self.motion.take_up(motor, rpm);
            }
            (Action::On, SequenceKind::Startup) => {
                self.supervisor.leave();
                self.motion.stop_all(self.now, &self.config);
            }
            (Action::Off, _) => self.motion.stop(self.now, motor, &self.config),
        }
    }

    fn cool_by_sequence(&mut self, kind: SequenceKind, relay: Relay, action: Action) {
        match (action, kind) {
            // No emergency ends cooling.
            (Action::Off, SequenceKind::Emergency) => {}
            (action, _) => self.outlets.switch(relay, action == Action::On),
        }
    }

    /// Decides each zone's duty for this tick.
    fn heat(&mut self) {
        let readings = self.sensors.readings(&self.config, self.now);
        let alone = self.thermal.warm_up(&readings);
        for zone in self.thermal.ids() {
            let forbidden =
                self.alarms.latches().forbids_heat(zone) || self.supervisor.is_shutting_down();
            let readings = self.sensors.readings(&self.config, self.now);
            let finding = self.thermal.heat(zone, &readings, forbidden, alone, &self.config);
            self.report(finding);
        }
    }

    fn advance_motors(&mut self, dt: f64) {
        let feedback = &self.inputs.motors;
        let done = |motor: Motor| feedback.get(motor)?.jog_done;
        self.motion.advance(self.now, dt, &self.config, done);
        if self.motion.runs(&self.config) {
            self.supervisor.attended(self.now);
        }
    }

    /// Builds this tick's outputs.
    fn compose(&mut self) {
        let latches = *self.alarms.latches();
        // Every entry is written anew; to build new lists each tick would cost more than the rest.
        let Outputs { mut heaters, mut coolers, mut motors, .. } = self.outputs;
        let wanted = Wanted {
            live: !latches.trip(),
            heat: self.thermal.is_asked_to_heat() || self.thermal.is_tuning(),
            at_rest: self.is_at_rest(),
        };
        let contactor = self.contactor.drive(wanted, self.inputs.contactor);
        let (now, config) = (self.now, &self.config);
        for zone in heaters.ids() {
            let conducts = self.thermal.conducts(now, zone, &latches);
            heaters[zone] = conducts && !self.contactor.is_proving();
        }
        for motor in motors.ids() {
            let halted = latches.driver_fault() && !self.motion.turns(motor);
            motors[motor] =
                if halted { MotorDrive::Disabled } else { self.motion.drive(motor, config) };
        }
        let readings = self.sensors.readings(config, now);
        for (zone, settings) in config.zones.entries() {
            coolers[zone] =
                settings.has_cooler && self.thermal.cools(zone, &readings, coolers[zone]);
        }
        let demand = Demand {
            status: self.status(),
            tripped: latches.trip(),
            contactor,
            heaters,
            coolers,
            motors,
            heats: self.thermal.heats(),
            in_band: self.thermal.in_band(&readings),
            throat_known: config.feed_throat.is_none_or(|sensor| !is_bad(readings.of(sensor))),
        };
        self.outlets.compose(now, &demand, config, &mut self.outputs);
    }

    /// What the heater of the zone does that a sensor measures, if it measures one.
    fn heat_context(&self, sensor: tve_hal::Sensor) -> HeatContext {
        match self.config.sensors[sensor].serves {
            Serves::Zone(zone) => self.thermal.context(zone),
            Serves::Motor(_) | Serves::FeedThroat | Serves::Display => HeatContext::default(),
        }
    }

    /// Raises what a part has found.
    fn report(&mut self, finding: Option<Finding>) {
        if let Some(Finding { code, cause }) = finding {
            self.raise(code, cause);
        }
    }
}

/// Stands in a controller that was read until [`Controller::resume`] completes it.
#[cfg(feature = "state")]
fn nothing() -> Arc<MachineConfig> {
    tve_config::Config::default().machine()
}

#[cfg(test)]
mod tests;
