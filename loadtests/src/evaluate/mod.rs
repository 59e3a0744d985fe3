//! Turns what was measured into claims: each objective of the plan, with its figure.

mod evidence;
mod interval;
mod objective;
mod process;
mod shape;

pub(crate) use evidence::{Evidence, limits};

use crate::verdict::Claim;

/// Every claim of the plan.
pub(crate) fn claims(evidence: &Evidence<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    if let Some(judge) = evidence.judge {
        interval::interval(evidence, judge, &mut claims);
        interval::rates(evidence, &mut claims);
    }
    for objective in &evidence.plan.objectives {
        let by_judge =
            evidence.judge.is_some() && objective.phase.is_none() && objective.request.is_none();
        objective::objective(evidence, objective, by_judge, &mut claims);
    }
    if let Some(recovery) = &evidence.plan.recovery {
        claims.push(shape::recovery(evidence, recovery));
        claims.push(Claim::new(
            "the process of the service is the same from start to end",
            format!("it changed {} times", evidence.server_changes),
            evidence.server_changes == 0,
        ));
    }
    shape::linear(evidence, &mut claims);
    process::server(evidence, &mut claims);
    claims
}
