//! Where a plan's phases lie in time, and what the recorder has to keep of them.

use crate::measure::layout::{Layout, Span};
use crate::plan::Plan;
use crate::slo::{INTERVAL_S, SLICE_S};

/// The recorder's layout for `plan`, with each phase's stretch.
pub(crate) fn layout(plan: &Plan, short: bool) -> (Layout, Vec<Span>) {
    let groups = plan.groups();
    let mut at = 0;
    let mut phases = Vec::new();
    for phase in &plan.phases {
        let end = at + Plan::length_s(phase, short);
        phases.push(Span { from_s: at, to_s: end });
        at = end;
    }
    let judged = plan.phases.iter().zip(&phases).filter(|(p, _)| p.judged).map(|(_, s)| s);
    let from_s = judged.clone().map(|s| s.from_s).min().unwrap_or(0);
    let to_s = judged.map(|s| s.to_s).max().unwrap_or(at);
    let judged = Span { from_s, to_s };
    let requests = plan
        .requests
        .iter()
        .map(|(name, r)| (name.clone(), groups.iter().position(|g| *g == r.group).unwrap_or(0)))
        .collect();
    let wanted_s = plan.interval_s.unwrap_or(INTERVAL_S);
    let interval_s = if short { wanted_s.min(to_s - from_s) } else { wanted_s } as usize;
    let layout = Layout {
        groups,
        requests,
        scenarios: plan.scenarios.len(),
        phases: phases.clone(),
        judged,
        slice_s: SLICE_S.min(interval_s),
        interval_s,
        patience_s: plan.timeout_ms.div_ceil(1000) + 1,
    };
    (layout, phases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{find, parse};

    fn targets(name: &str) -> Vec<Option<f64>> {
        let plan = parse(name, find(name).unwrap().text).unwrap();
        let (layout, phases) = layout(&plan, false);
        plan.target_rps(&phases, layout.judged)
    }

    #[test]
    fn a_scenario_has_a_target_only_while_the_number_of_its_users_stands() {
        let slo: Vec<f64> = targets("tve-slo").into_iter().flatten().collect();
        let table: Vec<f64> = crate::slo::SCENARIOS.iter().map(|s| s.rps).collect();
        assert!(slo.iter().zip(&table).all(|(is, should)| (is - should).abs() < 0.01), "{slo:?}");
        assert_eq!(slo.len(), table.len());
        // The ramp lies within the stretch that is judged.
        assert!(targets("spike").iter().all(Option::is_none));
    }
}
