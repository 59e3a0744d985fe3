//! The way of a command to the control thread and of its answer back.
//!
//! A bounded queue behind a mutex that the control thread only ever tries: a miss means that a
//! sender holds it, and that sender wakes the thread when it lets go. A SCHED_FIFO thread that
//! waited for a preempted sender could wait for ever on one processor. EMERGENCY_STOP does not
//! queue: it is a flag beside the queue, looked at before every other command.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::Thread;
use tokio::sync::{oneshot, watch};
use tve_control::{Command, Refusal, RefusalCode, Reply};

/// Commands that may wait. At 64 a gap of 10 ms the last of them waits 0.16 s.
pub(crate) const CAPACITY: usize = 1024;

/// What becomes of a command.
pub type Answer = Result<Reply, Refusal>;

/// A command on its way.
pub(crate) struct Envelope {
    pub(crate) command: Command,
    pub(crate) reply: oneshot::Sender<Answer>,
}

struct Shared {
    queue: Mutex<VecDeque<Envelope>>,
    stop_requested: AtomicBool,
    stop_waiters: Mutex<Vec<oneshot::Sender<Answer>>>,
    closed: AtomicBool,
    /// Whether the control thread was told to end.
    stop: Arc<AtomicBool>,
    thread: OnceLock<Thread>,
    /// Commands that were carried out. Senders count them, so that the control thread wakes nobody.
    carried_out: watch::Sender<u64>,
}

/// A poisoned queue is still a queue: nothing in it is half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// The sending end: one for all clients, cheap to clone.
#[derive(Clone)]
pub struct CommandSender(Arc<Shared>);

/// The control thread's end.
pub(crate) struct CommandReceiver(Arc<Shared>);

/// A connected pair for a control thread that ends when `stop` turns true.
pub(crate) fn channel(stop: Arc<AtomicBool>) -> (CommandSender, CommandReceiver) {
    let shared = Arc::new(Shared {
        queue: Mutex::new(VecDeque::with_capacity(CAPACITY)),
        stop_requested: AtomicBool::new(false),
        stop_waiters: Mutex::new(Vec::new()),
        closed: AtomicBool::new(false),
        stop,
        thread: OnceLock::new(),
        carried_out: watch::Sender::new(0),
    });
    (CommandSender(Arc::clone(&shared)), CommandReceiver(shared))
}

impl CommandSender {
    /// Why nobody carries commands out any more.
    fn ended(&self) -> Refusal {
        let sentence = if self.0.stop.load(Ordering::Acquire) {
            "the service is stopping and every output is off; ask again when it has started"
        } else {
            "the control thread has ended and every output is off; restart the service"
        };
        Refusal::with(RefusalCode::Hardware, sentence)
    }

    /// Has `command` carried out and tells what became of it.
    ///
    /// # Errors
    /// The controller's refusal, `QUEUE_FULL`, or `HARDWARE` when the control thread has ended.
    pub async fn send(&self, command: Command) -> Answer {
        let answer = self.post(command)?;
        let answer = answer.await.unwrap_or_else(|_| Err(self.ended()));
        if answer.is_ok() {
            self.0.carried_out.send_modify(|count| *count += 1);
        }
        answer
    }

    /// Tells of commands that were carried out. Any number may listen; one who is slow finds the
    /// newest count.
    pub(crate) fn carried_out(&self) -> watch::Receiver<u64> {
        self.0.carried_out.subscribe()
    }

    fn post(&self, command: Command) -> Result<oneshot::Receiver<Answer>, Refusal> {
        let (reply, answer) = oneshot::channel();
        if command == Command::EmergencyStop {
            // The waiter comes first: whoever sees the flag then finds somebody to answer.
            lock(&self.0.stop_waiters).push(reply);
            self.0.stop_requested.store(true, Ordering::Release);
            if self.0.closed.load(Ordering::Acquire) {
                return Err(self.ended());
            }
        } else {
            let mut queue = lock(&self.0.queue);
            if self.0.closed.load(Ordering::Acquire) {
                return Err(self.ended());
            }
            if queue.len() >= CAPACITY {
                return Err(Refusal::with(
                    RefusalCode::QueueFull,
                    format!("{CAPACITY} commands are waiting already; send fewer"),
                ));
            }
            queue.push_back(Envelope { command, reply });
        }
        if let Some(thread) = self.0.thread.get() {
            thread.unpark();
        }
        Ok(answer)
    }
}

impl CommandReceiver {
    /// Names the calling thread as the one to wake.
    pub(crate) fn attach(&self) {
        // A second call changes nothing: there is one control thread.
        let _ = self.0.thread.set(std::thread::current());
    }

    /// Whether an emergency stop was asked for since the last call.
    pub(crate) fn take_emergency_stop(&self) -> bool {
        self.0.stop_requested.load(Ordering::Relaxed)
            && self.0.stop_requested.swap(false, Ordering::AcqRel)
    }

    /// Moves those who wait for an emergency stop into `into`; `false` when the list is held by
    /// somebody and must be looked at again.
    pub(crate) fn take_stop_waiters(&self, into: &mut Vec<oneshot::Sender<Answer>>) -> bool {
        let Some(mut waiters) = try_lock(&self.0.stop_waiters) else {
            return false;
        };
        into.append(&mut waiters);
        true
    }

    /// Moves up to `most` commands into `into`, oldest first. A queue that somebody holds counts
    /// as empty: its holder wakes this thread afterwards.
    pub(crate) fn take(&self, into: &mut Vec<Envelope>, most: usize) {
        let Some(mut queue) = try_lock(&self.0.queue) else {
            return;
        };
        let count = queue.len().min(most);
        into.extend(queue.drain(..count));
    }
}

impl Drop for CommandReceiver {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        lock(&self.0.queue).clear();
        lock(&self.0.stop_waiters).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (CommandSender, CommandReceiver) {
        channel(Arc::default())
    }

    #[test]
    fn a_full_queue_refuses_and_says_so() {
        let (sender, receiver) = open();
        let mut answers = Vec::new();
        for _ in 0..CAPACITY {
            answers.push(sender.post(Command::Stop).unwrap());
        }
        assert_eq!(sender.post(Command::Stop).unwrap_err().code, RefusalCode::QueueFull);
        let mut batch = Vec::new();
        receiver.take(&mut batch, 1);
        assert!(sender.post(Command::Stop).is_ok(), "one place is free again");
    }

    #[test]
    fn an_emergency_stop_passes_a_full_queue() {
        let (sender, receiver) = open();
        let mut answers = Vec::new();
        for _ in 0..CAPACITY {
            answers.push(sender.post(Command::Start).unwrap());
        }
        let mut answer = sender.post(Command::EmergencyStop).unwrap();
        assert!(receiver.take_emergency_stop());
        assert!(!receiver.take_emergency_stop(), "one request is carried out once");
        let mut waiters = Vec::new();
        assert!(receiver.take_stop_waiters(&mut waiters));
        for waiter in waiters {
            waiter.send(Ok(Reply::OK)).unwrap();
        }
        assert_eq!(answer.try_recv().unwrap(), Ok(Reply::OK));
    }

    #[test]
    fn commands_keep_their_order_and_a_gap_takes_no_more_than_asked() {
        let (sender, receiver) = open();
        let _answers: Vec<_> = [Command::Start, Command::Stop, Command::ClearAlarm]
            .into_iter()
            .map(|c| sender.post(c).unwrap())
            .collect();
        let mut batch = Vec::new();
        receiver.take(&mut batch, 2);
        let got: Vec<_> = batch.iter().map(|e| e.command.clone()).collect();
        assert_eq!(got, [Command::Start, Command::Stop]);
    }

    #[test]
    fn a_held_queue_never_blocks_the_control_thread() {
        let (sender, receiver) = open();
        let _answer = sender.post(Command::Start).unwrap();
        let held = lock(&sender.0.queue);
        let mut batch = Vec::new();
        receiver.take(&mut batch, 64);
        assert!(batch.is_empty());
        drop(held);
        receiver.take(&mut batch, 64);
        assert_eq!(batch.len(), 1);
    }

    #[tokio::test]
    async fn a_command_that_was_carried_out_is_told_and_a_refused_one_is_not() {
        let (sender, receiver) = open();
        let mut told = sender.carried_out();
        let mut answered = async |answer: Answer| {
            let carry_out = async {
                let mut batch = Vec::new();
                receiver.take(&mut batch, 1);
                batch.remove(0).reply.send(answer.clone()).unwrap();
            };
            assert_eq!(tokio::join!(sender.send(Command::Start), carry_out).0, answer);
            told.has_changed().unwrap() && told.changed().await.is_ok()
        };
        assert!(!answered(Err(sender.ended())).await);
        assert!(answered(Ok(Reply::OK)).await);
        assert!(!answered(Err(sender.ended())).await, "it is told once");
    }

    #[tokio::test]
    async fn after_the_end_of_the_control_thread_everything_is_refused_with_its_cause() {
        for (stopped, cause) in [(false, "restart the service"), (true, "is stopping")] {
            let (sender, receiver) = channel(Arc::new(stopped.into()));
            let waiting = sender.post(Command::Start).unwrap();
            drop(receiver);
            assert!(waiting.await.is_err(), "the waiting client is let go");
            for command in [Command::Start, Command::EmergencyStop] {
                let refusal = sender.send(command).await.unwrap_err();
                assert_eq!(refusal.code, RefusalCode::Hardware);
                assert!(refusal.reason.is_some_and(|d| d.contains(cause)), "{stopped}");
            }
        }
    }
}
