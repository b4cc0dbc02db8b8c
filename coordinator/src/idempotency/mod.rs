//! Keys under which something is done once: what a request with an `Idempotency-Key` changed is noted in the batch of the change itself, so that the same request, sent again,
//! is answered with the same thing, also after a restart. Here are the ledger of keys and the claim that a request makes; reading the header is for the API, and no handler knows of
//! either. Pure but for the claim, which goes along with its request.

mod claim;
mod fact;
mod state;

pub(crate) use claim::{Claim, Found, Shown, Verdict, current, with};
pub use fact::{Created, IdempotencyFact};
pub use state::{Idempotency, KEPT_FOR, KEYS_MAX, KEYS_PER_SUBJECT_MAX};
