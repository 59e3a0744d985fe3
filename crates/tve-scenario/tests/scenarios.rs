//! Scenarios as text: what is refused and why, what a run repeats, and that wrong expectations fail.

use tve_scenario::{Report, Run, Scenario, ScenarioError};

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse(text, |base| {
        assert_eq!(base, "other");
        Ok(r#"{"z1": {"kp": 7.0}}"#.to_owned())
    })
}

fn play(text: &str, seed: Option<u64>) -> Report {
    let scenario = parse(text).unwrap();
    let mut run = Run::new(&scenario, seed);
    while run.advance(777) {}
    assert_eq!(run.progress().0, run.progress().1);
    run.finish()
}

/// A hot machine whose sensor t2 breaks at 20 s.
const BROKEN: &str = r#"
question = "What happens?"
duration = 30
start_temp = 200

[[at]]
t = 1
command = "SET_TARGET"
value = { z1 = 200, z2 = 200 }

[[at]]
t = 10
command = "SET_MOTOR"
value = { motor = "main", rpm = 60 }

[[fault]]
from = 20
kind = "sensor_open t2"
"#;

/// The outcome of one more expectation about [`BROKEN`].
fn outcome(expectation: &str) -> (bool, String) {
    let report = play(&format!("{BROKEN}\n[[expect]]\n{expectation}\n"), None);
    let [outcome] = &report.outcomes[..] else { panic!("{:?}", report.outcomes) };
    assert_eq!(report.held(), outcome.held);
    (outcome.held, format!("{}: {}", outcome.text, outcome.detail))
}

#[test]
fn each_kind_of_expectation_holds_when_it_is_true_and_fails_when_it_is_not() {
    for (holds, fails) in [
        (
            "what = 't2'\nfrom = 1\nuntil = 20\nmin = 195\nmax = 201",
            "what = 't2'\nfrom = 1\nuntil = 20\nmin = 200.5",
        ),
        // A bad sensor has no value that could be in range.
        ("what = 'true_t2'\nfrom = 21\nmin = 150", "what = 't2'\nfrom = 21\nmin = 150"),
        ("status = 'RUNNING'\nat = 19", "status = 'RUNNING'\nat = 25"),
        (
            "alarm = 'HEATER_SENSOR_FAILURE'\nzone = 'z1'\nafter = 20\nwithin = 1",
            "alarm = 'HEATER_SENSOR_FAILURE'\nzone = 'z1'\nafter = 20\nwithin = 0.5",
        ),
        (
            "alarm = 'HEATER_SENSOR_FAILURE'\nafter = 20\nwithin = 1",
            "alarm = 'HEATER_SENSOR_FAILURE'\nzone = 'z2'\nafter = 20\nwithin = 1",
        ),
        // What was raised before does not count.
        (
            "alarm = 'HEATER_SENSOR_FAILURE'\nafter = 0\nwithin = 21",
            "alarm = 'HEATER_SENSOR_FAILURE'\nafter = 22\nwithin = 1",
        ),
        ("no_alarm = true\nuntil = 20", "no_alarm = true"),
        (
            "no_alarm = true\nexcept = ['HEATER_SENSOR_FAILURE']",
            "no_alarm = true\nexcept = ['COLD_ZONE']",
        ),
        ("heaters_off = true\nuntil = 0.5", "heaters_off = true\nfrom = 25"),
        ("motors_stopped = true\nfrom = 23", "motors_stopped = true\nfrom = 5"),
        (
            "settled = { what = 'true_t3', target = 200, band = 5, by = 5 }",
            "settled = { what = 'true_t3', target = 203, by = 5 }",
        ),
        ("overshoot = { what = 't3', target = 199 }", "overshoot = { what = 't3', target = 197 }"),
        ("tune = 'IDLE'\nat = 5", "tune = 'DONE'\nat = 5"),
    ] {
        let (held, text) = outcome(holds);
        assert!(held, "{text}");
        let (held, text) = outcome(fails);
        assert!(!held, "{text}");
    }
}

#[test]
fn a_command_that_is_answered_unlike_expected_fails_the_run() {
    let cold = |refused: &str| {
        let text =
            format!("question = 'q'\nduration = 2\n[[at]]\nt = 1\ncommand = 'START'\n{refused}");
        play(&text, None)
    };
    let report = cold("");
    assert!(!report.held());
    assert!(
        report.outcomes[0].detail.contains("COLD_EXTRUSION_PROTECTION"),
        "{:?}",
        report.outcomes
    );
    assert!(cold("refused = 'COLD_EXTRUSION_PROTECTION'").held());
    assert!(!cold("refused = 'ALARM_ACTIVE'").held());
}

#[test]
fn a_command_that_cannot_be_parsed_may_be_expected_to_be_refused() {
    let text = |refused: &str| {
        format!(
            "question = 'q'\nduration = 2\n[[at]]\nt = 1\ncommand = 'SET_MODE'\nvalue = {{ mode = 'x' }}\n{refused}"
        )
    };
    assert!(play(&text("refused = 'INVALID_MODE'"), None).held());
    let error = parse(&text("")).unwrap_err().to_string();
    assert!(error.starts_with("at 1: SET_MODE is refused: INVALID_MODE: mode must be"), "{error}");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let trace = |seed| play(BROKEN, seed).trace_hex();
    assert_eq!(trace(None), trace(None));
    assert_eq!(trace(Some(1)), trace(None), "1 is the default");
    assert_ne!(trace(Some(2)), trace(None));
    assert_eq!(trace(Some(2)).len(), 64);
}

#[test]
fn the_trace_shows_a_command_that_changes_no_output() {
    let with =
        format!("{BROKEN}\n[[at]]\nt = 5\ncommand = 'SET_FILL_TARGET'\nvalue = {{ level = 3 }}\n");
    assert_ne!(play(&with, None).trace, play(BROKEN, None).trace);
}

#[test]
fn how_a_run_is_cut_into_pieces_changes_nothing() {
    let scenario = parse(BROKEN).unwrap();
    let mut run = Run::new(&scenario, None);
    assert!(!run.advance(u64::MAX));
    assert_eq!(run.finish(), play(BROKEN, None));
}

#[test]
fn a_sample_is_taken_each_quarter_of_a_second() {
    let report = play(BROKEN, None);
    assert_eq!(report.samples.len(), 4 * 30);
    assert_eq!(report.samples[3].now.get(), 1_000_000);
    assert_eq!(report.samples[79].temps.as_slice()[1].map(|t| t > 190.0), Some(true));
    assert_eq!(report.samples[119].temps.as_slice()[1], None);
}

#[test]
fn own_keys_are_merged_over_the_default_and_over_a_base() {
    let own = "[config]\nz1.kd = 81\nsafety.max_target = 240\n";
    let head = "question = 'q'\nduration = 1\nseed = 9\n";
    let config = parse(&format!("{head}{own}")).unwrap().config().clone();
    assert_eq!((config.z1.kp, config.z1.kd), (4.0, 81.0));
    assert_eq!((config.safety.max_target, config.plant.seed), (240.0, 9));
    let config = parse(&format!("{head}base = 'other'\n{own}")).unwrap().config().clone();
    assert_eq!((config.z1.kp, config.z1.kd), (7.0, 81.0));
}

/// The machine of four zones by its own names, in the folder of machines above the scenario.
#[test]
fn a_scenario_speaks_of_the_zones_motors_and_sensors_of_its_own_machine() {
    let folder = tempfile::tempdir().unwrap();
    let (deep, machines) =
        (folder.path().join("scenarios/of-four"), folder.path().join("machines"));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::create_dir(&machines).unwrap();
    let four = include_str!("../../../config/machines/four-zone.json");
    std::fs::write(machines.join("four.json"), four).unwrap();
    let load = |expectation: &str| {
        let path = deep.join("scenario.toml");
        let text = format!(
            "question = 'q'\nduration = 9\nbase = 'four'\n[[fault]]\nfrom = 1\n\
             kind = 'sensor_open t5'\n[[expect]]\n{expectation}"
        );
        std::fs::write(&path, text).unwrap();
        Scenario::load(&path)
    };
    let alarm = |zone: &str| {
        load(&format!("alarm = 'HEATER_SENSOR_FAILURE'\nafter = 1\nwithin = 1\nzone = '{zone}'"))
    };
    assert_eq!(alarm("z4").unwrap().config().machine().zones.len(), 4);
    assert!(load("what = 'rpm_puller'\nmax = 0").is_ok());
    let error = alarm("z5").unwrap_err().to_string();
    assert_eq!(error, "expect 1: no zone is called \"z5\"");
    assert!(load("what = 'rpm_feed'\nmax = 0").unwrap_err().to_string().contains("rpm_puller"));
    std::fs::remove_dir_all(&machines).unwrap();
    let error = alarm("z4").unwrap_err().to_string();
    assert_eq!(error, format!("{} cannot be read", deep.join("four.json").display()));
}

#[test]
fn a_wrong_text_is_refused_by_a_sentence_that_names_the_key() {
    let head = "question = 'q'\nduration = 10\n";
    for (text, names) in [
        (format!("{head}sede = 1"), "line 3: unknown field `sede`"),
        ("duration = 1".to_owned(), "missing field `question`"),
        ("question = ''\nduration = 1".to_owned(), "question: must say"),
        ("question = 'q'\nduration = nan".to_owned(), "duration: a time must be"),
        ("question = 'q'\nduration = 0".to_owned(), "duration: must be above 0"),
        (format!("{head}[config]\nsafety.max_traget = 1"), "config: safety.max_traget"),
        (format!("{head}base = '../x'"), "base: must be the name"),
        (
            format!("{head}[[at]]\nt = 11\ncommand = 'START'"),
            "at 1: a time must be from 0 to 10 s, not 11",
        ),
        (
            format!("{head}[[at]]\nt = 1\ncommand = 'STRAT'"),
            "at 1: STRAT is refused: UNKNOWN_COMMAND",
        ),
        (
            format!("{head}[[at]]\nt = 1\ncommand = 'START'\nrefused = 'NEVER'"),
            "at 1: no refusal is called \"NEVER\"",
        ),
        (
            format!("{head}[[fault]]\nfrom = 1\nkind = 'sensor_opne t2'"),
            "fault 1: no fault is called \"sensor_opne\"",
        ),
        (
            format!("{head}[[fault]]\nfrom = 3\nuntil = 2\nkind = 'adc_gone'"),
            "fault 1: the span from 3 s to 2 s ends before it begins",
        ),
        (format!("{head}[[expect]]\nwhat = 't2'\nuntill = 3"), "expect 1: unknown field `untill`"),
        (format!("{head}[[expect]]\nwhat = 't9'"), "expect 1: no quantity is called \"t9\""),
        (
            format!("{head}[[expect]]\nalarm = 'X'\nafter = 1\nwithin = 1"),
            "expect 1: no alarm is called \"X\"",
        ),
        (format!("{head}[[expect]]\nno_alarm = false"), "expect 1: no_alarm must be true"),
        (
            format!("{head}[[expect]]\nsettled = {{ what = 't2', target = 1, by = 1 }}\nat = 3"),
            "expect 1: unknown field `at`",
        ),
        (format!("{head}[[expect]]\nat = 3"), "expect 1: needs one of what"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(names), "{text}\n{error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Scenario::load("no/such.toml".as_ref()).unwrap_err();
    assert_eq!(error.to_string(), "no/such.toml cannot be read");
}
