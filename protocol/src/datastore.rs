//! Datastores: places with names, outside the artifact store, in which pipelines' data lie. A definition may change, so it is no asset; what it says of
//! credentials are the names of secrets, never their values.

use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Longest address in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Most options, and most secrets, of one datastore.
const OPTIONS_MAX: usize = 50;
/// Longest name or value of an option in bytes.
const OPTION_BYTES_MAX: usize = 2_048;
/// Longest free text in bytes.
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
/// What options with secret values are called: their values go by the names of secrets.
const SECRET_WORDS: [&str; 4] = ["secret", "token", "password", "sas"];

/// Where a datastore is, and how one gets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Datastore {
    /// Its root: `file:///path`, `s3://bucket/prefix`, `az://container/prefix`, `abfss://…`, `gs://bucket/prefix`, or `https://host/path` to be read only.
    pub url: String,
    /// Options that are no secrets, by the names that stores of its kind know, such as `aws_region`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Options that are secrets: each with the name of the secret that holds its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Name>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// What kind of place a datastore is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DatastoreKind {
    /// A folder that the machines have, such as a mounted share.
    Local,
    /// Amazon S3, and what speaks its language.
    S3,
    /// Azure Blob.
    Azure,
    /// Google Cloud Storage.
    Gcs,
    /// A web server; its files can be read one by one.
    Http,
}

impl DatastoreKind {
    /// The kind of an address; none when it is no address of a datastore.
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let kind = match scheme {
            "file" => Self::Local,
            "s3" | "s3a" => Self::S3,
            "az" | "azure" | "abfs" | "abfss" | "adl" => Self::Azure,
            "gs" => Self::Gcs,
            "http" | "https" => Self::Http,
            _ => return None,
        };
        (!rest.is_empty() && (kind != Self::Local || rest.starts_with('/'))).then_some(kind)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::Gcs => "gcs",
            Self::Http => "http",
        }
    }
}

impl fmt::Display for DatastoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a definition is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatastoreError {
    /// The address is none of a datastore.
    #[error(
        "a datastore is at file:///path, s3://bucket, az://container, abfss://…, gs://bucket or https://host/path, in at most 2 KiB"
    )]
    Url,
    /// A login or options stand in the address.
    #[error(
        "an address with a login, a query or a fragment is no datastore's: options and secrets go beside it"
    )]
    Loaded,
    /// A value that looks like a secret.
    #[error("the option `{0}` is a secret: name a secret that holds it")]
    Secret(String),
    /// An option twice, or too long, or too many of them.
    #[error("the options are too many or too long, or `{0}` is given twice")]
    Options(String),
    /// The text is too long.
    #[error("a description has at most 16 KiB")]
    TooLong,
}

impl Datastore {
    /// Checks the definition, and says what kind of place it is.
    ///
    /// # Errors
    /// When it is none, or holds what must not be kept in the clear.
    pub fn check(&self) -> Result<DatastoreKind, DatastoreError> {
        let kind = DatastoreKind::of(&self.url).ok_or(DatastoreError::Url)?;
        if self.url.len() > URL_BYTES_MAX || self.url.chars().any(|c| c.is_control() || c == ' ') {
            return Err(DatastoreError::Url);
        }
        let (_, rest) = self.url.split_once("://").unwrap_or_default();
        let authority = rest.split('/').next().unwrap_or_default();
        // `abfss://container@account/` names its container there.
        let has_login = authority.contains('@') && (kind != DatastoreKind::Azure || authority.contains(':'));
        if has_login || self.url.contains(['?', '#']) {
            return Err(DatastoreError::Loaded);
        }
        if self.options.len() > OPTIONS_MAX || self.secrets.len() > OPTIONS_MAX {
            return Err(DatastoreError::Options(String::new()));
        }
        for (name, value) in &self.options {
            let lower = name.to_ascii_lowercase();
            if SECRET_WORDS.iter().any(|word| lower.contains(word)) || lower.ends_with("_key") {
                return Err(DatastoreError::Secret(name.clone()));
            }
            let fits = (1..=OPTION_BYTES_MAX).contains(&name.len()) && value.len() <= OPTION_BYTES_MAX;
            if !fits || self.secrets.contains_key(name) {
                return Err(DatastoreError::Options(name.clone()));
            }
        }
        if let Some(name) = self
            .secrets
            .keys()
            .find(|name| !(1..=OPTION_BYTES_MAX).contains(&name.len()))
        {
            return Err(DatastoreError::Options(name.clone()));
        }
        if self.description.len() > DESCRIPTION_BYTES_MAX {
            return Err(DatastoreError::TooLong);
        }
        Ok(kind)
    }

    /// Whether files have to be brought from there by its own protocol: no folder of the machine, and no web server.
    pub fn is_bucket(&self) -> bool {
        let kind = DatastoreKind::of(&self.url);
        matches!(
            kind,
            Some(DatastoreKind::S3 | DatastoreKind::Azure | DatastoreKind::Gcs)
        )
    }

    /// Whether it is a folder of the machines.
    pub fn is_folder(&self) -> bool {
        DatastoreKind::of(&self.url) == Some(DatastoreKind::Local)
    }

    /// The path below the root that an address means; none when it does not lie there.
    pub fn path_of<'a>(&self, address: &'a str) -> Option<&'a str> {
        let path = address
            .strip_prefix(self.url.trim_end_matches('/'))?
            .strip_prefix('/')?;
        stays_inside(path).then_some(path)
    }

    /// The address of a path below the root; none when the path leads out of it.
    pub fn below(&self, path: &str) -> Option<String> {
        stays_inside(path).then(|| format!("{}/{path}", self.url.trim_end_matches('/')))
    }
}

fn stays_inside(path: &str) -> bool {
    let climbs =
        |segment: &str| segment == ".." || segment.contains('\\') || segment.chars().any(char::is_control);
    !path.starts_with('/') && !path.split('/').any(climbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Datastore {
        Datastore {
            url: url.to_owned(),
            options: BTreeMap::new(),
            secrets: BTreeMap::new(),
            description: String::new(),
        }
    }

    #[test]
    fn each_place_has_its_kind_and_others_are_refused() {
        for (url, kind) in [
            ("file:///mnt/share", DatastoreKind::Local),
            ("s3://lake/raw", DatastoreKind::S3),
            ("abfss://c@account.dfs.core.windows.net/x", DatastoreKind::Azure),
            ("gs://lake", DatastoreKind::Gcs),
            ("https://example.org/data/", DatastoreKind::Http),
        ] {
            assert_eq!(at(url).check(), Ok(kind), "{url}");
        }
        for url in ["", "lake", "file://relative", "ftp://host/x", "s3://", "s3://a b"] {
            assert_eq!(at(url).check(), Err(DatastoreError::Url), "{url}");
        }
        for url in ["https://user:pw@host/x", "s3://bucket?x=1", "https://host/x#y"] {
            assert_eq!(at(url).check(), Err(DatastoreError::Loaded), "{url}");
        }
    }

    #[test]
    fn what_is_secret_goes_by_the_name_of_a_secret() {
        for name in [
            "aws_secret_access_key",
            "azure_storage_account_key",
            "AZURE_STORAGE_SAS_KEY",
            "aws_session_token",
        ] {
            let mut store = at("s3://lake");
            store.options.insert(name.into(), "x".into());
            assert_eq!(store.check(), Err(DatastoreError::Secret(name.into())));
            store.options.clear();
            store.secrets.insert(name.into(), "lake-key".parse().unwrap());
            assert!(store.check().is_ok(), "{name}");
        }
        let mut store = at("s3://lake");
        store.options.insert("aws_access_key_id".into(), "AKIA".into());
        store.options.insert("aws_region".into(), "eu-1".into());
        assert!(store.check().is_ok());
    }

    #[test]
    fn a_path_stays_below_the_root() {
        let store = at("s3://lake/raw/");
        assert_eq!(store.below("a/b.csv").as_deref(), Some("s3://lake/raw/a/b.csv"));
        for path in ["../x", "a/../../x", "/etc", "a\\b"] {
            assert_eq!(store.below(path), None, "{path}");
        }
        assert_eq!(store.path_of("s3://lake/raw/a/b.csv"), Some("a/b.csv"));
        for address in [
            "s3://lake/rawer/a",
            "s3://lake/raw",
            "s3://lake/raw/../x",
            "s3://lake/raw//x",
        ] {
            assert_eq!(store.path_of(address), None, "{address}");
        }
    }
}
