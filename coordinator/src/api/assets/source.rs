//! From what a request says a version is to be made of, to what it is: outputs of steps are looked up, pipelines are checked and stored.

use crate::api::error::ApiError;
use crate::api::select;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::specs;
use crate::views;
use tidemill_protocol::api::{AssetSource, ErrorCode, Problem};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::catalog::{AssetBody, AssetKind, FilesBody, Location, Origin, PipelineBody};
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::name::PortName;
use tidemill_protocol::spec::{DataType, PipelineSpec};

/// Longest address of files in bytes.
const URI_BYTES_MAX: usize = 4_096;

/// What a version is, and where it came from as far as its source says.
pub(in crate::api) async fn resolve(
    handle: &CoordinatorHandle,
    kind: AssetKind,
    source: AssetSource,
) -> Result<(AssetBody, Option<Origin>), ApiError> {
    match (kind, source) {
        (AssetKind::Data | AssetKind::Model, AssetSource::Content { data_type, artifact }) => {
            check_stored(handle, &artifact).await?;
            let data_type = data_type.unwrap_or_else(|| type_by_shape(kind, artifact.kind));
            Ok((files(kind, data_type, Location::Content(artifact))?, None))
        }
        (AssetKind::Data | AssetKind::Model, AssetSource::Uri { data_type, uri }) => {
            let is_address =
                uri.contains("://") && uri.len() <= URI_BYTES_MAX && !uri.chars().any(char::is_control);
            if !is_address {
                let rule = "an address has a scheme, as in `s3://bucket/folder`, and at most 4 KiB";
                return Err(ApiError::new(ErrorCode::BadRequest, rule));
            }
            Ok((files(kind, data_type, Location::Uri(uri))?, None))
        }
        (
            AssetKind::Data | AssetKind::Model,
            AssetSource::Output {
                data_type,
                run,
                step,
                output,
            },
        ) => {
            let found = handle.look(move |sight| output_of(sight, &run, &step, output));
            let (artifact, origin) = found.await??;
            let data_type = data_type.unwrap_or_else(|| type_by_shape(kind, artifact.kind));
            Ok((files(kind, data_type, Location::Content(artifact))?, Some(origin)))
        }
        (AssetKind::Environment, AssetSource::Environment(environment)) => {
            Ok((AssetBody::Environment(environment), None))
        }
        (AssetKind::Pipeline, AssetSource::Pipeline(spec)) => {
            let checked = tidemill_language::check;
            Ok((AssetBody::Pipeline(freeze(handle, *spec, checked).await?), None))
        }
        (AssetKind::Component, AssetSource::Pipeline(spec)) => {
            let checked = tidemill_language::check_component;
            Ok((AssetBody::Component(freeze(handle, *spec, checked).await?), None))
        }
        (AssetKind::Pipeline, AssetSource::Run { run }) => {
            let found = handle.look(move |sight| pipeline_of(sight, &run));
            let (kept, origin) = found.await??;
            let spec = specs::read(&handle.inner.store, &kept).await?;
            Ok((
                AssetBody::Pipeline(freeze(handle, spec, tidemill_language::check).await?),
                Some(origin),
            ))
        }
        (kind, _) => Err(ApiError::new(
            ErrorCode::BadRequest,
            format!("a version of this kind ({kind}) is not made of that"),
        )),
    }
}

fn type_by_shape(kind: AssetKind, shape: ArtifactKind) -> DataType {
    match (kind, shape) {
        (AssetKind::Model, _) => DataType::CustomModel,
        (_, ArtifactKind::Blob) => DataType::UriFile,
        (_, ArtifactKind::Tree) => DataType::UriFolder,
    }
}

fn files(kind: AssetKind, data_type: DataType, location: Location) -> Result<AssetBody, ApiError> {
    let is_model = data_type.is_model();
    if is_model != (kind == AssetKind::Model) {
        let message = format!("`{}` is no type of {kind}", data_type.as_str());
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    let body = FilesBody { data_type, location };
    Ok(if is_model {
        AssetBody::Model(body)
    } else {
        AssetBody::Data(body)
    })
}

fn output_of(
    sight: &Sight<'_>,
    run: &str,
    step: &StepPath,
    output: PortName,
) -> Result<(ArtifactRef, Origin), ApiError> {
    let run = select::run(sight, run)?;
    let outputs = views::artifacts(run).into_iter().map(|(_, artifact)| artifact);
    let found = outputs
        .into_iter()
        .find(|found| found.step == *step && found.output == output);
    let found = found.ok_or_else(|| {
        let message = format!("step `{step}` of run {} has no output `{output}`", run.id());
        ApiError::new(ErrorCode::NotFound, message).hint("tidemill artifacts list RUN shows them")
    })?;
    let origin = Origin {
        run: Some(run.id()),
        step: Some(step.clone()),
        output: Some(output),
    };
    Ok((found.artifact, origin))
}

/// The pipeline that a run was submitted with.
fn pipeline_of(sight: &Sight<'_>, run: &str) -> Result<(ArtifactRef, Origin), ApiError> {
    let run = select::run(sight, run)?;
    let kept = run.plan().spec.ok_or_else(|| {
        let message = format!("the pipeline of run {} was not kept", run.id());
        ApiError::new(ErrorCode::Conflict, message).hint("publish its file instead: `tidemill publish FILE`")
    })?;
    let origin = Origin {
        run: Some(run.id()),
        ..Origin::default()
    };
    Ok((kept, origin))
}

/// A version must not name what is not there.
async fn check_stored(handle: &CoordinatorHandle, artifact: &ArtifactRef) -> Result<(), ApiError> {
    let one = [artifact.digest];
    let (blobs, trees): (&[_], &[_]) = match artifact.kind {
        ArtifactKind::Blob => (&one, &[]),
        ArtifactKind::Tree => (&[], &one),
    };
    let (blobs, trees) = handle.inner.store.missing(blobs, trees).await?;
    if blobs.is_empty() && trees.is_empty() {
        return Ok(());
    }
    let message = format!("the store does not have {}", artifact.digest);
    Err(ApiError::new(ErrorCode::Conflict, message).hint("upload it first"))
}

/// Checks a pipeline or component as far as that can be done without values for its parameters, and stores it.
async fn freeze(
    handle: &CoordinatorHandle,
    spec: PipelineSpec,
    check: fn(&PipelineSpec) -> Vec<Problem>,
) -> Result<PipelineBody, ApiError> {
    for content in &spec.contents {
        check_stored(handle, content).await?;
    }
    let checking = tokio::task::spawn_blocking(move || {
        let problems = check(&spec);
        let parameters = views::parameters_of(&spec);
        (problems, parameters, specs::to_bytes(&spec))
    });
    let (problems, parameters, bytes) = checking.await.map_err(|error| ApiError::internal(&error))?;
    if !problems.is_empty() {
        return Err(ApiError::invalid(problems));
    }
    let spec = handle.inner.store.put_bytes(bytes.into()).await?;
    Ok(PipelineBody { spec, parameters })
}
