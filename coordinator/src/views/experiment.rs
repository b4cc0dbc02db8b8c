//! Experiments as the API shows them: what tracking says of each, and the runs in it.

use super::run::run_summary;
use super::tracked::{ShownExperiment, experiments};
use crate::ledger::Ledgers;
use crate::tracking::{Lifecycle, own_experiment_id};
use std::collections::BTreeMap;
use tidemill_engine::{Engine, Run};
use tidemill_protocol::api::ExperimentView;
use tidemill_protocol::time::Timestamp;

/// The tag in which clients of tracking keep an experiment's description.
pub(crate) const NOTE_TAG: &str = "mlflow.note.content";

/// What there is in an experiment.
#[derive(Default)]
struct Content<'a> {
    runs: u64,
    /// When the first of its runs was submitted.
    since: Option<Timestamp>,
    last_run: Option<&'a Run>,
    tracked_runs: u64,
}

/// All experiments in the order of their names, those that were deleted, too.
pub(crate) fn all_experiments<'a>(
    engine: &'a Engine,
    ledgers: &'a Ledgers,
) -> impl Iterator<Item = ExperimentView> + 'a {
    let mut contents = contents(engine, ledgers);
    let mut all = experiments(engine, &ledgers.tracking);
    all.sort_by(|left, right| (&left.name, &left.id).cmp(&(&right.name, &right.id)));
    all.into_iter().map(move |shown| {
        let content = contents.remove(&shown.id).unwrap_or_default();
        view(ledgers, shown, &content)
    })
}

/// One of them.
pub(crate) fn experiment_view(engine: &Engine, ledgers: &Ledgers, shown: ShownExperiment) -> ExperimentView {
    let content = contents(engine, ledgers).remove(&shown.id).unwrap_or_default();
    view(ledgers, shown, &content)
}

/// What is in each experiment, by its id.
fn contents<'a>(engine: &'a Engine, ledgers: &'a Ledgers) -> BTreeMap<String, Content<'a>> {
    // By name first: an id is a hash, and many runs have the same name.
    let mut by_name: BTreeMap<&str, Content<'a>> = BTreeMap::new();
    for run in engine.runs_newest_first(None) {
        let content = by_name.entry(run.plan().experiment.as_str()).or_default();
        content.runs += 1;
        content.since = Some(run.submitted_at());
        content.last_run.get_or_insert(run);
    }
    let by_name = by_name.into_iter();
    let mut contents: BTreeMap<String, Content<'a>> = by_name
        .map(|(name, content)| (own_experiment_id(name), content))
        .collect();
    let tracked = ledgers.tracking.runs();
    let of_clients = tracked.filter(|(id, run)| id.is_of_client() && run.lifecycle == Lifecycle::Active);
    for (_, run) in of_clients {
        contents.entry(run.experiment.clone()).or_default().tracked_runs += 1;
    }
    contents
}

fn view(ledgers: &Ledgers, shown: ShownExperiment, content: &Content<'_>) -> ExperimentView {
    let mut tags = shown.tags;
    ExperimentView {
        name: shown.name,
        id: shown.id,
        description: tags.remove(NOTE_TAG).unwrap_or_default(),
        tags,
        is_deleted: shown.lifecycle == Lifecycle::Deleted,
        runs: content.runs,
        tracked_runs: content.tracked_runs,
        last_run: content.last_run.map(|run| run_summary(&ledgers.remarks, run)),
        created_at: Some(Timestamp(shown.created_at))
            .filter(|at| at.0 > 0)
            .or(content.since),
    }
}
