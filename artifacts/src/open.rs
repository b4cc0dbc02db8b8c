//! From an address and options to an object store that is fit for commits. Knows every kind of store by name, nothing about artifacts.
//!
//! Options are `object_store`'s own names (`aws_access_key_id`, `endpoint`, `allow_http`, `azure_storage_use_emulator`, …).
//! The environment is not read here: whoever reads it passes what [`StoreConfig::from_environment`] keeps. TLS is rustls with
//! the ring provider, installed on first use, because `object_store`'s client brings none.

use crate::abandoned::Bucket;
use crate::error::{Result, StoreError};
use crate::guard::Guard;
use crate::layout;
use crate::line::Connector;
use crate::tls;
use object_store::ObjectStoreExt as _;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, PutMode, RetryConfig};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// Most tries of one request, by `object_store`.
const TRIES_MAX: usize = 8;
/// Longest time after a request's start in which it is tried again: a part that breaks on a slow link has been under way for long.
const RETRY_FOR: Duration = Duration::from_hours(1);
/// The longest that one request may take in all. What ends one that is silent is in [`crate::line`]; this is only the end of everything, because `object_store`'s own limit is
/// on the whole request with its body, and a part of 8 MiB that shares a link of 10 kB/s with seven others takes two hours.
const REQUEST_TIMEOUT: &str = "86400 seconds";
/// Longest time for a connection to come up.
const CONNECT_TIMEOUT: &str = "10 seconds";

/// The address of a store and what is needed to use it. Its `Debug` shows no value of an option, since most are secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreConfig {
    /// `file:///path`, `memory:///`, `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`.
    pub url: String,
    /// Options by `object_store`'s names; names that the store does not know are refused.
    pub options: BTreeMap<String, String>,
}

impl StoreConfig {
    /// The store in this folder of this machine.
    ///
    /// # Errors
    /// When the path is not absolute.
    pub fn local(folder: &Path) -> Result<Self> {
        let url = Url::from_directory_path(folder).map_err(|()| StoreError::Address {
            url: folder.display().to_string(),
            reason: "the folder of a local store needs an absolute path".to_owned(),
        })?;
        Ok(Self {
            url: url.into(),
            options: BTreeMap::new(),
        })
    }

    /// The store at `url` with those of the variables that configure it (`AWS_…`, `AZURE_…`, `GOOGLE_…`).
    pub fn from_environment(
        url: impl Into<String>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let url = url.into();
        let scheme = Url::parse(&url).ok().and_then(|url| scheme(&url).ok());
        let options = variables
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .filter(|(name, _)| match &scheme {
                Some(ObjectStoreScheme::AmazonS3) => name.starts_with("aws_") && known_to_s3(name),
                Some(ObjectStoreScheme::MicrosoftAzure) => name.starts_with("azure_") && known_to_azure(name),
                Some(ObjectStoreScheme::GoogleCloudStorage) => {
                    name.starts_with("google_") && known_to_gcs(name)
                }
                _ => false,
            })
            .collect();
        Self { url, options }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("url", &public_url(&self.url))
            .field("options", &self.options.keys())
            .finish()
    }
}

/// An open store: objects below the address's prefix.
pub(crate) struct Opened {
    /// The address without credentials, query and fragment.
    pub(crate) url: String,
    /// The objects.
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The folder, when the store is one.
    pub(crate) folder: Option<PathBuf>,
    /// The bucket, when it can be asked which uploads nobody ended.
    pub(crate) bucket: Option<Bucket>,
}

/// Opens the store and proves that it honours create-only writes.
pub(crate) async fn open(config: &StoreConfig) -> Result<Opened> {
    let opened = connect(config, None)?;
    match &opened.folder {
        // What the probe writes need not outlive it, and flushes would cost more than all the rest of opening.
        Some(folder) => probe(&local_files(folder, &opened.url)?.with_fsync(false), &opened.url).await?,
        None => probe(&*opened.objects, &opened.url).await?,
    }
    Ok(opened)
}

/// Opens the store without asking anything of it; with a guard, one whose address and options somebody else chose.
pub(crate) fn connect(config: &StoreConfig, guard: Option<&Guard>) -> Result<Opened> {
    let shown = public_url(&config.url);
    let refuse = |reason: String| StoreError::Address {
        url: shown.clone(),
        reason,
    };
    let url = Url::parse(&config.url).map_err(|error| refuse(error.to_string()))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("options belong beside the address, not in it".to_owned()));
    }
    let scheme = scheme(&url).map_err(&refuse)?;
    if matches!(scheme, ObjectStoreScheme::Local) {
        return open_folder(&url, shown, &config.options);
    }
    let (_, prefix) = ObjectStoreScheme::parse(&url).map_err(|error| refuse(error.to_string()))?;
    let mut bucket = None;
    let connector = Connector::through(guard);
    let objects = match scheme {
        ObjectStoreScheme::Memory => match config.options.keys().next() {
            None => Ok(Arc::new(InMemory::new()) as Arc<dyn ObjectStore>),
            Some(option) => Err(format!("a store in memory knows no option `{option}`")),
        },
        ObjectStoreScheme::AmazonS3 => {
            open_s3(&url, &config.options, (&prefix, connector)).map(|(objects, found)| {
                bucket = found;
                objects
            })
        }
        ObjectStoreScheme::MicrosoftAzure => open_azure(&url, &config.options, connector),
        ObjectStoreScheme::GoogleCloudStorage => open_gcs(&url, &config.options, connector),
        _ => Err("only file, memory, s3, az and gs addresses can hold artifacts".to_owned()),
    };
    let objects = objects.map_err(refuse)?;
    let objects = if prefix.as_ref().is_empty() {
        objects
    } else {
        Arc::new(PrefixStore::new(objects, prefix))
    };
    Ok(Opened {
        url: shown,
        objects,
        folder: None,
        bucket,
    })
}

fn scheme(url: &Url) -> Result<ObjectStoreScheme, String> {
    ObjectStoreScheme::parse(url)
        .map(|(scheme, _)| scheme)
        .map_err(|error| error.to_string())
}

fn open_folder(url: &Url, shown: String, options: &BTreeMap<String, String>) -> Result<Opened> {
    let refuse = |reason: String| StoreError::Address {
        url: shown.clone(),
        reason,
    };
    if let Some(option) = options.keys().next() {
        return Err(refuse(format!("a local store knows no option `{option}`")));
    }
    let folder = url
        .to_file_path()
        .map_err(|()| refuse("is not the path of a local folder".to_owned()))?;
    crate::local::create_private_folder(&folder)?;
    let folder = folder
        .canonicalize()
        .map_err(|error| StoreError::file("open", &folder, error))?;
    let objects = local_files(&folder, &shown)?;
    Ok(Opened {
        url: shown,
        objects: Arc::new(objects),
        folder: Some(folder),
        bucket: None,
    })
}

fn local_files(folder: &Path, shown: &str) -> Result<LocalFileSystem> {
    let files = LocalFileSystem::new_with_prefix(folder).map_err(|error| StoreError::Address {
        url: shown.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(files.with_automatic_cleanup(true).with_fsync(true))
}

/// Folds the defaults and the options into one of `object_store`'s builders, which share their methods but no trait.
macro_rules! configured {
    ($builder:ty, $url:expr, $options:expr, $connector:expr) => {{
        tls::install();
        let defaults = [("timeout", REQUEST_TIMEOUT), ("connect_timeout", CONNECT_TIMEOUT)];
        let defaults = defaults.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut builder = <$builder>::new()
            .with_url($url.as_str())
            .with_retry(retries())
            .with_http_connector($connector);
        for (name, value) in defaults.into_iter().chain($options.clone()) {
            let key = name
                .to_ascii_lowercase()
                .parse()
                .map_err(|_| format!("unknown option `{name}`"))?;
            builder = builder.with_config(key, value);
        }
        builder.build().map(Arc::new).map_err(|error| error.to_string())
    }};
}

fn open_s3(
    url: &Url,
    options: &BTreeMap<String, String>,
    (prefix, connector): (&ObjectPath, Connector),
) -> Result<(Arc<dyn ObjectStore>, Option<Bucket>), String> {
    let store = configured!(
        object_store::aws::AmazonS3Builder,
        url,
        options,
        connector.clone()
    )?;
    let client = connector.client();
    let bucket = client.map(|client| Bucket::new(Arc::clone(&store), client, prefix.clone()));
    Ok((store, bucket))
}

fn open_azure(
    url: &Url,
    options: &BTreeMap<String, String>,
    connector: Connector,
) -> Result<Arc<dyn ObjectStore>, String> {
    let store = configured!(
        object_store::azure::MicrosoftAzureBuilder,
        url,
        options,
        connector
    )?;
    Ok(store)
}

fn open_gcs(
    url: &Url,
    options: &BTreeMap<String, String>,
    connector: Connector,
) -> Result<Arc<dyn ObjectStore>, String> {
    let store = configured!(
        object_store::gcp::GoogleCloudStorageBuilder,
        url,
        options,
        connector
    )?;
    Ok(store)
}

fn known_to_s3(name: &str) -> bool {
    name.parse::<object_store::aws::AmazonS3ConfigKey>().is_ok()
}

fn known_to_azure(name: &str) -> bool {
    name.parse::<object_store::azure::AzureConfigKey>().is_ok()
}

fn known_to_gcs(name: &str) -> bool {
    name.parse::<object_store::gcp::GoogleConfigKey>().is_ok()
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: TRIES_MAX,
        retry_timeout: RETRY_FOR,
    }
}

/// An address without user, password, query and fragment, in which secrets travel.
pub fn public_url(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return "(not an address)".to_owned();
    };
    // `az://container@account/` names its account there, so only a password makes the user a secret.
    if url.password().is_some() {
        let _cleared = url.set_password(None).and_then(|()| url.set_username(""));
    }
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Writes one key twice with create-only puts; the second must be refused, else two attempts could both commit.
pub(crate) async fn probe(objects: &dyn ObjectStore, url: &str) -> Result<()> {
    let key = layout::probe(Uuid::now_v7());
    let first = objects.put_opts(&key, "1".into(), PutMode::Create.into()).await;
    if let Err(error) = first {
        return Err(not_writable(&key, url, error));
    }
    let second = objects.put_opts(&key, "2".into(), PutMode::Create.into()).await;
    let content = read_probe(objects, &key).await;
    if let Err(error) = objects.delete(&key).await {
        tracing::debug!(%key, %error, "cannot remove the probe of conditional writes");
    }
    let refused = |reason| StoreError::Refused {
        url: url.to_owned(),
        reason,
    };
    match second {
        Ok(_) => Err(refused(
            "it overwrites an existing object although asked to create only, so two attempts could both commit",
        )),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
            match content?.as_ref() {
                b"1" => Ok(()),
                _ => Err(refused("it refused a second write and performed it all the same")),
            }
        }
        Err(error) => Err(not_writable(&key, url, error)),
    }
}

async fn read_probe(objects: &dyn ObjectStore, key: &ObjectPath) -> Result<bytes::Bytes> {
    let result = objects
        .get(key)
        .await
        .map_err(|error| StoreError::backend("read", key, error))?;
    result
        .bytes()
        .await
        .map_err(|error| StoreError::backend("read", key, error))
}

fn not_writable(key: &ObjectPath, url: &str, error: object_store::Error) -> StoreError {
    match error {
        object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. } => {
            StoreError::Refused {
                url: url.to_owned(),
                reason: "it cannot create an object only if it is absent",
            }
        }
        error => StoreError::backend("write", key, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty::{Fault, Faulty};

    fn config(url: &str, options: &[(&str, &str)]) -> StoreConfig {
        let options = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        StoreConfig {
            url: url.to_owned(),
            options: options.collect(),
        }
    }

    fn refusal(config: &StoreConfig) -> String {
        match connect(config, None) {
            Err(StoreError::Address { reason, .. }) => reason,
            Err(error) => panic!("refused for another reason: {error}"),
            Ok(_) => panic!("{config:?} was accepted"),
        }
    }

    #[tokio::test]
    async fn a_store_that_ignores_conditions_is_refused() {
        let error = probe(&Faulty::new(Fault::IgnoresConditions), "s3://x")
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::Refused { reason, .. } if reason.contains("overwrites")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_probe_leaves_nothing_behind() {
        let objects = InMemory::new();
        probe(&objects, "memory:///").await.unwrap();
        assert!(
            objects
                .list_with_delimiter(None)
                .await
                .unwrap()
                .common_prefixes
                .is_empty()
        );
    }

    #[test]
    fn unknown_options_and_addresses_are_refused_with_the_reason() {
        assert!(
            refusal(&config("s3://bucket", &[("acces_key", "x")])).contains("unknown option `acces_key`")
        );
        assert!(refusal(&config("file:///tmp/x", &[("region", "x")])).contains("knows no option"));
        assert!(refusal(&config("https://example.com/x", &[])).contains("only file, memory"));
        assert!(refusal(&config("s3://bucket?region=x", &[])).contains("beside the address"));
        assert!(refusal(&config("relative/path", &[])).contains("relative URL"));
        assert!(StoreConfig::local(Path::new("relative")).is_err());
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let config = config(
            "s3://user:hunter2@bucket/p",
            &[("aws_secret_access_key", "swordfish")],
        );
        let shown = format!("{config:?} {}", public_url(&config.url));
        assert!(
            !shown.contains("hunter2") && !shown.contains("swordfish"),
            "{shown}"
        );
        assert!(
            shown.contains("aws_secret_access_key") && shown.contains("s3://bucket/p"),
            "{shown}"
        );
        assert_eq!(public_url("az://container@account/p"), "az://container@account/p");
    }

    #[test]
    fn of_an_environment_only_what_configures_the_store_is_kept() {
        let variables = [
            ("AWS_REGION", "a"),
            ("AWS_PAGER", "b"),
            ("AZURE_CLIENT_ID", "c"),
            ("PATH", "d"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let s3 = StoreConfig::from_environment("s3://bucket", variables.clone());
        assert_eq!(s3, config("s3://bucket", &[("aws_region", "a")]));
        let azure = StoreConfig::from_environment("az://container", variables.clone());
        assert_eq!(azure, config("az://container", &[("azure_client_id", "c")]));
        assert!(
            StoreConfig::from_environment("file:///x", variables)
                .options
                .is_empty()
        );
    }
}
