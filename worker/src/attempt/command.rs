//! From a step's command to the argument vector of a process. Values become whole arguments or environment variables, never shell text.

use super::folder::Folder;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{Command, Fragment};

/// Longest script that is passed as an argument; the kernel takes 128 KiB.
const SCRIPT_ARGUMENT_BYTES_MAX: usize = 96 * 1024;

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// Absolute path of the program.
    pub program: String,
    /// The argument vector, the program's name first.
    pub arguments: Vec<String>,
}

/// What inputs and outputs are to the process: a literal's text or a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values {
    /// By name.
    pub inputs: BTreeMap<PortName, String>,
    /// By name.
    pub outputs: BTreeMap<PortName, String>,
}

/// Makes the argument vector, or says why there is none.
pub(crate) fn invocation(
    command: &Command,
    values: &Values,
    search_path: &str,
    folder: &Folder,
) -> Result<Invocation, String> {
    match command {
        Command::Argv { words } => {
            let arguments: Vec<String> = words.iter().map(|word| join(&word.0, values)).collect();
            let name = arguments.first().ok_or("the command is empty")?;
            let program = find_program(name, search_path, &folder.work())
                .ok_or_else(|| format!("no program `{name}` in PATH ({search_path})"))?;
            Ok(Invocation { program, arguments })
        }
        Command::Shell { script } => {
            let shell = ["bash", "sh"]
                .into_iter()
                .find_map(|name| Some((name, find_program(name, search_path, &folder.work())?)));
            let (name, program) =
                shell.ok_or("the command is a shell script and there is no bash or sh in PATH")?;
            let arguments = if script.len() <= SCRIPT_ARGUMENT_BYTES_MAX {
                vec![name.to_owned(), "-c".to_owned(), script.clone()]
            } else {
                let path = folder.script();
                std::fs::write(&path, script).map_err(|e| format!("cannot write the script: {e}"))?;
                vec![name.to_owned(), path.display().to_string()]
            };
            Ok(Invocation { program, arguments })
        }
    }
}

fn join(fragments: &[Fragment], values: &Values) -> String {
    let text = |fragment: &Fragment| match fragment {
        Fragment::Text(text) => text.clone(),
        // An optional input that was not given is an empty text.
        Fragment::Input(name) => values.inputs.get(name).cloned().unwrap_or_default(),
        Fragment::Output(name) => values.outputs.get(name).cloned().unwrap_or_default(),
    };
    fragments.iter().map(text).collect()
}

/// The absolute path of a program as a shell would find it.
pub(crate) fn find_program(name: &str, search_path: &str, work: &Path) -> Option<String> {
    let text = |path: PathBuf| path.to_str().map(ToOwned::to_owned);
    if name.starts_with('/') {
        // Whether it can be executed is for the kernel to say: its answer is the better message.
        return Some(name.to_owned());
    }
    if name.contains('/') {
        return text(work.join(name));
    }
    if name.is_empty() {
        return None;
    }
    search_path
        .split(':')
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| Path::new(folder).join(name))
        .find(|path| is_executable(path))
        .and_then(text)
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::plan::Word;

    fn values(name: &str, value: &str) -> Values {
        Values {
            inputs: [(name.parse().unwrap(), value.to_owned())].into(),
            outputs: BTreeMap::new(),
        }
    }

    #[test]
    fn a_value_is_one_argument_whatever_it_holds() {
        let folder = Folder::at(PathBuf::from("/s/k"));
        let words = vec![
            Word(vec![Fragment::Text("/bin/echo".into())]),
            Word(vec![
                Fragment::Text("--x=".into()),
                Fragment::Input("x".parse().unwrap()),
            ]),
            Word(vec![Fragment::Input("absent".parse().unwrap())]),
        ];
        let hostile = "a b' \"$(rm -rf /)\n`id`";
        let made = invocation(&Command::Argv { words }, &values("x", hostile), "/bin", &folder).unwrap();
        assert_eq!(
            made.arguments,
            ["/bin/echo".to_owned(), format!("--x={hostile}"), String::new()]
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let folder = Folder::at(PathBuf::from("/s/k"));
        let words = vec![Word(vec![Fragment::Text("no-such-program".into())])];
        let error = invocation(
            &Command::Argv { words },
            &Values::default(),
            "/bin:/usr/bin",
            &folder,
        );
        assert!(error.unwrap_err().contains("no-such-program"));
    }

    #[test]
    fn a_relative_program_is_found_in_the_code_and_a_relative_path_entry_is_not_searched() {
        let work = Path::new("/w");
        assert_eq!(find_program("./run.sh", "/bin", work).unwrap(), "/w/./run.sh");
        assert_eq!(find_program("sh", ".:", work), None);
    }

    #[test]
    fn a_script_too_long_for_an_argument_goes_into_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("k"));
        folder.make().unwrap();
        let script = format!("echo {}", "x".repeat(200_000));
        let command = Command::Shell { script };
        let made = invocation(&command, &Values::default(), "/bin:/usr/bin", &folder).unwrap();
        assert_eq!(made.arguments.len(), 2);
        assert!(folder.script().exists());
    }
}
