//! Shared set-up of the benchmarks: a machine in a named state.

use tve_config::Config;
use tve_control::parse_control;
use tve_rig::Rig;

/// A machine soaked at `celsius` °C that has run for two seconds.
pub fn at(celsius: f64) -> Rig {
    let mut rig = Rig::new(&Config::embedded());
    rig.soak(celsius);
    rig.run_for(2.0);
    rig
}

/// The same, both zones heating towards 240 °C and the screw turning.
///
/// # Panics
/// When a warm machine refuses to heat or turn.
pub fn heating() -> Rig {
    let mut rig = at(200.0);
    send(&mut rig, r#"{"command":"SET_TARGET","value":{"z1":240,"z2":240}}"#);
    send(&mut rig, r#"{"command":"SET_MOTOR","value":{"motor":"main","rpm":60}}"#);
    rig.run_for(5.0);
    rig
}

/// The same in ALARM after an emergency stop.
///
/// # Panics
/// When an emergency stop is refused.
pub fn in_alarm() -> Rig {
    let mut rig = heating();
    send(&mut rig, r#"{"command":"EMERGENCY_STOP"}"#);
    rig.run_for(5.0);
    rig
}

fn send(rig: &mut Rig, body: &str) {
    let value = serde_json::from_str(body).expect("valid JSON");
    rig.send(parse_control(&value, &rig.names()).expect("a known command")).expect("accepted");
}
