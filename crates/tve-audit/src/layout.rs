//! The layout of a line has a number, and nobody changes it without noticing.

use crate::chain::Head;
use crate::class::Class;
use crate::{AlarmChange, Change, Event, FORMAT, InitialKey, LoginOutcome, TokenChange, verify};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::Path;

/// The lines that layout [`FORMAT`] makes of one of each event.
const LINES: (u32, &str) = (2, include_str!("../data/layout-2.jsonl"));

#[test]
fn a_changed_line_has_another_number() {
    let address = IpAddr::from([192, 0, 2, 1]);
    let mut command = Event::command(
        Some("ann"),
        address,
        "UPDATE_PID",
        json!({"zone": "z1"}),
        200,
        Some("OK".into()),
    );
    if let Event::Command { changes, .. } = &mut command {
        changes.push(Change { path: "z1.kp".into(), old: json!(4.0), new: json!(5.0) });
    }
    let raised = Event::Alarm {
        change: AlarmChange::Raised,
        id: 7,
        kind: Some("EMERGENCY_STOP".into()),
        message: Some("stopped".into()),
        raised_at: Some(1.5),
    };
    let over = |change| Event::Alarm { change, id: 7, kind: None, message: None, raised_at: None };
    let events = [
        Event::Started { version: "0.1.0".into(), format: FORMAT },
        command,
        Event::command(None, address, "START", Value::Null, 409, None),
        raised,
        over(AlarmChange::Acknowledged),
        over(AlarmChange::Cleared),
        Event::Gap { lost: 3 },
        Event::Repaired { bytes: 9, sha256: "00".into(), kept_in: "torn_1.bin".into() },
        Event::Removed { file: "audit_1.jsonl".into() },
        Event::login(Some("ann"), address, LoginOutcome::Ok),
        Event::login(None, address, LoginOutcome::Failed),
        Event::login(Some("ann"), address, LoginOutcome::LockedOut),
        Event::login(Some("ann"), address, LoginOutcome::Locked),
        Event::Token { change: TokenChange::Created, name: Some("panel".into()) },
        Event::Token { change: TokenChange::Revoked, name: Some("panel".into()) },
        Event::Token { change: TokenChange::Unreadable, name: None },
        Event::button("start", Some("ALARM_ACTIVE".into())),
        Event::button("stop", None),
        Event::Damaged { files: 2 },
        Event::Signed,
        Event::Stopped,
    ];
    let (mut head, mut lines) = (Head::origin(), Vec::new());
    for (second, event) in (0..).zip(&events) {
        head.append(&mut lines, second + 1, 1000 * second.cast_signed(), &event.members(), None);
    }
    // Lines of other classes between, repetitions, and a signature.
    let key = InitialKey::new([7; 32]).of(Class::Commands);
    let repeated = format!("{},\"repeated\":41", Event::Stopped.members());
    head.append(&mut lines, 99, 99_000, &repeated, Some(&key));
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(
        (FORMAT, lines.as_str()),
        LINES,
        "the layout of the audit journal has changed: raise FORMAT in lib.rs, see that `verify` \
         still reads what is in the field, then put the lines into a file of that number, beside \
         the others, and name it in LINES"
    );
}

#[test]
fn a_journal_of_every_layout_can_be_verified() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    for format in 1..=FORMAT {
        let path = folder.join(format!("layout-{format}.jsonl"));
        let lines = std::fs::read_to_string(&path).unwrap().lines().count() as u64;
        let report = verify(&[path], None).unwrap();
        assert_eq!((report.faults.as_slice(), report.lines), ([].as_slice(), lines), "{format}");
        assert!(lines >= 10);
    }
}
