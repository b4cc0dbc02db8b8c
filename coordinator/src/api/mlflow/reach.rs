//! How far the token of an attempt reaches: it looks at what is in its experiment, and logs to itself and to the runs that it made. Everybody else's reach is the
//! gate's to judge.

use super::fault::Fault;
use super::find::shown;
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::handle::CoordinatorHandle;
use crate::tracking::{TrackedId, TrackingChange};
use tidemill_protocol::api::ErrorCode;

/// What to do when a step is to log elsewhere.
const ELSEWHERE: &str = "set MLFLOW_TRACKING_TOKEN of the step to a token of yours, as a secret; then MLFLOW_EXPERIMENT_ID and MLFLOW_RUN_ID say where it logs";

fn too_far(message: &str) -> Fault {
    ApiError::new(ErrorCode::Forbidden, message)
        .hint(ELSEWHERE)
        .into()
}

/// Whether the caller may look into this experiment.
pub(super) fn sees(caller: &Caller, experiment: &str) -> bool {
    match caller {
        Caller::Attempt { experiment: own, .. } => own == experiment,
        _ => true,
    }
}

/// Refuses who may not look into this experiment.
pub(super) fn check_sees(caller: &Caller, experiment: &str) -> Result<(), Fault> {
    if sees(caller, experiment) {
        return Ok(());
    }
    Err(too_far("a step sees and logs to the experiment of its run only"))
}

/// Refuses a change that is not the caller's to make.
pub(super) async fn check_change(
    handle: &CoordinatorHandle,
    caller: &Caller,
    change: &TrackingChange,
) -> Result<(), Fault> {
    let Caller::Attempt { id, .. } = caller else {
        return Ok(());
    };
    let run = match change {
        TrackingChange::CreateRun(new) => return check_sees(caller, &new.experiment),
        TrackingChange::LogModel { logged, .. } => return check_sees(caller, &logged.experiment),
        TrackingChange::ChangeModel { model, .. } => return check_model(handle, caller, model).await,
        // Whose the path is was looked at already.
        TrackingChange::StoreFile { .. } | TrackingChange::RemoveFiles(_) => return Ok(()),
        // Whoever makes models may register them: names are added so, and no one's is taken.
        TrackingChange::Announce { .. } | TrackingChange::Unannounce(_) => return Ok(()),
        TrackingChange::ChangeRun { run, .. }
        | TrackingChange::Link { run, .. }
        | TrackingChange::NoteModel { run, .. } => run,
        TrackingChange::Log(logging) => &logging.run,
        TrackingChange::CreateExperiment { .. }
        | TrackingChange::ChangeExperiment { .. }
        | TrackingChange::Seal { .. } => {
            return Err(too_far("a step makes and changes no experiments"));
        }
    };
    if *run == TrackedId::of_attempt(*id) {
        return Ok(());
    }
    let found = shown(handle, run).await?;
    let is_own = found
        .logged
        .as_ref()
        .is_some_and(|logged| logged.by == caller.name());
    if is_own {
        Ok(())
    } else {
        Err(too_far("a step logs to itself and to the runs that it made"))
    }
}

/// An attempt changes the models that it made.
async fn check_model(handle: &CoordinatorHandle, caller: &Caller, model: &str) -> Result<(), Fault> {
    let wanted = model.to_owned();
    let found = handle.look(move |sight| {
        sight
            .ledgers
            .tracking
            .model(&wanted)
            .map(|model| model.by.clone())
    });
    match found.await? {
        Some(by) if by != caller.name() => Err(too_far("a step changes the models that it made")),
        // That there is none is said by whoever is asked to change it.
        _ => Ok(()),
    }
}
