//! From a pipeline file to a submission: read and check the file, name the content of what it refers to, bring to the store what the store lacks.

mod remote;
mod sources;

use crate::args::{Pair, Submission};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::session::Session;
use std::collections::BTreeMap;
use std::path::Path;
use sources::Scans;
use tidemill_artifacts::ArtifactStore;
use tidemill_language::{
    Code, Diagnostic, Loaded, LocalSource, PipelineSpec, PlanRequest, Problems, SourceId, SourceKind,
    SourceRole, Workspace,
};
use tidemill_protocol::api::{Problem, SubmitRequest};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::plan::{Environment, Plan};

/// Width at which problems are wrapped where there is no screen.
const WIDTH: usize = 100;

/// Where contents are brought.
#[derive(Debug)]
pub(crate) enum Destination<'a> {
    /// Straight into the store.
    Store(&'a ArtifactStore),
    /// Through the coordinator's API.
    Coordinator(&'a Client),
}

/// Reads a pipeline file. Its problems are printed, each with its place; its warnings too.
pub(crate) fn load(session: &mut Session, file: &Path) -> Result<Loaded, Failure> {
    if !file.is_file() {
        return Err(no_such_file(file));
    }
    let workspace = workspace(session)?;
    match tidemill_language::load(file, &workspace) {
        Ok(loaded) => {
            print(session, &loaded.warnings);
            Ok(loaded)
        }
        Err(problems) => Err(refuse(session, file, &problems)),
    }
}

/// Reads a component file for itself.
pub(crate) fn component(session: &mut Session, file: &Path) -> Result<Loaded, Failure> {
    let workspace = workspace(session)?;
    match tidemill_language::load_component(file, &workspace) {
        Ok(loaded) => {
            print(session, &loaded.warnings);
            Ok(loaded)
        }
        Err(problems) => Err(refuse(session, file, &problems)),
    }
}

/// Reads an environment file for itself.
pub(crate) fn environment(session: &mut Session, file: &Path) -> Result<Environment, Failure> {
    let workspace = workspace(session)?;
    tidemill_language::load_environment(file, &workspace)
        .map_err(|problems| refuse(session, file, &problems))
}

/// What registered names mean for this session.
pub(crate) fn workspace(session: &Session) -> Result<Workspace, Failure> {
    let layers: Vec<_> = session
        .settings
        .files
        .iter()
        .map(|file| (file.path.clone(), file.workspace_text()))
        .collect();
    Workspace::from_toml_layers(&layers).map_err(|problems| {
        Failure::new(Exit::Usage, "the workspace's settings are not valid").problems(problems)
    })
}

/// The plan of a file whose contents nobody has looked at: to draw or to check, never to submit.
pub(crate) fn outline(session: &mut Session, file: &Path, parameters: &[Pair]) -> Result<Plan, Failure> {
    let loaded = load(session, file)?;
    let request = PlanRequest {
        parameters: map(parameters),
        ..PlanRequest::default()
    };
    let planned = tidemill_language::plan(&loaded.outline(), &request);
    planned.map_err(|problems| refuse(session, file, &loaded.explain(problems)))
}

/// Names the content of everything local that the pipeline refers to, and brings what is missing to its destination.
pub(crate) async fn bring(
    session: &mut Session,
    loaded: Loaded,
    destination: Destination<'_>,
) -> Result<PipelineSpec, Failure> {
    let scans = sources::scan_all(session, &loaded.sources).await?;
    upload(session, &scans, destination).await?;
    let contents = scans.iter().map(|(id, scan)| (*id, scan.reference)).collect();
    Ok(loaded.finish(&contents))
}

/// Names the content of one local file or folder, and brings it to its destination.
pub(crate) async fn bring_files(
    session: &mut Session,
    path: &Path,
    destination: Destination<'_>,
) -> Result<ArtifactRef, Failure> {
    let unreadable = || format!("cannot read {}", path.display());
    let path = path.canonicalize().context(unreadable)?;
    let is_folder = std::fs::metadata(&path).context(unreadable)?.is_dir();
    let source = LocalSource {
        id: SourceId(0),
        path,
        role: SourceRole::Data,
        kind: if is_folder {
            SourceKind::Folder
        } else {
            SourceKind::File
        },
    };
    let scans = sources::scan_all(session, &[source]).await?;
    upload(session, &scans, destination).await?;
    let scan = scans.into_values().next().expect("one source has one content");
    Ok(scan.reference)
}

async fn upload(session: &Session, scans: &Scans, destination: Destination<'_>) -> Result<(), Failure> {
    let progress = session.printer.progress("uploading");
    let outcome = match destination {
        Destination::Store(store) => sources::upload_all(store, scans, &progress).await,
        Destination::Coordinator(client) => remote::upload_all(client, scans, &progress).await,
    };
    progress.finish();
    outcome
}

/// The submission of a pipeline.
pub(crate) fn request(session: &Session, spec: PipelineSpec, submission: &Submission) -> SubmitRequest {
    SubmitRequest {
        spec,
        parameters: map(&submission.parameters),
        display_name: submission.name.clone(),
        experiment: submission.experiment.clone(),
        tags: map(&submission.tags),
        priority: submission.priority,
        force_rerun: submission.force_rerun,
        idempotency_key: None,
        submitted_by: Some(session.settings.user.clone()),
    }
}

/// There is no such file.
pub(crate) fn no_such_file(file: &Path) -> Failure {
    let what = if file.is_dir() {
        format!("{} is a folder, not a pipeline file", file.display())
    } else {
        format!("there is no file {}", file.display())
    };
    let failure = Failure::new(Exit::NotFound, what).code("not_found");
    let inside = file.join("pipeline.yml");
    if inside.is_file() {
        failure.help(format!("did you mean {}?", inside.display()))
    } else {
        failure.help("`tidemill init` writes a small pipeline to start from")
    }
}

/// Prints problems for people; programs get them in the failure.
fn refuse(session: &mut Session, file: &Path, problems: &Problems) -> Failure {
    let listed = problems.to_problems();
    let errors = problems
        .0
        .iter()
        .filter(|problem| problem.severity() == tidemill_language::Severity::Error)
        .count();
    print(session, &problems.0);
    let what = format!(
        "{} has {}",
        file.display(),
        crate::output::humane::count(errors as u64, "error")
    );
    let mut failure = Failure::new(Exit::Usage, what).code("invalid_pipeline");
    failure.problems = listed;
    failure
}

/// Prints problems with windows of their sources, unless a program reads.
pub(crate) fn print(session: &mut Session, problems: &[Diagnostic]) {
    if !session.printer.is_for_people() {
        return;
    }
    let colours = session.printer.colors_stderr();
    for problem in problems {
        let text = problem.render(colours, WIDTH);
        session.printer.talk(format_args!("{text}"));
    }
}

/// Whether a problem only says that a parameter has no value yet.
pub(crate) fn is_missing_parameter(problem: &Problem) -> bool {
    problem.code == Code::MissingInput.as_str()
}

fn map(pairs: &[Pair]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|pair| (pair.name.clone(), pair.value.clone()))
        .collect()
}
