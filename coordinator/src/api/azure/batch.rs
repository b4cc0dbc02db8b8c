//! A batch endpoint of the newer API: a published pipeline is the endpoint, its versions are the deployments. Outputs go to the store; one that shall go elsewhere is
//! copied to a datastore as well, and what is no datastore is refused, not ignored.

use super::words::{BatchCall, BatchInput, BatchProperties, job_status, text_of};
use super::{body, problem, version_of};
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::api::projects;
use crate::api::record::Made;
use crate::api::select;
use crate::given;
use crate::handle::CoordinatorHandle;
use crate::published::{self, Copies, PIPELINE_TAG};
use crate::views::run_summary;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tidemill_protocol::api::{ErrorCode, RunSummary, StartRequest};
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::name::Name;

/// The header that names a version.
const DEPLOYMENT: &str = "azureml-model-deployment";

/// Starts a run of a published pipeline, as a batch endpoint is called: the header `azureml-model-deployment` names a version or a label.
#[utoipa::path(post, path = "/azureml/endpoints/{name}/jobs", tag = "azureml", security(("token" = ["submitter"])),
    params(("name" = String, Path), ("azureml-model-deployment" = Option<String>, Header, description = "A version or a label; the one labelled `default` when absent.")),
    request_body = BatchCall, responses(
    (status = 201, description = "The job: `{id, name, type, properties: {status, …}}`.", body = Object),
    (status = 400, description = "An output is none of the pipeline's, or shall go to what is no datastore; the body is `{error: {code, message, details}}`, as for every refusal."),
    (status = 404, description = "There is no such pipeline or version."),
    (status = 422, description = "The inputs are not valid: every problem."),
))]
pub(in crate::api) async fn call(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<Name>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<(StatusCode, Extension<Made>, Json<Value>), ApiError> {
    let properties = body::<BatchCall>(&bytes)?.properties;
    let deployment = headers.get(DEPLOYMENT).map(|value| {
        let text = value.to_str().unwrap_or_default();
        version_of(text)
    });
    let version = deployment.transpose()?;
    let parameters = parameters(&properties)?;
    let looked_up = name.clone();
    let looking = handle.look(move |sight| published::find(sight, &looked_up, version.as_ref()));
    let mut startable = looking.await??;
    startable.copies = copies(&handle, &startable, &properties).await?;
    let filed = projects::filed(&handle, &caller, None).await?;
    let request = StartRequest {
        parameters,
        display_name: properties.display_name,
        experiment: properties.experiment_name,
        ..StartRequest::default()
    };
    let submitted = published::start(&handle, &startable, request, (caller.acts_as(None), filed)).await?;
    let run = submitted.run;
    let looking = handle.look(move |sight| {
        let run = sight.engine.run(run);
        run.map(|run| run_summary(&sight.ledgers.remarks, run))
    });
    let run = looking
        .await?
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the run is forgotten already"))?;
    let made = Made("run", run.id.to_string());
    Ok((StatusCode::CREATED, Extension(made), Json(job(&name, &run))))
}

/// Shows a job of a batch endpoint: what its `id` leads to.
#[utoipa::path(get, path = "/azureml/endpoints/{name}/jobs/{run}", tag = "azureml", security(("token" = ["reader"])),
    params(("name" = String, Path), ("run" = String, Path)), responses(
    (status = 200, description = "The job: `{id, name, type, properties: {status, …}}`.", body = Object),
    (status = 404, description = "There is no such run, or it is not of this pipeline; the body is `{error: {code, message, details}}`."),
))]
pub(in crate::api) async fn show_job(
    State(handle): State<CoordinatorHandle>,
    Path((name, run)): Path<(Name, String)>,
) -> Result<Json<Value>, ApiError> {
    let looking = handle.look(move |sight| {
        let found = select::run(sight, &run)?;
        let catalog = &sight.ledgers.catalog;
        let tag = found.plan().tags.get(PIPELINE_TAG);
        let started = tag.and_then(|tag| tag.split_once(':')?.0.parse::<Name>().ok());
        let kind = AssetKind::Pipeline;
        let is_its = started.is_some_and(|old| catalog.current(kind, &old) == catalog.current(kind, &name));
        if !is_its {
            let message = format!("the run `{run}` was not started from the pipeline `{name}`");
            return Err(ApiError::new(ErrorCode::NotFound, message));
        }
        Ok(job(&name, &run_summary(&sight.ledgers.remarks, found)))
    });
    Ok(Json(looking.await??))
}

fn parameters(properties: &BatchProperties) -> Result<BTreeMap<String, String>, ApiError> {
    let mut problems = Vec::new();
    let mut parameters = BTreeMap::new();
    for (name, input) in &properties.input_data {
        match value_of(input) {
            Ok(Some(text)) => drop(parameters.insert(name.clone(), text)),
            Ok(None) => {}
            Err(message) => problems.push(problem(name, message)),
        }
    }
    if problems.is_empty() {
        Ok(parameters)
    } else {
        Err(ApiError::invalid(problems))
    }
}

fn value_of(input: &BatchInput) -> Result<Option<String>, &'static str> {
    if input.job_input_type.eq_ignore_ascii_case("literal") {
        let value = input.value.as_ref().ok_or("a literal has a `Value`")?;
        return text_of(value);
    }
    input.uri.clone().map(Some).ok_or("files have a `Uri`")
}

/// Where outputs are copied to.
async fn copies(
    handle: &CoordinatorHandle,
    startable: &published::Startable,
    properties: &BatchProperties,
) -> Result<Copies, ApiError> {
    let mut copies = Copies::new();
    if properties.output_data.is_empty() {
        return Ok(copies);
    }
    let bad = |message: String| ApiError::new(ErrorCode::BadRequest, message);
    let known = published::outputs(handle, startable).await?;
    for (name, output) in &properties.output_data {
        let known = known.iter().find(|known| known.as_str() == name);
        let known = known.ok_or_else(|| bad(format!("the pipeline has no output `{name}`")))?;
        let Some(uri) = &output.uri else { continue };
        if !uri.starts_with("azureml://") {
            let message = format!("output `{name}` cannot be sent to `{uri}`: it is no path in a datastore");
            return Err(bad(message).hint("write it as azureml://datastores/NAME/paths/PATH"));
        }
        let wanted = uri.clone();
        let looking = handle.look(move |sight| given::in_datastore(&sight.ledgers.datastores, &wanted));
        let to = looking.await?.map_err(|message| {
            bad(format!("output `{name}`: {message}")).hint("`tidemill datastore list` shows what there is")
        })?;
        copies.insert(known.clone(), to);
    }
    Ok(copies)
}

fn job(endpoint: &Name, run: &RunSummary) -> Value {
    json!({
        "id": format!("/azureml/endpoints/{endpoint}/jobs/{}", run.id),
        "name": run.id,
        "type": "tidemill/run",
        "properties": {
            "status": job_status(run.status),
            "displayName": run.display_name,
            "experimentName": run.experiment,
            "tags": run.tags,
        },
    })
}
