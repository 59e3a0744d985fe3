//! What a run comes to: claims with their figures, and one word over them all.

use serde::{Deserialize, Serialize};

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It held.
    Held,
    /// It did not.
    Broken,
    /// The run cannot tell, for want of time or samples.
    Open,
}

/// Something that had to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What had to hold, with its limit.
    pub what: String,
    /// What was measured.
    pub measured: String,
    /// How it stands.
    pub standing: Standing,
}

impl Claim {
    /// A claim that holds or not.
    pub fn new(what: impl Into<String>, measured: impl Into<String>, holds: bool) -> Self {
        let standing = if holds { Standing::Held } else { Standing::Broken };
        Self { what: what.into(), measured: measured.into(), standing }
    }

    /// A claim that the run cannot judge.
    pub fn open(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), measured: why.into(), standing: Standing::Open }
    }
}

/// How far the generator itself can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Trust {
    /// 99th percentile of its own lateness, ms.
    pub lag_p99_ms: f64,
    /// Share of the requests that it never sent by its own fault, %.
    pub missed_percent: f64,
    /// Processor time, % of the whole machine.
    pub cpu_percent: f64,
    /// Processor time that everybody on its machine wanted, % of it: used, or given away by the host.
    #[serde(default)]
    pub machine_percent: f64,
    /// Share of the processor time wanted there that the host gave to others, %. Judged by nobody:
    /// it tells a reader whose the outliers are.
    #[serde(default, rename = "stolen_percent")]
    pub steal_percent: f64,
    /// Requests answered by requests offered, %; `None` where nothing was offered at a rate.
    pub achieved_percent: Option<f64>,
    /// Whether the process of the service changed although the plan does not allow it.
    pub server_changed: bool,
}

/// Largest p99 of the generator's own lateness, ms.
pub const MOST_LAG_MS: f64 = 10.0;
/// Largest share of requests that the generator may fail to send, %.
pub const MOST_MISSED_PERCENT: f64 = 0.1;
/// Largest share of the machine that the generator may use, %.
pub const MOST_CPU_PERCENT: f64 = 80.0;
/// Least share of the offered requests that must have been answered, %.
pub const LEAST_ACHIEVED_PERCENT: f64 = 95.0;

/// From this share of the processor time on, what the host gave to others is the likely cause of
/// lateness, %.
const SUSPECT_STEAL_PERCENT: f64 = 10.0;

impl Trust {
    /// Why the figures are about the generator and not about the service.
    pub fn generator_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.lag_p99_ms > MOST_LAG_MS {
            let (lag, steal) = (self.lag_p99_ms, self.steal_percent);
            let why = if steal > SUSPECT_STEAL_PERCENT {
                format!(
                    "; {steal:.0} % of the processor time wanted here went to other machines of the \
                     host: use a quieter one"
                )
            } else {
                String::new()
            };
            faults.push(format!(
                "the generator was late: p99 {lag:.1} ms over {MOST_LAG_MS} ms{why}"
            ));
        }
        if self.missed_percent > MOST_MISSED_PERCENT {
            let missed = self.missed_percent;
            faults.push(format!(
                "the generator missed {missed:.2} % of its requests, over {MOST_MISSED_PERCENT} %"
            ));
        }
        if self.cpu_percent > MOST_CPU_PERCENT {
            let cpu = self.cpu_percent;
            faults.push(format!(
                "the generator used {cpu:.0} % of the machine, over {MOST_CPU_PERCENT} %"
            ));
        }
        if self.server_changed {
            faults.push("the service was restarted during the run".to_owned());
        }
        faults
    }

    fn fell_short(&self) -> Option<String> {
        self.achieved_percent.filter(|&a| a < LEAST_ACHIEVED_PERCENT).map(|a| {
            format!(
                "only {a:.1} % of what was offered was answered, under {LEAST_ACHIEVED_PERCENT} %"
            )
        })
    }
}

/// The word over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Word {
    /// Everything held.
    Pass,
    /// Something did not.
    Fail,
    /// The figures say nothing about the service.
    Invalid,
    /// Too short to say.
    Inconclusive,
}

impl Word {
    /// Exit code of the process.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Invalid => 3,
            Self::Inconclusive => 4,
        }
    }

    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Invalid => "INVALID",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The word.
    pub word: Word,
    /// Whether the run was a short one, so that a PASS speaks only of what could be judged.
    pub short: bool,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// The verdict over `claims` of a run whose generator behaved as `trust` says.
    ///
    /// A late generator makes everything INVALID, also a FAIL: nobody knows whose lateness it was.
    /// An offered rate that was not reached is INVALID only where no claim broke; where one did,
    /// the service is what held the requests up. An interrupted run is INCONCLUSIVE.
    pub fn of(claims: &[Claim], trust: &Trust, short: bool, interrupted: bool) -> Self {
        let broken: Vec<String> = claims
            .iter()
            .filter(|c| c.standing == Standing::Broken)
            .map(|c| format!("{}: {}", c.what, c.measured))
            .collect();
        let open: Vec<String> = claims
            .iter()
            .filter(|c| c.standing == Standing::Open)
            .map(|c| format!("{}: {}", c.what, c.measured))
            .collect();
        let held = claims.iter().any(|c| c.standing == Standing::Held);
        let faults = trust.generator_faults();
        let (word, reasons) = if interrupted {
            (Word::Inconclusive, vec!["the run was interrupted".to_owned()])
        } else if !faults.is_empty() {
            (Word::Invalid, faults)
        } else if !broken.is_empty() {
            (Word::Fail, broken)
        } else if let Some(short_of) = trust.fell_short() {
            (Word::Invalid, vec![short_of])
        } else if !held || (!open.is_empty() && !short) {
            (Word::Inconclusive, open)
        } else {
            (Word::Pass, open)
        };
        Self { word, short, reasons }
    }

    /// The line that a person looks for.
    pub fn line(&self, plan: &str) -> String {
        let short =
            if self.short { " SHORT (the time was too short for the whole claim)" } else { "" };
        format!("verdict: {}{short}  {plan}", self.word.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted() -> Trust {
        Trust { achieved_percent: Some(100.0), ..Trust::default() }
    }

    fn word(claims: &[Claim], trust: &Trust, short: bool) -> Word {
        Verdict::of(claims, trust, short, false).word
    }

    #[test]
    fn a_late_generator_is_invalid_whatever_the_claims_say() {
        for claim in [Claim::new("p95", "1", true), Claim::new("p95", "9", false)] {
            for trust in [
                Trust { lag_p99_ms: 10.1, ..trusted() },
                Trust { missed_percent: 0.11, ..trusted() },
                Trust { cpu_percent: 81.0, ..trusted() },
                Trust { server_changed: true, ..trusted() },
            ] {
                assert_eq!(word(std::slice::from_ref(&claim), &trust, false), Word::Invalid);
            }
        }
    }

    #[test]
    fn lateness_names_the_host_when_it_took_the_machine_away() {
        let told = |steal_percent| {
            let trust = Trust { lag_p99_ms: 50.0, steal_percent, ..trusted() };
            Verdict::of(&[], &trust, false, false).reasons[0].contains("other machines of the host")
        };
        assert!(told(58.6) && !told(2.0));
    }

    #[test]
    fn too_few_answers_blame_the_service_only_when_a_claim_broke() {
        let trust = Trust { achieved_percent: Some(94.9), ..Trust::default() };
        assert_eq!(word(&[Claim::new("p95", "1", true)], &trust, false), Word::Invalid);
        assert_eq!(word(&[Claim::new("p95", "9", false)], &trust, false), Word::Fail);
    }

    #[test]
    fn what_cannot_be_judged_is_inconclusive_and_excused_only_in_a_short_run() {
        let claims = [Claim::new("a", "1", true), Claim::open("b", "too short")];
        assert_eq!(word(&claims, &trusted(), false), Word::Inconclusive);
        assert_eq!(word(&claims, &trusted(), true), Word::Pass);
        assert_eq!(word(&claims[1..], &trusted(), true), Word::Inconclusive);
        assert_eq!(word(&[], &trusted(), true), Word::Inconclusive);
        assert!(Verdict::of(&claims, &trusted(), true, false).line("x").contains("SHORT"));
    }

    #[test]
    fn an_interrupted_run_says_nothing() {
        let claims = [Claim::new("a", "1", true)];
        assert_eq!(Verdict::of(&claims, &trusted(), false, true).word, Word::Inconclusive);
    }
}
