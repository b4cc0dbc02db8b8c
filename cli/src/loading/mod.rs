//! From a pipeline file to a submission: read and check the file, name the content of what it refers to, bring to the store what the store lacks.

mod remote;
mod sources;

use crate::args::{Pair, Submission};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use std::collections::BTreeMap;
use std::path::Path;
use tidemill_artifacts::ArtifactStore;
use tidemill_language::{Code, Diagnostic, Loaded, PipelineSpec, PlanRequest, Problems, Workspace};
use tidemill_protocol::api::{Problem, SubmitRequest};
use tidemill_protocol::plan::Plan;

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
    let progress = session.printer.progress("uploading");
    let outcome = match destination {
        Destination::Store(store) => sources::upload_all(store, &scans, &progress).await,
        Destination::Coordinator(client) => remote::upload_all(client, &scans, &progress).await,
    };
    progress.finish();
    outcome?;
    let contents = scans.iter().map(|(id, scan)| (*id, scan.reference)).collect();
    Ok(loaded.finish(&contents))
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
