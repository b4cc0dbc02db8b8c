//! From a pipeline file to a submission: read and check the file, name the content of what it refers to, bring to the store what the store lacks.

mod catalog;
mod remote;
mod sources;

pub(crate) use catalog::Draft;

use crate::args::{Pair, Submission};
use crate::client::Client;
use crate::embedded::Embedded;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::session::Session;
use sources::Scans;
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_artifacts::ArtifactStore;
use tidemill_language::{
    Code, Diagnostic, Loaded, LoadedSchedule, LocalSource, PipelineSpec, PlanRequest, Problems, SourceId,
    SourceKind, SourceRole, Workspace,
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

/// Reads a pipeline file, as far as that can be done without asking anybody. What is wrong with it for certain is printed at once, each problem with its place.
pub(crate) fn read(session: &mut Session, file: &Path) -> Result<Draft, Failure> {
    if !file.is_file() {
        return Err(no_such_file(file));
    }
    draft(session, file, tidemill_language::read)
}

/// Reads a component file for itself.
pub(crate) fn read_component(session: &mut Session, file: &Path) -> Result<Draft, Failure> {
    draft(session, file, tidemill_language::read_component)
}

fn draft(session: &mut Session, file: &Path, read: catalog::Read) -> Result<Draft, Failure> {
    let draft = Draft::of(file, workspace(session)?, read);
    match &draft.reading.outcome {
        Err(problems) if !draft.wants_names() => Err(refuse(session, file, problems)),
        _ => Ok(draft),
    }
}

/// Asks the coordinator for the names that only it may know. Problems are printed, each with its place; warnings too.
pub(crate) async fn complete(
    session: &mut Session,
    mut draft: Draft,
    client: Option<&Client>,
) -> Result<Loaded, Failure> {
    if let Some(client) = client {
        draft.ask(client).await?;
    }
    match draft.reading.outcome {
        Ok(loaded) => {
            print(session, &loaded.warnings);
            Ok(loaded)
        }
        Err(problems) => Err(refuse(session, &draft.file, &problems)),
    }
}

/// Reads a pipeline file for somebody who starts nothing: for names that only a catalog may know, a coordinator that happens to be there is asked. Prints nothing.
pub(crate) async fn outcome(session: &Session, file: &Path) -> Result<Result<Loaded, Problems>, Failure> {
    let mut draft = Draft::of(file, workspace(session)?, tidemill_language::read);
    if draft.wants_names()
        && let Some(client) = Embedded::elsewhere(&session.settings)?
    {
        draft.ask(&client).await?;
    }
    Ok(draft.reading.outcome)
}

/// Reads an environment file for itself.
pub(crate) fn environment(session: &mut Session, file: &Path) -> Result<Environment, Failure> {
    let workspace = workspace(session)?;
    tidemill_language::load_environment(file, &workspace).map_err(|problems| refuse(session, file, &problems))
}

/// Reads a schedule file and the pipeline that it names. Problems are printed, each with its place; warnings too.
pub(crate) fn load_schedule(session: &mut Session, file: &Path) -> Result<LoadedSchedule, Failure> {
    if !file.is_file() {
        return Err(no_such_file(file));
    }
    let workspace = workspace(session)?;
    match tidemill_language::load_schedule(file, &workspace) {
        Ok(loaded) => {
            print(session, &loaded.warnings);
            Ok(loaded)
        }
        Err(problems) => Err(refuse(session, file, &problems)),
    }
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
pub(crate) async fn outline(
    session: &mut Session,
    file: &Path,
    parameters: &[Pair],
) -> Result<Plan, Failure> {
    let mut loaded = match outcome(session, file).await? {
        Ok(loaded) => loaded,
        Err(problems) => return Err(refuse(session, file, &problems)),
    };
    print(session, &loaded.warnings);
    let mut parameters = map(parameters);
    let taken = loaded.take_local_data(&mut parameters, Path::new("."));
    taken.map_err(|problems| refuse(session, file, &loaded.explain(problems)))?;
    let request = PlanRequest {
        parameters,
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

/// The submission of a pipeline: reads it to its end, and brings its contents, and local data that parameters name, to their destination.
pub(crate) async fn submission(
    session: &mut Session,
    draft: Draft,
    (client, destination): (&Client, Destination<'_>),
    submission: &Submission,
) -> Result<SubmitRequest, Failure> {
    let file = draft.file.clone();
    let mut loaded = complete(session, draft, Some(client)).await?;
    let mut parameters = map(&submission.parameters);
    if let Err(problems) = loaded.take_local_data(&mut parameters, Path::new(".")) {
        let problems = loaded.explain(problems);
        return Err(refuse(session, &file, &problems));
    }
    let spec = bring(session, loaded, destination).await?;
    Ok(request(session, spec, parameters, submission))
}

/// The submission of a pipeline whose contents are where they belong.
pub(crate) fn request(
    session: &Session,
    spec: PipelineSpec,
    parameters: BTreeMap<String, String>,
    submission: &Submission,
) -> SubmitRequest {
    SubmitRequest {
        spec,
        parameters,
        display_name: submission.name.clone(),
        experiment: submission.experiment.clone(),
        project: submission.project.clone(),
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

/// Pairs by their names; of equal names the last counts.
pub(crate) fn map(pairs: &[Pair]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|pair| (pair.name.clone(), pair.value.clone()))
        .collect()
}
