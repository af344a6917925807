//! The requests that wait for the store's thread: the daemon's own, and apart from them those of clients.
//!
//! Clients come in any number, so what they ask has little room, and is done one at a time after all that the
//! daemon asks. What nobody waits for any more is not done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::StoreError;
use super::mailbox::Request;

/// Requests of the daemon itself that may wait; more than this come only from a bug, and are refused.
const OWN: usize = 1024;
/// Requests of clients that may wait.
const OF_CLIENTS: usize = 64;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The daemon itself.
    Own,
    /// A client of the control interface.
    Client,
}

/// Whether a request has been begun or withdrawn: what came first counts.
#[derive(Debug, Default)]
struct Ticket(AtomicBool);

impl Ticket {
    /// Begins or withdraws it; says whether neither has happened before.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// The wish of somebody who waits for the answer; withdrawn when it is dropped.
#[derive(Debug)]
pub struct Wish(Arc<Ticket>);

impl Wish {
    /// Withdraws the request; says whether that came before its beginning, so that nothing will come of it.
    pub fn withdraw(&self) -> bool {
        self.0.take()
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        self.0.take();
    }
}

/// A request that waits for its turn.
pub struct Waiting {
    request: Request,
    ticket: Arc<Ticket>,
}

impl Waiting {
    /// A request, and the wish that keeps it alive.
    pub fn new(request: Request) -> (Waiting, Wish) {
        let ticket = Arc::<Ticket>::default();
        (Waiting { request, ticket: Arc::clone(&ticket) }, Wish(ticket))
    }

    /// The request, to be done now; `None`: it was withdrawn. The end comes even if nobody waits for it any more.
    pub fn begin(self) -> Option<Request> {
        let wanted = self.ticket.take() || matches!(self.request, Request::Close(_));
        wanted.then_some(self.request)
    }

    fn is_withdrawn(&self) -> bool {
        self.ticket.0.load(Ordering::Acquire) && !matches!(self.request, Request::Close(_))
    }
}

/// All that waits.
#[derive(Default)]
pub struct Queue {
    own: VecDeque<Waiting>,
    of_clients: VecDeque<Waiting>,
}

impl Queue {
    /// Adds a request.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where too many wait.
    pub fn push(&mut self, whose: Whose, waiting: Waiting) -> Result<(), StoreError> {
        let (queue, most) = match whose {
            Whose::Own => (&mut self.own, OWN),
            Whose::Client => (&mut self.of_clients, OF_CLIENTS),
        };
        if queue.len() >= most {
            queue.retain(|other| !other.is_withdrawn());
        }
        if queue.len() >= most {
            return Err(StoreError::Busy);
        }
        queue.push_back(waiting);
        Ok(())
    }

    /// What is to be done next: all that the daemon asks, and one request of clients, for a page of readings takes
    /// as long as a commit.
    pub fn turn(&mut self) -> VecDeque<Waiting> {
        let mut next = std::mem::take(&mut self.own);
        while let Some(waiting) = self.of_clients.pop_front() {
            if !waiting.is_withdrawn() {
                next.push_back(waiting);
                break;
            }
        }
        next
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.of_clients.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn asked(queue: &mut Queue, whose: Whose) -> Result<Wish, StoreError> {
        let (waiting, wish) = Waiting::new(Request::Ping(oneshot::channel().0));
        queue.push(whose, waiting).map(|()| wish)
    }

    #[test]
    fn clients_have_room_of_their_own_and_come_one_at_a_time() {
        let mut queue = Queue::default();
        let wishes: Vec<Wish> = (0..OF_CLIENTS).map(|_| asked(&mut queue, Whose::Client).unwrap()).collect();
        assert!(matches!(asked(&mut queue, Whose::Client), Err(StoreError::Busy)));
        let own = [asked(&mut queue, Whose::Own).unwrap(), asked(&mut queue, Whose::Own).unwrap()];
        assert_eq!((queue.turn().len(), queue.turn().len()), (own.len() + 1, 1));
        assert_eq!(wishes.len(), OF_CLIENTS);
    }

    #[test]
    fn what_nobody_waits_for_takes_no_room_and_is_not_done() {
        let mut queue = Queue::default();
        for _ in 0..10 * OF_CLIENTS {
            drop(asked(&mut queue, Whose::Client).unwrap());
        }
        let last = asked(&mut queue, Whose::Client).unwrap();
        let mut next = queue.turn();
        assert_eq!((next.len(), queue.is_empty()), (1, true));
        assert!(last.withdraw() && next.pop_front().unwrap().begin().is_none());
    }

    #[test]
    fn what_is_begun_cannot_be_withdrawn() {
        let (waiting, wish) = Waiting::new(Request::Ping(oneshot::channel().0));
        assert!(waiting.begin().is_some() && !wish.withdraw());
    }

    #[test]
    fn the_end_comes_even_if_nobody_waits_for_it() {
        let mut queue = Queue::default();
        let (close, wish) = Waiting::new(Request::Close(oneshot::channel().0));
        queue.push(Whose::Own, close).unwrap();
        drop(wish);
        assert!(queue.turn().pop_front().unwrap().begin().is_some());
    }
}
