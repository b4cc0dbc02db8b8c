//! One step: how it stands, and why.

use super::error::ApiError;
use super::select;
use crate::handle::CoordinatorHandle;
use crate::views::{describe_changes, named_outputs, quarantined_of, sentences, step_view};
use axum::Json;
use axum::extract::{Path, State};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_engine::{PartChange, PartValue};
use tidemill_protocol::api::{ErrorBody, ExplanationView, KeyPartView, NamedOutputView, StepView};
use tidemill_protocol::ids::StepRef;

/// Most quarantined workers that an explanation names.
const QUARANTINED_MAX: usize = 3;

/// Shows a step.
#[utoipa::path(get, path = "/api/v1/runs/{run}/steps/{step}", tag = "steps", security(("token" = ["reader"])),
    params(("run" = String, Path), ("step" = String, Path)), responses(
    (status = 200, description = "The step.", body = StepView),
    (status = 404, description = "There is no such step.", body = ErrorBody),
))]
pub(super) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path((run, step)): Path<(String, String)>,
) -> Result<Json<StepView>, ApiError> {
    let view = handle.look(move |sight| {
        let run = select::run(sight, &run)?;
        let index = select::step(run, &step)?;
        Ok::<_, ApiError>(
            step_view((sight.engine, &sight.ledgers.catalog), run, index, sight.fleet)
                .expect("a step that was found can be shown"),
        )
    });
    Ok(Json(view.await??))
}

type Parts = BTreeMap<String, PartValue>;

/// Says why a step stands as it does, and what its key is made of beside that of the newest earlier run.
#[utoipa::path(get, path = "/api/v1/runs/{run}/steps/{step}/explain", tag = "steps", security(("token" = ["reader"])),
    params(("run" = String, Path), ("step" = String, Path)), responses(
    (status = 200, description = "Why.", body = ExplanationView),
    (status = 404, description = "There is no such step.", body = ErrorBody),
))]
pub(super) async fn explain(
    State(handle): State<CoordinatorHandle>,
    Path((run, step)): Path<(String, String)>,
) -> Result<Json<ExplanationView>, ApiError> {
    let link = handle.inner.broker.link().borrow().clone();
    let now = handle.inner.clock.now();
    let looked = handle.look(move |sight| {
        let run = select::run(sight, &run)?;
        let index = select::step(run, &step)?;
        let step = StepRef {
            run: run.id(),
            step: index,
        };
        let explanation = sight
            .engine
            .explain(step, sight.fleet)
            .expect("a step that was found can be explained");
        let (mut reasons, mut hints) = sentences(sight.engine, &explanation, &link, now);
        if !explanation.status.is_terminal()
            && let Some(target) = sight.engine.target_of(step)
        {
            let barred = quarantined_of(sight.fleet, &sight.ledgers.enrolment, target);
            for (worker, reason) in barred.take(QUARANTINED_MAX) {
                reasons.push(format!(
                    "worker {worker} serves {target}, but is quarantined: {reason}"
                ));
                hints.push(format!("tidemill worker release {worker} lets it work again"));
            }
        }
        let path = &run.planned(index).expect("a step that was found is planned").path;
        for named in named_outputs(&sight.ledgers.catalog, run.id(), path) {
            say_named(&named, &mut reasons, &mut hints);
        }
        let view = ExplanationView {
            path: path.clone(),
            status: explanation.status,
            reasons,
            hints,
            key: Vec::new(),
        };
        let earlier = sight.engine.earlier(step);
        let before = earlier.and_then(|earlier| sight.engine.parts_of(earlier));
        Ok::<_, ApiError>((view, sight.engine.parts_of(step).unwrap_or_default(), before))
    });
    let (mut view, now, before) = looked.await??;
    view.key = key_parts(&handle, &now, before.as_ref()).await;
    Ok(Json(view))
}

fn say_named(named: &NamedOutputView, reasons: &mut Vec<String>, hints: &mut Vec<String>) {
    let NamedOutputView {
        output, kind, name, ..
    } = named;
    if let Some(version) = &named.version {
        reasons.push(format!("its output {output} is {kind} {name}:{version}"));
    }
    if let Some(why) = &named.refused {
        reasons.push(format!(
            "its output {output} is no version of {kind} {name}: {why}"
        ));
        hints.push(format!("tidemill {kind} versions {name} shows what is there"));
    }
}

async fn key_parts(handle: &CoordinatorHandle, now: &Parts, before: Option<&Parts>) -> Vec<KeyPartView> {
    let empty = Parts::new();
    let earlier = before.unwrap_or(&empty);
    let names: BTreeSet<&String> = now.keys().chain(earlier.keys()).collect();
    let digest = |parts: &Parts, name: &String| parts.get(name).map(|part| part.digest);
    let changes: Vec<PartChange> = names
        .iter()
        .filter(|name| before.is_some() && digest(now, name) != digest(earlier, name))
        .map(|name| PartChange {
            part: (*name).clone(),
            before: earlier.get(*name).copied(),
            now: now.get(*name).copied(),
        })
        .collect();
    let described = describe_changes(&handle.inner.store, &[changes]).await;
    let mut details: BTreeMap<String, String> = described
        .into_iter()
        .flatten()
        .map(|phrase| (phrase.part, phrase.detail))
        .collect();
    names
        .into_iter()
        .map(|name| KeyPartView {
            part: name.clone(),
            now: digest(now, name).map(|digest| digest.to_hex()),
            before: digest(earlier, name).map(|digest| digest.to_hex()),
            detail: details.remove(name).unwrap_or_default(),
        })
        .collect()
}
