//! Whose a path of an artifact is: `EXPERIMENT/RUN/artifacts/…` or `EXPERIMENT/models/MODEL/artifacts/…`. Files are put only where there is a run or a model for them.

use super::fault::Fault;
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::tracking::TrackedId;
use crate::views::tracked::shown_run;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::name::ArtifactPath;

/// Whose files are at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// A run's.
    Run(TrackedId),
    /// A logged model's.
    Model(String),
}

/// A path whose owner is there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The whole path.
    pub(super) path: String,
    /// Who logged to its owner first; none when nothing is kept of that yet.
    by: Option<String>,
    owner: Owner,
    experiment: String,
}

/// Reads a path, and looks its owner up.
pub(super) async fn place(handle: &CoordinatorHandle, path: &str) -> Result<Place, Fault> {
    let path = &*checked(path)?;
    let mut parts = path.splitn(4, '/');
    let (experiment, second, third) = (parts.next(), parts.next(), parts.next());
    let owner = match (second, third) {
        (Some("models"), Some(model)) => Owner::Model(model.to_owned()),
        (Some(run), _) => Owner::Run(TrackedId::named(run)),
        (None, _) => return Err(nobodys(path)),
    };
    let wanted = owner.clone();
    let found = handle.look(move |sight| found(sight, &wanted)).await?;
    let (its_experiment, by) = found.ok_or_else(|| nobodys(path))?;
    if Some(its_experiment.as_str()) != experiment {
        return Err(nobodys(path));
    }
    Ok(Place {
        path: path.to_owned(),
        by,
        owner,
        experiment: its_experiment,
    })
}

/// A path as files are kept at it: clients write `.` for a folder itself. None that leads out of one.
pub(super) fn checked(path: &str) -> Result<String, Fault> {
    let named: Vec<&str> = path
        .trim_matches('/')
        .split('/')
        .filter(|segment| *segment != ".")
        .collect();
    let path = named.join("/");
    match path.parse::<ArtifactPath>() {
        Ok(_) => Ok(path),
        Err(error) => Err(Fault::invalid(error.to_string())),
    }
}

fn nobodys(path: &str) -> Fault {
    Fault::missing(format!(
        "`{path}` belongs to no run and no model: paths begin with EXPERIMENT/RUN/artifacts or EXPERIMENT/models/MODEL/artifacts"
    ))
}

/// The owner's experiment, and who made it.
fn found(sight: &Sight<'_>, owner: &Owner) -> Option<(String, Option<String>)> {
    let tracking = &sight.ledgers.tracking;
    match owner {
        Owner::Run(run) => {
            let shown = shown_run(sight.engine, tracking, run)?;
            Some((shown.experiment, shown.logged.map(|logged| logged.by.clone())))
        }
        Owner::Model(model) => {
            let model = tracking.model(model)?;
            Some((model.what.experiment.clone(), Some(model.by.clone())))
        }
    }
}

impl Place {
    /// The experiment.
    pub(super) fn experiment(&self) -> &str {
        &self.experiment
    }

    /// Refuses who may not put or remove files here.
    pub(super) fn check_may_change(&self, caller: &Caller) -> Result<(), Fault> {
        let Caller::Attempt { id, .. } = caller else {
            return Ok(());
        };
        let is_itself = self.owner == Owner::Run(TrackedId::of_attempt(*id));
        if is_itself || self.by.as_deref() == Some(&*caller.name()) {
            return Ok(());
        }
        let message = "a step logs files to itself, and to the runs and models that it made";
        Err(ApiError::new(ErrorCode::Forbidden, message).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_meant_by_a_dot_and_nothing_outside_of_it_by_two() {
        for (said, meant) in [
            ("1/r/artifacts/.", "1/r/artifacts"),
            ("/1/./r/a.txt/", "1/r/a.txt"),
        ] {
            assert_eq!(checked(said).unwrap(), meant);
        }
        for bad in ["", ".", "1/../2", "1//r", "1/r\\a"] {
            assert!(checked(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
