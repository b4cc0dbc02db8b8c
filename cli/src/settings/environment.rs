//! The only reader of the environment. What each variable means is in `keys`; beside those stand the few that other programs have agreed on.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables of object stores that are handed on to the store, by their first letters.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// Variables of ours that are not settings.
const OTHER_VARIABLES: &[&str] = &[
    "TIDEMILL_CONFIG",
    "TIDEMILL_USER",
    "TIDEMILL_TOKEN",
    "TIDEMILL_JOIN_TOKEN",
    "TIDEMILL_BINARY",
    "TIDEMILL_AZUREML",
];
/// What programs started by a step find in their environment; a step may well call tidemill.
const STEP_PREFIXES: &[&str] = &[
    "TIDEMILL_INPUT_",
    "TIDEMILL_OUTPUT_",
    "TIDEMILL_ATTEMPT",
    "TIDEMILL_RUN",
    "TIDEMILL_STEP",
    "TIDEMILL_PIPELINE",
    "TIDEMILL_EXPERIMENT",
    "TIDEMILL_TARGET",
    "TIDEMILL_WORK",
    "TIDEMILL_CHECKPOINT",
    "TIDEMILL_PARAM",
    "TIDEMILL_GPU",
    "TIDEMILL_TEST_",
    "TIDEMILL_SEED",
    "TIDEMILL_IDEMPOTENCY",
];

/// Whether a variable is ours and yet no setting.
pub(super) fn is_no_setting(name: &str) -> bool {
    OTHER_VARIABLES.contains(&name) || STEP_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What was found in the environment.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
}

/// Values may be secrets: only the names are shown.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// The process's own environment. Variables that are not text are left out.
    pub(crate) fn read() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            Some((name, value))
        });
        Self {
            variables: variables.collect(),
        }
    }

    /// An environment with these variables only.
    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Self {
            variables: variables.collect(),
        }
    }

    /// The value of a variable; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The user's home folder.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// One of the XDG base folders, or this place below the home folder.
    pub(crate) fn base(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let given = self
            .get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        given.or_else(|| Some(self.home()?.join(below_home)))
    }

    /// Whether a program drives us and nobody looks at progress.
    pub(crate) fn is_automated(&self) -> bool {
        self.get("CI").is_some_and(|ci| ci != "false") || self.get("TERM") == Some("dumb")
    }

    /// Credentials and addresses for object stores.
    pub(crate) fn store_variables(&self) -> Vec<(String, String)> {
        let relevant = self.variables.iter().filter(|(name, value)| {
            !value.is_empty() && STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        relevant
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Who sits at the keyboard, for display.
    pub(crate) fn user(&self) -> String {
        let names = ["TIDEMILL_USER", "USER", "LOGNAME"];
        let named = names.iter().find_map(|name| self.get(name)).map(str::to_owned);
        named
            .or_else(user_of_this_process)
            .unwrap_or_else(|| "somebody".to_owned())
    }

    /// Names of variables that start like ours.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&str, &str)> {
        let ours = self
            .variables
            .iter()
            .filter(|(name, value)| name.starts_with("TIDEMILL_") && !value.is_empty());
        ours.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The name that the system has for us; services and containers often have no variable for it.
fn user_of_this_process() -> Option<String> {
    let id = rustix::process::getuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = users.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}
