//! What the process lives on: time, randomness, the wish to stop, tasks, signs of life, clients, logging.

pub mod backoff;
pub mod clients;
pub mod clock;
pub mod kernel;
pub mod logging;
pub mod notify;
pub mod pulse;
pub mod quiet;
pub mod random;
pub mod serve;
pub mod shutdown;
pub mod steps;
pub mod supervise;
pub mod task;
