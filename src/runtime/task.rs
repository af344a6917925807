//! Tasks of one type: the scheduler makes some 2 kB of the program for each type of future that it runs.

use std::pin::Pin;

use tokio::task::JoinHandle;

/// A future of whatever type.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs `task` beside the caller.
pub fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    run(Box::pin(task))
}

fn run<T: Send + 'static>(task: Boxed<T>) -> JoinHandle<T> {
    tokio::spawn(task)
}
