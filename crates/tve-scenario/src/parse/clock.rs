//! Times of a run, which end with it.

use crate::ScenarioError;
use crate::expectation::Span;
use tve_units::Micros;

/// The length of a run.
pub(super) struct Clock(pub(super) Micros);

impl Clock {
    /// A time of the run.
    pub(super) fn time(&self, place: &str, seconds: f64) -> Result<Micros, ScenarioError> {
        let end = self.0.secs();
        if (0.0..=end).contains(&seconds) {
            Ok(Micros::from_secs_f64(seconds))
        } else {
            let reason = format!("a time must be from 0 to {end} s, not {seconds}");
            Err(ScenarioError::invalid(place, reason))
        }
    }

    /// A stretch of the run; left out, it is from its start or to its end.
    pub(super) fn span(
        &self,
        place: &str,
        from: Option<f64>,
        until: Option<f64>,
    ) -> Result<Span, ScenarioError> {
        let span = Span {
            from: from.map_or(Ok(Micros::ZERO), |t| self.time(place, t))?,
            until: until.map_or(Ok(self.0), |t| self.time(place, t))?,
        };
        if span.from > span.until {
            let reason = format!("the span {span} ends before it begins");
            return Err(ScenarioError::invalid(place, reason));
        }
        Ok(span)
    }
}
