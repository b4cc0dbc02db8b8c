//! Tokens at hand: which one is shown to which coordinator, and the file in which `tidemill login` keeps them. Nothing here is printed.

use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::plaintext::check_token_to;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The variable that holds a token.
pub(crate) const TOKEN_VARIABLE: &str = "TIDEMILL_TOKEN";
/// Largest file of tokens that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Tokens by the address of their coordinator.
type Tokens = BTreeMap<String, String>;

/// The token for a coordinator that somebody named: of --token-file, of the variable, or of an earlier login. The first two are for any address, so
/// they are not shown where others could read them; a login was for this one.
pub(crate) fn for_server(settings: &Settings, url: &str) -> Result<Option<String>, Failure> {
    if let Some(file) = &settings.token_file {
        check_token_to(url, settings.insecure_plaintext)?;
        return read_token(file).map(Some);
    }
    if let Some(token) = settings.environment.get(TOKEN_VARIABLE) {
        check_token_to(url, settings.insecure_plaintext)?;
        return Ok(Some(token.trim().to_owned()));
    }
    let tokens = read(&path(settings)?)?;
    Ok(tokens.get(&name_of(url)).cloned())
}

/// The token for the coordinator that uses the state folder: the secret that lies there, if we may read it.
pub(crate) fn for_own(settings: &Settings, url: &str) -> Result<Option<String>, Failure> {
    let file = settings.state_dir.join(tidemill_coordinator::OPERATOR_FILE);
    match fs::read_to_string(file) {
        Ok(token) if settings.token_file.is_none() => Ok(Some(token.trim().to_owned())),
        _ => for_server(settings, url),
    }
}

/// Keeps a token for this address; with none, forgets it. Answers whether anything changed.
pub(crate) fn keep(settings: &Settings, url: &str, token: Option<&str>) -> Result<bool, Failure> {
    let path = path(settings)?;
    let mut tokens = read(&path)?;
    let before = match token {
        Some(token) => tokens.insert(name_of(url), token.to_owned()),
        None => tokens.remove(&name_of(url)),
    };
    let changed = before.as_deref() != token;
    if changed {
        write(&path, &tokens)?;
    }
    Ok(changed)
}

/// Where tokens are kept.
pub(crate) fn path(settings: &Settings) -> Result<PathBuf, Failure> {
    let base = settings.environment.base("XDG_CONFIG_HOME", ".config");
    let base = base.ok_or_else(|| {
        Failure::new(Exit::Usage, "there is no home folder to keep tokens in")
            .help("give the token with $TIDEMILL_TOKEN or --token-file")
    })?;
    Ok(base.join("tidemill").join("credentials.json"))
}

/// An address as it names a coordinator: a host is the same in any case, and a slash at the end says nothing.
fn name_of(url: &str) -> String {
    url.trim_end_matches('/').to_ascii_lowercase()
}

fn read(path: &Path) -> Result<Tokens, Failure> {
    let unreadable = || format!("cannot read the tokens in {}", path.display());
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Tokens::new()),
        Err(error) => return Err(Failure::because(Exit::Failure, unreadable(), &error)),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .context(unreadable)?;
    serde_json::from_str(&text).context(unreadable)
}

fn write(path: &Path, tokens: &Tokens) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(tokens)?;
    let folder = path.parent().unwrap_or(path);
    let draft = folder.join(format!("credentials.json.{}", std::process::id()));
    let replace = || {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    replace().context(|| format!("cannot write {}", path.display()))
}

fn read_token(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        let what = format!("cannot read the token in {}", file.display());
        Failure::because(Exit::Usage, what, &error)
    })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no token in {}", file.display()),
        ));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Given};
    use std::os::unix::fs::PermissionsExt;

    fn settings(home: &Path, variables: &[(&str, &str)]) -> Settings {
        let home_text = home.to_str().unwrap();
        let mut all = vec![("HOME", home_text)];
        all.extend_from_slice(variables);
        Settings::resolve(Environment::of(&all), &Given::default(), home).unwrap()
    }

    #[test]
    fn a_token_is_kept_for_its_address_only_and_where_others_cannot_read_it() {
        let home = tempfile::tempdir().unwrap();
        let settings = settings(home.path(), &[]);
        assert!(keep(&settings, "https://A.example:1/", Some("tmk_a")).unwrap());
        assert!(!keep(&settings, "https://a.example:1", Some("tmk_a")).unwrap());
        let token = |url| for_server(&settings, url).unwrap();
        assert_eq!(token("https://a.example:1").as_deref(), Some("tmk_a"));
        assert_eq!(token("https://b.example:1"), None);
        assert_eq!(token("http://a.example:1"), None, "not in the clear");
        let mode = fs::metadata(path(&settings).unwrap())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(keep(&settings, "https://a.example:1", None).unwrap());
        assert_eq!(token("https://a.example:1"), None);
    }

    #[test]
    fn the_file_that_was_named_is_stronger_than_the_variable_and_that_than_a_login() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("token");
        fs::write(&file, "tmk_file\n").unwrap();
        let login = settings(home.path(), &[]);
        keep(&login, "https://a", Some("tmk_login")).unwrap();
        let variable = ("TIDEMILL_TOKEN", "tmk_variable");
        let with_variable = settings(home.path(), &[variable]);
        let with_both = settings(
            home.path(),
            &[variable, ("TIDEMILL_TOKEN_FILE", file.to_str().unwrap())],
        );
        let token = |settings: &Settings| for_server(settings, "https://a").unwrap().unwrap();
        assert_eq!(token(&login), "tmk_login");
        assert_eq!(token(&with_variable), "tmk_variable");
        assert_eq!(token(&with_both), "tmk_file");
    }
}
