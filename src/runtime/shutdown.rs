//! The wish to stop, seen by every task.

use tokio::sync::watch;

/// Held by whoever may ask for the stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Held by every task that must end when the stop is asked for.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Makes a connected pair.
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Shutdown(receiver))
}

impl Stopper {
    /// Asks every holder of the [`Shutdown`] to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Returns once the stop has been asked for, or can no longer be.
    pub async fn requested(&mut self) {
        // An error means that the stopper is gone: nobody is left to run for.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether the stop has been asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_sees_the_stop_even_late() {
        let (stopper, shutdown) = channel();
        let mut early = shutdown.clone();
        assert!(!early.is_requested());
        stopper.stop();
        early.requested().await;
        shutdown.clone().requested().await;
    }

    #[tokio::test]
    async fn a_lost_stopper_stops_too() {
        let (stopper, mut shutdown) = channel();
        drop(stopper);
        shutdown.requested().await;
    }
}
