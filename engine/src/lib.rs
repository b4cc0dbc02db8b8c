//! The heart: all decisions about runs, steps and attempts. Pure, synchronous, deterministic; no clock, no I/O, no logging.
//!
//! ```text
//! Command ──decide──▶ Facts ──apply──▶ State + Effects          State ──next──▶ Facts (until none)
//! ```
//! The face is the type [`Engine`]:
//! * [`Engine::decide`] reads the state and answers a command with facts, or with a [`Rejection`]. A rejection may carry one effect
//!   ([`Rejection::stop`]): a worker that takes what is not its own is told so, although nothing changed.
//! * [`Engine::apply`] changes the state by one fact and says what must be done about it; it cannot fail on a fact that `decide` or `next` made.
//! * [`Engine::next`] gives the facts that the state itself calls for (stop, skip, reuse, follow, finish, release), a bounded batch at a time;
//!   the driver applies them and asks again until there are none.
//! * [`Engine::outstanding`] says what must be true of the world now: the tasks that should be in a queue, the stops that should reach a worker,
//!   the alarms that should be set. [`Engine::review`] does the same for one worker's heartbeat.
//! * Projects share the compute targets, and may have quotas ([`Command::SetQuota`]): what is above one stays in the backlog.
//! * [`Fleet`] holds what workers said they offer and when they were last heard of, and judges leases. Soft: it is not in the journal.
//! * Everything else of [`Engine`], [`Run`], [`Step`] and [`Attempt`] is for looking. [`audit`] checks that the state agrees with itself.
//!
//! The laws: the same facts give the same state and the same effects; a step has at most one attempt in flight; tokens only grow, and a report with
//! any other token changes nothing; terminal is terminal, short of a retry of the whole run; what is known is not executed again; every operation
//! costs by what it touches, never by what is known.

#![deny(clippy::wildcard_enum_match_arm)]

mod apply;
mod attempt;
mod audit;
mod backlog;
mod command;
mod decide;
mod effect;
mod engine;
mod event;
mod fleet;
mod graph;
mod index;
mod inputs;
mod next;
mod outstanding;
mod place;
mod quota;
mod retry;
mod run;
mod step;
mod usage;
mod view;
mod work;

pub use attempt::{Attempt, Claim, End, FailedEnd, Outcome};
pub use audit::{Violation, audit};
pub use command::{Command, FoundResult, Rejection};
pub use effect::{Alarm, Effect};
pub use engine::Engine;
pub use event::{Event, Fact};
pub use fleet::{Capacity, Fleet, FleetSettings, Worker};
pub use quota::ProjectUsage;
pub use run::{Act, Asked, Run, RunEnding};
pub use step::{Blocked, Step, StepState, Tries};
pub use view::{
    Backlog, Decision, Explanation, PartChange, PartValue, Prediction, Reason, key_parts, predict,
};
pub use work::CachedResult;
