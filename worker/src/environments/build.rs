//! Builds a Python environment: `uv` when the worker has it, else `venv` and pip. It is built where it will stay, because virtual environments cannot be
//! moved; the marker that is written last says that it is whole.

use super::builders::{BuildTools, Builder};
use super::python::{Choice, Python, choose};
use super::shelf::{Shelf, blocking};
use crate::secrets::Redaction;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::failure::STDERR_TAIL_BYTES_MAX;
use tidemill_protocol::plan::PythonEnvironment;

/// Builds an environment unless another process has meanwhile; answers its notes, or why it failed with the end of the log.
pub(super) async fn build(
    shelf: &Arc<Shelf>,
    tools: &BuildTools,
    digest: &Digest,
    wanted: &PythonEnvironment,
) -> Result<Vec<String>, String> {
    let (for_lock, name) = (shelf.clone(), *digest);
    let _alone = blocking(move || for_lock.hold_alone(&name)).await?;
    if shelf.is_whole(digest) {
        return Ok(Vec::new());
    }
    let folder = shelf.folder(digest);
    let io = |error: std::io::Error| format!("cannot prepare the environment's folder: {error}");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io)?;
    }
    let log = shelf.log(digest);
    File::create(&log).map_err(io)?;
    let builder = Builder::of(tools, &folder).map_err(io)?;
    let built = match tools.find("uv") {
        Some(uv) => with_uv(&builder, &uv, &folder, wanted, &log).await,
        None => with_pip(&builder, &folder, wanted, &log).await,
    };
    let finished = builder.finish(&folder).map_err(io);
    let built = built.and_then(|notes| finished.map(|()| notes));
    match built {
        Ok(notes) => {
            shelf.finish(digest, &notes).map_err(io)?;
            Ok(notes)
        }
        Err(why) => {
            fs::remove_dir_all(&folder).ok();
            Err(format!(
                "{why}\n{}",
                crate::logs::tail(&log, STDERR_TAIL_BYTES_MAX / 2, &Redaction::Nothing)
            ))
        }
    }
}

/// The worker's own Python, or one that uv fetches.
async fn with_uv(
    builder: &Builder<'_>,
    uv: &str,
    folder: &Path,
    wanted: &PythonEnvironment,
    log: &Path,
) -> Result<Vec<String>, String> {
    let version = wanted.version.as_deref();
    let create = async |python: &str| {
        let arguments = ["venv", "--seed", "--python", python, &text(folder)].map(str::to_owned);
        run(builder, uv, &arguments, log).await
    };
    let mut notes = Vec::new();
    match (choose(builder.tools, version).await, version) {
        (Choice::Fitting(python), _) => create(&python.program).await?,
        (Choice::Another(python), Some(version)) => {
            if create(version).await.is_err() {
                create(&python.program).await?;
                notes.push(another(version, &python));
            }
        }
        (Choice::Another(python), None) => create(&python.program).await?,
        (Choice::Nothing(why), Some(version)) => {
            let fetched = create(version).await;
            fetched.map_err(|error| format!("{why}; uv could not fetch one either: {error}"))?;
        }
        (Choice::Nothing(why), None) => return Err(why),
    }
    if !wanted.requirements.is_empty() {
        let file = write_requirements(folder, wanted)?;
        let program = text(&folder.join("bin/python"));
        let install = ["pip", "install", "--python", &program, "-r", &file].map(str::to_owned);
        run(builder, uv, &install, log).await?;
    }
    Ok(notes)
}

async fn with_pip(
    builder: &Builder<'_>,
    folder: &Path,
    wanted: &PythonEnvironment,
    log: &Path,
) -> Result<Vec<String>, String> {
    let version = wanted.version.as_deref();
    let (python, notes) = match choose(builder.tools, version).await {
        Choice::Fitting(python) => (python, Vec::new()),
        Choice::Another(python) => {
            let note = another(version.unwrap_or_default(), &python);
            (python, vec![note])
        }
        Choice::Nothing(why) => return Err(why),
    };
    let create = ["-m", "venv", &text(folder)].map(str::to_owned);
    run(builder, &python.program, &create, log).await?;
    if !wanted.requirements.is_empty() {
        let file = write_requirements(folder, wanted)?;
        let program = text(&folder.join("bin/python"));
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
        run(builder, &program, &install, log).await?;
    }
    Ok(notes)
}

fn another(wanted: &str, python: &Python) -> String {
    format!(
        "Python {wanted} was asked for and is not on this worker: {} ({}) was used",
        python.program, python.version
    )
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn write_requirements(folder: &Path, wanted: &PythonEnvironment) -> Result<String, String> {
    let path = folder.join("requirements.txt");
    fs::write(&path, wanted.requirements.join("\n") + "\n")
        .map_err(|error| format!("cannot write the requirements: {error}"))?;
    Ok(path.display().to_string())
}

/// Runs one builder with its output in the log. It ends with the daemon: a half-built environment is built anew.
async fn run(builder: &Builder<'_>, program: &str, arguments: &[String], log: &Path) -> Result<(), String> {
    let words = std::iter::once(program).chain(arguments.iter().map(String::as_str));
    let line = words.collect::<Vec<_>>().join(" ");
    let open = || -> std::io::Result<(File, File)> {
        let mut file = OpenOptions::new().append(true).open(log)?;
        writeln!(file, "$ {line}")?;
        Ok((file.try_clone()?, file))
    };
    let (stdout, stderr) = open().map_err(|error| format!("cannot write the build's log: {error}"))?;
    let status = builder
        .command(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{line}` ended with {status}"))
    }
}
