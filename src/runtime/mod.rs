//! What the process lives on: time, randomness, the wish to stop, supervised tasks, logging.

pub mod backoff;
pub mod clock;
pub mod logging;
pub mod random;
pub mod shutdown;
pub mod supervise;
