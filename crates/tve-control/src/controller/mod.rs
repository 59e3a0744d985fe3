//! The controller: one struct that turns inputs into outputs, a tick at a time.

mod alarms;
mod commands;
mod compose;
mod heat;
mod settings;
#[cfg(feature = "state")]
mod state;
mod watch;

use crate::alarm::{AlarmCode, AlarmEvent, Cause};
use crate::autotune::Autotune;
use crate::capabilities::Capabilities;
use crate::command::{LoggingHealth, Mode};
use crate::heat_watch::HeatWatch;
use crate::motion::Axis;
use crate::sensors::Chain;
use crate::sequence::{Button, Sequence, SequenceKind, motor_of};
use crate::snapshot::{ActiveAlarms, Snapshot, Status, TuneView};
use crate::ssr::slot_length;
use crate::swap_watch::SwapWatch;
use crate::unseen_zone::UnseenZone;
use compose::{PinRole, PwmRole};
use heat::ZoneControl;
use std::collections::VecDeque;
use tve_config::{Action, Config, Device, PidGains, SequenceStep};
use tve_hal::{Inputs, MachineKind, Motor, Outputs, PWM_CHANNELS, Sensor, UserPin, Zone};
use tve_units::{Bcm, Celsius, Duty, Micros, Rpm, WallMillis};
use watch::LimitRuns;

/// Room for the events of one tick; the owner of the loop drains them after each.
const EVENT_ROOM: usize = 128;
/// Longest step of time that ramps accept, s; a longer gap is a stall, not a move.
const MAX_DT: f64 = 0.1;

/// A latched alarm found in the journal at start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestoredAlarm {
    /// Its id then.
    pub id: u64,
    /// What.
    pub code: AlarmCode,
    /// What is left of its cause: [`Cause::restored`], or the name that could not be read.
    pub cause: Cause,
    /// When.
    pub wall: WallMillis,
    /// Whether somebody had seen it.
    pub acknowledged: bool,
}

/// How the last process ended when it did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclean {
    /// Something was energised at its last record.
    pub energised: bool,
}

/// What survives a restart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restored {
    /// Alarms still latched.
    pub latched: Vec<RestoredAlarm>,
    /// First free alarm id.
    pub next_alarm_id: u64,
    /// The last process died.
    pub unclean: Option<Unclean>,
    /// The configuration was refused: outputs stay locked.
    pub config_fault: bool,
}

/// A quarter of a turn, to free a cold screw by hand.
const COLD_JOG_TURNS: f64 = 0.25;
/// After this the allowance is renewed.
const COLD_JOG_RENEWAL: Micros = Micros::from_secs(600);

/// What is left of the cold-jog allowance of a motor.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
struct ColdJogs {
    turns_used: f64,
    since: Micros,
}

impl ColdJogs {
    fn left(&self, now: Micros) -> f64 {
        if now.since(self.since) >= COLD_JOG_RENEWAL {
            COLD_JOG_TURNS
        } else {
            (COLD_JOG_TURNS - self.turns_used).max(0.0)
        }
    }
}

/// The extruder controller. See the crate documentation for the theory of operation.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Controller {
    kind: MachineKind,
    #[cfg_attr(feature = "state", serde(skip))]
    config: Config,
    config_revision: u64,
    capabilities: Capabilities,
    #[cfg_attr(feature = "state", serde(skip))]
    gains: [PidGains; 2],
    pwm_roles: [PwmRole; PWM_CHANNELS],
    pin_roles: [PinRole; Bcm::COUNT],
    ssr_slot: Micros,

    now: Micros,
    wall: WallMillis,
    tick: u64,
    last_tick: Option<Micros>,
    inputs: Inputs,
    outputs: Outputs,

    chains: [Chain; 4],
    runs: LimitRuns,
    published: [Option<Celsius>; 4],
    published_at: Option<Micros>,

    mode: Mode,
    zones: [ZoneControl; 2],
    heat_watches: [HeatWatch; 2],
    swap_watch: SwapWatch,
    unseen: [UnseenZone; 2],
    watched_at: Option<Micros>,
    warm_up: heat::WarmUp,
    soak_since: Option<Micros>,
    tune: Option<Autotune>,
    tune_view: TuneView,
    tune_announced: bool,

    axes: [Axis; 2],
    /// A STOP is under way: the screw follows when the feeder stands.
    screw_follows_feed: bool,
    on_speed: [Option<Rpm>; 2],
    cold_jogs: [ColdJogs; 2],
    sequence: Option<Sequence>,
    sequence_wall: Option<WallMillis>,
    start_button: Button,
    stop_button: Button,
    last_activity: Micros,
    setback_stage: u8,
    shutting_down: bool,

    relays: [bool; 2],
    relay_duty: [Duty; 2],
    relay_changed: [Option<Micros>; 2],
    free_pwm: [Duty; PWM_CHANNELS],
    peltier: Duty,
    fill_target: f64,
    user_pins: [UserPin; Bcm::COUNT],
    pin_written: [Option<Micros>; Bcm::COUNT],

    alarms: ActiveAlarms,
    latches: alarms::Latches,
    next_alarm_id: u64,
    // Whoever saves the state has drained the events.
    #[cfg_attr(feature = "state", serde(skip))]
    events: VecDeque<AlarmEvent>,
    logging: LoggingHealth,
}

impl Controller {
    /// A controller with everything off.
    pub fn new(config: Config, kind: MachineKind, restored: Restored) -> Self {
        let chains = Sensor::ALL.map(|sensor| settings::chain_of(&config, sensor));
        let mut controller = Self {
            capabilities: Capabilities::of(kind, &config),
            gains: settings::effective_gains(&config),
            pwm_roles: compose::pwm_roles(&config),
            pin_roles: compose::pin_roles(&config),
            ssr_slot: slot_length(config.control.mains_hz),
            kind,
            config,
            config_revision: 0,
            now: Micros::ZERO,
            wall: WallMillis::default(),
            tick: 0,
            last_tick: None,
            inputs: Inputs::default(),
            outputs: Outputs::default(),
            chains,
            runs: LimitRuns::default(),
            published: [None; 4],
            published_at: None,
            mode: Mode::Auto,
            zones: [ZoneControl::new(), ZoneControl::new()],
            heat_watches: [HeatWatch::new(); 2],
            swap_watch: SwapWatch::default(),
            unseen: [UnseenZone::default(); 2],
            watched_at: None,
            warm_up: heat::WarmUp::Pending,
            soak_since: None,
            tune: None,
            tune_view: TuneView::default(),
            tune_announced: false,
            axes: [Axis::default(); 2],
            screw_follows_feed: false,
            on_speed: [None; 2],
            cold_jogs: [ColdJogs::default(); 2],
            sequence: None,
            sequence_wall: None,
            start_button: Button::default(),
            stop_button: Button::default(),
            last_activity: Micros::ZERO,
            setback_stage: 0,
            shutting_down: false,
            relays: [false; 2],
            relay_duty: [Duty::FULL; 2],
            relay_changed: [None; 2],
            free_pwm: [Duty::ZERO; PWM_CHANNELS],
            peltier: Duty::ZERO,
            fill_target: 0.0,
            user_pins: [UserPin::Untouched; Bcm::COUNT],
            pin_written: [None; Bcm::COUNT],
            alarms: ActiveAlarms::default(),
            latches: alarms::Latches::default(),
            next_alarm_id: restored.next_alarm_id.max(1),
            events: VecDeque::with_capacity(EVENT_ROOM),
            logging: LoggingHealth::default(),
        };
        controller.restore(restored);
        controller
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

        self.sense(gap);
        self.watch();
        self.press_buttons();
        self.run_sequence();
        self.heat();
        self.turn(gap.secs().min(MAX_DT));
        self.compose();
        self.last_tick = Some(now);
        &self.outputs
    }

    /// The outputs of the newest tick.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Grows with every change of the configuration.
    pub fn config_revision(&self) -> u64 {
        self.config_revision
    }

    /// The next event for the journal, oldest first.
    pub fn pop_event(&mut self) -> Option<AlarmEvent> {
        self.events.pop_front()
    }

    /// From now on everything goes to rest: heaters off, motors down by the STOP ramp.
    pub fn shut_down(&mut self, now: Micros) {
        self.now = now;
        self.shutting_down = true;
        self.all_heat_off();
        self.peltier = Duty::ZERO;
        self.sequence = None;
        self.stop_motors();
    }

    /// Whether nothing turns any more.
    pub fn is_at_rest(&self) -> bool {
        self.axes.iter().all(Axis::is_idle)
    }

    /// What the machine is doing.
    pub fn status(&self) -> Status {
        if self.latches.any_stop() {
            return Status::Alarm;
        }
        match self.sequence.map(|s| s.kind) {
            Some(SequenceKind::Startup) => Status::Starting,
            Some(SequenceKind::Shutdown) => Status::Stopping,
            _ if self.shutting_down => Status::Stopping,
            _ if self.axes.iter().any(|a| a.is_turning() || !a.setpoint().is_zero()) => {
                Status::Running
            }
            _ => Status::Ready,
        }
    }

    /// Motors, duties and targets at zero; no jog, tune or sequence.
    fn is_idle(&self) -> bool {
        self.is_at_rest()
            && self.sequence.is_none()
            && self.tune.is_none()
            && self.zones.iter().all(ZoneControl::is_off)
    }

    /// Anything that can heat or move is on, or will be by a standing setpoint.
    fn is_energised(&self) -> bool {
        self.outputs.is_energised() || !self.is_idle()
    }

    fn press_buttons(&mut self) {
        let start = self.start_button.advance(self.now, self.inputs.buttons.start);
        let stop = self.stop_button.advance(self.now, self.inputs.buttons.stop);
        // Stop wins over start; a start that is not permitted does nothing, as the lamps show.
        if stop {
            self.stop();
        } else if start {
            let _ = self.start();
        }
    }

    fn begin_sequence(&mut self, kind: SequenceKind) {
        let steps = match kind {
            SequenceKind::Startup => &self.config.extruder_sequence.startup,
            SequenceKind::Shutdown => &self.config.extruder_sequence.shutdown,
            SequenceKind::Emergency => &self.config.extruder_sequence.emergency,
        };
        self.sequence = Some(Sequence::new(kind, steps, self.now));
        self.sequence_wall = Some(self.wall);
    }

    fn run_sequence(&mut self) {
        let Some(mut sequence) = self.sequence else {
            return;
        };
        let due = sequence.take_due(self.now);
        self.sequence = Some(sequence);
        for step in due {
            self.apply_step(sequence.kind, step);
            if self.sequence.is_none() {
                return;
            }
        }
        if sequence.is_done() {
            if sequence.kind == SequenceKind::Shutdown {
                self.stop_motors();
                if !self.is_at_rest() {
                    return;
                }
            }
            self.sequence = None;
            self.sequence_wall = None;
        }
    }

    fn apply_step(&mut self, kind: SequenceKind, step: SequenceStep) {
        if !self.capabilities.has_device(step.device) {
            return;
        }
        let on = step.action == Action::On;
        match motor_of(step.device) {
            Some(motor) if on => {
                if kind == SequenceKind::Emergency {
                    return;
                }
                if kind == SequenceKind::Startup && !self.permissives().granted() {
                    self.sequence = None;
                    self.stop_motors();
                    return;
                }
                if kind == SequenceKind::Startup {
                    self.axes[motor.index()].set(self.start_speed(motor));
                }
            }
            Some(motor) => self.axes[motor.index()].stop(motor),
            // An emergency may only add cooling.
            None if kind == SequenceKind::Emergency && !on => {}
            None => self.relays[usize::from(step.device == Device::Pump)] = on,
        }
    }

    fn start_speed(&self, motor: Motor) -> Rpm {
        self.on_speed[motor.index()].unwrap_or_else(|| Rpm::clamped(self.config.motion.start_rpm))
    }

    /// Feed to zero, then the screw, within 2 s.
    fn stop_motors(&mut self) {
        self.axes[Motor::Feed.index()].stop(Motor::Feed);
        self.axes[Motor::Main.index()].stop_jog();
        self.axes[Motor::Main.index()].hold_speed();
        self.screw_follows_feed = true;
    }

    fn turn(&mut self, dt: f64) {
        if self.screw_follows_feed && !self.axes[Motor::Feed.index()].is_turning() {
            self.axes[Motor::Main.index()].stop(Motor::Main);
            self.screw_follows_feed = false;
        }
        for motor in Motor::ALL {
            let done = self.inputs.motors[motor.index()].jog_done;
            self.axes[motor.index()].advance(self.now, dt, &self.config.motion, done);
        }
        if !self.is_at_rest() {
            self.last_activity = self.now;
            self.setback_stage = 0;
        }
    }

    /// Copies the machine as it stands into `out`, without allocation.
    pub fn snapshot(&self, out: &mut Snapshot) {
        *out = Snapshot {
            now: self.now,
            wall: self.wall,
            tick: self.tick,
            status: self.status(),
            mode: self.mode,
            readings: Sensor::ALL.map(|s| self.chains[s.index()].reading()),
            temps: self.published,
            temps_at: self.chains.iter().filter_map(Chain::sampled_at).max().unwrap_or_default(),
            targets: Zone::ALL.map(|z| match &self.tune {
                Some(tune) if tune.zone == z => Celsius::clamped(tune.setpoint),
                _ => self.zones[z.index()].target,
            }),
            manual_duty: Zone::ALL.map(|z| self.zones[z.index()].manual),
            heater_duty: Zone::ALL.map(|z| self.zones[z.index()].duty),
            heater_on: self.outputs.heaters,
            motors: Motor::ALL.map(|m| self.axes[m.index()].setpoint()),
            motors_actual: Motor::ALL.map(|m| self.axes[m.index()].speed()),
            relays: self.relays,
            pwm: self.shown_pwm(),
            peltier: self.peltier,
            fill_level: self.inputs.fill_level_cm,
            target_fill_level: self.fill_target,
            sequence_started: self.sequence.and(self.sequence_wall),
            tune: self.shown_tune(),
            alarms: self.alarms,
            jogging: Motor::ALL.map(|m| self.axes[m.index()].is_jogging()),
            permissives: self.permissives(),
            pins: self.shown_pins(),
            energised: self.is_energised(),
            config_revision: self.config_revision,
        };
    }

    fn shown_tune(&self) -> TuneView {
        match &self.tune {
            Some(tune) => TuneView { status: tune.status(), cycle: tune.cycle(), ..self.tune_view },
            None => self.tune_view,
        }
    }
}

#[cfg(test)]
mod tests;
