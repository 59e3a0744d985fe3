//! `tve token`: makes, lists and revokes the tokens of scripts and panels.

use crate::terminal;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;
use tve_access::Role;
use tve_runtime::default_data_dir;
use tve_runtime::tokens::{edit, stored};

/// `tve token`.
#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    action: Action,
    /// Data folder of the service [default: /var/lib/tve, else the user's].
    #[arg(long, value_name = "DIR", env = "TVE_DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it; it is shown this once.
    Create {
        /// What it is for, for example the name of the script or panel.
        #[arg(long)]
        name: String,
        /// What its bearer may do: viewer, operator, engineer or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        /// Days until it expires.
        #[arg(long, value_name = "N", default_value_t = 90)]
        days: u32,
    },
    /// Print the tokens: name, role, days left.
    List,
    /// Make a token worthless.
    Revoke {
        /// Its name.
        name: String,
    },
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("a role is one of {}", names.join(", "))
    })
}

/// Runs `tve token`.
pub(crate) fn run(args: Tokens) -> anyhow::Result<ExitCode> {
    let folder = args.data_dir.unwrap_or_else(default_data_dir);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = now.as_secs();
    let mut out = terminal::out();
    match args.action {
        Action::Create { name, role, days } => {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).context("the system gave no random bytes")?;
            let token = edit(&folder, |book| book.create(&name, role, days, now, secret))?;
            writeln!(out, "{token}")?;
            eprintln!(
                "This is shown once. A running service knows it within a second; send it as \
                 \"Authorization: Bearer TOKEN\"."
            );
        }
        Action::List => {
            for token in stored(&folder)?.iter() {
                let (name, role) = (terminal::in_line(&token.name), token.role.name());
                match token.expires.checked_sub(now) {
                    Some(left) if left > 0 => {
                        writeln!(out, "{name}  {role}  {} days left", left.div_ceil(DAY_S))?;
                    }
                    _ => writeln!(out, "{name}  {role}  expired")?,
                }
            }
        }
        Action::Revoke { name } => {
            edit(&folder, |book| book.revoke(&name))?;
            writeln!(out, "{name} is revoked; a running service knows it within a second")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

const DAY_S: u64 = 86_400;
