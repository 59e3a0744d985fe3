//! The recorded requests of the original's clients, replayed over HTTP: each gets its answer.
//!
//! `data/vectors.json` holds, by scenario, requests with what must come back; a scenario begins
//! with a fresh service on `data/original-config.json`.

use serde_json::{Map, Value};
use std::time::Duration;
use tve_testkit::{Answer, Rig};

const VECTORS: &str = include_str!("../../data/vectors.json");
const CONFIG: &str = include_str!("../../data/original-config.json");

/// The machine runs this long before the first request, so that every sensor has been sampled.
const WARM: Duration = Duration::from_millis(800);
/// Faults that one vector reports of a shape.
const SHOWN: usize = 6;

/// Every key of `want` exists in `got` with a value of that kind; null is allowed anywhere.
fn shape_errors(want: &Value, got: &Value, at: &str, errors: &mut Vec<String>) {
    if let Value::Object(want) = want {
        let Value::Object(got) = got else {
            errors.push(format!("{at}/ is not an object"));
            return;
        };
        for (key, kind) in want {
            match got.get(key) {
                None => errors.push(format!("{at}/{key} is missing")),
                Some(Value::Null) => {}
                Some(value) => shape_errors(kind, value, &format!("{at}/{key}"), errors),
            }
        }
        return;
    }
    let ok = match want.as_str() {
        Some("any") => true,
        Some("bool") => got.is_boolean(),
        Some("string") => got.is_string(),
        Some("number") => got.is_number(),
        _ => got.is_array(),
    };
    if !ok {
        errors.push(format!("{at} is not {want}"));
    }
}

/// Equal as Python compares: 1 and 1.0 are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => match (a, b) {
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
            }
            _ => a == b,
        },
    }
}

fn check(expect: &Value, answer: &Answer) -> Vec<String> {
    let mut errors = Vec::new();
    let nothing = Map::new();
    let fields = answer.body.as_object().unwrap_or(&nothing);
    if !same(&expect["status"], &answer.status.into()) {
        let (got, want) = (answer.status, &expect["status"]);
        errors.push(format!("status {got}, expected {want}"));
    }
    for key in ["success", "msg", "value"] {
        if let Some(want) = expect.get(key)
            && !same(fields.get(key).unwrap_or(&Value::Null), want)
        {
            errors.push(format!("{key} should be {want}"));
        }
    }
    if let Some(word) = expect.get("mentions").and_then(Value::as_str)
        && !answer.msg().contains(word)
    {
        errors.push(format!("msg should name {word:?}"));
    }
    if let Some(shape) = expect.get("shape") {
        let mut wrong = Vec::new();
        shape_errors(shape, &answer.body, "", &mut wrong);
        errors.extend(wrong.into_iter().take(SHOWN));
    }
    if let Some(state) = expect.get("state").and_then(Value::as_object) {
        for (key, want) in state {
            let got = &answer.body["state"][key];
            if !same(got, want) {
                errors.push(format!("state.{key} is {got}, expected {want}"));
            }
        }
    }
    errors
}

async fn replay(name: &str) {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let steps = vectors[name].as_array().expect("the scenario exists");
    assert!(!steps.is_empty());
    let rig = Rig::start_with(|folder, mut options| {
        let config = folder.join("config.json");
        std::fs::write(&config, CONFIG).unwrap();
        options.config = Some(config);
        options
    })
    .await;
    tokio::time::sleep(WARM).await;
    let mut fallen = Vec::new();
    for step in steps {
        let wait = step["wait"].as_f64().unwrap_or_default();
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        let body = match &step["body"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Some(value.to_string())
            }
        };
        let text = |key: &str| step[key].as_str().expect("a text");
        let answer = rig.call(text("method"), text("path"), body).await;
        let errors = check(&step["expect"], &answer);
        if !errors.is_empty() {
            let id = text("id");
            let body: String = answer.body.to_string().chars().take(160).collect();
            fallen.push(format!("{name}/{id}: {}  <- {body}", errors.join("; ")));
        }
    }
    rig.stop().await;
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                replay($name).await;
            }
        )*

        #[test]
        fn no_scenario_is_left_out() {
            let vectors: Value = serde_json::from_str(VECTORS).unwrap();
            let mut names: Vec<_> = vectors.as_object().unwrap().keys().cloned().collect();
            names.sort();
            let mut tested = vec![$($name.to_owned(),)*];
            tested.sort();
            assert_eq!(names, tested);
        }
    };
}

scenarios! {
    a_ready_machine_answers_as_recorded: "ready",
    an_emergency_stop_answers_as_recorded: "estop",
    a_cold_machine_answers_as_recorded: "cold",
    the_pins_answer_as_recorded: "gpio",
    the_configuration_answers_as_recorded: "config",
    the_log_answers_as_recorded: "log",
    a_tune_answers_as_recorded: "tune",
}
