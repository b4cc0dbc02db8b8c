//! What the API of webhooks and that of mailings have in common: making, removing, pausing and finding one, and what each rejection is over HTTP.

use super::error::ApiError;
use super::tokens::{ByQuery, name_of};
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use crate::notifications::{Channel, Pause, Subscription, SubscriptionCommand, SubscriptionRejection};
use tidemill_protocol::api::{ErrorCode, PauseRequest, PauseView};
use tidemill_protocol::delivery::Delivery;
use tidemill_protocol::name::Name;

impl From<SubscriptionRejection> for ApiError {
    fn from(rejection: SubscriptionRejection) -> Self {
        let code = match &rejection {
            SubscriptionRejection::Unknown { .. } => ErrorCode::NotFound,
            SubscriptionRejection::TooMany(_) => ErrorCode::Conflict,
            SubscriptionRejection::TellsNothing
            | SubscriptionRejection::TellsNobody
            | SubscriptionRejection::NoEnd(_)
            | SubscriptionRejection::TooLong(_) => ErrorCode::BadRequest,
        };
        Self::new(code, rejection.to_string())
    }
}

/// Who asks, for one of these.
pub(super) type Asked<'a> = (&'a CoordinatorHandle, &'a Caller, ByQuery);

/// Makes one, or makes it another; ends from now on are told.
pub(super) async fn set<S: Channel>(
    (handle, caller, query): Asked<'_>,
    name: &Name,
    spec: S,
) -> Result<Subscription<S>, ApiError> {
    let command = SubscriptionCommand::Set {
        name: name.clone(),
        spec: Box::new(spec),
        after: handle.look(|sight| sight.last).await?,
        by: name_of(caller, query.by),
    };
    handle.change::<S::Ledger>(command).await??;
    find(handle, name).await
}

/// Removes one.
pub(super) async fn remove<S: Channel>(
    (handle, caller, query): Asked<'_>,
    name: Name,
) -> Result<(), ApiError> {
    let by = name_of(caller, query.by);
    let command = SubscriptionCommand::<S>::Remove { name, by };
    handle.change::<S::Ledger>(command).await??;
    Ok(())
}

/// Lets one tell nothing until it is resumed.
pub(super) async fn pause<S: Channel>(
    (handle, caller, query): Asked<'_>,
    name: &Name,
    request: PauseRequest,
) -> Result<Subscription<S>, ApiError> {
    let command = SubscriptionCommand::<S>::Pause {
        name: name.clone(),
        reason: request.reason,
        by: name_of(caller, query.by),
    };
    handle.change::<S::Ledger>(command).await??;
    find(handle, name).await
}

/// Lets a paused one tell again, from now on.
pub(super) async fn resume<S: Channel>(
    (handle, caller, query): Asked<'_>,
    name: &Name,
) -> Result<Subscription<S>, ApiError> {
    let command = SubscriptionCommand::<S>::Resume {
        name: name.clone(),
        after: handle.look(|sight| sight.last).await?,
        by: name_of(caller, query.by),
    };
    handle.change::<S::Ledger>(command).await??;
    find(handle, name).await
}

/// One by its name.
pub(super) async fn find<S: Channel>(
    handle: &CoordinatorHandle,
    name: &Name,
) -> Result<Subscription<S>, ApiError> {
    let wanted = name.clone();
    let looking = handle.look(move |sight| S::subscriptions(sight.ledgers).get(&wanted).cloned());
    let unknown = || SubscriptionRejection::Unknown {
        kind: S::KIND,
        name: name.clone(),
    };
    Ok(looking.await?.ok_or_else(unknown)?)
}

/// All of a kind as they are shown.
pub(super) async fn list<S: Channel, V: Send + 'static>(
    handle: &CoordinatorHandle,
    view: fn(&Name, &Subscription<S>) -> V,
) -> Result<Vec<V>, ApiError> {
    let looking = handle.look(move |sight| {
        let all = S::subscriptions(sight.ledgers).all();
        all.map(|(name, one)| view(name, one)).collect()
    });
    Ok(looking.await?)
}

/// The last deliveries of one, newest first.
pub(super) async fn deliveries<S: Channel>(
    handle: &CoordinatorHandle,
    name: &Name,
) -> Result<Vec<Delivery>, ApiError> {
    let one = find::<S>(handle, name).await?;
    Ok(one.deliveries.into_iter().rev().collect())
}

/// Why nothing is told.
pub(super) fn pause_view(pause: &Pause) -> PauseView {
    PauseView {
        at: pause.at,
        by: pause.by.clone(),
        reason: pause.reason.clone(),
    }
}
