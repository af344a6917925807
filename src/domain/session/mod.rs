//! The recalibration session as a state machine: as-found points, verdict, fit, preview, approval, activation,
//! as-left points, verdict.
//!
//! [`Session::handle`] takes an [`Event`] and gives the [`Effect`]s to be done, in their order; time is an argument,
//! and every duration goes by the time that passes, never by the wall clock. A session is serialisable at any moment
//! and is all there is to know of it; what reads it back goes on from there with [`Event::Restarted`].

mod candidate;
mod event;
mod fault;
mod fitting;
mod machine;
mod measuring;
mod order;
mod plan;
mod point;
mod settings;
mod stability;
mod state;
#[cfg(test)]
mod tests;
mod typed;

pub use candidate::{Candidate, Row};
pub use event::{Against, At, Beside, Effect, Ending, Event, FitOrder, PointOrder, Reading};
pub use fault::Fault;
pub use fitting::Basis;
pub use measuring::{Measuring, Progress};
pub use plan::{DWELL, InForce, Item, LEAST_READINGS, Mode, Plan, Words, patience, silence};
pub use point::{Budget, Condition, Offered, Point, Role, Share, Stated, parts, worst};
pub use settings::Settings;
pub use stability::Course;
pub use state::{Approval, Holder, MOST_POINTS, Session, Stage};
pub use typed::number_and_unit;
