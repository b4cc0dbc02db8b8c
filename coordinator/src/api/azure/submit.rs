//! `PipelineRuns` of the older API: four ways to name a published pipeline and one body to start it with; and a run as it shows runs.

use super::words::{PipelineSubmission, RunEntity, text_of};
use super::{body, problem, reference, version_of};
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::api::projects;
use crate::api::record::Made;
use crate::api::select;
use crate::given;
use crate::handle::CoordinatorHandle;
use crate::published::{self, PIPELINE_TAG};
use crate::views::run_summary;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::api::{ErrorCode, Problem, StartRequest};
use tidemill_protocol::catalog::Version;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::display_value;

/// The label that keeps what a caller said of itself.
const RUN_SOURCE_TAG: &str = "azureml.run_source";

/// Which pipeline, by its name.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct NameQuery {
    /// The published pipeline.
    name: String,
    /// A version or a label; the one labelled `default` when absent.
    #[serde(rename = "pipelineVersion")]
    pipeline_version: Option<String>,
}

type Answer = Result<(Extension<Made>, Json<RunEntity>), ApiError>;

/// Starts a version of a published pipeline, `NAME:VERSION`, or the default one of `NAME`. The body is Azure ML's; what is not known in it is ignored.
#[utoipa::path(post, path = "/azureml/v1.0/PipelineRuns/PipelineSubmit/{id}", tag = "azureml", security(("token" = ["submitter"])), params(("id" = String, Path)),
    request_body = PipelineSubmission, responses(
    (status = 200, description = "The run.", body = RunEntity),
    (status = 404, description = "There is no such pipeline; the body is `{Error: {Code, Message}, Correlation}`, as for every refusal."),
    (status = 422, description = "The parameters are not valid: every problem."),
))]
pub(in crate::api) async fn pipeline(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    start(&handle, &caller, reference(&id)?, &bytes).await
}

/// Starts the default version, or another, of a published pipeline by its name.
#[utoipa::path(post, path = "/azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Name", tag = "azureml", security(("token" = ["submitter"])), params(NameQuery),
    request_body = PipelineSubmission, responses(
    (status = 200, description = "The run.", body = RunEntity),
    (status = 404, description = "There is no such pipeline or version."),
))]
pub(in crate::api) async fn by_name(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<NameQuery>,
    bytes: Bytes,
) -> Answer {
    let (name, _) = reference(&query.name)?;
    let version = query.pipeline_version.as_deref().map(version_of).transpose()?;
    start(&handle, &caller, (name, version), &bytes).await
}

/// Starts the default version of a published pipeline.
#[utoipa::path(post, path = "/azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Id/{id}", tag = "azureml", security(("token" = ["submitter"])), params(("id" = String, Path)),
    request_body = PipelineSubmission, responses(
    (status = 200, description = "The run.", body = RunEntity),
    (status = 404, description = "There is no such pipeline."),
))]
pub(in crate::api) async fn by_id(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    start(&handle, &caller, reference(&id)?, &bytes).await
}

/// Starts this version of a published pipeline.
#[utoipa::path(post, path = "/azureml/v1.0/PipelineRuns/PipelineEndpointSubmit/Id/{id}/{version}", tag = "azureml", security(("token" = ["submitter"])),
    params(("id" = String, Path), ("version" = String, Path)), request_body = PipelineSubmission, responses(
    (status = 200, description = "The run.", body = RunEntity),
    (status = 404, description = "There is no such pipeline or version."),
))]
pub(in crate::api) async fn by_id_and_version(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path((id, version)): Path<(String, String)>,
    bytes: Bytes,
) -> Answer {
    let (name, _) = reference(&id)?;
    start(&handle, &caller, (name, Some(version_of(&version)?)), &bytes).await
}

/// Shows a run in Azure ML's words.
#[utoipa::path(get, path = "/azureml/v1.0/PipelineRuns/{id}", tag = "azureml", security(("token" = ["reader"])), params(("id" = String, Path)), responses(
    (status = 200, description = "The run.", body = RunEntity),
    (status = 404, description = "There is no such run."),
))]
pub(in crate::api) async fn show(
    State(handle): State<CoordinatorHandle>,
    Path(id): Path<String>,
) -> Result<Json<RunEntity>, ApiError> {
    Ok(Json(entity(&handle, id).await?))
}

async fn entity(handle: &CoordinatorHandle, run: String) -> Result<RunEntity, ApiError> {
    let looking = handle.look(move |sight| {
        let run = select::run(sight, &run)?;
        let plan = run.plan();
        let parameters = plan.parameters.iter();
        let parameters = parameters.map(|(name, value)| (name.to_string(), display_value(value)));
        let from = plan.tags.get(PIPELINE_TAG).map(String::as_str);
        let summary = run_summary(&sight.ledgers.remarks, run);
        Ok(RunEntity::of(&summary, parameters.collect(), from))
    });
    looking.await?
}

async fn start(
    handle: &CoordinatorHandle,
    caller: &Caller,
    (name, version): (Name, Option<Version>),
    bytes: &[u8],
) -> Answer {
    let submission: PipelineSubmission = body(bytes)?;
    let datastores = datastores_of(handle, &submission).await?;
    let request = read(submission, &datastores)?;
    let looking = handle.look(move |sight| published::find(sight, &name, version.as_ref()));
    let startable = looking.await??;
    let filed = projects::filed(handle, caller, None).await?;
    let submitted = published::start(handle, &startable, request, (caller.acts_as(None), filed)).await?;
    let run = submitted.run.to_string();
    let made = Made("run", run.clone());
    Ok((Extension(made), Json(entity(handle, run).await?)))
}

/// Which of the names in the paths to data are datastores.
async fn datastores_of(
    handle: &CoordinatorHandle,
    submission: &PipelineSubmission,
) -> Result<BTreeSet<Name>, ApiError> {
    let paths = submission.data_path_assignments.iter().flatten();
    let names: BTreeSet<Name> = paths
        .filter_map(|(_, path)| path.data_store_name.parse().ok())
        .collect();
    if names.is_empty() {
        return Ok(names);
    }
    let looking = handle.look(move |sight| {
        let known = &sight.ledgers.datastores;
        names
            .into_iter()
            .filter(|name| known.get(name).is_some())
            .collect::<BTreeSet<Name>>()
    });
    Ok(looking.await?)
}

/// Our own request for theirs. A path to data lies in the datastore of its name, and where there is none behind the data asset.
fn read(submission: PipelineSubmission, datastores: &BTreeSet<Name>) -> Result<StartRequest, ApiError> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut parameters = BTreeMap::new();
    for (name, value) in submission.parameter_assignments.unwrap_or_default() {
        match text_of(&value) {
            Ok(Some(text)) => drop(parameters.insert(name, text)),
            Ok(None) => {}
            Err(message) => problems.push(problem(&name, message)),
        }
    }
    for (name, path) in submission.data_path_assignments.unwrap_or_default() {
        let inside = path.relative_path.trim_matches('/');
        let text = match datastores.get(path.data_store_name.as_str()) {
            Some(store) => given::path_in(store, inside),
            None if inside.is_empty() => format!("azureml:{}", path.data_store_name),
            None => format!("azureml:{}/{inside}", path.data_store_name),
        };
        parameters.insert(name, text);
    }
    for (name, data) in submission
        .data_set_definition_value_assignments
        .unwrap_or_default()
    {
        let id = data.saved_data_set_reference.id;
        parameters.insert(name, format!("azureml:{id}"));
    }
    if !problems.is_empty() {
        return Err(ApiError::invalid(problems));
    }
    let mut tags = submission.tags.unwrap_or_default();
    if let Some(source) = submission.run_source {
        tags.insert(RUN_SOURCE_TAG.to_owned(), source);
    }
    let experiment = submission.experiment_name.filter(|name| !name.is_empty());
    if let Some(name) = &experiment
        && name.parse::<Name>().is_err()
    {
        let message = format!("`{name}` cannot be the name of an experiment");
        return Err(ApiError::new(ErrorCode::BadRequest, message)
            .hint("a letter or digit, then letters, digits, `.`, `_` and `-`"));
    }
    Ok(StartRequest {
        parameters,
        display_name: submission.description.filter(|text| !text.is_empty()),
        experiment,
        tags,
        continue_on_step_failure: submission.continue_run_on_step_failure,
        ..StartRequest::default()
    })
}
