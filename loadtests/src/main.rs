//! The binary `tve-load`.

fn main() -> std::process::ExitCode {
    tve_loadtests::cli::main()
}
