//! From a command to facts, or to a reason why not. Reads the state, changes nothing. What tidemill itself knows of a run or an experiment is taken up here, when
//! something is kept of it for the first time.

mod experiments;
mod files;
mod models;
mod runs;

use super::command::{Base, NewRun, TrackingChange, TrackingCommand, TrackingRejection};
use super::fact::{NewModel, TrackingFact};
use super::id::{DEFAULT_EXPERIMENT, DEFAULT_EXPERIMENT_NAME};
use super::limits::{RUNS_MAX, check_room};
use super::state::Tracking;
use crate::idempotency::Created;
use crate::ledger::{Ledger, LedgerFact, Ledgers};
use tidemill_protocol::time::Timestamp;

type Decided = Result<Vec<TrackingFact>, TrackingRejection>;

impl From<TrackingFact> for LedgerFact {
    fn from(fact: TrackingFact) -> Self {
        Self::Tracking(fact)
    }
}

impl Ledger for Tracking {
    type Command = TrackingCommand;
    type Fact = TrackingFact;
    type Rejection = TrackingRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.tracking
    }

    fn created(fact: &TrackingFact) -> Option<Created> {
        match fact {
            TrackingFact::ExperimentCreated { id, .. } => Some(Created::new(id)),
            TrackingFact::RunCreated { run, .. } => Some(Created::new(run)),
            TrackingFact::ModelLogged { model, .. } => Some(Created::new(model)),
            _ => None,
        }
    }

    fn decide(&self, at: Timestamp, command: &TrackingCommand) -> Decided {
        let taken_up = take_up(self, command)?;
        if taken_up.is_empty() {
            return change(self, command);
        }
        // Seldom, and small: only what is about to be changed.
        let mut with = self.around(&taken_up);
        for fact in &taken_up {
            with.apply(at, fact);
        }
        let mut facts = taken_up;
        facts.append(&mut change(&with, command)?);
        Ok(facts)
    }
}

fn change(tracking: &Tracking, command: &TrackingCommand) -> Decided {
    let by = &command.by;
    match &command.change {
        TrackingChange::CreateExperiment { name, tags } => experiments::create(tracking, by, name, tags),
        TrackingChange::ChangeExperiment {
            id,
            name,
            lifecycle,
            tags,
        } => experiments::change(tracking, by, id, (name.as_deref(), *lifecycle, tags)),
        TrackingChange::CreateRun(new) => runs::create(tracking, by, new),
        TrackingChange::ChangeRun { .. } => runs::change(tracking, by, &command.change),
        TrackingChange::Log(logging) => runs::log(tracking, logging),
        TrackingChange::NoteModel { run, model } => runs::note_model(tracking, run, model),
        TrackingChange::Link { .. } => runs::link(tracking, &command.change),
        TrackingChange::Seal { .. } => runs::seal(tracking, &command.change),
        TrackingChange::StoreFile { path, file } => files::store(tracking, by, path, *file),
        TrackingChange::RemoveFiles(path) => files::remove(tracking, by, path),
        TrackingChange::LogModel { model, logged } => models::log(tracking, by, model, logged),
        TrackingChange::Announce { .. } => models::announce(tracking, by, &command.change),
        TrackingChange::Unannounce(name) => Ok(models::unannounce(tracking, by, name)),
        TrackingChange::ChangeModel { .. } => models::change(tracking, by, &command.change),
    }
}

/// The facts that keep what the command is about, if nothing is kept of it yet.
fn take_up(tracking: &Tracking, command: &TrackingCommand) -> Decided {
    let default = Base {
        experiment: DEFAULT_EXPERIMENT.to_owned(),
        experiment_name: DEFAULT_EXPERIMENT_NAME.to_owned(),
        run: None,
    };
    let is_in_default = match &command.change {
        TrackingChange::CreateRun(NewRun { experiment, .. })
        | TrackingChange::LogModel {
            logged: NewModel { experiment, .. },
            ..
        } => experiment == DEFAULT_EXPERIMENT,
        TrackingChange::ChangeExperiment { id, .. } => id == DEFAULT_EXPERIMENT,
        _ => false,
    };
    let base = if is_in_default {
        Some(&default)
    } else {
        command.base.as_ref()
    };
    let Some(Base {
        experiment,
        experiment_name,
        run,
    }) = base
    else {
        return Ok(Vec::new());
    };
    let mut facts = Vec::new();
    if tracking.experiment(experiment).is_none() {
        facts.push(TrackingFact::ExperimentCreated {
            id: experiment.clone(),
            name: experiment_name.clone(),
            tags: std::collections::BTreeMap::new(),
            by: command.by.clone(),
        });
    }
    if let Some(run) = run.as_ref().filter(|run| tracking.run(&run.run).is_none()) {
        check_room("tracked runs", tracking.runs.len() + 1, RUNS_MAX)?;
        facts.push(runs::created(&command.by, run));
    }
    Ok(facts)
}
