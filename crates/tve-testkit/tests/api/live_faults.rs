//! Faults of a scenario in a running service: they come at their times after the start.

use std::time::{Duration, Instant};
use tve_testkit::Rig;

/// Far longer than the fault takes to come.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_a_scenario_trips_the_live_machine() {
    let rig = Rig::start_with(|folder, mut options| {
        let path = folder.join("faults.toml");
        let text = "question = 'q'\nduration = 60\n[[fault]]\nfrom = 30\nkind = 'estop_open'\n";
        std::fs::write(&path, text).unwrap();
        options.sim_scenario = Some(path);
        options.sim_speed = 20;
        options
    })
    .await;
    let began = Instant::now();
    let raised = loop {
        let status = rig.get("/api/status").await.body;
        let alarms = status["state"]["active_alarms"].as_array().unwrap();
        if let Some(alarm) = alarms.first() {
            break alarm["type"].clone();
        }
        assert!(began.elapsed() < PATIENCE, "no alarm came");
        tokio::task::yield_now().await;
    };
    assert_eq!(raised, "EMERGENCY_STOP_BTN");
    let refused = rig.command("CLEAR_ALARM", serde_json::Value::Null).await;
    assert_eq!((refused.status, refused.msg()), (409, "EMERGENCY_BTN_ACTIVE"));
    rig.stop().await;
}
