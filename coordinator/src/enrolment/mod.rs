//! Which workers are known by a key of their own, by which tokens others may join, and of which nothing counts. Pure, like the tokens of people: facts in the
//! journal change the state; [`Roster`] is how whoever verifies looks at it.

mod decide;
mod fact;
mod roster;
mod state;

pub use decide::{EnrolmentCommand, EnrolmentRejection, JOIN_TOKENS_MAX, WORKERS_MAX};
pub use fact::EnrolmentFact;
pub use roster::EnrolmentRule;
pub(crate) use roster::{Durable, Roster};
pub use state::{Enrolled, Enrolment, JoinRefusal, JoinToken, Quarantine};
