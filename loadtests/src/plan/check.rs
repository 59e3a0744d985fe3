//! Reads a plan and refuses what cannot be run or judged.

use super::schema::{Engine, Plan};
use std::collections::BTreeSet;

/// Longest interval that the recorder's window can judge, s.
const LONGEST_INTERVAL_S: u64 = crate::measure::layout::LONG_WINDOW_S as u64;

/// Why a plan is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("plan {plan}: {reason}")]
pub struct PlanError {
    plan: String,
    reason: String,
}

/// Reads the text of a plan; `origin` names it in errors.
///
/// # Errors
/// The text is not TOML, has an unknown key or a wrong type, or names what is not there.
pub fn parse(origin: &str, text: &str) -> Result<Plan, PlanError> {
    let refuse = |reason: String| PlanError { plan: origin.to_owned(), reason };
    let plan: Plan = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |s| text[..s.start].matches('\n').count() + 1);
        let message = error.message().replace('\n', " ");
        refuse(format!("line {line}: {message}; see loadtests/README.md for the keys"))
    })?;
    check(&plan).map_err(refuse)?;
    Ok(plan)
}

fn check(plan: &Plan) -> Result<(), String> {
    let ways = usize::from(!plan.phases.is_empty())
        + usize::from(plan.search.is_some())
        + usize::from(plan.sockets.is_some())
        + usize::from(plan.limiter.is_some());
    if ways != 1 {
        return Err("give exactly one of [[phases]], [search], [sockets] and [limiter]".to_owned());
    }
    if plan.timeout_ms == 0 || plan.timeout_ms > 60_000 {
        return Err(format!("timeout_ms is {}, give 1 to 60000", plan.timeout_ms));
    }
    if let Some(s) = plan.interval_s
        && !(1..=LONGEST_INTERVAL_S).contains(&s)
    {
        return Err(format!("interval_s is {s}, give 1 to {LONGEST_INTERVAL_S}"));
    }
    requests(plan)?;
    scenarios(plan)?;
    phases(plan)?;
    objectives(plan)
}

fn requests(plan: &Plan) -> Result<(), String> {
    if plan.requests.is_empty() && plan.sockets.is_none() && plan.limiter.is_none() {
        return Err("it sends nothing: add [requests.NAME]".to_owned());
    }
    for (name, request) in &plan.requests {
        let ((Some(path), None) | (None, Some(path))) = (&request.get, &request.post) else {
            return Err(format!("requests.{name}: give exactly one of get and post"));
        };
        if !path.starts_with('/') {
            return Err(format!("requests.{name}: the path {path:?} must begin with /"));
        }
        if request.get.is_some() && !request.bodies.is_empty() {
            return Err(format!("requests.{name}: a get has no bodies"));
        }
    }
    Ok(())
}

fn scenarios(plan: &Plan) -> Result<(), String> {
    for scenario in &plan.scenarios {
        let name = &scenario.name;
        if !scenario.period_ms.is_finite() || !(0.0..=3_600_000.0).contains(&scenario.period_ms) {
            return Err(format!("scenario {name}: period_ms is not within 0 and an hour"));
        }
        if scenario.users == 0 || scenario.flows.is_empty() {
            return Err(format!("scenario {name}: give it users and flows"));
        }
        for flow in &scenario.flows {
            if flow.weight == 0 || flow.steps.is_empty() {
                return Err(format!("scenario {name}: a flow needs a weight and steps"));
            }
            for step in &flow.steps {
                if !plan.requests.contains_key(step) {
                    return Err(format!("scenario {name}: there is no request {step:?}"));
                }
            }
        }
    }
    Ok(())
}

fn phases(plan: &Plan) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for phase in &plan.phases {
        let name = &phase.name;
        if !names.insert(name) {
            return Err(format!("two phases are called {name:?}"));
        }
        if phase.seconds == 0 || phase.short_s == Some(0) {
            return Err(format!("phase {name}: it must last a second at least"));
        }
        let scenarios = matches!(phase.engine, Engine::Users | Engine::Rate);
        if scenarios && plan.scenarios.is_empty() {
            return Err(format!("phase {name}: nobody sends, add [[scenarios]]"));
        }
        let fits = match phase.engine {
            Engine::Users => phase.users > 0 || !phase.judged,
            Engine::Together => phase.users > 0,
            Engine::Rate => phase.rate.is_finite() && phase.rate > 0.0 && phase.rate <= 100_000.0,
            Engine::Each => true,
        };
        if !fits {
            return Err(format!("phase {name}: give users, or a rate of at most 100000"));
        }
    }
    let known = |name: &str| names.iter().any(|n| *n == name);
    let linear = plan.linear.iter().flat_map(|l| [&l.base, &l.to]);
    for name in linear.chain(plan.recovery.iter().map(|r| &r.phase)) {
        if !known(name) {
            return Err(format!("there is no phase {name:?}"));
        }
    }
    if plan.interval_s.is_some() {
        let mut runs = plan.phases.iter().map(|p| p.judged).collect::<Vec<_>>();
        runs.dedup();
        if runs.iter().filter(|&&judged| judged).count() != 1 {
            return Err("interval_s needs judged phases in one stretch".to_owned());
        }
    }
    Ok(())
}

fn objectives(plan: &Plan) -> Result<(), String> {
    for objective in &plan.objectives {
        if let Some(group) = &objective.group
            && !plan.requests.values().any(|r| r.group == *group)
        {
            return Err(format!("no request belongs to the group {group:?} of an objective"));
        }
        if let Some(request) = &objective.request
            && !plan.requests.contains_key(request)
        {
            return Err(format!("there is no request {request:?} for an objective"));
        }
        if let Some(phase) = &objective.phase
            && !plan.phases.iter().any(|p| p.name == *phase)
        {
            return Err(format!("there is no phase {phase:?} for an objective"));
        }
        if objective.within_p95_percent.is_some() && objective.p95_ms.is_none() {
            return Err("within_p95_percent needs p95_ms beside it".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
name = "small"
question = "?"
[requests.data]
group = "reads"
get = "/api/data"
[[scenarios]]
name = "Reader"
users = 1
period_ms = 100.0
flows = [{ steps = ["data"] }]
[[phases]]
name = "steady"
engine = "users"
users = 1
seconds = 10
[[objectives]]
group = "reads"
p95_ms = 100.0
"#;

    #[test]
    fn a_small_plan_is_accepted() {
        assert_eq!(parse("small", SMALL).unwrap().groups(), ["reads"]);
    }

    #[test]
    fn what_cannot_be_run_or_judged_is_refused_with_its_name() {
        for (from, to, says) in [
            ("seconds = 10", "secondz = 10", "secondz"),
            ("steps = [\"data\"]", "steps = [\"date\"]", "date"),
            ("group = \"reads\"\np95", "group = \"writes\"\np95", "writes"),
            ("get = \"/api/data\"", "get = \"api/data\"", "must begin with /"),
            ("period_ms = 100.0", "period_ms = nan", "period_ms"),
            ("engine = \"users\"", "engine = \"user\"", "user"),
            ("seconds = 10", "seconds = 0", "a second"),
            ("question = \"?\"", "question = \"?\"\ninterval_s = 601", "601"),
            ("users = 1\nperiod", "users = 0\nperiod", "users"),
        ] {
            let text = SMALL.replace(from, to);
            assert_ne!(text, SMALL, "{from}");
            let error = parse("small", &text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
