//! The main contactor: when it is closed, and whether it follows.
//!
//! All that ends the heat of a relay that sticks rests on it. Where its auxiliary contact is wired
//! (`pins.contactor_feedback`), each start of heat from rest proves it first, and in between it has to
//! read as it is driven.
//!
//! ```text
//!  Held ──heat is asked for, at rest──▶ Opening ──reads open──▶ Closing ──reads closed──▶ Held
//! ```
//!
//! While motors turn it is not opened, as it may carry their power too: heat that is asked for then
//! begins without the proof.

use tve_hal::Contact;
use tve_units::Micros;

/// A contactor follows within this, or not at all.
const FOLLOWS: Micros = Micros::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum Phase {
    /// Closed, unless a TRIP holds it open.
    #[default]
    Held,
    /// Held open until that shows.
    Opening,
    /// Closed again until that shows.
    Closing,
}

/// What is asked of the contactor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// No TRIP holds it open.
    pub(crate) live: bool,
    /// Some zone is to be heated.
    pub(crate) heat: bool,
    /// Nothing turns.
    pub(crate) at_rest: bool,
}

/// Memory of the contactor.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Contactor {
    phase: Phase,
    heated: bool,
    differs_since: Option<Micros>,
}

impl Contactor {
    /// Whether it is to be closed in this tick.
    pub(crate) fn drive(&mut self, wanted: Wanted, feedback: Contact) -> bool {
        let Wanted { live, heat, at_rest } = wanted;
        let begins = heat && !self.heated && at_rest;
        self.heated = live && heat;
        self.phase = match (self.phase, feedback) {
            _ if !live => Phase::Held,
            (_, Contact::NotMapped) | (Phase::Closing, Contact::Closed) => Phase::Held,
            (Phase::Held, _) if begins => Phase::Opening,
            (Phase::Opening, Contact::Open) => Phase::Closing,
            (phase, _) => phase,
        };
        live && self.phase != Phase::Opening
    }

    /// Whether it is being proved: no heater conducts then, so that it never switches a load.
    pub(crate) fn is_proving(&self) -> bool {
        self.phase != Phase::Held
    }

    /// Whether it has not followed in time; `closed`: how it is driven.
    pub(crate) fn fails(&mut self, now: Micros, closed: bool, feedback: Contact) -> bool {
        let differs = match feedback {
            Contact::NotMapped => false,
            Contact::Closed => !closed,
            Contact::Open => closed,
        };
        self.differs_since = differs.then(|| self.differs_since.unwrap_or(now));
        self.differs_since.is_some_and(|since| now.since(since) >= FOLLOWS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAT: Wanted = Wanted { live: true, heat: true, at_rest: true };
    const NONE: Wanted = Wanted { heat: false, ..HEAT };

    #[test]
    fn each_start_of_heat_opens_it_and_waits_until_both_ways_show() {
        let mut contactor = Contactor::default();
        for _ in 0..2 {
            assert!(contactor.drive(NONE, Contact::Closed));
            assert!(!contactor.drive(HEAT, Contact::Closed) && contactor.is_proving());
            assert!(!contactor.drive(HEAT, Contact::Closed) && contactor.is_proving());
            assert!(contactor.drive(HEAT, Contact::Open) && contactor.is_proving());
            assert!(contactor.drive(HEAT, Contact::Closed) && !contactor.is_proving());
            assert!(contactor.drive(HEAT, Contact::Closed) && !contactor.is_proving());
        }
    }

    #[test]
    fn without_its_contact_or_with_a_motor_that_turns_it_stays_closed() {
        assert!(Contactor::default().drive(HEAT, Contact::NotMapped));
        let turning = Wanted { at_rest: false, ..HEAT };
        let mut contactor = Contactor::default();
        assert!(contactor.drive(turning, Contact::Closed) && !contactor.is_proving());
    }

    #[test]
    fn a_trip_opens_it_in_every_phase() {
        let tripped = Wanted { live: false, ..HEAT };
        let mut contactor = Contactor::default();
        contactor.drive(HEAT, Contact::Closed);
        contactor.drive(HEAT, Contact::Open);
        assert!(!contactor.drive(tripped, Contact::Closed) && !contactor.is_proving());
    }

    #[test]
    fn it_fails_half_a_second_after_it_should_have_followed_either_way() {
        let at = Micros::from_millis;
        for (closed, feedback) in [(false, Contact::Closed), (true, Contact::Open)] {
            let mut contactor = Contactor::default();
            assert!(!contactor.fails(at(0), closed, feedback));
            assert!(!contactor.fails(at(490), closed, feedback));
            assert!(contactor.fails(at(500), closed, feedback));
            assert!(!contactor.fails(at(510), !closed, feedback));
            assert!(!contactor.fails(at(520), closed, Contact::NotMapped));
        }
    }
}
