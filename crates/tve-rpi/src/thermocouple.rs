//! A thermocouple converter as a source of samples: set up, looked at, set up again when it forgot.
//!
//! ```text
//!  gone ──written, and holds it──► converting ──each 200 ms──► sample
//!   ▲                                │ it does not hold it any more
//!   └──── three tries in vain ───────┴──► written again, and the next look waits
//!         (again after 1, 2, 4 ... 30 s)    for the first conversion
//! ```

use crate::backoff::Backoff;
use crate::bus::TRIES;
use crate::max31856::{Answer, Max31856};
use embedded_hal::spi::SpiDevice;
use tve_config::Couple;
use tve_hal::Quality;
use tve_units::Micros;

/// Time between two looks, that of a channel of the other converter; at least one conversion, of
/// 110 ms at most, lies between.
const LOOK: Micros = Micros::from_millis(200);
/// From set-up to the first result: 185 ms with the filter for 50 Hz and 15 ms of testing for an
/// open circuit, at most. Before that the register reads 0 °C.
const FIRST: Micros = Micros::from_millis(250);

/// What has become of the conversions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThermocoupleEvent {
    /// A conversion.
    Sample {
        /// 128ths of a degree Celsius.
        count: i32,
        /// What the converter says about it.
        quality: Quality,
        /// When it was read; the conversion ended at most 110 ms before.
        taken_at: Micros,
    },
    /// The converter does not answer any more.
    Gone,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Gone { until: Micros },
    Converting { look_at: Micros },
}

/// A converter and when to look at it.
pub(crate) struct Thermocouple<S> {
    chip: Max31856<S>,
    phase: Phase,
    backoff: Backoff,
}

impl<S: SpiDevice> Thermocouple<S> {
    /// A converter that has not been talked to; it is set up at `now`.
    pub(crate) fn new(spi: S, couple: Couple, mains_hz: u32, now: Micros) -> Self {
        let chip = Max31856::new(spi, couple, mains_hz);
        Self { chip, phase: Phase::Gone { until: now }, backoff: Backoff::new() }
    }

    /// When [`Self::poll`] has something to do again.
    pub(crate) fn due(&self) -> Micros {
        match self.phase {
            Phase::Gone { until } => until,
            Phase::Converting { look_at } => look_at,
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn poll(&mut self, now: Micros) -> Option<ThermocoupleEvent> {
        if now < self.due() {
            return None;
        }
        if let Phase::Converting { look_at } = self.phase
            && let Ok(Answer::Reading(count, quality)) = self.chip.look()
        {
            self.backoff.succeeded();
            // Looks that were missed are not made up for.
            self.phase = Phase::Converting { look_at: (look_at + LOOK).max(now) };
            return Some(ThermocoupleEvent::Sample { count, quality, taken_at: now });
        }
        self.connect(now)
    }

    fn connect(&mut self, now: Micros) -> Option<ThermocoupleEvent> {
        for _ in 0..TRIES {
            if self.chip.init().is_ok() && matches!(self.chip.look(), Ok(Answer::Reading(..))) {
                self.phase = Phase::Converting { look_at: now + FIRST };
                return None;
            }
        }
        self.phase = Phase::Gone { until: now + self.backoff.failed() };
        Some(ThermocoupleEvent::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::max31856::tests::{K_50_HZ, look, registers, write};
    use ThermocoupleEvent::{Gone, Sample};
    use embedded_hal_mock::eh1::spi::{Mock, Transaction as T};

    fn ms(n: u64) -> Micros {
        Micros::from_millis(n)
    }

    /// Written, started, and found to hold it.
    fn set_up() -> Vec<T<u8>> {
        let mut script = in_vain(registers([0; 3], 0));
        script.truncate(10);
        script
    }

    /// Written, started, and found to hold `held`.
    fn in_vain(held: [u8; 16]) -> Vec<T<u8>> {
        let mut stopped = vec![0x80];
        stopped.extend(K_50_HZ);
        stopped[1] = 0x11;
        let mut script = write(&stopped).to_vec();
        script.extend(write(&[0x80, 0x91]));
        script.extend(look(held));
        script
    }

    fn converter(script: &[T<u8>]) -> (Mock<u8>, Thermocouple<Mock<u8>>) {
        let spi = Mock::new(script);
        (spi.clone(), Thermocouple::new(spi, Couple::K, 50, Micros::ZERO))
    }

    /// Polls whenever something is due until `end`.
    fn run(converter: &mut Thermocouple<Mock<u8>>, end: Micros) -> Vec<ThermocoupleEvent> {
        let mut events = Vec::new();
        while converter.due() <= end {
            events.extend(converter.poll(converter.due()));
        }
        events
    }

    fn sample(count: i32, quality: Quality, at: u64) -> ThermocoupleEvent {
        Sample { count, quality, taken_at: ms(at) }
    }

    #[test]
    fn it_is_set_up_once_and_read_each_200_ms_from_the_first_conversion_on() {
        let mut script = set_up();
        script.extend(look(registers([0x01, 0x90, 0x00], 0)));
        script.extend(look(registers([0x01, 0x90, 0x20], 0)));
        let (mut spi, mut converter) = converter(&script);
        assert_eq!(
            run(&mut converter, ms(450)),
            [sample(3200, Quality::Plausible, 250), sample(3201, Quality::Plausible, 450),]
        );
        spi.done();
    }

    #[test]
    fn an_open_wire_and_one_at_the_supply_are_samples_with_their_cause() {
        let mut script = set_up();
        script.extend(look(registers([0; 3], 0x01)));
        script.extend(look(registers([0; 3], 0x02)));
        let (mut spi, mut converter) = converter(&script);
        assert_eq!(
            run(&mut converter, ms(450)),
            [sample(0, Quality::Open, 250), sample(0, Quality::Shorted, 450),]
        );
        spi.done();
    }

    #[test]
    fn a_set_up_that_a_power_dip_took_is_written_again_and_no_zero_degrees_are_handed_out() {
        let mut script = set_up();
        script.extend(look(registers([0x0D, 0x20, 0x00], 0)));
        let mut dipped = registers([0; 3], 0);
        dipped[0] = 0;
        script.extend(look(dipped));
        script.extend(set_up());
        script.extend(look(registers([0x0D, 0x20, 0x00], 0)));
        let (mut spi, mut converter) = converter(&script);
        assert_eq!(
            run(&mut converter, ms(700)),
            [
                sample(210 * 128, Quality::Plausible, 250),
                sample(210 * 128, Quality::Plausible, 700),
            ]
        );
        spi.done();
    }

    #[test]
    fn a_converter_that_is_not_there_is_reported_once_a_try_and_tried_after_1_and_2_seconds() {
        for nobody in [[0x00; 16], [0xFF; 16]] {
            let mut script = Vec::new();
            for _ in 0..6 {
                script.extend(in_vain(nobody));
            }
            script.extend(set_up());
            script.extend(look(registers([0x01, 0x90, 0x00], 0)));
            let (mut spi, mut converter) = converter(&script);
            assert_eq!(run(&mut converter, ms(0)), [Gone]);
            assert_eq!(run(&mut converter, ms(1000)), [Gone]);
            assert_eq!(converter.due(), ms(3000));
            assert_eq!(run(&mut converter, ms(3250)), [sample(3200, Quality::Plausible, 3250)]);
            spi.done();
        }
    }
}
