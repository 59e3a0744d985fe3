//! The recorder and the judge against streams whose verdict is known.

use tve_loadtests::judge::{Judge, Judgement, Limits};
use tve_loadtests::measure::layout::{Layout, Span};
use tve_loadtests::measure::outcome::Outcome;
use tve_loadtests::measure::recorder::{MOMENT_US, Recorder};
use tve_loadtests::measure::sample::{NO_SCENARIO, Sample};

const LIMITS: Limits = Limits { p95_us: Some(150_000), p99_us: Some(250_000), errors: Some(0.001) };

/// Requests a second of the stream.
const RATE: u64 = 40;

fn layout(seconds: u64) -> Layout {
    let whole = Span { from_s: 0, to_s: seconds };
    Layout {
        groups: vec!["telemetry".to_owned()],
        requests: vec![("data".to_owned(), 0)],
        scenarios: 0,
        phases: vec![whole],
        judged: whole,
        slice_s: 60,
        interval_s: 600,
        patience_s: 2,
    }
}

const SUCCESS: Sample = Sample {
    request: 0,
    scenario: NO_SCENARIO,
    due_us: 0,
    free_us: 0,
    sent_us: 0,
    headers_us: 0,
    done_us: 0,
    outcome: Outcome::Success,
    bytes: 0,
};

/// Plays a stream: `at` gives latency (µs) and outcome of request `i` of a second.
fn play(seconds: u64, at: impl Fn(u64, u64) -> (u64, Outcome)) -> (Judgement, Recorder) {
    let mut recorder = Recorder::new(layout(seconds));
    let mut judge = Judge::new(vec![LIMITS], 600, 60);
    for second in 0..seconds {
        for i in 0..RATE {
            let (latency, outcome) = at(second, i);
            let due_us = second * 1_000_000 + i * 1_000_000 / RATE;
            let sent_us = due_us + 50;
            let done_us = due_us + latency;
            let headers_us = done_us;
            recorder.record(&Sample { due_us, sent_us, headers_us, done_us, outcome, ..SUCCESS });
        }
        recorder.close(second, &mut |_, groups| judge.second(groups));
    }
    recorder.close_all(seconds, &mut |_, groups| judge.second(groups));
    (judge.judgement(), recorder)
}

fn ok(us: u64) -> (u64, Outcome) {
    (us, Outcome::Success)
}

#[test]
fn ten_good_minutes_pass() {
    let (judgement, _) = play(600, |_, _| ok(149_000));
    assert!(judgement.holds, "{judgement:?}");
    assert_eq!(judgement.streaks[0].longest_s, 600);
}

#[test]
fn nine_minutes_and_fifty_nine_seconds_do_not_pass() {
    let (judgement, _) = play(599, |_, _| ok(1000));
    assert!(!judgement.holds && !judgement.looser, "{judgement:?}");
    assert_eq!(judgement.streaks[0].longest_s, 599);
}

#[test]
fn a_limit_of_150_ms_passes_at_149_and_fails_at_151_and_154() {
    for (us, holds) in [(149_000, true), (151_000, false), (154_000, false)] {
        // Exactly 6 % of the requests are slow, so that p95 is the slow ones' latency.
        let (judgement, _) = play(700, |s, i| ok(if (s * RATE + i) % 50 < 3 { us } else { 1000 }));
        assert_eq!(judgement.holds, holds, "{us}: {judgement:?}");
    }
}

#[test]
fn errors_in_the_last_ten_seconds_of_a_long_run_fail_it() {
    let seconds = 3 * 3600;
    let (judgement, recorder) =
        play(
            seconds,
            |second, _| {
                if second >= seconds - 10 { (1000, Outcome::ServerError) } else { ok(1000) }
            },
        );
    let total = &recorder.groups()[0].total;
    // An average over the whole run would have let it pass.
    assert!((total.errors() as f64 / total.count() as f64) < 0.001);
    assert!(judgement.held_once && !judgement.holds, "{judgement:?}");
}

#[test]
fn two_green_stretches_of_six_minutes_do_not_make_ten() {
    let (judgement, _) =
        play(780, |second, _| ok(if (360..420).contains(&second) { 400_000 } else { 1000 }));
    assert!(!judgement.holds && !judgement.held_once, "{judgement:?}");
    assert!((360..=425).contains(&judgement.streaks[0].longest_s), "{judgement:?}");
}

#[test]
fn one_bad_minute_fails_although_the_interval_as_a_whole_is_within() {
    // 3 % of the samples of the interval, all of them in one minute.
    let (judgement, _) = play(600, |second, i| {
        ok(if (300..360).contains(&second) && i < 12 { 200_000 } else { 1000 })
    });
    assert!(judgement.looser, "p95 of the whole interval holds: {judgement:?}");
    assert!(!judgement.holds, "{judgement:?}");
}

#[test]
fn a_bad_start_is_forgiven_after_ten_good_minutes() {
    let (judgement, _) = play(900, |second, _| ok(if second < 100 { 900_000 } else { 1000 }));
    assert!(judgement.holds, "{judgement:?}");
}

#[test]
fn errors_beyond_the_share_fail_and_up_to_it_pass() {
    // 600 s x 40/s = 24000 requests; 0.1 % are 24.
    for (errors, holds) in [(24, true), (25, false)] {
        let (judgement, _) = play(600, |second, i| {
            if i == 0 && second % 24 == 7 && second / 24 < errors {
                (1000, Outcome::Transport)
            } else {
                ok(1000)
            }
        });
        assert_eq!(judgement.holds, holds, "{errors}: {judgement:?}");
    }
}

#[test]
fn a_group_that_goes_silent_is_not_green_for_ever() {
    let mut recorder = Recorder::new(layout(1400));
    let mut judge = Judge::new(vec![LIMITS], 600, 60);
    recorder.close_all(1400, &mut |_, groups| judge.second(groups));
    let judgement = judge.judgement();
    assert!(!judgement.holds && judgement.streaks[0].longest_s == 0, "{judgement:?}");
}

#[test]
fn the_three_clocks_are_kept_apart() {
    let mut recorder = Recorder::new(layout(10));
    recorder.record(&Sample {
        request: 0,
        scenario: NO_SCENARIO,
        due_us: 1_000_000,
        free_us: 1_300_000,
        sent_us: 1_300_500,
        headers_us: 1_301_500,
        done_us: 1_303_500,
        outcome: Outcome::Success,
        bytes: 0,
    });
    let group = &recorder.groups()[0];
    let near = |is: u64, should: u64| is.abs_diff(should) <= should / 1000;
    assert!(near(group.total.due.max(), 303_500));
    assert!(near(group.headers.max(), 1000));
    assert!(near(group.body.max(), 3000));
    assert!(near(recorder.lateness().lag.max(), 500), "waiting for the service is no lag");
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_run() {
    let (_, recorder) = play(4 * 3600, |second, i| ok(1 + (second * 7919 + i * 104_729) % 90_000));
    let course = &recorder.groups()[0].timeline;
    assert!(course.points.len() <= 1200);
    assert_eq!(recorder.groups()[0].total.count(), 4 * 3600 * RATE);
}

#[test]
fn only_moments_that_follow_a_quiet_one_and_are_quiet_themselves_are_among_the_quiet() {
    let mut recorder = Recorder::new(layout(2));
    // (tenth of a second, latency in ms): quiet are 0, 1, 4, 9, 10 and 11.
    for (moment, ms) in [(0, 2), (1, 3), (2, 70), (3, 60), (4, 50), (9, 40), (10, 4), (11, 5)] {
        let due_us = moment * MOMENT_US + 99_000;
        recorder.record(&Sample { due_us, done_us: due_us + ms * 1000, ..SUCCESS });
    }
    for moment in [0, 1, 4, 9, 10, 11] {
        recorder.quiet(moment);
    }
    recorder.close_all(2, &mut |_, _| {});
    // 4 and 9 serve what their forerunners left; 10 and 11 follow across the border of a second.
    let group = &recorder.groups()[0];
    let max_us = group.quiet.max();
    assert_eq!(group.quiet.len(), 4);
    assert!((4_990..=5_010).contains(&max_us), "{max_us}");
    assert!((recorder.quiet_s() - 0.4).abs() < 1e-9);
    // All of them are in the totals that are judged.
    assert_eq!(group.total.due.len(), 8);
}
