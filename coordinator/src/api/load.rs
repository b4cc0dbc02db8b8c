//! Loading a pipeline file whose files are at the client. The language reads it among what the client told of, never on this machine; what that does not hold is
//! asked for. Once the pipeline is sound its code and data become trees, from files that the client has sent by then.

use super::assemble::{FILES_MAX, Told, assemble, find_blobs};
use super::assets::answers;
use super::error::ApiError;
use crate::handle::CoordinatorHandle;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tidemill_artifacts::ArtifactStore;
use tidemill_language::{
    Answer, Code, Loaded, LocalSource, Need, PlanRequest, Severity, Shelf, Sought, SourceId, SourceKind,
    SourceRole, Wanted, Workspace, read_component_from, read_from,
};
use tidemill_protocol::api::{
    ErrorBody, ErrorCode, LoadNeed, LoadRequest, LoadResponse, LoadRole, LoadSource, Problem,
};
use tidemill_protocol::artifact::ArtifactRef;

/// How often a file is read again with what the catalog said; one time is usual.
const ROUNDS_MAX: usize = 8;
/// Longest path.
const PATH_BYTES_MAX: usize = 4_096;
/// Most texts, sources and absent paths, each.
const PATHS_MAX: usize = 10_000;

/// What became of reading.
enum Read {
    /// More is needed.
    Needs(Vec<LoadNeed>),
    /// Names are to be looked up.
    Wants(BTreeSet<Wanted>),
    /// It is sound; the parameters that are left.
    Sound(Box<Loaded>, BTreeMap<String, String>),
}

/// Reads a pipeline file that is at the client, with all it refers to. Changes nothing but that folders of code and data, whose files were uploaded before, become trees.
#[utoipa::path(post, path = "/api/v1/pipelines/load", tag = "runs", security(("token" = ["submitter"])), request_body = LoadRequest, responses(
    (status = 200, description = "The pipeline, or what the client is to tell of first.", body = LoadResponse),
    (status = 409, description = "A file is not in the store; it is to be uploaded first.", body = ErrorBody),
    (status = 413, description = "There are too many files.", body = ErrorBody),
    (status = 422, description = "The pipeline is not valid; `problems` lists everything that is wrong, each with its place.", body = ErrorBody),
))]
pub(super) async fn load(
    State(handle): State<CoordinatorHandle>,
    body: Bytes,
) -> Result<Json<LoadResponse>, ApiError> {
    let (read, sources) = read_with_names(&handle, body).await?;
    let (loaded, parameters) = match read {
        Read::Wants(_) => return Err(ApiError::new(ErrorCode::Internal, "a name has no answer")),
        Read::Needs(needs) => {
            return Ok(Json(LoadResponse {
                needs,
                spec: None,
                parameters: BTreeMap::new(),
                warnings: Vec::new(),
            }));
        }
        Read::Sound(loaded, parameters) => (loaded, parameters),
    };
    let contents = contents(&handle.inner.store, &loaded.sources, &sources).await?;
    Ok(Json(LoadResponse {
        needs: Vec::new(),
        warnings: loaded
            .warnings
            .iter()
            .map(tidemill_language::Diagnostic::to_problem)
            .collect(),
        spec: Some(loaded.finish(&contents)),
        parameters,
    }))
}

/// Reads the pipeline, and again with what the catalog says of names that only it may know.
async fn read_with_names(
    handle: &CoordinatorHandle,
    body: Bytes,
) -> Result<(Read, Vec<LoadSource>), ApiError> {
    let mut learned: Vec<(Wanted, Answer)> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let (body, known) = (body.clone(), learned.clone());
        let worked = tokio::task::spawn_blocking(move || {
            let request: LoadRequest = serde_json::from_slice(&body).map_err(|error| {
                ApiError::new(
                    ErrorCode::BadRequest,
                    format!("the body is no request to load: {error}"),
                )
            })?;
            check(&request)?;
            let read = read(&request, known)?;
            Ok::<_, ApiError>((read, request.sources))
        });
        match worked.await.map_err(|error| ApiError::internal(&error))?? {
            (Read::Wants(wanted), _) => learned.extend(answers(handle, wanted).await?),
            done => return Ok(done),
        }
    }
    let message = "names in components lead to ever further names";
    Err(ApiError::new(ErrorCode::BadRequest, message))
}

/// Refuses what is too much, and paths that are none.
fn check(request: &LoadRequest) -> Result<(), ApiError> {
    let counts = [request.texts.len(), request.sources.len(), request.absent.len()];
    let files = request.sources.iter().filter_map(|source| source.files.as_ref());
    if counts.iter().any(|count| *count > PATHS_MAX) || files.map(Vec::len).sum::<usize>() > FILES_MAX {
        let message =
            format!("a pipeline may refer to at most {PATHS_MAX} files and folders with {FILES_MAX} files");
        return Err(ApiError::new(ErrorCode::TooLarge, message)
            .hint("register large data as an asset, and name that"));
    }
    if request.sources.iter().any(|source| source.role == LoadRole::Text) {
        let message = "text is told of by its text, not as a source";
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    let layers = request.texts.iter().chain(&request.workspace);
    let paths = layers
        .map(|text| &text.path)
        .chain(request.sources.iter().map(|source| &source.path))
        .chain(&request.absent)
        .chain([&request.file]);
    for path in paths {
        if path.is_empty() || path.len() > PATH_BYTES_MAX || path.chars().any(char::is_control) {
            let message = format!("{:?} is no path", path.chars().take(80).collect::<String>());
            return Err(ApiError::new(ErrorCode::BadRequest, message));
        }
    }
    Ok(())
}

/// Reads the pipeline among what the client told of.
fn read(request: &LoadRequest, learned: Vec<(Wanted, Answer)>) -> Result<Read, ApiError> {
    let shelf = shelf(request);
    let layers: Vec<_> = request
        .workspace
        .iter()
        .map(|layer| (layer.path.clone().into(), layer.text.clone()))
        .collect();
    let mut workspace = Workspace::from_toml_layers(&layers).map_err(ApiError::invalid)?;
    for (wanted, answer) in learned {
        workspace.learn(wanted, answer);
    }
    let file = Path::new(&request.file);
    let reading = if request.component {
        read_component_from(&shelf, file, &workspace)
    } else {
        read_from(&shelf, file, &workspace)
    };
    let needs = shelf.take_needs();
    if !needs.is_empty() {
        return Ok(Read::Needs(needs.iter().map(need).collect()));
    }
    if !reading.wanted.is_empty() {
        return Ok(Read::Wants(reading.wanted));
    }
    let mut loaded = reading
        .outcome
        .map_err(|problems| ApiError::invalid(problems.to_problems()))?;
    let mut parameters = request.parameters.clone();
    if !request.component {
        let folder = file.parent().unwrap_or(Path::new(""));
        let taken = loaded.take_data_from(&shelf, &mut parameters, folder);
        let needs = shelf.take_needs();
        if !needs.is_empty() {
            return Ok(Read::Needs(needs.iter().map(need).collect()));
        }
        taken.map_err(ApiError::invalid)?;
        plan(&loaded, &parameters)?;
    }
    let unknown = loaded.sources.iter().filter(|source| {
        let told = find(&request.sources, source);
        told.is_none_or(|told| told.files.is_none())
    });
    let needs: Vec<LoadNeed> = unknown
        .map(|source| LoadNeed {
            path: source.path.display().to_string(),
            role: role(source.role),
            files: true,
        })
        .collect();
    if needs.is_empty() {
        Ok(Read::Sound(Box::new(loaded), parameters))
    } else {
        Ok(Read::Needs(needs))
    }
}

/// Finds what only planning finds, while places in the file are known. Values may come later.
fn plan(loaded: &Loaded, parameters: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let request = PlanRequest {
        parameters: parameters.clone(),
        ..PlanRequest::default()
    };
    let Err(problems) = tidemill_language::plan(&loaded.outline(), &request) else {
        return Ok(());
    };
    let problems = loaded.explain(problems).to_problems();
    let counts = |problem: &&Problem| {
        problem.severity == Severity::Error.as_str() && problem.code != Code::MissingInput.as_str()
    };
    if problems.iter().any(|problem| counts(&problem)) {
        return Err(ApiError::invalid(problems));
    }
    Ok(())
}

fn shelf(request: &LoadRequest) -> Shelf {
    let mut shelf = Shelf::default();
    for text in &request.texts {
        shelf.tell_text(Path::new(&text.path), text.text.clone());
    }
    for source in &request.sources {
        let kind = if source.folder {
            SourceKind::Folder
        } else {
            SourceKind::File
        };
        let role = match source.role {
            LoadRole::Code => SourceRole::Code,
            LoadRole::Data | LoadRole::Text => SourceRole::Data,
        };
        shelf.tell_source(Path::new(&source.path), role, kind);
    }
    for path in &request.absent {
        shelf.tell_absent(Path::new(path));
    }
    shelf
}

fn need(need: &Need) -> LoadNeed {
    LoadNeed {
        path: need.path.display().to_string(),
        role: match need.sought {
            Sought::Text => LoadRole::Text,
            Sought::Source(wanted) => role(wanted),
        },
        files: false,
    }
}

const fn role(role: SourceRole) -> LoadRole {
    match role {
        SourceRole::Code => LoadRole::Code,
        SourceRole::Data => LoadRole::Data,
    }
}

/// What the client told of a source. It is asked for by its plain path, and told of by that.
fn find<'a>(told: &'a [LoadSource], source: &LocalSource) -> Option<&'a LoadSource> {
    let fits = |told: &&LoadSource| told.role == role(source.role) && Path::new(&told.path) == source.path;
    told.iter().rfind(fits)
}

/// The names of the sources' contents.
async fn contents(
    store: &ArtifactStore,
    sources: &[LocalSource],
    told: &[LoadSource],
) -> Result<BTreeMap<SourceId, ArtifactRef>, ApiError> {
    let found: Vec<(SourceId, Told<'_>)> = sources
        .iter()
        .filter_map(|source| {
            let found = find(told, source)?;
            let told = Told {
                name: &found.path,
                folder: source.kind == SourceKind::Folder,
                files: found.files.as_ref()?,
                empty_folders: &found.empty_folders,
            };
            Some((source.id, told))
        })
        .collect();
    let blobs = find_blobs(store, found.iter().flat_map(|(_, told)| told.files)).await?;
    let mut contents = BTreeMap::new();
    for (id, told) in found {
        contents.insert(id, assemble(store, told, &blobs).await?);
    }
    Ok(contents)
}
