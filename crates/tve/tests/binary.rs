//! The binary `tve` as a person starts it: what it prints, how it ends, what it says when it cannot.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tve_testkit::ask;

fn tve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tve"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["TVE_CONFIG", "TVE_HARDWARE", "TVE_LISTEN", "TVE_DATA_DIR", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    tve(arguments).output().unwrap()
}

/// Starts the service and reads what it prints until the data folder is named.
fn serve(folder: &Path, more: &[&str]) -> (Child, SocketAddr, String) {
    let folder = folder.to_str().unwrap();
    let mut arguments = vec!["--listen", "127.0.0.1:0", "--data-dir", folder];
    arguments.extend(more);
    let mut child = tve(&arguments).spawn().unwrap();
    let mut printed = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    while !printed.contains("data ") {
        assert!(out.read_line(&mut printed).unwrap() > 0, "it ended: {printed}");
    }
    let address = printed.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
    let address = address.parse().unwrap();
    (child, address, printed)
}

fn terminate(child: &mut Child) -> (i32, Duration) {
    let began = Instant::now();
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    (status.code().unwrap_or(-1), began.elapsed())
}

#[test]
fn the_service_names_its_machine_and_address_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address, printed) = serve(folder.path(), &["--sim-start-temp", "200"]);
    assert!(printed.contains("SIMULATOR"), "{printed}");
    assert!(printed.contains(folder.path().to_str().unwrap()), "{printed}");

    let answer = ask(address, "GET /api/status", "", "").unwrap();
    assert!(answer.head.starts_with("HTTP/1.1 200 OK"), "{answer:?}");

    let (code, took) = terminate(&mut child);
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_death_is_noticed_at_the_next_start_and_an_orderly_end_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _, _) = serve(folder.path(), &[]);
    // The session record is there once the recorder has had its first turn.
    let began = Instant::now();
    while !folder.path().join("session.json").exists() {
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, address, _) = serve(folder.path(), &[]);
    let status = ask(address, "GET /api/status", "", "").unwrap();
    assert!(status.body.to_string().contains("UNCLEAN_STOP"));
    assert_eq!(terminate(&mut child).0, 0);
}

#[test]
fn what_prevents_a_start_is_one_sentence_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, says) in [
        (vec!["--listen", &address, "--data-dir", data], address.as_str()),
        (vec!["--data-dir", file], file),
        (vec!["--data-dir", data, "--config", "/nowhere/c.json"], "/nowhere/c.json"),
        (vec!["--data-dir", data, "--hardware", "rpi"], "--hardware sim"),
        (vec!["--data-dir", data, "--listen", "0.0.0.0:0"], "--insecure-open"),
        (vec!["--data-dir", data, "--listen", "127.0.0.1:0", "--sim-start-temp", "999"], "999"),
        (vec!["check-config", "/nowhere/c.json"], "/nowhere/c.json"),
    ] {
        let output = run(&arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains(says), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{arguments:?}: {error}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [vec!["--nonsense"], vec!["--sim-speed", "0"], vec!["serve", "--listen", "x"]]
    {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn check_config_prints_a_line_for_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, r#"{"z1": {"kp": -1}, "zz": 1}"#).unwrap();
    let output = run(&["check-config", file.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.lines().any(|l| l.starts_with("z1.kp: ")), "{text}");
    assert!(text.lines().any(|l| l.starts_with("zz: ")), "{text}");

    std::fs::write(&file, "{}").unwrap();
    assert_eq!(run(&["check-config", file.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_password_from_stdin_becomes_a_hash_that_fits_it() {
    let hash = |password: &str| {
        let mut child = tve(&["hash-password"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = hash("extrude me\r\n");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(tve_access::PasswordHash::parse(text.trim_end()).unwrap().verify("extrude me"));
    let output = hash("short\n");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("5 characters") && error.lines().count() == 1, "{error}");
}

#[test]
fn tokens_that_cannot_be_made_or_found_are_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for (arguments, says) in [
        (vec!["create", "--name", "a b", "--role", "viewer"], "\"a b\""),
        (vec!["create", "--name", "x", "--role", "viewer", "--days", "0"], "not 0"),
        (vec!["revoke", "nobody"], "nobody"),
    ] {
        let output = run(&[vec!["token", "--data-dir", data], arguments.clone()].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains(says) && error.lines().count() == 1, "{arguments:?}: {error}");
    }
    let wrong = run(&["token", "create", "--name", "x", "--role", "king", "--data-dir", data]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_hash_that_nobody_can_use_is_a_warning_of_check_config() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, r#"{"security": {"users": {"eva": "scrypt:7$x"}}}"#).unwrap();
    let output = run(&["check-config", file.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("warning: security.users.eva: ") && output.status.success(), "{text}");
}

#[test]
fn the_openapi_document_is_printed() {
    let output = run(&["openapi"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/control"]["post"]["responses"]["429"].is_object());
}

fn command(address: SocketAddr, body: &str) -> u16 {
    ask(address, "POST /api/control", "", body).unwrap().status
}

#[test]
fn the_audit_journal_of_a_killed_service_goes_on_and_a_changed_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("audit/audit_000000000001.jsonl");
    let verify = || run(&["audit", "verify", "--data-dir", folder.path().to_str().unwrap()]);
    let (mut child, address, _) = serve(folder.path(), &[]);
    assert_eq!(command(address, r#"{"command":"SET_TARGET","value":{"z1":120}}"#), 200);
    let began = Instant::now();
    while !std::fs::read_to_string(&journal).unwrap_or_default().contains("SET_TARGET") {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut torn = std::fs::read(&journal).unwrap();
    torn.extend_from_slice(b"{\"seq\":3,\"ti");
    std::fs::write(&journal, torn).unwrap();

    let (mut child, _, _) = serve(folder.path(), &[]);
    assert_eq!(terminate(&mut child).0, 0);
    let whole = verify();
    let said = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert!(whole.status.success() && said.contains("the chain holds"), "{said}");
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(text.contains("\"event\":\"repaired\",\"bytes\":12"), "{text}");

    std::fs::write(&journal, text.replace("\"z1\":120", "\"z1\":121")).unwrap();
    let changed = verify();
    let said = String::from_utf8_lossy(&changed.stdout).into_owned();
    assert_eq!(changed.status.code(), Some(1), "{said}");
    assert!(said.contains("audit_000000000001.jsonl line 2: was changed"), "{said}");
}

#[test]
fn a_key_signs_the_journal_from_the_next_start_on_and_tells_what_was_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let made = run(&["audit", "key", "--data-dir", data]);
    assert!(made.status.success(), "{made:?}");
    assert_eq!(run(&["audit", "key", "--data-dir", data]).status.code(), Some(1), "once");
    let key = folder.path().join("elsewhere");
    std::fs::write(&key, &made.stdout).unwrap();
    for _ in 0..2 {
        let (mut child, address, _) = serve(folder.path(), &[]);
        assert_eq!(command(address, r#"{"command":"SET_TARGET","value":{"z1":120}}"#), 200);
        assert_eq!(terminate(&mut child).0, 0);
    }
    let verify = |more: &[&str]| run(&[&["audit", "verify", "--data-dir", data], more].concat());
    let key = key.to_str().unwrap();
    let whole = verify(&["--key", key]);
    assert!(whole.status.success(), "{whole:?}");
    // Without its signatures the chain of hashes can be made anew, and only the key tells.
    let journal = folder.path().join("audit/audit_000000000001.jsonl");
    std::fs::remove_file(journal).unwrap();
    assert!(verify(&[]).status.success(), "the other chains hold");
    let broken = verify(&["--key", key]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(String::from_utf8_lossy(&broken.stdout).contains("THE CHAIN IS BROKEN"));
}

#[test]
fn what_somebody_has_written_into_a_file_is_shown_and_draws_nothing_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    // A name that clears the screen, and a second row that nobody has made.
    let token = r#"[{"name":"x\u001b[2J\nroot  admin","role":"viewer","created":0,"expires":1,
        "sha256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]"#;
    std::fs::write(folder.path().join("tokens.json"), token).unwrap();
    let listed = run(&["token", "list", "--data-dir", data]);
    assert!(listed.status.success(), "{listed:?}");
    let line = r#"{"seq":1,"prev":"x","sum":"\u001b[2J\nthe chain holds"}"#;
    let journal = folder.path().join("a\x1b[31m.jsonl");
    std::fs::write(&journal, format!("{line}\n")).unwrap();
    let verified = run(&["audit", "verify", journal.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    let failed = run(&["audit", "verify", "/nowhere/\x1b[2J"]);
    for text in [&listed.stdout, &verified.stdout, &failed.stderr] {
        let text = String::from_utf8_lossy(text).into_owned();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains("\\u{1b}"), "{text}");
    }
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 1);
    let verified = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(!verified.lines().any(|line| line.starts_with("the chain holds")), "{verified}");
}

#[test]
fn a_hang_up_reloads_and_does_not_end_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address, _) = serve(folder.path(), &[]);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    assert_eq!(command(address, r#"{"command":"STOP"}"#), 200);
    assert_eq!(terminate(&mut child).0, 0);
}
