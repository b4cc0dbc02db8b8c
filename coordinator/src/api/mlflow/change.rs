//! How the handlers here change something. Of tidemill's own runs and of the experiments that these name, nothing is kept until something is logged: then what
//! tidemill knows of them goes along.

use super::fault::Fault;
use super::reach;
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::api::tokens::name_of;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::tracking::{Base, TrackedId, Tracking, TrackingChange, TrackingCommand, TrackingRejection};
use crate::views::tracked;

/// What an id is made of that nobody can guess.
pub(super) fn random() -> Result<[u8; 16], Fault> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| ApiError::internal(&std::io::Error::from(error)))?;
    Ok(random)
}

/// Has a change made; answers the id of what was made, if anything was.
pub(super) async fn change(
    handle: &CoordinatorHandle,
    caller: &Caller,
    change: TrackingChange,
) -> Result<Option<String>, Fault> {
    reach::check_change(handle, caller, &change).await?;
    let command = TrackingCommand {
        by: name_of(caller, None),
        base: None,
        change,
    };
    match handle.create::<Tracking>(command.clone()).await? {
        Ok(created) => Ok(created),
        Err(rejection) => {
            let base = base_of(handle, &rejection).await?;
            if base.is_none() {
                return Err(rejection.into());
            }
            let command = TrackingCommand { base, ..command };
            Ok(handle.create::<Tracking>(command).await??)
        }
    }
}

/// A look at what tidemill knows.
type Look = Box<dyn FnOnce(&Sight<'_>) -> Option<Base> + Send>;

/// What tidemill knows of something of which nothing is kept.
async fn base_of(handle: &CoordinatorHandle, rejection: &TrackingRejection) -> Result<Option<Base>, Fault> {
    let look: Look = match rejection {
        TrackingRejection::UnknownRun(id) => {
            let id = TrackedId::named(id);
            Box::new(move |sight| tracked::base_of(sight.engine, &id))
        }
        TrackingRejection::UnknownExperiment(id) => {
            let id = id.clone();
            Box::new(move |sight| {
                let found = tracked::experiment(sight.engine, &sight.ledgers.tracking, &id)?;
                Some(Base {
                    experiment: found.id,
                    experiment_name: found.name,
                    run: None,
                })
            })
        }
        _ => return Ok(None),
    };
    Ok(handle.look(look).await?)
}
