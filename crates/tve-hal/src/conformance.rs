//! What every machine behind the trait must do, as one test body for all of them.
//!
//! It sees no more than the controller does, so it runs unchanged on the simulator in virtual time,
//! on the Raspberry Pi over a fake board, and on a real one. What the pins do is looked at from
//! outside, by tests that know where to look.

use crate::{Hardware, Inputs, JogId, Motor, MotorDrive, Outputs, Sensor, Travel, UserPin};
use tve_config::{Config, MachineConfig, PwmUse};
use tve_machine::{Name, Names};
use tve_units::{Bcm, Duty, Micros, StepRate};

/// A machine, and a way to let time pass on its clock.
pub trait Bench {
    /// The machine, configured and at rest.
    fn machine(&mut self) -> &mut dyn Hardware;

    /// Lets about one tick of 10 ms pass and says what time it is.
    fn tick(&mut self) -> Micros;
}

/// Pulses of the move that is counted out.
const STEPS: i32 = 40;
/// Its speed, steps/s.
const RATE: f64 = 200.0;
/// Its acceleration, steps/s².
const ACCEL: f64 = 10_000.0;
/// Share of the time of a ramped move that its pulses take at least: single pulses begin with a step.
const RAMPED: f64 = 0.9;
/// Pulses of moves that do not end by themselves in a test.
const ENDLESS: i32 = 10_000_000;
/// How long samples are looked at, and everything is held on.
const WHILE: Micros = Micros::from_secs(1);

/// Plays the body on `bench`, whose machine runs `config`; an answer that the trait promises must
/// come within `patience`. The motors in `motors` can make pulses.
///
/// Returns what was seen to hold.
///
/// # Errors
/// A sentence that says what the machine did wrong.
pub fn check(
    bench: &mut dyn Bench,
    config: &Config,
    motors: &[Motor],
    patience: Micros,
) -> Result<Vec<&'static str>, String> {
    let machine = config.machine();
    let inputs = Inputs::unread(machine.motors.len(), machine.sensors.len());
    let mut play = Play { bench, inputs, names: machine.names, patience };
    play.samples(&machine)?;
    play.everything_on(&machine)?;
    for motor in motors {
        play.counted_move(*motor)?;
        play.move_cut_off(*motor)?;
    }
    play.safe(motors)?;
    play.free_pin(&machine)?;
    play.bench.machine().configure(&machine).map_err(|e| format!("configured again: {e}"))?;
    play.samples(&machine)?;
    Ok(vec![
        "every sensor is sampled, and no sample is from the future or older than the last",
        "everything may be on at once and no output disagrees with what was written",
        "a counted move takes its time and is reported done, by its own id, once and for good",
        "a move that is cut off is reported done",
        "a machine that was made safe can be used again",
        "a free pin reads back the level it is given",
        "a configuration may be taken over again",
    ])
}

struct Play<'a> {
    bench: &'a mut dyn Bench,
    inputs: Inputs,
    names: Names,
    patience: Micros,
}

impl Play<'_> {
    fn off(&self) -> Outputs {
        Outputs::off(self.names.zones.len(), self.names.motors.len())
    }

    fn jog(&self, motor: Motor, id: JogId, steps: i32) -> Outputs {
        let mut outputs = self.off();
        outputs.motors[motor] = MotorDrive::Jog { id, steps, rate: RATE, accel: ACCEL };
        outputs
    }

    fn tick(&mut self, outputs: &Outputs) -> Result<Micros, String> {
        let now = self.bench.tick();
        let machine = self.bench.machine();
        machine.read(now, &mut self.inputs).map_err(|e| format!("read: {e}"))?;
        machine.apply(now, outputs).map_err(|e| format!("apply: {e}"))?;
        Ok(now)
    }

    /// Ticks with `outputs` until `done`; says how long that took.
    fn until(
        &mut self,
        what: &str,
        outputs: &Outputs,
        done: impl Fn(&Inputs) -> bool,
    ) -> Result<Micros, String> {
        let began = self.tick(outputs)?;
        let mut now = began;
        while !done(&self.inputs) {
            if now.since(began) > self.patience {
                return Err(format!("{what}: not within {} s", self.patience.secs()));
            }
            now = self.tick(outputs)?;
        }
        Ok(now.since(began))
    }

    fn samples(&mut self, machine: &MachineConfig) -> Result<(), String> {
        let wired = machine.sensors.entries().filter(|(_, point)| point.source.is_some());
        let sampled: Vec<(Sensor, Name)> = wired.map(|(id, point)| (id, point.name)).collect();
        let rest = self.off();
        self.until("a sample of each sensor", &rest, |inputs| {
            sampled.iter().all(|(id, _)| inputs.sensor(*id).taken_at().is_some())
        })?;
        let first = self.inputs;
        let mut before = first;
        let began = self.tick(&rest)?;
        loop {
            let now = self.tick(&rest)?;
            for (id, name) in &sampled {
                let taken = |inputs: &Inputs| inputs.sensor(*id).taken_at();
                let (Some(old), Some(taken_at)) = (taken(&before), taken(&self.inputs)) else {
                    return Err(format!("{name} lost its sample"));
                };
                if taken_at > now || taken_at < old {
                    let (taken, old, now) = (taken_at.secs(), old.secs(), now.secs());
                    return Err(format!(
                        "{name} was sampled at {taken} s, after {old} s, at {now} s"
                    ));
                }
            }
            before = self.inputs;
            let stale = sampled.iter().find(|(id, _)| first.sensor(*id) == before.sensor(*id));
            match stale {
                None if now.since(began) >= WHILE => return Ok(()),
                Some((_, name)) if now.since(began) >= self.patience => {
                    return Err(format!("{name} was sampled once and never again"));
                }
                _ => {}
            }
        }
    }

    fn everything_on(&mut self, machine: &MachineConfig) -> Result<(), String> {
        let mut on = Outputs {
            heaters: machine.zones.map(|_, _| true),
            coolers: machine.zones.map(|_, zone| zone.has_cooler),
            contactor: true,
            fan: true,
            pump: true,
            peltier: Duty::FULL,
            motors: machine.motors.map(|_, _| MotorDrive::Run(StepRate::ZERO)),
            ..self.off()
        };
        for (duty, used) in on.pwm.iter_mut().zip(machine.pwm.channels) {
            if used != PwmUse::Unused {
                *duty = Duty::FULL;
            }
        }
        for outputs in [on, self.off()] {
            let began = self.tick(&outputs)?;
            while self.tick(&outputs)?.since(began) < WHILE {
                // One read-back may fall between the write and the register.
                if self.inputs.pwm_mismatches > 1 {
                    return Err("a PWM register does not hold what was written".into());
                }
            }
        }
        Ok(())
    }

    fn counted_move(&mut self, motor: Motor) -> Result<(), String> {
        let id = JogId(1);
        let done = |inputs: &Inputs| inputs.motors[motor].jog_done == Some(id);
        if done(&self.inputs) {
            return Err(format!(
                "{} reports a move that was never asked for",
                self.names.motors[motor]
            ));
        }
        let what = format!("{}: {STEPS} steps", self.names.motors[motor]);
        let took = self.until(&what, &self.jog(motor, id, STEPS), done)?;
        // Between the first pulse and the last.
        let travel = Travel::new(STEPS.unsigned_abs() - 1, RATE, ACCEL);
        let least = RAMPED * travel.duration();
        if took.secs() < least {
            return Err(format!(
                "{what} took {} s, up to {RATE} steps/s by {ACCEL} steps/s² they take {least} s",
                took.secs()
            ));
        }
        self.tick(&self.off())?;
        self.tick(&self.off())?;
        if !done(&self.inputs) {
            return Err(format!("{what}: done, and then no more"));
        }
        Ok(())
    }

    fn move_cut_off(&mut self, motor: Motor) -> Result<(), String> {
        let id = JogId(2);
        let done = |inputs: &Inputs| inputs.motors[motor].jog_done == Some(id);
        for _ in 0..10 {
            self.tick(&self.jog(motor, id, ENDLESS))?;
        }
        if done(&self.inputs) {
            return Err(format!("{}: {ENDLESS} steps in 0.1 s", self.names.motors[motor]));
        }
        let what = format!("{}: a move that is cut off is over", self.names.motors[motor]);
        self.until(&what, &self.off(), done).map(drop)
    }

    fn safe(&mut self, motors: &[Motor]) -> Result<(), String> {
        for motor in motors {
            for _ in 0..10 {
                self.tick(&self.jog(*motor, JogId(3), -ENDLESS))?;
            }
        }
        self.bench.machine().safe();
        // What came before does not come back by itself, and a new move works.
        let id = JogId(4);
        for motor in motors {
            self.until("a move after safe", &self.jog(*motor, id, -STEPS), |inputs| {
                inputs.motors[*motor].jog_done == Some(id)
            })?;
        }
        Ok(())
    }

    fn free_pin(&mut self, machine: &MachineConfig) -> Result<(), String> {
        let is_owned = |pin: Bcm| machine.signals.owns(pin) || machine.is_bus(pin);
        let free = Bcm::all().find(|pin| !is_owned(*pin));
        let Some(pin) = free else { return Ok(()) };
        for level in [true, false, true] {
            let mut outputs = self.off();
            outputs.user_pins[pin.index()] = UserPin::Output(level);
            let what = format!("pin {} at level {}", pin.get(), u8::from(level));
            self.until(&what, &outputs, |inputs| {
                (inputs.pin_levels >> pin.get() & 1 == 1) == level
            })?;
        }
        Ok(())
    }
}
