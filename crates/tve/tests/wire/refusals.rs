//! What is refused over the wire: with which status, in which order, and without any effect.

use crate::rig::Rig;
use serde_json::json;
use tve_control::RefusalCode;

#[tokio::test]
async fn unknown_paths_and_methods_have_the_shape_of_a_refusal() {
    let rig = Rig::start().await;
    let nowhere = rig.get("/api/nowhere").await;
    assert_eq!((nowhere.status, nowhere.body["success"].clone()), (404, json!(false)));

    let wrong = rig.get("/api/control").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    assert_eq!(wrong.body["success"], json!(false));
    let wrong = rig.post("/api/gpio/", "{}").await;
    assert_eq!(wrong.status, 404);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn refusals_come_in_the_order_of_the_contract() {
    let rig = Rig::start().await;
    let large = vec![b' '; 64 * 1024 + 1];
    let foreign = "Origin: https://evil.example\r\n";
    let json_type = "Content-Type: application/json\r\n";

    // Everything is wrong at once; each step mends the fault that was named.
    assert_eq!(rig.post_as("/api/data", &large, foreign).await.status, 405);
    assert_eq!(rig.post_as("/api/gpio", &large, foreign).await.status, 413);
    assert_eq!(rig.post_as("/api/gpio", b"{", foreign).await.status, 415);
    let headers = format!("{foreign}{json_type}");
    let answer = rig.post_as("/api/gpio", b"{", &headers).await;
    assert_eq!((answer.status, answer.msg()), (403, "FOREIGN_ORIGIN"));
    assert_eq!(rig.post_as("/api/gpio", b"{", json_type).await.status, 400);
    let answer = rig.post("/api/gpio", "{}").await;
    assert_eq!(answer.msg(), "UNKNOWN_GPIO_COMMAND");

    // The same for commands, whose body is looked at for an emergency stop first.
    let go = br#"{"command":"SET_MODE","value":{"mode":"AUTO"}}"#;
    assert_eq!(rig.post_as("/api/control", &large, foreign).await.status, 413);
    assert_eq!(rig.post_as("/api/control", go, foreign).await.status, 415);
    assert_eq!(rig.post_as("/api/control", go, &headers).await.status, 403);
    assert_eq!(rig.state().await["status"], "READY");
    assert_eq!(rig.post_as("/api/control", &large, "").await.status, 413);
    assert_eq!(rig.post_as("/api/control", b"{", "").await.status, 415);
    assert_eq!(rig.post_as("/api/control", b"{", json_type).await.status, 400);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_target_for_a_zone_that_is_not_there_is_refused_whole() {
    let rig = Rig::start().await;
    for (value, msg) in [
        (json!({"z9": 200}), "INVALID_VALUE:z9"),
        (json!({"z1": 150, "z9": 200}), "INVALID_VALUE:z9"),
        (json!({"z1": 150, "Z2": 200}), "INVALID_VALUE:Z2"),
        (json!({"z1": 150, "": 0}), "INVALID_VALUE"),
        (json!({"z1": 0, "main": 0}), "INVALID_VALUE:main"),
    ] {
        let answer = rig.command("SET_TARGET", value.clone()).await;
        assert_eq!((answer.status, answer.msg()), (400, msg), "{value}");
        assert!(answer.body["reason"].as_str().unwrap().contains("z1, z2"), "{}", answer.body);
    }
    assert_eq!(rig.state().await["target_z1"], 0.0);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_one_byte_more_is_not() {
    let rig = Rig::start().await;
    let pad = |n: usize| {
        let command = r#"{"command":"SET_MODE","value":{"mode":"MANUAL"}}"#;
        " ".repeat(n - command.len()) + command
    };
    assert_eq!(rig.post("/api/control", &pad(64 * 1024)).await.status, 200);
    let answer = rig.post("/api/control", &pad(64 * 1024 + 1)).await;
    assert_eq!((answer.status, answer.msg()), (413, "BODY_TOO_LARGE"));

    // The length may also be kept back until the body is there.
    let chunk = "x".repeat(0x8000);
    let head = "POST /api/gpio HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
                Content-Type: application/json\r\n\r\n";
    let body = format!("8000\r\n{chunk}\r\n8000\r\n{chunk}\r\n8000\r\n{chunk}\r\n0\r\n\r\n");
    assert_eq!(rig.send(head, body.as_bytes()).await.status, 413);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn broken_bodies_are_bad_input_and_change_nothing() {
    let rig = Rig::start().await;
    let before = rig.state().await;
    for body in [
        r#"{"command":"#,
        "[1,2]",
        "null",
        "7",
        r#"{"command":"SET_TARGET","value":{"z1":NaN}}"#,
        r#"{"command":"SET_TARGET","value":{"z1":Infinity}}"#,
        r#"{"command":"SET_TARGET","value":[200]}"#,
        r#"{"command":"SET_TARGET","value":{"z1":1e999}}"#,
        r#"{"command":"SET_TARGET","value":{"z1":"\ud800"}}"#,
        "\u{0}",
    ] {
        let answer = rig.post("/api/control", body).await;
        assert_eq!((answer.status, &answer.body["success"]), (400, &json!(false)), "{body}");
    }
    let deep = "[".repeat(60_000);
    assert_eq!(rig.post("/api/control", &deep).await.status, 400);
    let after = rig.state().await;
    for key in ["status", "mode", "target_z1", "target_z2", "active_alarms"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_given_twice_refuses_every_command_but_an_emergency_stop() {
    let rig = Rig::start().await;
    let before = rig.state().await;
    for (path, body) in [
        ("/api/control", r#"{"command":"SET_TARGET","value":{"z1":100,"z1":100}}"#),
        ("/api/control", r#"{"command":"SET_TARGET","command":"SET_TARGET","value":{"z1":100}}"#),
        ("/api/control", r#"{"command":"SET_TARGET","value":{},"value":{"z1":100}}"#),
        ("/api/gpio", r#"{"command":"SET_GPIO_VALUE","value":{"pin":5,"pin":5,"value":1}}"#),
        ("/api/tune/start", r#"{"zone":"z1","zone":"z1","setpoint":150}"#),
    ] {
        let answer = rig.post(path, body).await;
        assert_eq!((answer.status, answer.msg()), (400, "INVALID_JSON"), "{path} {body}");
        let reason = answer.body["reason"].as_str().unwrap();
        assert!(reason.contains("is given twice; remove one"), "{reason}");
    }
    let after = rig.state().await;
    for key in ["status", "mode", "target_z1", "autotune_status"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    let stop = r#"{"command":"EMERGENCY_STOP","command":"START"}"#;
    assert_eq!(rig.post("/api/control", stop).await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn an_empty_body_needs_no_type_and_tunes_take_plain_text() {
    let rig = Rig::start().await;
    let answer = rig.post_as("/api/control", b"", "").await;
    assert_eq!((answer.status, answer.msg()), (400, "UNKNOWN_COMMAND"));
    assert_eq!(rig.post_as("/api/log/stop", b"", "").await.status, 200);
    let text = "Origin: http://localhost\r\nContent-Type: text/plain;charset=UTF-8\r\n";
    let answer = rig.post_as("/api/tune/start", br#"{"zone":"z7"}"#, text).await;
    assert_eq!((answer.status, answer.msg()), (400, "INVALID_ZONE"));
    assert_eq!(rig.post_as("/api/control", b"{}", text).await.status, 415);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_kept_out() {
    let rig = Rig::start().await;
    for path in ["/api/data", "/api/status", "/api/gpio", "/health", "/"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        let answer = rig.send(&head, b"").await;
        assert_eq!((answer.status, answer.msg()), (403, "FOREIGN_HOST"), "{path}");
    }
    let head = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\
                Origin: http://evil.example\r\n\r\n";
    assert_eq!(rig.send(head, b"").await.status, 403);
    // Reading by a page of elsewhere is left to the browser, which gets no CORS header.
    let head = "GET /api/data HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n";
    let answer = rig.send(head, b"").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn http_1_1_names_one_host_and_a_stop_needs_none() {
    let rig = Rig::start().await;
    let json = "Content-Type: application/json\r\n";
    for hosts in ["", "Host: localhost\r\nHost: localhost\r\n"] {
        for request in ["GET /health", "GET /api/data", "GET /api/nowhere", "POST /api/log/start"] {
            let answer = rig.send(&format!("{request} HTTP/1.1\r\n{hosts}\r\n"), b"").await;
            assert_eq!((answer.status, answer.msg()), (400, "INVALID_HOST"), "{request} {hosts}");
        }
        let sent = async |body: &str| {
            let length = body.len();
            let head = format!(
                "POST /api/control HTTP/1.1\r\n{hosts}{json}Content-Length: {length}\r\n\r\n"
            );
            rig.send(&head, body.as_bytes()).await.status
        };
        assert_eq!(sent(r#"{"command":"SET_MODE","value":{"mode":"MANUAL"}}"#).await, 400);
        assert_eq!(rig.state().await["mode"], "AUTO");
        assert_eq!(sent(r#"{"command":"EMERGENCY_STOP"}"#).await, 200);
        assert_eq!(rig.state().await["status"], "ALARM");
    }
    assert_eq!(rig.send("GET /health HTTP/1.0\r\n\r\n", b"").await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn allowed_origins_get_cors_and_preflight_and_others_do_not() {
    let rig = Rig::with(|options| {
        let path = options.data_dir.join("config.json");
        let config = r#"{"server": {"allowed_origins": ["https://dash.example"]}}"#;
        std::fs::write(path, config).unwrap();
    })
    .await;
    assert!(rig.running.config_errors().is_empty(), "{:?}", rig.running.config_errors());
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /api/control HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\n\r\n"
        )
    };
    let answer = rig.send(&preflight("https://dash.example"), b"").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://dash.example"));
    assert_eq!(rig.send(&preflight("https://evil.example"), b"").await.status, 405);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let rig = Rig::start().await;
    let head = |method: &str, path: &str, more: &str| {
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
    };
    for request in [
        head("GET", "/api/data", ""),
        head("GET", "/api/status", ""),
        head("GET", "/api/gpio", ""),
        head("GET", "/api/nowhere", ""),
        head("GET", "/", ""),
        head("GET", "/metrics", ""),
        head("DELETE", "/api/data", ""),
        head("POST", "/api/control", "Origin: https://evil.example\r\n"),
        head("PUT", "/api/config", ""),
        head("GET", "/socket.io/?EIO=4&transport=polling", ""),
        head("GET", "/socket.io/?EIO=4&transport=polling", "Origin: https://evil.example\r\n"),
        "GET /api/data HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
    ] {
        let path = request.lines().next().unwrap_or_default();
        let answer = rig.send(&request, b"").await;
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("content-security-policy"), Some("frame-ancestors 'none'"));
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
    }
    let answer = rig.send("HEAD /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n", b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "");
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn query_strings_are_judged_like_bodies() {
    let rig = Rig::start().await;
    for query in ["points=0", "points=x", "since=1.5", "points=1&points=2", "points=86401"] {
        let answer = rig.get(&format!("/api/history/sensors?{query}")).await;
        assert_eq!((answer.status, &answer.body["success"]), (400, &json!(false)), "{query}");
    }
    for name in ["..%2Ftve.lock", "run_nothing.csv", "%ff", "tve.lock"] {
        let answer = rig.get(&format!("/api/log/{name}")).await;
        assert_eq!((answer.status, &answer.body["success"]), (404, &json!(false)), "{name}");
    }
    rig.running.stop().await.unwrap();
}

/// Whether `msg` is a code of the table: by itself, or with the key whose value is wrong.
fn is_code(msg: &str) -> bool {
    let (name, key) = msg.split_once(':').unwrap_or((msg, ""));
    let of_key = |c: char| c.is_ascii_alphanumeric() || "_.[]".contains(c);
    RefusalCode::ALL.iter().any(|code| code.name() == name)
        && key.chars().all(of_key)
        && (key.is_empty() || name == RefusalCode::InvalidValue.name())
}

#[tokio::test]
async fn the_msg_of_every_refusal_is_a_code_and_its_sentence_stands_in_reason() {
    let rig = Rig::start().await;
    let control = |body: &str| ("POST", "/api/control", body.to_owned());
    let command = |name: &str, value: &str| {
        ("POST", "/api/control", format!(r#"{{"command":"{name}","value":{value}}}"#))
    };
    let route = |method, path| (method, path, String::new());
    let (tag, whole) = (r#""nothing""#, r#"{"z1":{"kp":-1},"no such\u0000 section":1}"#);
    let requests = [
        (control("{"), "INVALID_JSON"),
        (control("[1,2]"), "INVALID_BODY"),
        (control("{}"), "UNKNOWN_COMMAND"),
        (command("SET_TARGET", r#"{"z1":"hot"}"#), "INVALID_VALUE:z1"),
        (command("SET_TARGET", r#"{"z1":450}"#), "INVALID_VALUE:z1"),
        (command("SET_TARGET", "[1]"), "INVALID_VALUE:value"),
        (command("SET_HEATER", "null"), "INVALID_VALUE:zone"),
        (command("UPDATE_PID", r#"{"zone":"z1","params":{"kp":-1}}"#), "INVALID_VALUE:params.kp"),
        (command("UPDATE_PINS", r#"{"pins":[17]}"#), "INVALID_PINS"),
        (command("UPDATE_PINS", r#"{"pins":{"ssr_z1":24}}"#), "INVALID_VALUE:pins.ssr_z2"),
        (command("SET_PIN_NAME", r#"{"pin":"x","name":"lamp"}"#), "INVALID_ARGS"),
        (command("SET_TEMP_SETTINGS", r#"{"params":{"é: x":1}}"#), "INVALID_VALUE:params."),
        (command("UPDATE_DM556", r#"{"params":7}"#), "INVALID_DM556_PARAMS"),
        (command("GPIO_WRITE", r#"{"pin":5,"state":"yes"}"#), "INVALID_GPIO_STATE"),
        (("POST", "/api/gpio", "{}".into()), "UNKNOWN_GPIO_COMMAND"),
        (("POST", "/api/tune/start", r#"{"zone":"z9"}"#.into()), "INVALID_ZONE"),
        (("POST", "/api/tune/start", "[1]".into()), "INVALID_BODY"),
        (route("POST", "/api/tune/apply"), "NO_RESULT"),
        (route("GET", "/api/history/sensors?points=x"), "INVALID_QUERY"),
        (route("GET", "/api/history/sensors?points=0"), "INVALID_QUERY"),
        (route("GET", "/api/log?page=-1"), "INVALID_QUERY"),
        (route("GET", "/api/log/nothing.csv"), "NOT_FOUND"),
        (route("GET", "/api/nowhere"), "NOT_FOUND"),
        (route("DELETE", "/api/data"), "METHOD_NOT_ALLOWED"),
        (("PUT", "/api/config", whole.into()), "IF_MATCH_REQUIRED"),
        (("POST", "/api/config/restore", r#"{"generation":0}"#.into()), "INVALID_VALUE:generation"),
        (route("GET", "/api/config/generations/9"), "NOT_FOUND"),
    ];
    for ((method, path, body), code) in requests {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = rig.send(&head, body.as_bytes()).await;
        let msg = answer.msg();
        assert!(is_code(msg), "{method} {path} {body}: {msg}");
        assert_eq!(msg, code, "{method} {path} {body}: {}", answer.body);
        let reason = answer.body["reason"].clone();
        assert!(reason.is_null() || reason.as_str().is_some_and(|r| r.contains(' ')), "{reason}");
    }
    for condition in [tag, "*"] {
        let head = format!(
            "PUT /api/config HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             If-Match: {condition}\r\nContent-Length: {}\r\n\r\n",
            whole.len()
        );
        let answer = rig.send(&head, whole.as_bytes()).await;
        assert!(["CONFIG_CHANGED", "INVALID_CONFIG"].contains(&answer.msg()));
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_pin_that_is_written_on_or_off_reads_so() {
    let rig = Rig::start().await;
    for (command, value) in [
        ("SET_GPIO_MODE", json!({"pin": 5, "mode": "OUT"})),
        ("SET_GPIO_VALUE", json!({"pin": 5, "value": "on"})),
    ] {
        let body = json!({"command": command, "value": value}).to_string();
        assert_eq!(rig.post("/api/gpio", &body).await.status, 200, "{command}");
    }
    assert_eq!(rig.command("GPIO_READ", json!({"pin": 5})).await.body["value"], true);
    let answer = rig.command("GPIO_WRITE", json!({"pin": 5, "state": "off"})).await;
    assert_eq!(answer.status, 200, "{}", answer.msg());
    assert_eq!(rig.command("GPIO_READ", json!({"pin": 5})).await.body["value"], false);
    rig.running.stop().await.unwrap();
}
