//! The PWM board as an obedient device: wanted counts are written, read back, and written again.
//!
//! ```text
//!  gone ──init──► up ──every change──► written
//!   ▲              │ each 200 ms: asleep, or a register differs? ──► count, init again
//!   └── transfer failed three times ─┘          (back after 1, 2, 4 ... 30 s)
//! ```
//!
//! A board that does not answer cannot be verified, so it counts as differing too: it may hold a
//! heater on.

use crate::bus::retried;
use crate::pca9685::{Count, Pca9685};
use embedded_hal::i2c::I2c;
use tve_hal::PWM_CHANNELS;
use tve_units::{Backoff, Micros};

/// Time between two read-backs.
pub(crate) const VERIFY: Micros = Micros::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Gone { until: Micros },
}

/// The board, what was written to it, and whether it obeys.
pub(crate) struct PwmBoard<I> {
    chip: Pca9685<I>,
    frequency_hz: u32,
    mapped: [bool; PWM_CHANNELS],
    /// By channel; `None` is unknown and will be written.
    written: [Option<Count>; PWM_CHANNELS],
    link: Link,
    backoff: Backoff,
    verify_at: Micros,
    mismatches: u8,
}

impl<I: I2c> PwmBoard<I> {
    /// A board that has not been talked to. Only mapped channels are written and read.
    pub(crate) fn new(
        bus: I,
        address: u8,
        frequency_hz: u32,
        mapped: [bool; PWM_CHANNELS],
        now: Micros,
    ) -> Self {
        Self {
            chip: Pca9685::new(bus, address),
            frequency_hz,
            mapped,
            written: [None; PWM_CHANNELS],
            link: Link::Gone { until: now },
            backoff: Backoff::new(),
            verify_at: now + VERIFY,
            mismatches: 0,
        }
    }

    /// Read-backs in a row that did not find what was written.
    pub(crate) const fn mismatches(&self) -> u8 {
        self.mismatches
    }

    /// Whether the board answers.
    pub(crate) fn is_up(&self) -> bool {
        self.link == Link::Up
    }

    /// When [`Self::poll`] has something to do again, unless counts change before.
    pub(crate) fn due(&self) -> Micros {
        match self.link {
            Link::Up => self.verify_at,
            Link::Gone { until } => self.verify_at.min(until),
        }
    }

    /// Writes what has changed and reads back when it is time.
    pub(crate) fn poll(&mut self, now: Micros, wanted: &[Count; PWM_CHANNELS]) {
        if let Link::Gone { until } = self.link
            && now >= until
        {
            self.connect(now);
        }
        if self.is_up() {
            self.write(now, wanted);
        }
        if now >= self.verify_at {
            // From now and not from the plan: a thread that was late need not read twice.
            self.verify_at = now + VERIFY;
            self.verify(now, wanted);
        }
    }

    /// Every channel off, with retries; for the end of the thread.
    pub(crate) fn all_off(&mut self) -> Result<(), I::Error> {
        self.written = [None; PWM_CHANNELS];
        retried(|| self.chip.all_off())
    }

    fn connect(&mut self, now: Micros) {
        let (chip, hz) = (&mut self.chip, self.frequency_hz);
        match retried(|| chip.init(hz)) {
            Ok(()) => {
                self.written = [Some(Count::OFF); PWM_CHANNELS];
                self.link = Link::Up;
                self.backoff.succeeded();
            }
            Err(_) => self.lost(now),
        }
    }

    fn lost(&mut self, now: Micros) {
        self.link = Link::Gone { until: self.backoff.failed(now) };
        self.written = [None; PWM_CHANNELS];
    }

    fn write(&mut self, now: Micros, wanted: &[Count; PWM_CHANNELS]) {
        // What is to be off goes first, so that a slow bus never prolongs a heater's slot.
        for off in [true, false] {
            for (channel, &count) in wanted.iter().enumerate() {
                let due = self.mapped[channel] && self.written[channel] != Some(count);
                if !due || (count == Count::OFF) != off {
                    continue;
                }
                let chip = &mut self.chip;
                if retried(|| chip.set(channel as u8, count)).is_err() {
                    self.lost(now);
                    return;
                }
                self.written[channel] = Some(count);
            }
        }
    }

    fn verify(&mut self, now: Micros, wanted: &[Count; PWM_CHANNELS]) {
        if !self.is_up() {
            self.mismatches = self.mismatches.saturating_add(1);
            return;
        }
        match self.obeys() {
            Ok(true) => self.mismatches = 0,
            Ok(false) => {
                self.mismatches = self.mismatches.saturating_add(1);
                self.connect(now);
                if self.is_up() {
                    self.write(now, wanted);
                }
            }
            Err(_) => {
                self.mismatches = self.mismatches.saturating_add(1);
                self.lost(now);
            }
        }
    }

    fn obeys(&mut self) -> Result<bool, I::Error> {
        let chip = &mut self.chip;
        if !retried(|| chip.is_awake())? {
            return Ok(false);
        }
        for channel in (0..PWM_CHANNELS).filter(|&channel| self.mapped[channel]) {
            if let Some(count) = self.written[channel]
                && !retried(|| chip.holds(channel as u8, count))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction as T};

    const ADDRESS: u8 = 0x40;
    const ON: [u8; 5] = [0x06, 0, 0x10, 0, 0];
    const OFF: [u8; 5] = [0x06, 0, 0, 0, 0x10];

    fn write(bytes: &[u8]) -> T {
        T::write(ADDRESS, bytes.to_vec())
    }

    fn init() -> Vec<T> {
        let clear = &[0xFA, 0, 0, 0, 0x10];
        [&[0xFD, 0x10][..], &[0, 0x30], clear, &[0xFE, 101], &[1, 4], &[0, 0x20]].map(write).into()
    }

    fn awake() -> T {
        T::write_read(ADDRESS, vec![0], vec![0x20])
    }

    fn holds(bytes: [u8; 4]) -> T {
        T::write_read(ADDRESS, vec![6], bytes.to_vec())
    }

    fn nack() -> ErrorKind {
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)
    }

    /// A board whose channel 0 is mapped, and what is wanted of it.
    fn board(script: &[T]) -> (Mock, PwmBoard<Mock>) {
        let bus = Mock::new(script);
        let mut mapped = [false; PWM_CHANNELS];
        mapped[0] = true;
        (bus.clone(), PwmBoard::new(bus, ADDRESS, 60, mapped, Micros::ZERO))
    }

    fn channel_0(count: Count) -> [Count; PWM_CHANNELS] {
        let mut wanted = [Count::OFF; PWM_CHANNELS];
        wanted[0] = count;
        wanted
    }

    #[test]
    fn a_count_is_written_once_and_only_when_it_changes() {
        let mut script = init();
        script.extend([write(&ON), write(&OFF)]);
        let (mut bus, mut board) = board(&script);
        board.poll(Micros::ZERO, &channel_0(Count::OFF));
        board.poll(Micros::from_millis(1), &channel_0(Count::ON));
        board.poll(Micros::from_millis(2), &channel_0(Count::ON));
        board.poll(Micros::from_millis(3), &channel_0(Count::OFF));
        bus.done();
    }

    #[test]
    fn a_channel_that_is_not_mapped_is_never_written() {
        let (mut bus, mut board) = board(&init());
        let mut wanted = [Count::ON; PWM_CHANNELS];
        wanted[0] = Count::OFF;
        board.poll(Micros::ZERO, &wanted);
        bus.done();
    }

    #[test]
    fn a_register_that_differs_counts_and_is_set_right_from_scratch() {
        let mut script = init();
        script.extend([write(&ON), awake(), holds([0, 0, 0, 0x10])]);
        script.extend(init());
        script.extend([write(&ON), awake(), holds([0, 0x10, 0, 0])]);
        let (mut bus, mut board) = board(&script);
        let wanted = channel_0(Count::ON);
        board.poll(Micros::ZERO, &wanted);
        board.poll(VERIFY, &wanted);
        assert_eq!(board.mismatches(), 1);
        board.poll(VERIFY + VERIFY, &wanted);
        assert_eq!(board.mismatches(), 0);
        bus.done();
    }

    #[test]
    fn a_board_that_fell_asleep_is_set_up_again() {
        let mut script = init();
        script.push(T::write_read(ADDRESS, vec![0], vec![0x11]));
        script.extend(init());
        let (mut bus, mut board) = board(&script);
        let wanted = channel_0(Count::OFF);
        board.poll(Micros::ZERO, &wanted);
        board.poll(VERIFY, &wanted);
        assert_eq!(board.mismatches(), 1);
        bus.done();
    }

    #[test]
    fn a_board_that_does_not_answer_differs_at_each_look_and_comes_back_switched_off() {
        let gone = || write(&[0xFD, 0x10]).with_error(nack());
        let mut script = vec![gone(), gone(), gone()];
        script.extend(init());
        script.extend([awake(), holds([0, 0, 0, 0x10])]);
        let (mut bus, mut board) = board(&script);
        let wanted = channel_0(Count::OFF);
        for (look, ms) in [0, 200, 400, 600, 800].into_iter().enumerate() {
            board.poll(Micros::from_millis(ms), &wanted);
            assert_eq!(usize::from(board.mismatches()), look);
        }
        board.poll(Micros::from_secs(1), &wanted);
        assert_eq!(board.mismatches(), 0, "answers again after 1 s");
        bus.done();
    }

    #[test]
    fn a_disturbed_transfer_is_repeated() {
        let mut script = init();
        script.extend([write(&ON).with_error(nack()), write(&ON)]);
        let (mut bus, mut board) = board(&script);
        board.poll(Micros::ZERO, &channel_0(Count::ON));
        assert!(board.is_up());
        bus.done();
    }
}
