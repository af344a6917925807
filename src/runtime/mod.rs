//! What the process lives on: time, the wish to stop, supervised tasks, logging.

pub mod backoff;
pub mod clock;
pub mod random;
pub mod shutdown;
