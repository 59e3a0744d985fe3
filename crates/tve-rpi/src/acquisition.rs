//! The ADS1115: single-shot conversions, one channel after the other, for ever.
//!
//! ```text
//!  waiting ──slot begins──► converting ──done──► waiting (next channel)
//!     ▲                        │ three failed transfers running, or three
//!     │                        │ conversions running without an end in 50 ms
//!     └── the wait is over ─ gone ◄┘   (1, 2, 4 ... 30 s)
//! ```
//!
//! A *slot* is the time of one channel. The gain follows `adc.fsr`; the end of a conversion is
//! polled in the configuration register, as the ready pin is not wired.

use crate::bus::TRIES;
use ads1x1x::{Ads1x1x, FullScaleRange, TargetAddr, channel, ic, mode};
use embedded_hal::i2c::I2c;
use tve_hal::ADC_CHANNELS;
use tve_units::{Backoff, Micros};

/// Length of a slot: every channel is sampled each 200 ms, within the 50 to 250 ms that the
/// judgement of sensors is made for.
pub(crate) const SLOT: Micros = Micros::from_millis(50);
/// Time between two looks at a running conversion, which takes 7.8 ms at 128 samples/s.
const POLL: Micros = Micros::from_millis(1);
/// A conversion that takes longer than this will not end: a slot, six times the usual.
const CONVERSION_LIMIT: Micros = SLOT;

type Driver<I> = Ads1x1x<I, ic::Ads1115, ic::Resolution16Bit, mode::OneShot>;

/// What has become of the conversions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdcEvent {
    /// A finished conversion.
    Sample {
        /// Input of the converter, 0 to 3.
        channel: usize,
        /// The register, -32768 to 32767 for minus to plus the full-scale range.
        code: i16,
        /// When the conversion began.
        taken_at: Micros,
    },
    /// The converter does not answer any more.
    Gone,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Waiting { until: Micros },
    Converting { since: Micros, poll_at: Micros },
    Gone { until: Micros },
}

/// The converter and whose turn it is.
pub(crate) struct Acquisition<I> {
    /// Only ever `None` while the driver is being replaced.
    driver: Option<Driver<I>>,
    address: TargetAddr,
    range: FullScaleRange,
    enabled: [bool; ADC_CHANNELS],
    channel: usize,
    /// Begin of the slot of `channel`.
    slot: Micros,
    ranged: bool,
    /// Transfers that have failed running.
    failures: u8,
    /// Conversions that have not ended running.
    timeouts: u8,
    phase: Phase,
    backoff: Backoff,
}

/// The gain whose full scale is `fsr` volts; the widest for a value that the chip does not have.
fn range(fsr: f64) -> FullScaleRange {
    const RANGES: [(f64, FullScaleRange); 5] = [
        (0.256, FullScaleRange::Within0_256V),
        (0.512, FullScaleRange::Within0_512V),
        (1.024, FullScaleRange::Within1_024V),
        (2.048, FullScaleRange::Within2_048V),
        (4.096, FullScaleRange::Within4_096V),
    ];
    RANGES
        .into_iter()
        .find(|(volts, _)| fsr <= *volts)
        .map_or(FullScaleRange::Within6_144V, |(_, range)| range)
}

/// The address as the chip's ADDR pin selects it. The schema admits these four.
fn target(address: u8) -> TargetAddr {
    match address {
        0x49 => TargetAddr::Vdd,
        0x4A => TargetAddr::Sda,
        0x4B => TargetAddr::Scl,
        _ => TargetAddr::Gnd,
    }
}

impl<I: I2c> Acquisition<I> {
    /// Converts the enabled channels from `now` on. `fsr` is the full-scale range in V.
    pub(crate) fn new(
        bus: I,
        address: u8,
        fsr: f64,
        enabled: [bool; ADC_CHANNELS],
        now: Micros,
    ) -> Self {
        let address = target(address);
        Self {
            driver: Some(Ads1x1x::new_ads1115(bus, address)),
            address,
            range: range(fsr),
            enabled,
            channel: 0,
            slot: now,
            ranged: false,
            failures: 0,
            timeouts: 0,
            phase: Phase::Waiting { until: now },
            backoff: Backoff::new(),
        }
    }

    /// When [`Self::poll`] has something to do again.
    pub(crate) fn due(&self) -> Micros {
        match self.phase {
            Phase::Waiting { until } | Phase::Gone { until } => until,
            Phase::Converting { poll_at, .. } => poll_at,
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn poll(&mut self, now: Micros) -> Option<AdcEvent> {
        if now < self.due() || self.enabled == [false; ADC_CHANNELS] {
            return None;
        }
        let since = match self.phase {
            Phase::Converting { since, .. } => since,
            Phase::Gone { .. } => {
                self.renew(now);
                now
            }
            Phase::Waiting { .. } => {
                if !self.enabled[self.channel] {
                    self.next_slot(now);
                    return None;
                }
                now
            }
        };
        match self.convert() {
            Ok(code) => {
                self.failures = 0;
                self.timeouts = 0;
                self.backoff.succeeded();
                let channel = self.channel;
                self.next_slot(now);
                Some(AdcEvent::Sample { channel, code, taken_at: since })
            }
            Err(nb::Error::WouldBlock) => {
                self.failures = 0;
                if now.since(since) < CONVERSION_LIMIT {
                    self.phase = Phase::Converting { since, poll_at: now + POLL };
                    return None;
                }
                self.timeouts += 1;
                // The same channel from the beginning.
                self.phase = Phase::Waiting { until: now };
                self.give_up_if(self.timeouts >= TRIES, now)
            }
            Err(nb::Error::Other(())) => {
                self.failures += 1;
                // The driver goes on where it was when it is called again.
                self.phase = Phase::Converting { since, poll_at: now };
                self.give_up_if(self.failures >= TRIES, now)
            }
        }
    }

    /// One call of the driver: it starts the conversion, looks whether it is over, or reads it.
    fn convert(&mut self) -> nb::Result<i16, ()> {
        let Some(driver) = &mut self.driver else { return Err(nb::Error::Other(())) };
        if !self.ranged {
            driver.set_full_scale_range(self.range).map_err(|_| nb::Error::Other(()))?;
            self.ranged = true;
        }
        let result = match self.channel {
            0 => driver.read(channel::SingleA0),
            1 => driver.read(channel::SingleA1),
            2 => driver.read(channel::SingleA2),
            _ => driver.read(channel::SingleA3),
        };
        result.map_err(|error| error.map(|_| ()))
    }

    fn give_up_if(&mut self, hopeless: bool, now: Micros) -> Option<AdcEvent> {
        hopeless.then(|| {
            self.phase = Phase::Gone { until: self.backoff.failed(now) };
            AdcEvent::Gone
        })
    }

    /// A new driver: the old one may hold a conversion as started that is long over, or was lost
    /// with the converter's supply, and would hand out its remains as fresh.
    fn renew(&mut self, now: Micros) {
        if let Some(driver) = self.driver.take() {
            self.driver = Some(Ads1x1x::new_ads1115(driver.destroy_ads1115(), self.address));
        }
        self.ranged = false;
        self.failures = 0;
        self.timeouts = 0;
        self.slot = now;
    }

    fn next_slot(&mut self, now: Micros) {
        self.channel = (self.channel + 1) % ADC_CHANNELS;
        // Slots that were missed are not made up for.
        self.slot = (self.slot + SLOT).max(now);
        self.phase = Phase::Waiting { until: self.slot };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction as T};

    const ADDRESS: u8 = 0x48;
    const ALL: [bool; ADC_CHANNELS] = [true; ADC_CHANNELS];

    fn ms(n: u64) -> Micros {
        Micros::from_millis(n)
    }

    fn nack() -> ErrorKind {
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)
    }

    /// Select ±4.096 V: PGA = 001, single-shot, 128 samples/s, comparator off.
    fn range_4v() -> T {
        T::write(ADDRESS, vec![1, 0x83, 0x83])
    }

    fn busy() -> T {
        T::write_read(ADDRESS, vec![1], vec![0x03, 0x83])
    }

    fn idle() -> T {
        T::write_read(ADDRESS, vec![1], vec![0x83, 0x83])
    }

    /// Start channel `n` against ground: MUX = 1nn.
    fn start(n: u8) -> T {
        T::write(ADDRESS, vec![1, 0xC3 | n << 4, 0x83])
    }

    fn code(bytes: [u8; 2]) -> T {
        T::write_read(ADDRESS, vec![0], bytes.to_vec())
    }

    /// Polls whenever something is due until `end`.
    fn run<I: I2c>(adc: &mut Acquisition<I>, mut now: Micros, end: Micros) -> Vec<AdcEvent> {
        let mut events = Vec::new();
        while adc.due().max(now) <= end {
            now = adc.due().max(now);
            events.extend(adc.poll(now));
        }
        events
    }

    #[test]
    fn a_sample_is_range_start_poll_read_on_the_wire() {
        let mut bus = Mock::new(&[
            range_4v(),
            idle(),
            start(0),
            busy(),
            busy(),
            idle(),
            code([0x12, 0x34]),
            // The second channel needs no new range.
            idle(),
            start(1),
        ]);
        let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, ALL, Micros::ZERO);
        assert_eq!(
            run(&mut adc, Micros::ZERO, ms(50)),
            [AdcEvent::Sample { channel: 0, code: 0x1234, taken_at: Micros::ZERO }]
        );
        bus.done();
    }

    #[test]
    fn codes_keep_their_sign_at_the_edges() {
        for (bytes, expected) in [
            ([0x00, 0x00], 0),
            ([0x7F, 0xFF], i16::MAX),
            ([0x80, 0x00], i16::MIN),
            ([0xFF, 0xFF], -1),
        ] {
            let mut bus = Mock::new(&[range_4v(), idle(), start(0), idle(), code(bytes)]);
            let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, ALL, Micros::ZERO);
            let events = run(&mut adc, Micros::ZERO, ms(49));
            assert!(matches!(events[..], [AdcEvent::Sample { code, .. }] if code == expected));
            bus.done();
        }
    }

    #[test]
    fn the_gain_bits_follow_the_full_scale_range() {
        // PGA is bits 11 to 9, that is bits 3 to 1 of the high byte.
        for (fsr, high) in [
            (6.144, 0x81),
            (4.096, 0x83),
            (2.048, 0x85),
            (1.024, 0x87),
            (0.512, 0x89),
            (0.256, 0x8B),
        ] {
            let mut bus = Mock::new(&[T::write(ADDRESS, vec![1, high, 0x83]), busy()]);
            let mut adc = Acquisition::new(bus.clone(), ADDRESS, fsr, ALL, Micros::ZERO);
            adc.poll(Micros::ZERO);
            bus.done();
        }
    }

    #[test]
    fn each_address_of_the_chip_is_reached() {
        for address in 0x48..=0x4B {
            let mut bus = Mock::new(&[
                T::write(address, vec![1, 0x83, 0x83]),
                T::write_read(address, vec![1], vec![0x03, 0x83]),
            ]);
            Acquisition::new(bus.clone(), address, 4.096, ALL, Micros::ZERO).poll(Micros::ZERO);
            bus.done();
        }
    }

    #[test]
    fn a_channel_that_is_not_enabled_is_never_converted() {
        let mut bus =
            Mock::new(&[range_4v(), idle(), start(1), idle(), code([0, 1]), idle(), start(3)]);
        let enabled = [false, true, false, true];
        let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, enabled, Micros::ZERO);
        let events = run(&mut adc, Micros::ZERO, ms(150));
        assert_eq!(events, [AdcEvent::Sample { channel: 1, code: 1, taken_at: ms(50) }]);
        bus.done();
    }

    #[test]
    fn one_disturbed_transfer_costs_nothing_but_a_retry() {
        let mut bus = Mock::new(&[
            range_4v().with_error(nack()),
            range_4v(),
            idle(),
            start(0).with_error(nack()),
            idle(),
            start(0),
            idle(),
            code([0, 7]),
        ]);
        let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, ALL, Micros::ZERO);
        let events = run(&mut adc, Micros::ZERO, ms(49));
        assert_eq!(events.len(), 1);
        bus.done();
    }

    #[test]
    fn failures_with_successes_in_between_never_add_up() {
        let mut script = vec![range_4v(), idle(), start(0)];
        for _ in 0..10 {
            script.extend([busy().with_error(nack()), busy().with_error(nack()), busy()]);
        }
        script.extend([idle(), code([0, 7])]);
        let mut bus = Mock::new(&script);
        let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, ALL, Micros::ZERO);
        assert_eq!(run(&mut adc, Micros::ZERO, ms(49)).len(), 1);
        bus.done();
    }

    #[test]
    fn a_converter_that_is_gone_is_reported_once_and_tried_after_1_2_and_4_seconds() {
        let gone = || range_4v().with_error(nack());
        // The first attempt and two more, three tries each.
        let mut script = vec![gone(); 9];
        script.extend([range_4v(), idle(), start(0), idle(), code([0, 9])]);
        let mut bus = Mock::new(&script);
        let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, ALL, Micros::ZERO);
        for wait in [0, 1, 3] {
            let at = Micros::from_secs(wait);
            assert_eq!(run(&mut adc, at, at), [AdcEvent::Gone], "{wait} s");
        }
        let back = Micros::from_secs(7);
        assert_eq!(adc.due(), back);
        let events = run(&mut adc, back, back + ms(49));
        assert_eq!(events, [AdcEvent::Sample { channel: 0, code: 9, taken_at: back }]);
        bus.done();
    }

    #[test]
    fn after_a_break_no_old_conversion_is_handed_out() {
        let mut script = vec![range_4v(), idle(), start(0)];
        script.extend(vec![busy().with_error(nack()); 3]);
        // Back: the chip says "not converting", and must be told to convert before it is read.
        script.extend([range_4v(), idle(), start(0), idle(), code([0, 5])]);
        let mut bus = Mock::new(&script);
        let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, ALL, Micros::ZERO);
        assert_eq!(run(&mut adc, Micros::ZERO, ms(40)), [AdcEvent::Gone]);
        let back = adc.due();
        let events = run(&mut adc, back, back + ms(49));
        assert_eq!(events, [AdcEvent::Sample { channel: 0, code: 5, taken_at: back }]);
        bus.done();
    }

    #[test]
    fn a_conversion_that_never_ends_is_a_failure() {
        let mut script = vec![range_4v(), idle(), start(0)];
        // 50 looks a millisecond apart, three times over.
        script.extend(vec![busy(); 50]);
        script.extend(vec![busy(); 51]);
        script.extend(vec![busy(); 51]);
        let mut bus = Mock::new(&script);
        let mut adc = Acquisition::new(bus.clone(), ADDRESS, 4.096, ALL, Micros::ZERO);
        assert_eq!(run(&mut adc, Micros::ZERO, ms(300)), [AdcEvent::Gone]);
        bus.done();
    }

    #[test]
    fn every_channel_is_sampled_five_times_a_second() {
        let mut bus = AlwaysReady::default();
        let mut adc = Acquisition::new(&mut bus, ADDRESS, 4.096, ALL, Micros::ZERO);
        let events = run(&mut adc, Micros::ZERO, Micros::from_secs(10));
        for wanted in 0..ADC_CHANNELS {
            let times: Vec<Micros> = events
                .iter()
                .filter_map(|event| match event {
                    AdcEvent::Sample { channel, taken_at, .. } if *channel == wanted => {
                        Some(*taken_at)
                    }
                    AdcEvent::Sample { .. } | AdcEvent::Gone => None,
                })
                .collect();
            assert!(times.len() >= 49, "channel {wanted}: {}", times.len());
            assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) == ms(200)));
        }
    }

    /// A chip whose conversions are over at once.
    #[derive(Default)]
    struct AlwaysReady {
        pointer: u8,
    }

    impl embedded_hal::i2c::ErrorType for AlwaysReady {
        type Error = ErrorKind;
    }

    impl I2c for AlwaysReady {
        fn transaction(
            &mut self,
            _: u8,
            steps: &mut [embedded_hal::i2c::Operation<'_>],
        ) -> Result<(), ErrorKind> {
            use embedded_hal::i2c::Operation;
            for step in steps {
                match step {
                    Operation::Write(bytes) => self.pointer = bytes[0],
                    Operation::Read(bytes) => {
                        bytes.copy_from_slice(if self.pointer == 1 {
                            &[0x83, 0x83]
                        } else {
                            &[1, 2]
                        });
                    }
                }
            }
            Ok(())
        }
    }
}
