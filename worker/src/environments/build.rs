//! Builds a Python environment: `uv` when the worker has it, else `venv` and pip. It is built where it will stay, because virtual environments cannot be
//! moved; the marker that is written last says that it is whole.

use super::builders::{BuildTools, Builder, Program, Unbuilt, text};
use super::python::{Choice, Python, choose};
use super::shelf::{Shelf, blocking};
use crate::secrets::Redaction;
use std::sync::Arc;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::failure::STDERR_TAIL_BYTES_MAX;
use tidemill_protocol::plan::PythonEnvironment;
use tokio_util::sync::CancellationToken;

/// Builds an environment unless another process has meanwhile; answers its notes, or why it failed with the end of the log. Nothing of it runs on afterwards, also when it
/// is unwanted before it is done.
pub(super) async fn build(
    shelf: &Arc<Shelf>,
    tools: &BuildTools,
    digest: &Digest,
    wanted: &PythonEnvironment,
    unwanted: &CancellationToken,
) -> Result<Vec<String>, Unbuilt> {
    let (for_lock, name) = (shelf.clone(), *digest);
    let _alone = blocking(move || for_lock.hold_alone(&name)).await?;
    if shelf.is_whole(digest) {
        return Ok(Vec::new());
    }
    let place = shelf.place(digest);
    let builder = Builder::begin(tools, &place, wanted, unwanted).await?;
    let built = match tools.programs.find("uv") {
        Some(uv) => with_uv(&builder, &Program::at(&uv, &place), wanted).await,
        None => with_pip(&builder, wanted).await,
    };
    if built == Err(Unbuilt::Left) {
        // It still runs: what it writes is not ours to touch.
        return built;
    }
    let finished = builder.finish().await;
    let (for_marker, name) = (shelf.clone(), *digest);
    let built = match (built, finished) {
        (Ok(notes), Ok(installation)) => {
            let marked = blocking(move || {
                for_marker.finish(&name, &notes, installation.as_deref())?;
                Ok(notes)
            });
            marked.await.map_err(Unbuilt::from)
        }
        (Err(why), _) | (_, Err(why)) => Err(why),
    };
    let Err(unbuilt) = built else { return built };
    let (log, emptied) = (place.log.clone(), place);
    blocking(move || emptied.clear()).await.ok();
    Err(match unbuilt {
        Unbuilt::Failed(why) => {
            let said = crate::logs::tail(&log, STDERR_TAIL_BYTES_MAX / 2, &Redaction::Nothing);
            Unbuilt::Failed(format!("{why}\n{said}"))
        }
        other => other,
    })
}

/// The worker's own Python, or one that uv fetches.
async fn with_uv(
    builder: &Builder<'_>,
    uv: &Program,
    wanted: &PythonEnvironment,
) -> Result<Vec<String>, Unbuilt> {
    let version = wanted.version.as_deref();
    let folder = text(&builder.place.folder);
    let create = async |python: &str, needed: Option<&Python>| {
        let uv = needed.map_or_else(
            || uv.clone(),
            |python| uv.with(&Program::at(&python.executable, builder.place)),
        );
        let arguments = ["venv", "--seed", "--python", python, &folder].map(str::to_owned);
        builder.run(&uv, &arguments).await
    };
    let mut notes = Vec::new();
    match (choose(&builder.tools.programs, version).await, version) {
        (Choice::Fitting(python), _) | (Choice::Another(python), None) => {
            create(&python.executable, Some(&python)).await?;
        }
        (Choice::Another(python), Some(version)) => match create(version, None).await {
            Err(Unbuilt::Failed(_)) => {
                create(&python.executable, Some(&python)).await?;
                notes.push(another(version, &python));
            }
            fetched => fetched?,
        },
        (Choice::Nothing(why), Some(version)) => {
            let fetched = create(version, None).await;
            fetched.map_err(|unbuilt| match unbuilt {
                Unbuilt::Failed(error) => format!("{why}; uv could not fetch one either: {error}").into(),
                other => other,
            })?;
        }
        (Choice::Nothing(why), None) => return Err(why.into()),
    }
    builder.note_installation();
    if !wanted.requirements.is_empty() {
        let file = text(&builder.place.requirements());
        let python = builder.place.folder.join("bin/python");
        let uv = uv.with(&Program::at(&text(&python), builder.place));
        let install = ["pip", "install", "--python", &text(&python), "-r", &file].map(str::to_owned);
        builder.run(&uv, &install).await?;
    }
    Ok(notes)
}

async fn with_pip(builder: &Builder<'_>, wanted: &PythonEnvironment) -> Result<Vec<String>, Unbuilt> {
    let version = wanted.version.as_deref();
    let (python, notes) = match choose(&builder.tools.programs, version).await {
        Choice::Fitting(python) => (python, Vec::new()),
        Choice::Another(python) => {
            let note = another(version.unwrap_or_default(), &python);
            (python, vec![note])
        }
        Choice::Nothing(why) => return Err(why.into()),
    };
    let create = ["-m", "venv", &text(&builder.place.folder)].map(str::to_owned);
    let python = Program::at(&python.executable, builder.place);
    builder.run(&python, &create).await?;
    builder.note_installation();
    if !wanted.requirements.is_empty() {
        let file = text(&builder.place.requirements());
        let own = text(&builder.place.folder.join("bin/python"));
        let quiet = [
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
        ];
        let install: Vec<String> = quiet
            .into_iter()
            .chain(["-r", &file])
            .map(str::to_owned)
            .collect();
        builder
            .run(&Program::at(&own, builder.place).with(&python), &install)
            .await?;
    }
    Ok(notes)
}

fn another(wanted: &str, python: &Python) -> String {
    format!(
        "Python {wanted} was asked for and is not on this worker: {} ({}) was used",
        python.program, python.version
    )
}
