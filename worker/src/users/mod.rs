//! Steps as users of their own, where the worker runs as root: which user ids are for steps, which attempt has which, what of the worker's folders it reaches, and that
//! no process of it is left. That a process becomes that user is the supervisor's business.

mod claims;
mod doors;
mod processes;
mod range;

pub use claims::USERS_DIR;
pub(crate) use claims::Users;
pub(crate) use doors::{check_way, close, hand_over, open, own, show, take_back};
pub use doors::{let_through, shut};
pub(crate) use processes::end_all;
pub use range::{RunAs, UserRange};
