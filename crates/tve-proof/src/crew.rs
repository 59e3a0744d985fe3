//! Jobs spread over the processors, their results in the order of the jobs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

/// Works off `jobs` on every processor there is; `progress(done, total)` is called by the caller's
/// thread as results come in.
pub(crate) fn work<J, R>(
    jobs: &[J],
    mut progress: impl FnMut(usize, usize),
    job: impl Fn(&J) -> R + Sync,
) -> Vec<R>
where
    J: Sync,
    R: Send,
{
    let hands = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<R>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        let (done, finished) = mpsc::channel();
        for _ in 0..hands {
            let done = done.clone();
            scope.spawn(|| {
                let done = done;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = jobs.get(index) else { return };
                    let result = job(one);
                    results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
                    // Nobody listens any more only when the caller has panicked.
                    let _ = done.send(());
                }
            });
        }
        drop(done);
        for count in 1..=jobs.len() {
            if finished.recv().is_err() {
                break;
            }
            progress(count, jobs.len());
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().flatten().collect()
}
