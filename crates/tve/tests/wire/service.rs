//! The running service: commands and their effects, emergency stop, caching, files, shutdown.

use crate::rig::{PATIENCE, Rig};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tve::{Options, Server, StartError};
use tve_control::{Command, RefusalCode};
use tve_http::FrontError;
use tve_testkit::exchange;

#[tokio::test]
async fn a_client_reads_its_own_writes() {
    let rig = Rig::start().await;
    for target in [200.0, 205.5, 0.0, 210.0] {
        let answer = rig.command("SET_TARGET", json!({ "z1": target })).await;
        assert_eq!(answer.status, 200);
        assert_eq!(rig.state().await["target_z1"], json!(target));
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn status_and_data_have_the_types_of_the_wire() {
    let rig = Rig::start().await;
    rig.command("EMERGENCY_STOP", Value::Null).await;
    let status: tve_api::Status =
        serde_json::from_value(rig.get("/api/status").await.body).unwrap();
    assert_eq!(status.state.machine, "simulator");
    assert_eq!(status.state.alarm_history.unwrap()[0].kind, "EMERGENCY_STOP");
    let data: tve_api::Data = serde_json::from_value(rig.get("/api/data").await.body).unwrap();
    assert_eq!(data.status, tve_api::MachineStatus::Alarm);
    let _: tve_api::GpioStatus = serde_json::from_value(rig.get("/api/gpio").await.body).unwrap();
    let _: tve_api::LogStatus = serde_json::from_value(rig.get("/api/log").await.body).unwrap();
    let _: tve_api::Permissives =
        serde_json::from_value(rig.get("/api/permissives").await.body).unwrap();
    let _: Vec<tve_api::HistorySample> =
        serde_json::from_value(rig.get("/api/history/sensors").await.body).unwrap();
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn an_emergency_stop_is_carried_out_whatever_is_wrong_with_its_body() {
    let large = format!(r#"{{"command":"EMERGENCY_STOP","pad":"{}"}}"#, "x".repeat(70_000));
    let bodies: [(&str, &str); 6] = [
        (r#"{"command":"EMERGENCY_STOP","value":[NaN,{"#, "Content-Type: application/json\r\n"),
        (r#"{"command":"EMERGENCY_STOP"}"#, "Content-Type: text/html\r\n"),
        (r#"{"command":"EMERGENCY_STOP"}"#, ""),
        (r#"{"command":"EMERGENCY_STOP","command":"START"}"#, ""),
        (r#"{"command":"EMERGENCY_STOP""#, "Content-Type: application/json\r\n"),
        (&large, "Content-Type: application/json\r\n"),
    ];
    let rig = Rig::start().await;
    for (body, headers) in bodies {
        let answer = rig.post_as("/api/control", body.as_bytes(), headers).await;
        assert_eq!(answer.status, 200, "{headers} {}", &body[..40]);
        assert_eq!(rig.state().await["status"], "ALARM");
        assert_eq!(rig.command("CLEAR_ALARM", Value::Null).await.status, 200);
        assert_eq!(rig.state().await["status"], "READY");
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn an_emergency_stop_overtakes_a_flood_of_commands() {
    let rig = Rig::start().await;
    let flood: Vec<_> = (0..3000)
        .map(|i| {
            let commands = rig.running.commands().clone();
            tokio::spawn(async move {
                let zone = tve_units::Celsius::new(f64::from(i % 200)).unwrap();
                commands.send(Command::SetTarget { zones: [Some(zone), None].into() }).await
            })
        })
        .collect();
    let began = Instant::now();
    rig.running.commands().send(Command::EmergencyStop).await.unwrap();
    let took = began.elapsed();
    let mut refused = 0;
    let mut full = 0;
    for answer in flood {
        match answer.await.unwrap().map_err(|r| r.code) {
            Err(RefusalCode::AlarmActive) => refused += 1,
            Err(RefusalCode::QueueFull) => full += 1,
            _ => {}
        }
    }
    assert!(refused + full > 0, "the stop came before the last command of the flood");
    assert!(took < Duration::from_millis(50), "{took:?}");
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn commands_do_not_wait_for_the_next_tick() {
    let rig = Rig::start().await;
    let commands = rig.running.commands();
    let mut times = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        commands.send(Command::SetMode(tve_control::Mode::Auto)).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    // A tick is 10 ms; commands served only at ticks would take 5 ms at the median.
    assert!(times[100] < Duration::from_millis(3), "median {:?}", times[100]);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_silent_client_is_let_go_and_a_half_sent_head_too() {
    let rig = Rig::start().await;
    let mut silent = TcpStream::connect(rig.addr()).await.unwrap();
    let mut half = TcpStream::connect(rig.addr()).await.unwrap();
    half.write_all(b"GET /api/data HTTP/1.1\r\nHost: loc").await.unwrap();
    let began = Instant::now();
    for stream in [&mut silent, &mut half] {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    }
    assert!(began.elapsed() > Duration::from_secs(8), "{:?}", began.elapsed());
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let rig = Rig::start().await;
    let head = "POST /api/gpio HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\
                Content-Type: application/json\r\n\r\n";
    let answer = rig.send(head, b"{").await;
    assert_eq!((answer.status, answer.msg()), (408, "BODY_TIMEOUT"));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn where_all_places_are_taken_who_has_been_silent_for_longest_makes_room() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let rig = Rig::start().await;
    let mut held = Vec::new();
    for _ in 0..2048 {
        held.push(TcpStream::connect(rig.addr()).await.unwrap());
    }
    let ask = "GET /api/data HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // The oldest of all shows that somebody is there.
    assert_eq!(exchange(&mut held[0], ask, b"").await.unwrap().status, 200);
    assert_eq!(rig.get("/api/data").await.status, 200, "a newcomer");
    let mut rest = Vec::new();
    let silent = tokio::time::timeout(PATIENCE, held[1].read_to_end(&mut rest)).await.unwrap();
    assert!(silent.is_err() || rest.is_empty(), "it was let go");
    assert_eq!(exchange(&mut held[0], ask, b"").await.unwrap().status, 200);
    assert_eq!(exchange(&mut held[2047], ask, b"").await.unwrap().status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn one_connection_serves_many_requests_in_order() {
    let rig = Rig::start().await;
    let mut stream = TcpStream::connect(rig.addr()).await.unwrap();
    for path in ["/api/data", "/api/nowhere", "/api/gpio", "/health", "/api/data"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = exchange(&mut stream, &head, b"").await.unwrap();
        assert_eq!(answer.status == 404, path == "/api/nowhere", "{path}");
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_run_is_recorded_listed_and_fetched() {
    let rig = Rig::with(|options| options.sim_speed = 20).await;
    assert_eq!(rig.post("/api/log/start", "{}").await.status, 200);
    let began = Instant::now();
    while rig.get("/api/log").await.body["rows"].as_u64().unwrap() < 5 {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(rig.post("/api/log/stop", "").await.status, 200);
    let file = loop {
        let log = rig.get("/api/log").await.body;
        if let Some(name) = log["files"][0]["name"].as_str() {
            break name.to_owned();
        }
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let answer = rig.get(&format!("/api/log/{file}")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("Timestamp,Time_Str,Status,T1_Feed"));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_saved_configuration_is_in_force_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Server::start(Options::in_folder(folder.path()));
    let rig = Rig { running: start().await.unwrap(), folder: tempfile::tempdir().unwrap() };
    let params = json!({ "zone": "z1", "params": { "kp": 6.5 } });
    assert_eq!(rig.command("UPDATE_PID", params).await.status, 200);
    assert_eq!(rig.command("SAVE_CONFIG", Value::Null).await.status, 200);
    rig.running.stop().await.unwrap();

    let rig = Rig { running: start().await.unwrap(), folder: rig.folder };
    assert!(rig.running.config_errors().is_empty());
    let config = rig.get("/api/status").await.body["config"].clone();
    assert_eq!(config["z1"]["kp"], json!(6.5));
    assert_eq!(rig.state().await["active_alarms"], json!([]), "the stop was a clean one");
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_configuration_that_cannot_be_saved_is_said_with_its_path() {
    let rig = Rig::with(|options| {
        let folder = options.data_dir.join("gone");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("config.json");
        std::fs::write(&path, "{}").unwrap();
        options.config = Some(path);
    })
    .await;
    std::fs::remove_dir_all(rig.folder.path().join("gone")).unwrap();
    let answer = rig.command("SAVE_CONFIG", Value::Null).await;
    assert_eq!((answer.status, answer.msg()), (503, "DISK_FAILED"));
    assert!(answer.body["reason"].as_str().unwrap().contains("config.json"));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_bad_configuration_leaves_the_service_up_with_everything_locked() {
    let rig = Rig::with(|options| {
        let path = options.data_dir.join("config.json");
        std::fs::write(path, r#"{"safety": {"max_target": "hot"}, "zz": 1}"#).unwrap();
    })
    .await;
    let state = rig.until("alarm", |state| state["status"] == "ALARM").await;
    assert_eq!(state["active_alarms"][0]["type"], "CONFIG_FAULT");
    let errors = state["config_errors"].to_string();
    assert!(errors.contains("safety.max_target") && errors.contains("zz"), "{errors}");
    assert_eq!(rig.command("SET_TARGET", json!({ "z1": 200 })).await.status, 409);
    assert_eq!(rig.get("/ready").await.status, 503);
    assert_eq!(rig.get("/health").await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_latched_trip_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Server::start(Options::in_folder(folder.path()));
    let rig = Rig { running: start().await.unwrap(), folder: tempfile::tempdir().unwrap() };
    rig.command("EMERGENCY_STOP", Value::Null).await;
    rig.running.stop().await.unwrap();

    let rig = Rig { running: start().await.unwrap(), folder: rig.folder };
    let state = rig.until("alarm", |state| state["status"] == "ALARM").await;
    assert_eq!(state["active_alarms"][0]["type"], "EMERGENCY_STOP");
    assert_eq!(state["alarm_history"][0]["id"], state["active_alarms"][0]["id"]);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn what_would_be_less_safe_than_it_looks_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options::in_folder(folder.path());
    let open = Options { listen: Some("0.0.0.0:0".parse().unwrap()), ..options() };
    let error = Server::start(open.clone()).await.unwrap_err();
    assert!(matches!(error, StartError::Front(FrontError::Open { .. })), "{error}");
    let running = Server::start(Options { insecure_open: true, ..open.clone() }).await.unwrap();

    let error = Server::start(options()).await.unwrap_err();
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    running.stop().await.unwrap();

    let missing = Options { config: Some("/nowhere/config.json".into()), ..options() };
    let error = Server::start(missing).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/config.json"), "{error}");
    let pi = Options { hardware: Some(tve_config::HardwareKind::Rpi), ..options() };
    let error = Server::start(pi).await.unwrap_err();
    assert!(matches!(error, StartError::Runtime(tve_runtime::StartError::Hardware(_))), "{error}");

    let file = folder.path().join("secure.json");
    std::fs::write(&file, r#"{"security": {"enabled": true}}"#).unwrap();
    let secure = Options { config: Some(file), ..open };
    // Passwords would cross the network as they are typed.
    let error = Server::start(secure.clone()).await.unwrap_err();
    assert!(matches!(error, StartError::Front(FrontError::Plain { .. })), "{error}");
    let secure = Options { insecure_open: true, ..secure };
    Server::start(secure.clone()).await.unwrap().stop().await.unwrap();

    std::fs::write(folder.path().join("tokens.json"), "[{").unwrap();
    let error = Server::start(secure).await.unwrap_err();
    assert!(
        matches!(error, StartError::Runtime(tve_runtime::StartError::Tokens { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options { listen: Some(address), ..Options::in_folder(folder.path()) };
    let error = Server::start(options).await.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()) && error.contains("--listen"), "{error}");
}

#[tokio::test]
async fn a_warm_machine_stops_within_its_time_and_in_order() {
    let rig = Rig::with(|options| options.sim_start_temp = Some(200.0)).await;
    let began = Instant::now();
    while rig.get("/api/permissives").await.body["granted"] != true {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = rig.command("SET_MOTOR", json!({ "motor": "main", "rpm": 60 })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    rig.until("turning", |s| s["motors_actual"]["main"].as_f64().unwrap() > 10.0).await;
    let folder = rig.folder.path().to_owned();
    let began = Instant::now();
    rig.running.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(tve_recorder::load_previous_session(&folder).unclean, None, "a clean end");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let rig = Rig::start().await;
    rig.get("/api/data").await;
    rig.get("/api/nowhere").await;
    rig.command("MAKE_COFFEE", Value::Null).await;
    let metrics = rig.get("/metrics").await;
    let text = metrics.text();
    for line in [
        "http_requests_total{route=\"/api/data\",method=\"GET\",status=\"200\"} 1",
        "http_requests_total{route=\"unknown\",method=\"GET\",status=\"404\"} 1",
        "http_requests_total{route=\"/api/control\",method=\"POST\",status=\"400\"} 1",
        "api_validation_errors_total 1",
        "system_state_enum{system_state_enum=\"READY\"} 1",
        "logger_write_failures_total 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn the_index_is_a_page_and_www_serves_files() {
    let rig = Rig::start().await;
    let page = rig.get("/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    rig.running.stop().await.unwrap();

    let rig = Rig::with(|options| {
        let www = options.data_dir.join("www");
        std::fs::create_dir(&www).unwrap();
        std::fs::write(www.join("index.html"), "<p>HMI</p>").unwrap();
        let config = json!({ "server": { "www": www } });
        std::fs::write(options.data_dir.join("config.json"), config.to_string()).unwrap();
    })
    .await;
    assert_eq!(rig.get("/").await.text(), "<p>HMI</p>");
    let missing = rig.get("/missing.js").await;
    assert_eq!((missing.status, missing.msg()), (404, "NOT_FOUND"));
    assert_eq!(rig.get("/..%2fconfig.json").await.status, 404);
    let long = "n".repeat(256);
    for path in [format!("/{long}"), format!("/{long}/x.js"), format!("/{}x", "y/".repeat(2500))] {
        let answer = rig.get(&path).await;
        assert_eq!((answer.status, answer.msg()), (404, "NOT_FOUND"), "{} bytes", path.len());
    }
    for target in ["foo", "foo:80", "*", "%2e"] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = rig.send(&head, b"").await;
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.text().is_empty() || answer.msg() == "INVALID_TARGET", "{target}");
    }
    rig.running.stop().await.unwrap();
}
