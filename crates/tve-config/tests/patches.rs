//! What commands may change, and what they leave behind.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tve_config::{
    Config, Dm556, ExtruderSequence, Issue, Leniency, PidGains, Pins, Pwm, SensorConfig,
    TempSettings,
};
use tve_units::Bcm;

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("{value} is no object") };
    map
}

fn lines(errors: &[Issue]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let mut errors = Vec::new();
    let patch =
        PidGains::patch_from(&map(json!({"kp": "6.5"})), Leniency::Lenient, "", &mut errors);
    let mut gains = PidGains::default();
    gains.apply(&patch);
    assert_eq!(errors, []);
    assert_eq!(gains, PidGains { kp: 6.5, ..PidGains::default() });
}

#[test]
fn a_derived_key_that_is_shown_may_be_sent_back() {
    let config = Config::default();
    let shown = config.to_public_json();
    let mut errors = Vec::new();
    for key in ["z1", "dm556", "pins", "logging", "motion", "history", "extruder_sequence"] {
        assert!(shown[key].is_object(), "{key}");
    }
    let section = map(shown["temp_settings"].clone());
    assert!(section.contains_key("freshness_timeout"));
    let patch = TempSettings::patch_from(&section, Leniency::Lenient, "", &mut errors);
    let mut settings = config.temp_settings;
    settings.apply(&patch);
    assert_eq!((settings, errors), (config.temp_settings, vec![]));
}

#[test]
fn a_whole_public_configuration_sent_back_changes_nothing() {
    let config = Config::default();
    let mut errors = Vec::new();
    let patch =
        Config::patch_from(&map(config.to_public_json()), Leniency::Lenient, "", &mut errors);
    let mut copy = config.clone();
    copy.apply(&patch);
    assert_eq!(errors, []);
    assert_eq!(copy, config);
}

#[test]
fn a_refused_sequence_names_its_list_and_its_device() {
    let mut errors = Vec::new();
    let sequence = json!({
        "startup": [
            {"device": "feed_motor", "action": "on", "delay": -5},
            {"device": "laser", "action": "on", "delay": 0},
        ],
        "start_delay_feed": "soon",
    });
    ExtruderSequence::patch_from(&map(sequence), Leniency::Lenient, "", &mut errors);
    assert_eq!(
        lines(&errors),
        [
            "startup.feed_motor.delay: must be between 0 and 3600 s, not -5",
            "startup[1].device: must be \"fan\", \"pump\", or the name of a motor with \"_motor\" \
             behind it, not \"laser\"",
            "start_delay_feed: must be a number, not \"soon\"",
        ]
    );
}

#[test]
fn a_delay_in_the_list_wins_over_the_old_key() {
    let mut errors = Vec::new();
    let value = json!({
        "startup": [{"device": "feed_motor", "delay": 3}],
        "start_delay_feed": 8,
        "stop_delay_motor": 6,
    });
    let patch = ExtruderSequence::patch_from(&map(value), Leniency::Lenient, "", &mut errors);
    let mut sequence = ExtruderSequence::default();
    sequence.apply(&patch);
    assert_eq!((sequence.startup[1].delay, sequence.shutdown[1].delay), (3.0, 6.0));
}

#[test]
fn a_pin_patch_tells_null_from_absent() {
    let mut errors = Vec::new();
    let value = map(json!({"ssr_z1": null, "led_red": "16"}));
    let patch = Pins::patch_from(&value, Leniency::Lenient, "pins", &mut errors);
    assert_eq!(errors, []);
    assert_eq!((patch.get("ssr_z1"), patch.get("ssr_z2")), (Some(None), None));
    let mut pins = Pins::default();
    pins.apply(&patch);
    assert_eq!(pins.get("ssr_z1"), None);
    let red = pins.get("led_red").unwrap();
    assert_eq!((red.get(), pins.owner_of(red)), (16, Some("led_red")));
    assert_eq!(pins.iter().count(), Pins::default().iter().count(), "a patch adds no signal");
}

#[test]
fn a_value_that_no_file_could_hold_does_not_validate() {
    let mut config = Config::default();
    config.pins.set("led_red", Bcm::new(2).ok());
    config.z1.kp = f64::NAN;
    config.z2.kp = -1.0;
    config.sensors[3].beta = 0.0;
    config.security.limits.burst = 0;
    let mut errors = Vec::new();
    config.validate(&mut errors);
    let paths: Vec<&str> = errors.iter().map(|issue| issue.path.as_str()).collect();
    assert_eq!(
        paths,
        ["z1.kp", "z2.kp", "pins.led_red", "sensors.3.beta", "security.limits.burst"]
    );
}

#[test]
fn a_board_that_is_not_fitted_has_no_channels() {
    let board = Pwm { enabled: false, ..Pwm::default() };
    assert_eq!((Pwm::default().channel("fan"), board.channel("fan")), (Some(0), None));
}

#[test]
fn commands_write_ohms_and_whole_numbers_as_people_do() {
    let mut errors = Vec::new();
    let sensor = map(json!({"r_fixed": "4.7k", "r_25": "0.1M", "decimals": "1"}));
    let patch = SensorConfig::patch_from(&sensor, Leniency::Lenient, "", &mut errors);
    assert_eq!((patch.r_fixed, patch.r_25, patch.decimals), (Some(4700.0), Some(1e5), Some(1)));
    let drive = map(json!({"microsteps": 800.0, "idle_half": 0}));
    let patch = Dm556::patch_from(&drive, Leniency::Lenient, "", &mut errors);
    assert_eq!((patch.microsteps, patch.idle_half), (Some(800), Some(false)));
    assert_eq!(errors, []);
}

/// A number that is often in range, sometimes at an edge, sometimes absurd.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0.0..40.0_f64).prop_map(|x| json!(x)),
        4 => (0..40_u32).prop_map(|x| json!(x)),
        2 => (100.0..300.0_f64).prop_map(|x| json!(x)),
        1 => any::<f64>().prop_map(|x| json!(x)),
        1 => Just(json!(null)),
        1 => (0.0..9.9_f64).prop_map(|x| json!(format!("{x}k"))),
        1 => (0.0..9.9_f64).prop_map(|x| json!(x.to_string())),
        1 => any::<bool>().prop_map(|x| json!(x)),
    ]
}

/// A list of calibration points near a healthy line.
fn points() -> impl Strategy<Value = Value> {
    proptest::collection::vec((0.0..250.0_f64, -8.0..8.0_f64), 0..4).prop_map(|points| {
        points.into_iter().map(|(x, error)| json!({"x": x, "y": x + error})).collect()
    })
}

fn steps() -> impl Strategy<Value = Value> {
    let device = prop::sample::select(vec!["main_motor", "feed_motor", "fan", "pump"]);
    let step = (device, any::<bool>(), 0.0..4000.0_f64).prop_map(|(device, on, delay)| {
        json!({"device": device, "action": if on { "on" } else { "off" }, "delay": delay})
    });
    proptest::collection::vec(step, 0..6).prop_map(Value::Array)
}

/// A change of one key of one section.
fn change() -> impl Strategy<Value = Value> {
    let config = Config::default().to_json();
    let mut keys = Vec::new();
    for (section, members) in config.as_object().into_iter().flatten() {
        for key in members.as_object().into_iter().flatten().map(|(key, _)| key.clone()) {
            keys.push((section.clone(), key));
        }
    }
    prop_oneof![
        6 => (prop::sample::select(keys), number())
            .prop_map(|((section, key), value)| json!({section: {key: value}})),
        1 => ("[0-3]", points()).prop_map(|(n, p)| json!({"sensors": {n: {"cal_points": p}}})),
        1 => ("[0-3]", number()).prop_map(|(n, x)| json!({"sensors": {n: {"r_fixed": x}}})),
        1 => ("[0-3]", "t[1-3]").prop_map(|(n, t)| json!({"sensors": {n: {"logical": t}}})),
        1 => steps().prop_map(|s| json!({"extruder_sequence": {"startup": s}})),
        1 => ("[0-9]{1,2}", ".{0,34}").prop_map(|(n, label)| json!({"gpio_labels": {n: label}})),
        1 => ("[a-z_]{1,33}", 0..18_u8).prop_map(|(n, c)| json!({"pwm": {"channels": {n: c}}})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x7E5E),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_accepted_patches_leave_behind_reads_back_the_same(
        changes in proptest::collection::vec(change(), 1..40)
    ) {
        let mut config = Config::embedded();
        for change in changes {
            let mut errors = Vec::new();
            let patch = Config::patch_from(&map(change), Leniency::Lenient, "", &mut errors);
            let mut next = config.clone();
            next.apply(&patch);
            if errors.is_empty() {
                next.validate(&mut errors);
            }
            if errors.is_empty() {
                config = next;
            }
        }
        let text = config.to_json().to_string();
        let read = Config::parse(&text);
        prop_assert!(read.is_ok(), "{}", read.unwrap_err());
        prop_assert_eq!(read.unwrap(), config);
    }

    #[test]
    fn a_mutated_file_is_refused_or_reads_back_the_same(
        at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7F
    ) {
        let mut text = include_bytes!("data/original-config.json").to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(text) = String::from_utf8(text)
            && let Ok(config) = Config::parse(&text)
        {
            prop_assert_eq!(Config::parse(&config.to_json().to_string()), Ok(config));
        }
    }
}
