//! Limits of a service whose security is enabled: are wrong logins locked out, are commands beyond
//! the limit refused, and do stops and readers never notice?
//!
//! The rightful user is the one in the address (`http://USER:PASSWORD@HOST:PORT`). The wrong logins
//! are for a user who does not exist, so that nobody is locked out by the test.

use crate::address::{shown, without_login};
use crate::collect;
use crate::extruder::Driven;
use crate::options::Options;
use crate::plan::{Limiter, Plan};
use crate::summary::Finished;
use crate::verdict::{Claim, Trust, Verdict};
use anyhow::Context as _;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tve_api::ControlRequest;

/// Time for a client's allowance to fill up before the commands are counted.
const REST: Duration = Duration::from_secs(3);

/// How one request ended.
#[derive(Debug, Clone, Copy)]
struct Seen {
    status: u16,
    /// Seconds of `Retry-After`.
    retry_after_s: Option<u64>,
}

impl Seen {
    /// Refused as too fast, saying when to come back.
    fn asks_for_patience(&self) -> bool {
        self.status == 429 && self.retry_after_s.is_some_and(|s| s > 0)
    }
}

fn body(command: &str, value: Value) -> ControlRequest {
    ControlRequest { command: command.to_owned(), value }
}

async fn send(request: reqwest::RequestBuilder) -> anyhow::Result<Seen> {
    let reply = request.send().await.context("the service does not answer")?;
    let retry_after = reply.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    Ok(Seen { status: reply.status().as_u16(), retry_after_s: retry_after })
}

/// Statuses in order, equal neighbours counted: `401 x5, 429 x5`.
fn course(seen: &[Seen]) -> String {
    let runs = seen.chunk_by(|a, b| a.status == b.status);
    let texts: Vec<String> = runs.map(|run| format!("{} x{}", run[0].status, run.len())).collect();
    texts.join(", ")
}

/// Runs the limiter of `plan`.
///
/// # Errors
/// The service does not answer, or the address names no user that it lets in.
pub(super) async fn run(
    plan: &Plan,
    limiter: &Limiter,
    options: &Options,
    driven: &Driven,
) -> anyhow::Result<Finished> {
    let started = jiff::Zoned::now();
    let http = options.client(plan)?;
    let control = options.host.join("/api/control")?;
    let anonymous = without_login(&control);
    let post = |command: &str, value: Value| http.post(control.clone()).json(&body(command, value));
    let first = send(post("SET_FILL_TARGET", json!({"level": 10}))).await?;
    anyhow::ensure!(
        first.status == 200,
        "the user of the address is answered {}; give --host http://USER:PASSWORD@HOST:PORT with \
         an operator",
        first.status
    );
    let mut claims = Vec::new();

    let nobody = format!("nobody-{}", started.timestamp().as_microsecond());
    let mut logins = Vec::new();
    for _ in 0..limiter.wrong_logins {
        let guess = http.post(anonymous.clone()).basic_auth(&nobody, Some("wrong"));
        // A command that does no harm where no login is asked for.
        logins.push(send(guess.json(&body("SET_FILL_TARGET", json!({"level": 12})))).await?);
    }
    claims.push(wrong_logins(limiter, &logins));
    let other = send(post("SET_FILL_TARGET", json!({"level": 11}))).await?;
    claims.push(answered("another user is still let in", &[other]));

    tokio::time::sleep(REST).await;
    let began = Instant::now();
    let mut commands = Vec::new();
    for i in 0..limiter.commands {
        commands.push(send(post("SET_FILL_TARGET", json!({"level": i % 100}))).await?);
    }
    claims.push(rapid_commands(limiter, &commands, began.elapsed()));

    let asked = Instant::now();
    let stop = http.post(anonymous.clone()).json(&body("EMERGENCY_STOP", Value::Null));
    let mut calm = vec![send(stop).await?];
    let stop_took = asked.elapsed();
    for value in driven.at_rest() {
        calm.push(send(post("SET_MOTOR", value)).await?);
    }
    calm.push(send(post("SET_TARGET", driven.targets(0.0))).await?);
    claims.push(answered("a client beyond its limit may still stop and set zero", &calm));
    let read = send(http.get(options.host.join("/api/data")?)).await?;
    claims.push(answered("readers are answered meanwhile", &[read]));

    let wait = commands.iter().rev().find_map(|seen| seen.retry_after_s).unwrap_or(1);
    tokio::time::sleep(Duration::from_secs(wait)).await;
    let after = send(post("CLEAR_ALARM", Value::Null)).await?;
    claims.push(answered("after the time of Retry-After a command passes", &[after]));
    tokio::time::sleep(REST).await;

    let interrupted = crate::interrupt::is_set();
    let verdict = Verdict::of(&claims, &Trust::default(), options.short, interrupted);
    let mut summary = collect::bare(plan, &shown(&options.host), &started, claims, verdict);
    summary.extra.insert("emergency stop".into(), format!("{stop_took:.2?}"));
    Ok(Finished { summary, histograms: Vec::new() })
}

fn answered(what: &str, seen: &[Seen]) -> Claim {
    Claim::new(what, course(seen), seen.iter().all(|s| s.status == 200))
}

fn wrong_logins(limiter: &Limiter, logins: &[Seen]) -> Claim {
    let (free, locked) = logins.split_at(limiter.logins_allowed.min(logins.len()));
    let holds = free.iter().all(|s| s.status == 401) && locked.iter().all(Seen::asks_for_patience);
    let what = format!(
        "{} wrong logins are 401, the next ones 429 with Retry-After",
        limiter.logins_allowed
    );
    Claim::new(what, course(logins), holds && !locked.is_empty())
}

/// Judges commands that were sent one after another within `took`: what flows in meanwhile may
/// pass in addition.
fn rapid_commands(limiter: &Limiter, commands: &[Seen], took: Duration) -> Claim {
    let passed = commands.iter().filter(|s| s.status == 200).count();
    let refused = commands.iter().filter(|s| s.asks_for_patience()).count();
    let first = commands.iter().position(|s| s.status == 429).map_or(0, |at| at + 1);
    let most = limiter.burst + (took.as_secs_f64() * limiter.commands_per_second).ceil() as usize;
    let holds = passed + refused == commands.len()
        && refused > 0
        && first > limiter.burst
        && (limiter.burst..=most).contains(&passed);
    let what = format!(
        "{} commands at once pass and {} a second after them, the rest is 429 with Retry-After",
        limiter.burst, limiter.commands_per_second
    );
    let measured = format!("{passed} passed in {took:.2?}, the first 429 was command {first}");
    Claim::new(what, measured, holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Standing;

    const LIMITER: Limiter = Limiter {
        wrong_logins: 10,
        logins_allowed: 5,
        commands: 100,
        burst: 40,
        commands_per_second: 20.0,
    };

    fn seen(counts: &[(u16, usize)]) -> Vec<Seen> {
        let of = |&(status, n): &(u16, usize)| {
            let retry_after_s = (status == 429).then_some(1);
            vec![Seen { status, retry_after_s }; n]
        };
        counts.iter().flat_map(of).collect()
    }

    #[test]
    fn the_sixth_wrong_login_must_be_locked_and_not_the_fifth() {
        let standing = |counts| wrong_logins(&LIMITER, &seen(counts)).standing;
        assert_eq!(standing(&[(401, 5), (429, 5)]), Standing::Held);
        for wrong in [&[(401, 10)][..], &[(401, 4), (429, 6)], &[(401, 6), (429, 4)]] {
            assert_eq!(standing(wrong), Standing::Broken, "{wrong:?}");
        }
        let mut silent = seen(&[(401, 5), (429, 5)]);
        silent[9].retry_after_s = None;
        assert_eq!(wrong_logins(&LIMITER, &silent).standing, Standing::Broken);
    }

    #[test]
    fn commands_pass_up_to_the_burst_and_what_flows_in_meanwhile() {
        let standing = |counts, ms| {
            rapid_commands(&LIMITER, &seen(counts), Duration::from_millis(ms)).standing
        };
        assert_eq!(standing(&[(200, 40), (429, 60)], 0), Standing::Held);
        assert_eq!(standing(&[(200, 42), (429, 58)], 100), Standing::Held);
        assert_eq!(standing(&[(200, 43), (429, 57)], 100), Standing::Broken, "too many");
        assert_eq!(standing(&[(200, 39), (429, 61)], 100), Standing::Broken, "too few");
        assert_eq!(standing(&[(200, 100)], 100), Standing::Broken, "no limit");
        assert_eq!(standing(&[(200, 40), (503, 60)], 0), Standing::Broken);
    }
}
