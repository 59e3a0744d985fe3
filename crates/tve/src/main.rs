//! The binary `tve`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tve::cli::main()
}
