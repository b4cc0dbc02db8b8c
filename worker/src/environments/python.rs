//! Finds the Python that an environment is built with among those that the worker has. A name in PATH proves nothing (version managers put stand-ins
//! there that only say which version is missing), so each candidate is asked.

use super::builders::Programs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tidemill_protocol::plan::{PythonVersion, PythonVersions};
use tokio::process::Command;

/// How long a Python may take to say which it is.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Prints the version in two numbers, and the program itself, where the one in PATH only leads to it; any Python since 2 reads it.
const QUESTION: &str =
    "import sys; print('%d.%d %s' % (sys.version_info[0], sys.version_info[1], sys.executable))";
/// Newest minor version that is looked for by name.
const MINOR_MAX: u16 = 30;

/// A Python of the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Python {
    /// Its program, as it is found in PATH.
    pub program: String,
    /// The program itself.
    pub executable: String,
    /// Which it is.
    pub version: PythonVersion,
}

/// What the worker has for what an environment wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// One that fits.
    Fitting(Python),
    /// Another version than the one that is wanted.
    Another(Python),
    /// None that would do; the text says what is needed and what is there.
    Nothing(String),
}

/// Looks for a Python of this version; without one, any will do.
pub(super) async fn choose(programs: &Programs, wanted: Option<&str>) -> Choice {
    let versions = wanted.and_then(PythonVersions::parse);
    let mut own = None;
    for name in ["python3", "python"] {
        if own.is_none() {
            own = ask(programs, name)
                .await
                .filter(|python| python.version.major >= 3);
        }
    }
    let fits = |python: &Python| versions.is_none_or(|versions| versions.fits(python.version));
    if let Some(python) = own.clone().filter(fits) {
        return Choice::Fitting(python);
    }
    for version in versions.iter().flat_map(named) {
        let found = ask(programs, &format!("python{version}")).await;
        if let Some(python) = found.filter(fits) {
            return Choice::Fitting(python);
        }
    }
    match (own, versions) {
        (Some(python), Some(PythonVersions::Wanted(_))) => Choice::Another(python),
        (own, _) => Choice::Nothing(needed(wanted, own.as_ref())),
    }
}

fn needed(wanted: Option<&str>, own: Option<&Python>) -> String {
    let has = own.map_or_else(
        || "no python3 in PATH".to_owned(),
        |python| format!("Python {} ({})", python.version, python.program),
    );
    match wanted {
        Some(wanted) => format!(
            "the environment needs Python {wanted}, and this worker has {has}: install one of those beside it, as python3.N in PATH"
        ),
        None => format!("this worker has {has} to build the environment with"),
    }
}

/// The versions whose programs are looked for by name, newest first.
fn named(versions: &PythonVersions) -> Vec<PythonVersion> {
    match *versions {
        PythonVersions::Wanted(version) => vec![version],
        PythonVersions::Within { least, .. } => (0..=MINOR_MAX)
            .rev()
            .map(|minor| PythonVersion { minor, ..least })
            .filter(|version| versions.fits(*version))
            .collect(),
    }
}

/// The Python of this name, if there is one that works.
async fn ask(programs: &Programs, name: &str) -> Option<Python> {
    let program = programs.find(name)?;
    let answer = Command::new(&program)
        .args(["-c", QUESTION])
        .env_clear()
        .envs(&programs.variables)
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = tokio::time::timeout(ANSWER_MAX, answer).await.ok()?.ok()?;
    let said = answer.status.success().then_some(answer.stdout)?;
    let said = std::str::from_utf8(&said).ok()?.trim();
    let (version, executable) = said.split_once(' ').unwrap_or((said, ""));
    let executable = if Path::new(executable).is_absolute() {
        executable.to_owned()
    } else {
        program.clone()
    };
    Some(Python {
        version: PythonVersion::parse(version)?,
        program,
        executable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// Programs that answer as Pythons of these versions do; without a version, as a stand-in that has none.
    fn folder_with(programs: &[(&str, &str)]) -> (tempfile::TempDir, Programs) {
        let dir = tempfile::tempdir().unwrap();
        for (name, version) in programs {
            let path = dir.path().join(name);
            let script = match *version {
                "" => "#!/bin/sh\nexit 127\n".to_owned(),
                version => format!("#!/bin/sh\necho {version}\n"),
            };
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = dir.path().to_str().unwrap().to_owned();
        let variables = [("PATH".to_owned(), path)].into();
        (dir, Programs { variables })
    }

    async fn chosen(programs: &[(&str, &str)], wanted: Option<&str>) -> Choice {
        let (_dir, programs) = folder_with(programs);
        choose(&programs, wanted).await
    }

    #[tokio::test]
    async fn the_wanted_version_is_preferred() {
        let programs = [("python3", "3.12"), ("python3.11", "3.11")];
        let Choice::Fitting(python) = chosen(&programs, Some("3.11.4")).await else {
            panic!("there is a fitting one")
        };
        assert!(python.program.ends_with("/python3.11"));
        assert_eq!(python.executable, python.program, "it did not say where it lies");
    }

    #[tokio::test]
    async fn what_only_leads_to_a_python_is_told_from_the_python() {
        let Choice::Fitting(python) = chosen(&[("python3", "3.12 /opt/python 3.12/bin/python3")], None).await
        else {
            panic!("there is one")
        };
        assert!(python.program.ends_with("/python3"));
        assert_eq!(python.executable, "/opt/python 3.12/bin/python3");
    }

    #[tokio::test]
    async fn another_version_does_where_one_is_only_wanted() {
        let choice = chosen(&[("python3", "3.12")], Some("3.8")).await;
        assert!(matches!(choice, Choice::Another(_)), "{choice:?}");
    }

    #[tokio::test]
    async fn a_range_takes_the_workers_own_or_the_newest_inside() {
        let programs = [
            ("python3", "3.13"),
            ("python3.9", "3.9"),
            ("python3.11", "3.11"),
            ("python3.10", ""),
        ];
        let Choice::Fitting(python) = chosen(&programs, Some(">=3.8,<3.12")).await else {
            panic!("there is a fitting one")
        };
        assert!(python.program.ends_with("/python3.11"));
        let Choice::Fitting(python) = chosen(&programs, Some(">=3.8,<3.14")).await else {
            panic!("there is a fitting one")
        };
        assert!(python.program.ends_with("/python3"));
    }

    #[tokio::test]
    async fn a_stand_in_is_no_python_and_no_python_says_what_is_needed() {
        let programs = [("python3", "3.13"), ("python3.10", "")];
        let Choice::Nothing(why) = chosen(&programs, Some(">=3.8,<3.11")).await else {
            panic!("there is none that fits")
        };
        assert!(
            why.contains("needs Python >=3.8,<3.11") && why.contains("3.13"),
            "{why}"
        );
        assert!(matches!(
            chosen(&[("perl", "5.36")], None).await,
            Choice::Nothing(_)
        ));
    }
}
