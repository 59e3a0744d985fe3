//! The verdict as text, for a terminal and for the log of a build.

use crate::measure::histogram::Latency;
use crate::summary::Summary;
use crate::verdict::Standing;
use std::fmt::Write as _;

fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// The claims, the groups and, as the last line, the verdict.
pub fn text(summary: &Summary) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, summary);
    out
}

fn write_text(out: &mut String, s: &Summary) -> std::fmt::Result {
    writeln!(out, "{}: {}", s.plan, s.question)?;
    writeln!(out, "{} from {}, {} s judged", s.host, s.started, s.judged_s)?;
    writeln!(out)?;
    for claim in &s.claims {
        let mark = match claim.standing {
            Standing::Held => "ok  ",
            Standing::Broken => "FAIL",
            Standing::Open => "?   ",
        };
        writeln!(out, "{mark} {}: {}", claim.what, claim.measured)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:<12} {:>9} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8}  (ms, from the due instant)",
        "group", "requests", "errors", "rps", "p50", "p95", "p99", "max"
    )?;
    for group in &s.groups {
        let l: &Latency = &group.due;
        writeln!(
            out,
            "{:<12} {:>9} {:>7} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2}",
            group.name,
            group.count,
            group.errors,
            group.rps,
            ms(l.p50_us),
            ms(l.p95_us),
            ms(l.p99_us),
            ms(l.max_us)
        )?;
        writeln!(
            out,
            "{:<12} to headers p95 {:.2} p99 {:.2}, to full body p95 {:.2} p99 {:.2}{}",
            "",
            ms(group.headers.p95_us),
            ms(group.headers.p99_us),
            ms(group.body.p95_us),
            ms(group.body.p99_us),
            group
                .longest_streak_s
                .map_or(String::new(), |s| format!(", longest green streak {s} s"))
        )?;
    }
    let mut quiet = s.groups.iter().filter(|g| g.quiet.count > 0).peekable();
    if quiet.peek().is_some() {
        write!(out, "in the {:.1} s in which the host gave nothing to others, p99:", s.quiet_s)?;
        for group in quiet {
            write!(out, " {} {:.2} ms", group.name, ms(group.quiet.p99_us))?;
        }
        writeln!(out)?;
    }
    for scenario in &s.scenarios {
        let target = scenario.target_rps.map_or(String::new(), |t| format!(" of {t:.1}"));
        writeln!(
            out,
            "{:<12} {} users, {:.2}{target} requests/s",
            scenario.name, scenario.users, scenario.achieved_rps
        )?;
    }
    if let Some(looser) = s.looser {
        let word = if looser { "held" } else { "did not hold" };
        writeln!(out, "looser reading (any one interval as a whole): {word}")?;
    }
    for (name, value) in &s.extra {
        writeln!(out, "{name}: {value}")?;
    }
    let t = &s.trust;
    let achieved = t
        .achieved_percent
        .map_or(String::new(), |a| format!("answered {a:.1} % of what was offered, "));
    writeln!(
        out,
        "generator: lag p99 {:.2} ms, missed {:.3} %, {:.0} % of the machine, {achieved}\
         {:.1} MB at most",
        t.lag_p99_ms, t.missed_percent, t.cpu_percent, s.generator_rss_mb[2]
    )?;
    writeln!(
        out,
        "machine: {:.0} % wanted by everybody on it, of which its host gave {:.1} % to others",
        t.machine_percent, t.steal_percent
    )?;
    for failure in &s.failures {
        writeln!(out, "failed {} times: {}: {}", failure.count, failure.request, failure.text)?;
    }
    for reason in &s.verdict.reasons {
        writeln!(out, "because {reason}")?;
    }
    writeln!(out, "{}", s.verdict.line(&s.plan))
}
