//! Connections that have not asked anything yet: a new one pushes out the one that has waited longest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A connection's place.
#[derive(Debug, Default)]
pub struct Seat {
    out: Notify,
    stays: AtomicBool,
}

impl Seat {
    /// Waits until the place is taken away.
    pub async fn taken(&self) {
        self.out.notified().await;
    }

    /// Takes the place away.
    pub fn leave(&self) {
        self.out.notify_one();
    }

    /// Says that the answer may take for ever.
    pub fn stay(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }

    /// Whether the answer may take for ever.
    pub fn stays(&self) -> bool {
        self.stays.load(Ordering::Relaxed)
    }
}

/// The connections that have not asked anything yet.
#[derive(Debug)]
pub struct Waiting {
    seats: Mutex<VecDeque<Arc<Seat>>>,
    most: usize,
}

impl Waiting {
    /// Room for `most` of them.
    pub fn new(most: usize) -> Waiting {
        Waiting { seats: Mutex::default(), most }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Seat>>> {
        // No code panics while holding the lock with a half-made change.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a place to a new connection.
    pub fn admit(&self) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        let mut seats = self.lock();
        seats.push_back(seat.clone());
        if seats.len() > self.most
            && let Some(oldest) = seats.pop_front()
        {
            oldest.leave();
        }
        seat
    }

    /// Notes that a connection has asked, or has ended.
    pub fn forget(&self, seat: &Arc<Seat>) {
        self.lock().retain(|other| !Arc::ptr_eq(seat, other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_taken(seat: &Seat) -> bool {
        tokio::select! {
            biased;
            () = seat.taken() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn the_one_that_has_waited_longest_goes_and_who_has_asked_stays() {
        let waiting = Waiting::new(2);
        let first = waiting.admit();
        waiting.forget(&first);
        let (second, third) = (waiting.admit(), waiting.admit());
        assert!(!is_taken(&second).await);
        let fourth = waiting.admit();
        assert!(is_taken(&second).await);
        for seat in [first, third, fourth] {
            assert!(!is_taken(&seat).await);
        }
    }
}
