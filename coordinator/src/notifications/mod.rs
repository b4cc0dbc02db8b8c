//! Notifications: ends of runs and steps told to somebody outside. What webhooks and mailings have in common: who has come how far in the journal, which ends each
//! wants, the part that reads on from there, the pauses between tries, and the log of deliveries. How one is told stands with each.

mod channel;
mod courier;
mod decide;
mod deliver;
mod occasion;
mod subscription;

pub(crate) use channel::{Channel, Telling, Try};
pub(crate) use courier::run;
pub(crate) use decide::{Change, decide};
pub use decide::{SUBSCRIPTIONS_MAX, Settled, SubscriptionCommand, SubscriptionRejection};
pub(crate) use deliver::shortened;
pub(crate) use occasion::{Occasion, StepEnd, Wanted};
pub use subscription::{DELIVERIES_KEPT, Pause, Subscription, Subscriptions};
