//! Places for connections, a bounded number of them: a new one pushes out the one that has had its place longest.

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

/// Connections in the order in which they came, such as those that have not asked anything yet.
#[derive(Debug)]
pub struct Places {
    seats: Mutex<VecDeque<Arc<Seat>>>,
    most: usize,
}

impl Places {
    /// Room for `most` of them.
    pub fn new(most: usize) -> Places {
        Places { seats: Mutex::default(), most }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Seat>>> {
        // No code panics while holding the lock with a half-made change.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a place to a connection. Those whose answers may take for ever keep theirs.
    pub fn admit(&self, seat: &Arc<Seat>) {
        let mut seats = self.lock();
        seats.push_back(seat.clone());
        if seats.len() > self.most
            && let Some(oldest) = seats.iter().position(|seat| !seat.stays())
            && let Some(oldest) = seats.remove(oldest)
        {
            oldest.leave();
        }
    }

    /// Notes that a connection needs its place no longer.
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

    fn admitted(places: &Places) -> Arc<Seat> {
        let seat = Arc::default();
        places.admit(&seat);
        seat
    }

    #[tokio::test]
    async fn the_one_that_has_waited_longest_goes_and_who_has_asked_stays() {
        let waiting = Places::new(2);
        let first = admitted(&waiting);
        waiting.forget(&first);
        let (second, third) = (admitted(&waiting), admitted(&waiting));
        assert!(!is_taken(&second).await);
        let fourth = admitted(&waiting);
        assert!(is_taken(&second).await);
        for seat in [first, third, fourth] {
            assert!(!is_taken(&seat).await);
        }
    }

    #[tokio::test]
    async fn a_place_for_ever_is_not_taken_away() {
        let asked = Places::new(2);
        let watcher = admitted(&asked);
        watcher.stay();
        let (slow, _new) = (admitted(&asked), admitted(&asked));
        assert!(is_taken(&slow).await && !is_taken(&watcher).await);
    }
}
