//! Ten thousand broken configurations and ten thousand broken commands: nothing panics, nothing
//! answers 5xx, nothing is energised.

use serde_json::{Value, json};
use tve_config::Config;
use tve_control::{Controller, Restored};
use tve_hal::{Inputs, MachineKind};
use tve_rig::Dice;
use tve_testkit::Rig;
use tve_units::Micros;

const SEED: u64 = 20_260_101;
const ROUNDS: u32 = 10_000;

/// One to four edits that keep most of the text: bytes changed, cut, doubled, or a token put in.
fn mutate(text: &str, dice: &mut Dice) -> Vec<u8> {
    const TOKENS: [&str; 14] = [
        "null",
        "NaN",
        "1e999",
        "-1",
        "[]",
        "{}",
        "\"\"",
        "true",
        "\u{0}",
        "\\u0000",
        "\"z1\"",
        "999999999999999999999",
        "\u{202e}",
        ",",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(5) {
            0 if at < bytes.len() => bytes[at] = dice.below(256) as u8,
            1 => bytes.truncate(at),
            2 => {
                let end = (at + dice.below(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => {
                let end = (at + dice.below(12)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let token = dice.pick(&TOKENS);
                bytes.splice(at..at, token.bytes());
            }
        }
    }
    bytes
}

#[test]
fn ten_thousand_broken_configurations_are_refused_or_harmless() {
    let original = include_str!("../../data/original-config.json");
    let mut dice = Dice::new(SEED);
    let (mut refused, mut accepted) = (0, 0);
    for round in 0..ROUNDS {
        let text = String::from_utf8_lossy(&mutate(original, &mut dice)).into_owned();
        match Config::parse(&text) {
            Err(errors) => {
                refused += 1;
                assert!(
                    !errors.0.is_empty(),
                    "seed {SEED}, round {round}: refused without a reason"
                );
            }
            Ok(config) => {
                accepted += 1;
                let mut controller =
                    Controller::new(config.machine(), MachineKind::Simulator, Restored::default());
                let machine = controller.machine();
                let inputs = Inputs::unread(machine.motors.len(), machine.sensors.len());
                for tick in 1..=50 {
                    let now = Micros::from_millis(10 * tick);
                    let out = controller.step(now, &inputs);
                    assert!(!out.is_energised(), "seed {SEED}, round {round}: energised");
                }
            }
        }
    }
    println!("seed {SEED}: {refused} refused, {accepted} accepted");
    assert!(refused > ROUNDS / 2 && accepted > 0, "{refused} refused, {accepted} accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_broken_commands_never_answer_5xx_and_energise_nothing() {
    let rig = Rig::start().await;
    // In a trip even a mutation that happens to be a sound command may not energise anything.
    assert_eq!(rig.command("EMERGENCY_STOP", Value::Null).await.status, 200);
    let vectors: Value = serde_json::from_str(include_str!("../../data/vectors.json"))
        .expect("the vectors are JSON");
    let bodies: Vec<(String, String)> = vectors
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(_, steps)| steps.as_array().cloned().unwrap_or_default())
        .filter(|step| step["method"] == "POST" && !step["body"].is_null())
        .map(|step| {
            let body = &step["body"];
            let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            (step["path"].as_str().unwrap_or_default().to_owned(), body)
        })
        .filter(|(_, body)| !body.contains("CLEAR_ALARM"))
        .collect();
    let mut dice = Dice::new(SEED);
    let mut by_status = std::collections::BTreeMap::new();
    for round in 0..ROUNDS {
        let (path, body) = dice.pick(&bodies);
        let broken = String::from_utf8_lossy(&mutate(body, &mut dice)).into_owned();
        let status = rig.call("POST", path, Some(broken.clone())).await.status;
        *by_status.entry(status).or_insert(0) += 1;
        assert!(status < 500, "seed {SEED}, round {round}: {status} for {path} {broken:?}");
    }
    println!("seed {SEED}: {by_status:?}");
    let state = rig.get("/api/status").await.body["state"].clone();
    for key in ["heater_duty_z1", "heater_duty_z2", "peltier_duty", "target_z1", "target_z2"] {
        assert_eq!(state[key], json!(0.0), "seed {SEED}: {key}");
    }
    assert_eq!(state["motors_actual"], json!({"main": 0.0, "feed": 0.0}), "seed {SEED}");
    assert_eq!(state["status"], "ALARM");
    rig.stop().await;
}
