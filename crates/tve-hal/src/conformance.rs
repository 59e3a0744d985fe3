//! What every machine behind the trait must do, as one test body for all of them.
//!
//! It sees no more than the controller does, so it runs unchanged on the simulator in virtual time,
//! on the Raspberry Pi over a fake board, and on a real one. What the pins do is looked at from
//! outside, by tests that know where to look.

use crate::{
    AdcReading, Hardware, Inputs, JogId, Motor, MotorDrive, Outputs, PWM_CHANNELS, UserPin,
};
use tve_config::Config;
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
    let mut play = Play { bench, inputs: Inputs::default(), patience };
    play.samples(config)?;
    play.everything_on(config)?;
    for motor in motors {
        play.counted_move(*motor)?;
        play.move_cut_off(*motor)?;
    }
    play.safe(motors)?;
    play.free_pin(config)?;
    play.bench.machine().configure(config).map_err(|e| format!("configured again: {e}"))?;
    play.samples(config)?;
    Ok(vec![
        "every channel is sampled, and no sample is from the future or older than the last",
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
    patience: Micros,
}

impl Play<'_> {
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

    fn samples(&mut self, config: &Config) -> Result<(), String> {
        let sampled: Vec<usize> = (0..config.sensors.len())
            .filter(|channel| config.adc.enabled && config.sensors[*channel].enabled)
            .collect();
        let rest = Outputs::default();
        let has_sample = |reading| matches!(reading, AdcReading::Sample { .. });
        self.until("a sample of each channel", &rest, |inputs| {
            sampled.iter().all(|channel| has_sample(inputs.adc[*channel]))
        })?;
        let first = self.inputs.adc;
        let mut before = first;
        let began = self.tick(&rest)?;
        loop {
            let now = self.tick(&rest)?;
            for channel in &sampled {
                let (AdcReading::Sample { taken_at: old, .. }, AdcReading::Sample { taken_at, .. }) =
                    (before[*channel], self.inputs.adc[*channel])
                else {
                    return Err(format!("channel {channel} lost its sample"));
                };
                if taken_at > now || taken_at < old {
                    let (taken, old, now) = (taken_at.secs(), old.secs(), now.secs());
                    return Err(format!(
                        "channel {channel} was sampled at {taken} s, after {old} s, at {now} s"
                    ));
                }
            }
            before = self.inputs.adc;
            let stale = sampled.iter().find(|channel| first[**channel] == before[**channel]);
            match stale {
                None if now.since(began) >= WHILE => return Ok(()),
                Some(channel) if now.since(began) >= self.patience => {
                    return Err(format!("channel {channel} was sampled once and never again"));
                }
                _ => {}
            }
        }
    }

    fn everything_on(&mut self, config: &Config) -> Result<(), String> {
        let mut on = Outputs {
            heaters: [true; 2].into(),
            contactor: true,
            fan: true,
            pump: true,
            peltier: Duty::FULL,
            motors: [MotorDrive::Run(StepRate::ZERO); 2].into(),
            ..Outputs::default()
        };
        for channel in config.pwm.channels.values().filter(|c| usize::from(**c) < PWM_CHANNELS) {
            on.pwm[usize::from(*channel)] = Duty::FULL;
        }
        for outputs in [on, Outputs::default()] {
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
        let done = |inputs: &Inputs| inputs.motors[motor.index()].jog_done == Some(id);
        if done(&self.inputs) {
            return Err(format!("{} reports a move that was never asked for", motor.name()));
        }
        let what = format!("{}: {STEPS} steps", motor.name());
        let took = self.until(&what, &jog(motor, id, STEPS), done)?;
        let least = f64::from(STEPS - 1) / RATE;
        if took.secs() < least {
            return Err(format!(
                "{what} took {} s, at {RATE} steps/s they take {least} s",
                took.secs()
            ));
        }
        self.tick(&Outputs::default())?;
        self.tick(&Outputs::default())?;
        if !done(&self.inputs) {
            return Err(format!("{what}: done, and then no more"));
        }
        Ok(())
    }

    fn move_cut_off(&mut self, motor: Motor) -> Result<(), String> {
        let id = JogId(2);
        let done = |inputs: &Inputs| inputs.motors[motor.index()].jog_done == Some(id);
        for _ in 0..10 {
            self.tick(&jog(motor, id, ENDLESS))?;
        }
        if done(&self.inputs) {
            return Err(format!("{}: {ENDLESS} steps in 0.1 s", motor.name()));
        }
        let what = format!("{}: a move that is cut off is over", motor.name());
        self.until(&what, &Outputs::default(), done).map(drop)
    }

    fn safe(&mut self, motors: &[Motor]) -> Result<(), String> {
        for motor in motors {
            for _ in 0..10 {
                self.tick(&jog(*motor, JogId(3), -ENDLESS))?;
            }
        }
        self.bench.machine().safe();
        // What came before does not come back by itself, and a new move works.
        let id = JogId(4);
        for motor in motors {
            self.until("a move after safe", &jog(*motor, id, -STEPS), |inputs| {
                inputs.motors[motor.index()].jog_done == Some(id)
            })?;
        }
        Ok(())
    }

    fn free_pin(&mut self, config: &Config) -> Result<(), String> {
        let is_owned = |pin: Bcm| config.pins.iter().any(|(_, owned)| owned == Some(pin));
        // GPIO 0 to 3 belong to the buses.
        let free = (4..28).filter_map(|n| Bcm::new(n).ok()).find(|pin| !is_owned(*pin));
        let Some(pin) = free else { return Ok(()) };
        for level in [true, false, true] {
            let mut outputs = Outputs::default();
            outputs.user_pins[pin.index()] = UserPin::Output(level);
            let what = format!("pin {} at level {}", pin.get(), u8::from(level));
            self.until(&what, &outputs, |inputs| {
                (inputs.pin_levels >> pin.get() & 1 == 1) == level
            })?;
        }
        Ok(())
    }
}

fn jog(motor: Motor, id: JogId, steps: i32) -> Outputs {
    let mut outputs = Outputs::default();
    outputs.motors[motor.index()] = MotorDrive::Jog { id, steps, rate: RATE };
    outputs
}
