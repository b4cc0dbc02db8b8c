//! Runs: in a list, whole, their artifacts, and two of them beside each other.

use super::step::step_view;
use crate::ledger::Ledgers;
use crate::remarks::{Comment, Remarks};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_engine::{Asked, Engine, Fleet, PartChange, Run};
use tidemill_protocol::api::{
    ActivityView, ArtifactView, CommentView, RunAct, RunDiffView, RunSummary, RunView, StepDiffView,
};
use tidemill_protocol::ids::{StepIndex, StepPath, StepRef};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::display_value;
use tidemill_protocol::status::StepStatus;

/// A run as a list shows it, with what was said of it since.
pub(crate) fn run_summary(remarks: &Remarks, run: &Run) -> RunSummary {
    let plan = run.plan();
    RunSummary {
        id: run.id(),
        pipeline: plan.pipeline.clone(),
        display_name: remarks.display_name(run.id(), plan).to_owned(),
        experiment: plan.experiment.clone(),
        project: plan.project.clone(),
        status: run.status(),
        submitted_by: run.submitted_by().to_owned(),
        submitted_at: run.submitted_at(),
        started_at: run.started_at(),
        finished_at: run.finished_at(),
        steps: run.counts(),
        tags: remarks.tags(run.id(), plan).into_owned(),
    }
}

/// A run with its steps.
pub(crate) fn run_view(engine: &Engine, ledgers: &Ledgers, run: &Run, fleet: &Fleet) -> RunView {
    let (plan, remarks) = (run.plan(), &ledgers.remarks);
    let said = remarks.of(run.id());
    let comments = said.into_iter().flat_map(|said| &said.comments);
    let name_of = |step| {
        run.planned(step)
            .map_or_else(String::new, |step| step.path.to_string())
    };
    RunView {
        summary: run_summary(remarks, run),
        description: remarks.description(run.id(), plan).to_owned(),
        parameters: parameters(run),
        steps_list: indexes(run)
            .filter_map(|step| step_view((engine, &ledgers.catalog), run, step, fleet))
            .collect(),
        outputs: plan
            .outputs
            .iter()
            .map(|(name, output)| {
                (
                    name.clone(),
                    format!("{}.{}", name_of(output.step), output.output),
                )
            })
            .collect(),
        warnings: plan.warnings.clone(),
        assets: plan.assets.clone(),
        comments: comments.map(comment_view).collect(),
        activity: activity(remarks, run),
    }
}

/// A comment as it is shown.
pub(crate) fn comment_view(comment: &Comment) -> CommentView {
    CommentView {
        number: comment.number,
        by: comment.by.clone(),
        at: comment.at,
        text: comment.text.clone(),
        edited_at: comment.edited_at,
    }
}

/// Who did what to a run, oldest first.
fn activity(remarks: &Remarks, run: &Run) -> Vec<ActivityView> {
    let act = |at, by: &str, what, detail: &str| ActivityView {
        at,
        by: by.to_owned(),
        what,
        detail: detail.to_owned(),
    };
    let mut all = vec![act(run.submitted_at(), run.submitted_by(), RunAct::Submitted, "")];
    all.extend(run.acts().iter().map(|asked| {
        let what = match asked.what {
            Asked::Cancel => RunAct::Cancelled,
            Asked::Retry => RunAct::Retried,
        };
        act(asked.at, &asked.by, what, "")
    }));
    let said = remarks.of(run.id()).into_iter();
    let changes = said.flat_map(|said| &said.changes);
    all.extend(changes.map(|change| act(change.at, &change.by, change.what, &change.detail)));
    all.sort_by_key(|one| one.at);
    all
}

/// Every output of a run's steps, in plan order.
pub(crate) fn artifacts(run: &Run) -> Vec<(u64, ArtifactView)> {
    let mut list = Vec::new();
    for index in indexes(run) {
        let (Some(step), Some(planned)) = (run.step(index), run.planned(index)) else {
            continue;
        };
        let Some(result) = step.result() else { continue };
        list.extend(result.outputs.iter().map(|(output, artifact)| {
            let view = ArtifactView {
                run: run.id(),
                step: planned.path.clone(),
                output: output.clone(),
                artifact: *artifact,
                reused: step.status() == StepStatus::Reused,
            };
            (u64::from(index.0), view)
        }));
    }
    list
}

/// What differs between two runs, with the differing key parts of each step still to be put into words.
pub(crate) fn draft_diff(engine: &Engine, left: &Run, right: &Run) -> (RunDiffView, Vec<Vec<PartChange>>) {
    let (left_names, right_names) = (names(left), names(right));
    let all: BTreeSet<&StepPath> = left_names.keys().chain(right_names.keys()).copied().collect();
    let mut steps = Vec::new();
    let mut changes = Vec::new();
    for path in all {
        let (from, to) = (left_names.get(path).copied(), right_names.get(path).copied());
        let status = |run: &Run, step: Option<StepIndex>| Some(run.step(step?)?.status());
        let differing = match (from, to) {
            (Some(from), Some(to)) => engine
                .compare(
                    StepRef {
                        run: left.id(),
                        step: from,
                    },
                    StepRef {
                        run: right.id(),
                        step: to,
                    },
                )
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        let view = StepDiffView {
            path: path.clone(),
            left: status(left, from),
            right: status(right, to),
            key: Vec::new(),
            outputs: differing_outputs((left, from), (right, to)),
        };
        let good = |status: Option<StepStatus>| status.is_some_and(StepStatus::is_good);
        let same_end = view.left == view.right || (good(view.left) && good(view.right));
        if !same_end || !differing.is_empty() || !view.outputs.is_empty() {
            steps.push(view);
            changes.push(differing);
        }
    }
    let diff = RunDiffView {
        left: left.id(),
        right: right.id(),
        parameters: differing_parameters(left, right),
        steps,
    };
    (diff, changes)
}

fn differing_parameters(left: &Run, right: &Run) -> BTreeMap<String, (String, String)> {
    let (left, right) = (parameters(left), parameters(right));
    let names: BTreeSet<&PortName> = left.keys().chain(right.keys()).collect();
    let value = |of: &BTreeMap<PortName, String>, name: &PortName| of.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| (name.to_string(), (value(&left, name), value(&right, name))))
        .filter(|(_, (left, right))| left != right)
        .collect()
}

fn differing_outputs(
    (left, from): (&Run, Option<StepIndex>),
    (right, to): (&Run, Option<StepIndex>),
) -> Vec<String> {
    let result = |run: &Run, step: Option<StepIndex>| run.step(step?)?.result().cloned();
    let (Some(left), Some(right)) = (result(left, from), result(right, to)) else {
        return Vec::new();
    };
    let names: BTreeSet<&PortName> = left.outputs.keys().chain(right.outputs.keys()).collect();
    let digest = |of: &BTreeMap<PortName, tidemill_protocol::artifact::ArtifactRef>, name: &PortName| {
        of.get(name).map(|artifact| artifact.digest)
    };
    names
        .into_iter()
        .filter(|name| digest(&left.outputs, name) != digest(&right.outputs, name))
        .map(ToString::to_string)
        .collect()
}

fn parameters(run: &Run) -> BTreeMap<PortName, String> {
    let parameters = run.plan().parameters.iter();
    parameters
        .map(|(name, value)| (name.clone(), display_value(value)))
        .collect()
}

fn names(run: &Run) -> BTreeMap<&StepPath, StepIndex> {
    indexes(run)
        .filter_map(|index| Some((&run.planned(index)?.path, index)))
        .collect()
}

fn indexes(run: &Run) -> impl Iterator<Item = StepIndex> + use<> {
    (0..run.counts().total).map(StepIndex)
}
