//! Builds a Python environment: `uv` when the worker has it, else `venv` and pip. It is built where it will stay, because virtual environments cannot be
//! moved; the marker that is written last says that it is whole.

use super::shelf::{Shelf, blocking};
use crate::attempt::find_program;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::failure::STDERR_TAIL_BYTES_MAX;
use tidemill_protocol::plan::PythonEnvironment;
use tokio::process::Command;

/// What builds run with.
#[derive(Debug, Clone)]
pub(crate) struct BuildTools {
    /// The environment of the builders' processes: the steps' base.
    pub variables: BTreeMap<String, String>,
}

impl BuildTools {
    fn find(&self, name: &str) -> Option<String> {
        let path = self.variables.get("PATH").map_or("", String::as_str);
        find_program(name, path, Path::new("/"))
    }
}

/// A Python to build with.
struct Python {
    program: String,
    note: Option<String>,
}

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
    let built = match tools.find("uv") {
        Some(uv) => with_uv(tools, &uv, &folder, wanted, &log).await,
        None => with_pip(tools, &folder, wanted, &log).await,
    };
    match built {
        Ok(notes) => {
            shelf.finish(digest, &notes).map_err(io)?;
            Ok(notes)
        }
        Err(why) => {
            fs::remove_dir_all(&folder).ok();
            Err(format!(
                "{why}\n{}",
                crate::logs::tail(&log, STDERR_TAIL_BYTES_MAX / 2)
            ))
        }
    }
}

async fn with_uv(
    tools: &BuildTools,
    uv: &str,
    folder: &Path,
    wanted: &PythonEnvironment,
    log: &Path,
) -> Result<Vec<String>, String> {
    let python = choose_python(tools, wanted);
    let version = match (&python, &wanted.version) {
        // uv can fetch a version that the worker does not have.
        (Some(Python { note: Some(_), .. }) | None, Some(version)) => Some(version.clone()),
        (Some(python), _) => Some(python.program.clone()),
        (None, None) => None,
    };
    let mut create = vec!["venv".to_owned(), "--seed".to_owned()];
    create.extend(version.into_iter().flat_map(|v| ["--python".to_owned(), v]));
    create.push(folder.display().to_string());
    run(tools, uv, &create, log).await?;
    if wanted.requirements.is_empty() {
        return Ok(Vec::new());
    }
    let file = write_requirements(folder, wanted)?;
    let program = folder.join("bin/python").display().to_string();
    let install = ["pip", "install", "--python", &program, "-r", &file].map(str::to_owned);
    run(tools, uv, &install, log).await?;
    Ok(Vec::new())
}

async fn with_pip(
    tools: &BuildTools,
    folder: &Path,
    wanted: &PythonEnvironment,
    log: &Path,
) -> Result<Vec<String>, String> {
    let python =
        choose_python(tools, wanted).ok_or("there is no python3 in PATH to build the environment with")?;
    let create = ["-m", "venv", &folder.display().to_string()].map(str::to_owned);
    run(tools, &python.program, &create, log).await?;
    if !wanted.requirements.is_empty() {
        let file = write_requirements(folder, wanted)?;
        let program = folder.join("bin/python").display().to_string();
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
        run(tools, &program, &install, log).await?;
    }
    Ok(python.note.into_iter().collect())
}

/// The wanted version when the worker has it, else the one that it has, with a note.
fn choose_python(tools: &BuildTools, wanted: &PythonEnvironment) -> Option<Python> {
    if let Some(version) = &wanted.version {
        let minor: Vec<&str> = version.split('.').take(2).collect();
        if let Some(program) = tools.find(&format!("python{}", minor.join("."))) {
            return Some(Python { program, note: None });
        }
    }
    let program = tools.find("python3").or_else(|| tools.find("python"))?;
    let note = wanted.version.as_ref().map(|version| {
        format!("Python {version} was asked for and is not on this worker: {program} was used")
    });
    Some(Python { program, note })
}

fn write_requirements(folder: &Path, wanted: &PythonEnvironment) -> Result<String, String> {
    let path = folder.join("requirements.txt");
    fs::write(&path, wanted.requirements.join("\n") + "\n")
        .map_err(|error| format!("cannot write the requirements: {error}"))?;
    Ok(path.display().to_string())
}

/// Runs one builder with its output in the log. It ends with the daemon: a half-built environment is built anew.
async fn run(tools: &BuildTools, program: &str, arguments: &[String], log: &Path) -> Result<(), String> {
    let words = std::iter::once(program).chain(arguments.iter().map(String::as_str));
    let line = words.collect::<Vec<_>>().join(" ");
    let open = || -> std::io::Result<(File, File)> {
        let mut file = OpenOptions::new().append(true).open(log)?;
        writeln!(file, "$ {line}")?;
        Ok((file.try_clone()?, file))
    };
    let (stdout, stderr) = open().map_err(|error| format!("cannot write the build's log: {error}"))?;
    let status = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&tools.variables)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn tools_with(programs: &[&str]) -> (tempfile::TempDir, BuildTools) {
        let dir = tempfile::tempdir().unwrap();
        for name in programs {
            let path = dir.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = dir.path().to_str().unwrap().to_owned();
        let variables = [("PATH".to_owned(), path)].into();
        (dir, BuildTools { variables })
    }

    fn wants(version: &str) -> PythonEnvironment {
        PythonEnvironment {
            version: Some(version.into()),
            requirements: vec![],
        }
    }

    #[test]
    fn the_wanted_version_is_preferred() {
        let (_dir, tools) = tools_with(&["python3", "python3.11"]);
        let python = choose_python(&tools, &wants("3.11.4")).unwrap();
        assert!(python.program.ends_with("/python3.11"));
        assert!(python.note.is_none());
    }

    #[test]
    fn another_version_is_used_with_a_note() {
        let (_dir, tools) = tools_with(&["python3"]);
        let python = choose_python(&tools, &wants("3.8")).unwrap();
        assert!(python.program.ends_with("/python3"));
        assert!(python.note.unwrap().contains("3.8"));
    }

    #[test]
    fn no_python_is_no_python() {
        let (_dir, tools) = tools_with(&["perl"]);
        assert!(choose_python(&tools, &wants("3.8")).is_none());
    }
}
