//! What lineage needs to know of runs and of the catalog, gathered a piece at a time: newest runs first, up to a limit.

use super::asset_key::AssetKey;
use crate::catalog::Catalog;
use crate::driver::Sight;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use std::sync::Arc;
use tidemill_engine::{Run, StepState};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{AssetBody, AssetKind, AssetUse, Location};
use tidemill_protocol::ids::{RunId, StepIndex, StepPath, StepRef};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::InputBinding;
use tidemill_protocol::status::StepStatus;

/// Steps that are looked at for one answer.
const STEPS_MAX: usize = 200_000;
/// Steps that are looked at without letting the driver go on.
const STEPS_AT_ONCE: usize = 2_000;
/// Versions that are looked at for one answer.
const VERSIONS_MAX: usize = 200_000;
/// Versions that are looked at without letting the driver go on.
const VERSIONS_AT_ONCE: usize = 5_000;
/// The tag by which a run of a published pipeline names it, as `NAME:VERSION`.
const PIPELINE_TAG: &str = "tidemill.pipeline";

/// Everything that was looked at.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(super) runs: Vec<RunRecord>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) assets: Vec<AssetRecord>,
    /// Whether there is more.
    pub(super) is_cut: bool,
}

#[derive(Debug)]
pub(super) struct RunRecord {
    pub(super) id: RunId,
    /// What it used, each with the name that the asset has now.
    pub(super) uses: Vec<(AssetUse, AssetKey)>,
    /// The published pipeline that it is a run of.
    pub(super) pipeline: Option<AssetKey>,
}

#[derive(Debug)]
pub(super) struct StepRecord {
    /// Its run's place among the runs.
    pub(super) run: usize,
    pub(super) index: StepIndex,
    pub(super) path: StepPath,
    pub(super) status: StepStatus,
    pub(super) inputs: Vec<(String, Source)>,
    pub(super) outputs: Vec<(String, ArtifactRef)>,
    pub(super) reused_from: Option<StepRef>,
    /// The name of its environment.
    pub(super) environment: Option<String>,
}

/// What an input was.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Content(ArtifactRef),
    Address(Arc<str>),
}

#[derive(Debug)]
pub(super) struct AssetRecord {
    pub(super) key: AssetKey,
    pub(super) content: Option<ArtifactRef>,
    pub(super) address: Option<Arc<str>>,
}

/// Where the next piece begins.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// The run in which it begins, and the step there; none for the newest run.
    within: Option<(RunId, u32)>,
}

/// Gathers what there is, newest runs first.
pub(crate) async fn gather(handle: &CoordinatorHandle) -> Result<Gathered, Stopped> {
    let mut all = Gathered::default();
    let mut next = Some(Cursor::default());
    while let Some(cursor) = next {
        if all.steps.len() >= STEPS_MAX {
            all.is_cut = true;
            break;
        }
        let (piece, after) = handle.look(move |sight| runs_from(sight, cursor)).await?;
        all.append(piece);
        next = after;
    }
    for kind in AssetKind::ALL {
        let mut after: Option<Name> = None;
        loop {
            if all.assets.len() >= VERSIONS_MAX {
                all.is_cut = true;
                return Ok(all);
            }
            let from = after.take();
            let (piece, last) = handle
                .look(move |sight| assets_from(sight, kind, from.as_ref()))
                .await?;
            all.assets.extend(piece);
            after = last;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(all)
}

impl Gathered {
    fn append(&mut self, piece: Self) {
        // A run that was cut in two is one run.
        let mut moved: Vec<usize> = Vec::with_capacity(piece.runs.len());
        for run in piece.runs {
            if self.runs.last().is_none_or(|last| last.id != run.id) {
                self.runs.push(run);
            }
            moved.push(self.runs.len() - 1);
        }
        self.steps.extend(piece.steps.into_iter().map(|step| StepRecord {
            run: moved[step.run],
            ..step
        }));
    }
}

fn runs_from(sight: &Sight<'_>, cursor: Cursor) -> (Gathered, Option<Cursor>) {
    let engine = sight.engine;
    let before = cursor.within.map(|(run, _)| run);
    let begun = cursor
        .within
        .and_then(|(run, step)| Some((engine.run(run)?, step)));
    let others = engine.runs_newest_first(before).map(|run| (run, 0));
    let mut piece = Gathered::default();
    for (run, first) in begun.into_iter().chain(others) {
        let place = piece.runs.len();
        piece.runs.push(run_record(&sight.ledgers.catalog, run));
        for index in (first..run.counts().total).map(StepIndex) {
            if piece.steps.len() >= STEPS_AT_ONCE {
                let within = Some((run.id(), index.0));
                return (piece, Some(Cursor { within }));
            }
            piece.steps.extend(step_record(run, place, index));
        }
        if piece.runs.len() >= STEPS_AT_ONCE {
            let within = Some((run.id(), run.counts().total));
            return (piece, Some(Cursor { within }));
        }
    }
    (piece, None)
}

fn run_record(catalog: &Catalog, run: &Run) -> RunRecord {
    let pipeline = run.plan().tags.get(PIPELINE_TAG).and_then(|text| {
        let (name, version) = text.rsplit_once(':')?;
        let name: Name = name.parse().ok()?;
        Some(AssetKey {
            kind: AssetKind::Pipeline,
            name: catalog.current(AssetKind::Pipeline, &name).clone(),
            version: version.parse().ok()?,
        })
    });
    let uses = run.plan().assets.iter();
    RunRecord {
        id: run.id(),
        uses: uses
            .map(|used| (used.clone(), AssetKey::of(catalog, used)))
            .collect(),
        pipeline,
    }
}

fn step_record(run: &Run, place: usize, index: StepIndex) -> Option<StepRecord> {
    let (step, planned, template) = (run.step(index)?, run.planned(index)?, run.template(index)?);
    let mut inputs = Vec::new();
    for (name, binding) in &planned.inputs {
        let source = match binding {
            InputBinding::Value(InputValue::Artifact(artifact)) => Some(Source::Content(*artifact)),
            InputBinding::Value(InputValue::Uri(uri)) => Some(Source::Address(uri.to_string().into())),
            InputBinding::Value(InputValue::Literal(_)) => None,
            InputBinding::Step(source) => {
                let result = run.step(source.step).and_then(|step| step.result());
                let artifact = result.and_then(|result| result.outputs.get(&source.output));
                artifact.copied().map(Source::Content)
            }
        };
        inputs.extend(source.map(|source| (name.to_string(), source)));
    }
    inputs.extend(
        template
            .work
            .code
            .map(|code| ("code".to_owned(), Source::Content(code))),
    );
    let outputs = step.result().into_iter().flat_map(|result| &result.outputs);
    Some(StepRecord {
        run: place,
        index,
        path: planned.path.clone(),
        status: step.status(),
        inputs,
        outputs: outputs
            .map(|(name, artifact)| (name.to_string(), *artifact))
            .collect(),
        reused_from: match step.state() {
            StepState::Reused { source, .. } => Some(*source),
            _ => None,
        },
        environment: template.work.environment.name.clone(),
    })
}

/// The versions of some assets of a kind, and the last of these assets unless there are no more.
fn assets_from(sight: &Sight<'_>, kind: AssetKind, after: Option<&Name>) -> (Vec<AssetRecord>, Option<Name>) {
    let mut records = Vec::new();
    for (name, asset) in sight.ledgers.catalog.assets(kind, after) {
        for (version, kept) in &asset.versions {
            let location = match &*kept.body {
                AssetBody::Data(files) | AssetBody::Model(files) => Some(&files.location),
                AssetBody::Component(_) | AssetBody::Environment(_) | AssetBody::Pipeline(_) => None,
            };
            records.push(AssetRecord {
                key: AssetKey {
                    kind,
                    name: name.clone(),
                    version: version.clone(),
                },
                content: match location {
                    Some(Location::Content(artifact)) => Some(*artifact),
                    _ => None,
                },
                address: match location {
                    Some(Location::Uri(uri)) => Some(uri.as_str().into()),
                    _ => None,
                },
            });
        }
        if records.len() >= VERSIONS_AT_ONCE {
            return (records, Some(name.clone()));
        }
    }
    (records, None)
}
