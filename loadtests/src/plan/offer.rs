//! What a plan offers: users of each scenario, requests of each phase.

use super::schema::{Engine, Phase, Plan, Scenario};
use crate::measure::layout::Span;

impl Plan {
    /// Requests per second that a scenario offers when the plan's users are all there; `None`
    /// where its users send as fast as they can.
    pub fn offered_rps(scenario: &Scenario, users: usize) -> Option<f64> {
        (scenario.period_ms > 0.0).then(|| users as f64 * 1000.0 / scenario.period_ms)
    }

    /// How many users of each scenario there are when `users` are there in all.
    ///
    /// Weights that add up to `users` give exactly themselves; otherwise the shares are rounded.
    pub(crate) fn split(&self, users: usize) -> Vec<usize> {
        let all: usize = self.scenarios.iter().map(|s| s.users).sum();
        // Cumulative rounding: the parts add up to the whole.
        let edge = |upto: usize| (upto * users + all / 2) / all.max(1);
        let mut so_far = 0;
        let mut parts = Vec::with_capacity(self.scenarios.len());
        for scenario in &self.scenarios {
            parts.push(edge(so_far + scenario.users) - edge(so_far));
            so_far += scenario.users;
        }
        parts
    }

    /// Requests that each scenario is to send in the phases that are `chosen`; `None` where its
    /// users send as fast as they can, or come or go.
    fn promised(&self, phases: &[Span], chosen: impl Fn(&Phase, Span) -> bool) -> Vec<Option<f64>> {
        let mut sums = vec![Some(0.0); self.scenarios.len()];
        let mut before = 0;
        for (phase, &span) in self.phases.iter().zip(phases) {
            let here = if phase.engine == Engine::Users { phase.users } else { 0 };
            if here > 0 && chosen(phase, span) {
                for ((sum, scenario), users) in
                    sums.iter_mut().zip(&self.scenarios).zip(self.split(here))
                {
                    // Users who come or go offer what the shape of the ramp makes of it; only a
                    // steady number is a promise.
                    let rps = Self::offered_rps(scenario, users).filter(|_| here == before);
                    *sum = sum.zip(rps).map(|(sum, rps)| sum + rps * span.seconds() as f64);
                }
            }
            before = here;
        }
        sums
    }

    /// Requests that the judged phases offer; `None` where users send as fast as they can, come or
    /// go, or where nothing is offered at a rate.
    pub(crate) fn offered(&self, phases: &[Span]) -> Option<f64> {
        let judged = self.phases.iter().zip(phases).filter(|(p, _)| p.judged);
        let rates = judged.filter(|(p, _)| p.engine == Engine::Rate);
        let by_rates: f64 = rates.map(|(p, s)| p.rate * s.seconds() as f64).sum();
        let by_users: Option<f64> = self.promised(phases, |p, _| p.judged).into_iter().sum();
        Some(by_rates + by_users?).filter(|sum| *sum > 0.0)
    }

    /// Requests per second that each scenario is to send over the stretch that is judged, ramps
    /// within it included; `None` as in [`Plan::offered`].
    pub(crate) fn target_rps(&self, phases: &[Span], judged: Span) -> Vec<Option<f64>> {
        self.promised(phases, |_, s| s.from_s >= judged.from_s && s.to_s <= judged.to_s)
            .into_iter()
            .map(|sum| sum.map(|n| n / judged.seconds() as f64))
            .collect()
    }
}
