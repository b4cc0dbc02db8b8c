//! Settings files: where they are looked for, and what may stand in them. An unknown key is an error with a suggestion, because a
//! misspelt setting that is silently ignored costs somebody an afternoon.

use super::environment::Environment;
use super::keys::{KEYS, STORE_OPTIONS, WORKSPACE_KEYS};
use crate::exit::Exit;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of a project's settings file.
pub(crate) const PROJECT_FILE: &str = "tidemill.toml";
/// Largest settings file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// One file as it was read.
#[derive(Debug, Clone)]
pub(crate) struct SettingsFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
    /// What stands in it.
    pub(crate) table: toml::Table,
}

impl SettingsFile {
    /// What the file says of names in pipelines. Its text as it is where that serves, because the language points into it; without our own keys
    /// where one of them (`compute`) would be taken for a misspelt key of the language's.
    pub(crate) fn workspace_text(&self) -> String {
        if !self.table.contains_key("compute") {
            return self.text.clone();
        }
        let relevant = self
            .table
            .iter()
            .filter(|(name, _)| WORKSPACE_KEYS.contains(&name.as_str()));
        let table: toml::Table = relevant
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        table.to_string()
    }
}

/// The files that exist, weakest first: the system's, the user's, the project's from the outermost folder inwards, the one on the command line.
pub(crate) fn find(environment: &Environment, project: &Path, explicit: Option<&Path>) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/etc/tidemill/config.toml")];
    if let Some(base) = environment.base("XDG_CONFIG_HOME", ".config") {
        paths.push(base.join("tidemill").join("config.toml"));
    }
    let folders: Vec<&Path> = project.ancestors().collect();
    paths.extend(folders.iter().rev().map(|folder| folder.join(PROJECT_FILE)));
    paths.retain(|path| path.is_file());
    paths.extend(explicit.map(Path::to_path_buf));
    paths
}

/// Reads one file and refuses keys that nobody knows.
pub(crate) fn read(path: &Path) -> Result<SettingsFile, Failure> {
    let unreadable = |error: &(dyn std::error::Error + 'static)| {
        Failure::because(
            Exit::Usage,
            format!("cannot read settings from {}", path.display()),
            error,
        )
        .help("a settings file is TOML; `tidemill config show` lists what may stand in it")
    };
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} is larger than 1 MiB: not a settings file", path.display()),
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| unreadable(&error))?;
    for name in table.keys() {
        known(path, name)?;
    }
    Ok(SettingsFile {
        path: path.to_path_buf(),
        text,
        table,
    })
}

fn known(path: &Path, name: &str) -> Result<(), Failure> {
    let names = || {
        let settings = KEYS.iter().map(|key| key.name);
        settings
            .chain(WORKSPACE_KEYS.iter().copied())
            .chain([STORE_OPTIONS])
    };
    if names().any(|known| known == name) {
        return Ok(());
    }
    let failure = Failure::new(
        Exit::Usage,
        format!("unknown setting `{name}` in {}", path.display()),
    );
    Err(match super::nearest(name, names()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help("`tidemill config show` lists every setting"),
    })
}

/// How the object store is reached, from every file; the inner file's word counts.
pub(super) fn store_options(files: &[SettingsFile]) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for table in files
        .iter()
        .filter_map(|file| file.table.get(STORE_OPTIONS)?.as_table())
    {
        for (name, value) in table {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            options.insert(name.to_lowercase(), text);
        }
    }
    options
}
