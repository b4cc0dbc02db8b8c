//! Who may do what: tokens, from the command that makes one to the question whether a request shows a good one. Pure: no clock, no randomness, no I/O;
//! the driver makes the facts durable in the journal beside the engine's, and the gate of the API asks the state.

mod attempt_token;
mod attempts;
mod caller;
mod decide;
mod fact;
mod guard;
mod replays;
mod secret;
mod state;

pub(crate) use attempt_token::AttemptTokens;
pub(crate) use attempts::neighbourhood;
pub(crate) use caller::Caller;
pub use decide::{AccessCommand, AccessRejection, TOKENS_MAX};
pub use fact::AccessFact;
pub(crate) use guard::Guard;
pub use secret::{Presented, Purpose, Secret, SecretError};
pub use state::{Access, Refusal, Token};
