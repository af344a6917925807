//! Keeps tasks running: one that panics is reported, counted and started again.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::shutdown::Shutdown;
use super::task::{self, Boxed};

/// Wait before a failed task is started again: long enough not to spin, short enough not to be missed.
const REST: Duration = Duration::from_secs(1);

/// Runs the task that `make` makes; after a panic a new one, until the stop is asked for.
///
/// `failed` is called with the task's name at each panic.
pub fn supervise<Make, Task>(
    name: String,
    shutdown: Shutdown,
    failed: impl Fn(&str) + Send + 'static,
    make: Make,
) -> JoinHandle<()>
where
    Make: Fn() -> Task + Send + 'static,
    Task: Future<Output = ()> + Send + 'static,
{
    task::spawn(keep(name, shutdown, Box::new(failed), Box::new(move || Box::pin(make()))))
}

async fn keep(
    name: String,
    mut shutdown: Shutdown,
    failed: Box<dyn Fn(&str) + Send>,
    make: Box<dyn Fn() -> Boxed<()> + Send>,
) {
    loop {
        match tokio::spawn(make()).await {
            Ok(()) => return,
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                failed(&name);
                tracing::warn!(
                    task = name,
                    "a fault of the program: {error}; please report it; started again"
                );
            }
        }
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = shutdown.requested() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::runtime::shutdown;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_counted_and_started_again() {
        let (_stopper, shutdown) = shutdown::channel();
        let (starts, failures) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (s, f) = (starts.clone(), failures.clone());
        let failed = move |_: &str| {
            f.fetch_add(1, Ordering::SeqCst);
        };
        let task = supervise("line1".into(), shutdown, failed, move || {
            let start = s.fetch_add(1, Ordering::SeqCst);
            async move { assert!(start >= 2, "a fault") }
        });
        task.await.unwrap();
        assert_eq!((starts.load(Ordering::SeqCst), failures.load(Ordering::SeqCst)), (3, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_attempts() {
        let (stopper, shutdown) = shutdown::channel();
        stopper.stop();
        let task = supervise("line1".into(), shutdown, |_| {}, || async { panic!("a fault") });
        task.await.unwrap();
    }
}
