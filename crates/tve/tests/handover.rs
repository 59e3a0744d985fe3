//! What `tve` hands over to `tve-prove`: a stand-in beside it says what it was asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// Held while programs are written and run: a program that another test starts meanwhile inherits
/// the file that is being written, and a file that anybody may write to cannot be run (ETXTBSY).
static ALONE: Mutex<()> = Mutex::new(());

struct Folder(
    TempDir,
    #[expect(dead_code, reason = "released with the folder")] MutexGuard<'static, ()>,
);

impl Folder {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A folder with a copy of `tve`, and with a program beside it that prints what it was given.
fn folder() -> Folder {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    fs::copy(env!("CARGO_BIN_EXE_tve"), folder.path().join("tve")).unwrap();
    let stand_in = folder.path().join("tve-prove");
    fs::write(&stand_in, "#!/bin/sh\necho asked \"$@\"\nexit 3\n").unwrap();
    fs::set_permissions(stand_in, fs::Permissions::from_mode(0o755)).unwrap();
    Folder(folder, alone)
}

fn tve(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(folder.join("tve")).args(arguments).env("PATH", "/bin:/usr/bin").output().unwrap()
}

#[test]
fn the_verbs_of_the_proof_are_handed_over_with_what_they_were_given() {
    let folder = folder();
    for arguments in [
        &["certify", "--help"][..],
        &["certify", "--report", "here"],
        &["walk", "--hours", "3", "--seed", "1"],
        &["orders"],
        &["false-trips", "--hours=2"],
    ] {
        let output = tve(folder.path(), arguments);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.trim_end(), format!("asked {}", arguments.join(" ")));
        assert_eq!(output.status.code(), Some(3), "its exit code is the program's");
    }
}

#[test]
fn a_picture_is_drawn_beside_the_service_from_the_same_run() {
    let folder = folder();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/scenarios/emergency-stop.toml")
        .display()
        .to_string();
    let output = tve(folder.path(), &["simulate", &scenario, "--seed", "7", "--plot", "a.svg"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with(&format!("asked plot-scenario {scenario} a.svg --seed 7\n")),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1), "no picture, no success");
}

#[test]
fn without_the_other_program_it_says_what_to_do() {
    let folder = folder();
    fs::remove_file(folder.path().join("tve-prove")).unwrap();
    let output = tve(folder.path(), &["walk"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cargo build --release"), "{said}");
}
