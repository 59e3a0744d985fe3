//! `tve hash-password`: a password from the terminal or stdin, its argon2id string to stdout.

use crate::terminal;
use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use tve_access::PasswordHash;

/// Fewest characters of a password. Five guesses in 15 minutes make even short ones costly to
/// guess online; this keeps the emptiest out.
const SHORTEST: usize = 8;

/// Runs `tve hash-password`.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let password = if io::stdin().is_terminal() {
        let first = ask("Password: ")?;
        anyhow::ensure!(first == ask("Again: ")?, "the two passwords differ; run it again");
        first
    } else {
        line()?
    };
    let length = password.chars().count();
    anyhow::ensure!(
        length >= SHORTEST,
        "the password has {length} characters; take {SHORTEST} or more"
    );
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).context("the system gave no random bytes")?;
    let hash = PasswordHash::make(&password, salt).context("the password cannot be hashed")?;
    writeln!(terminal::out(), "{hash}")?;
    Ok(ExitCode::SUCCESS)
}

/// A line typed without being shown.
fn ask(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).context("the terminal does not answer")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &silent).context("the echo cannot be turned off")?;
    let typed = line();
    tcsetattr(&stdin, OptionalActions::Now, &before).context("the echo cannot be turned on")?;
    eprintln!();
    typed
}

fn line() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().read_line(&mut text).context("the password cannot be read")?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text)
}
