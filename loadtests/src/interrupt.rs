//! Ctrl-C and SIGTERM: the first asks a run to end in order, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Exit code of a process that was interrupted twice, by convention 128 + SIGINT.
const TWICE: i32 = 130;

/// Takes the signals over. goose would do it otherwise, and know nothing of the clean-up.
///
/// # Errors
/// The system does not let us.
pub(crate) fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(TWICE);
        }
        eprintln!("\nending the run and making the machine safe; once more ends at once");
        goose::trigger_killswitch("interrupted");
    })
}

/// Whether a signal has come.
pub(crate) fn is_set() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
