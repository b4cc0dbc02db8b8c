//! How somebody is told: what webhooks and mailings each bring along, so that one part can carry for both.

use super::decide::{SubscriptionCommand, SubscriptionRejection};
use super::occasion::{Occasion, Wanted};
use super::subscription::Subscriptions;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use crate::ledger::{Ledger, Ledgers};
use std::future::Future;
use std::sync::Arc;
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::name::Name;

/// One telling, however often it is tried.
#[derive(Debug)]
pub(crate) struct Telling<S> {
    /// The subscription.
    pub(crate) name: Name,
    /// What it is.
    pub(crate) spec: Arc<S>,
    /// The same whenever the same is told to the same.
    pub(crate) id: String,
    /// What there is to tell.
    pub(crate) occasion: Occasion,
}

/// What came of a try.
#[derive(Debug)]
pub(crate) enum Try {
    /// There is no more to try.
    Settled(DeliveryOutcome),
    /// It should be tried again, because of this.
    Again(String),
}

/// What a subscription of a kind says, which is also how those are told who subscribed.
pub(crate) trait Channel: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// Where its subscriptions are kept.
    type Ledger: Ledger<Command = SubscriptionCommand<Self>, Rejection = SubscriptionRejection>;
    /// What a telling keeps from try to try.
    type Progress: Default + Send;
    /// What a subscription of this kind is called.
    const KIND: &'static str;

    /// All of this kind.
    fn subscriptions(ledgers: &Ledgers) -> &Subscriptions<Self>;

    /// What it wants to be told.
    fn wanted(&self) -> Wanted<'_>;

    /// Tells it once.
    fn tell(
        handle: &CoordinatorHandle,
        telling: &Telling<Self>,
        progress: &mut Self::Progress,
    ) -> impl Future<Output = Result<Try, Stopped>> + Send;

    /// What came of a telling that was tried for the last time, because of this.
    fn given_up(_: &Self::Progress, why: String) -> DeliveryOutcome {
        DeliveryOutcome::GivenUp { why }
    }
}
