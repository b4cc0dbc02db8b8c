//! Locations: local files and folders become sources, registered assets and datastores are looked up, addresses are passed on.

use super::Loader;
use super::catalog::{Absence, Lookup};
use super::site::{Found, Site};
use crate::diagnostic::{Code, did_you_mean};
use crate::files::SourceRole;
use crate::workspace::{AssetName, Location};
use std::path::{Path, PathBuf};
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::spec::{DataType, ValueSpec};

/// Addresses that are passed on as they are.
const REMOTE: [&str; 16] = [
    "http://",
    "https://",
    "wasb://",
    "wasbs://",
    "abfs://",
    "abfss://",
    "adl://",
    "s3://",
    "s3a://",
    "gs://",
    "az://",
    "hdfs://",
    "dbfs:/",
    "ftp://",
    "sftp://",
    "azureml-direct://",
];

/// Whether a text is an address or a registered name and not a local path.
pub(super) fn is_address(text: &str) -> bool {
    text.starts_with("azureml:") || REMOTE.iter().any(|scheme| text.starts_with(scheme))
}

impl Loader<'_> {
    /// The value of a data location; `wanted` is what the input takes, as far as that is known.
    pub(super) fn data_location(&mut self, text: &str, wanted: DataType, site: Site<'_>) -> Option<Found> {
        let untyped = |value| Found {
            value,
            data_type: None,
        };
        if let Some(rest) = text.strip_prefix("azureml://")
            && let Some((_, rest)) = rest
                .split_once("datastores/")
                .or_else(|| rest.split_once("datastore/"))
        {
            return self.datastore(rest, site).map(untyped);
        }
        if text.starts_with("azureml:") {
            return self.data_asset(text, wanted, site);
        }
        if REMOTE.iter().any(|scheme| text.starts_with(scheme)) {
            return Some(untyped(self.remote(text, site)));
        }
        if let Some((scheme, _)) = text.split_once("://")
            && scheme != "file"
        {
            self.findings
                .add(
                    Code::Unsupported,
                    site.place,
                    site.path,
                    format!("addresses that start with `{scheme}://` are not supported"),
                )
                .help_text(
                    "name the data in the workspace's `[data]` table, or use a path or an http address",
                );
            return None;
        }
        let path: PathBuf = site.folder.join(local_path(text)).components().collect();
        self.local(&path, SourceRole::Data, site)
            .map(|id| untyped(ValueSpec::Content(id)))
    }

    pub(super) fn remote(&mut self, address: &str, site: Site<'_>) -> ValueSpec {
        let message =
            format!("`{address}` counts by its address only: a change of what is behind it is not noticed");
        self.warn_once(
            Code::NotHashed,
            site.place,
            site.path,
            message,
            "download it in a first step, or keep a copy beside the pipeline, if results must follow its content",
        );
        ValueSpec::Uri(address.to_owned())
    }

    /// `D/paths/P`: through the workspace's datastores.
    fn datastore(&mut self, rest: &str, site: Site<'_>) -> Option<ValueSpec> {
        let (store, inner) = rest
            .split_once("/paths/")
            .unwrap_or((rest.trim_end_matches('/'), ""));
        let location = self.location_of(store, site)?;
        self.inside(inner, site)?;
        match location {
            Location::Local(folder) => self
                .local(&folder.join(inner), SourceRole::Data, site)
                .map(ValueSpec::Content),
            Location::Url(base) => {
                Some(self.remote(&format!("{}/{inner}", base.trim_end_matches('/')), site))
            }
        }
    }

    /// Where a datastore is; it is an error when nobody knows.
    pub(super) fn location_of(&mut self, store: &str, site: Site<'_>) -> Option<Location> {
        let known = self.workspace.datastores.get(store).cloned();
        let known = known.map_or_else(
            || Ok(Location::Url(self.look_up_datastore(store)?.url)),
            Ok::<_, Absence>,
        );
        let found = known.map_err(|absence| {
            let near = did_you_mean(store, self.workspace.datastores.keys().map(String::as_str));
            let help = absence.help(
                near,
                &format!("where it is:\n[datastores]\n{store} = \"/data/{store}\"   # or a URL"),
                &format!("`tidemill datastore add {store} ADDRESS`"),
            );
            self.findings
                .add(
                    Code::UnknownDatastore,
                    site.place,
                    site.path,
                    format!("the datastore `{store}` is not known"),
                )
                .help_text(&help);
        });
        found.ok()
    }

    /// A path in a datastore must not lead out of it.
    pub(super) fn inside(&mut self, inner: &str, site: Site<'_>) -> Option<()> {
        if stays_inside(inner) {
            return Some(());
        }
        self.findings
            .add(
                Code::BadValue,
                site.place,
                site.path,
                "a path in a datastore must not lead out of it",
            )
            .help_text("name a path below the datastore, without `..`, backslashes and a `/` at its start");
        None
    }

    fn data_asset(&mut self, text: &str, wanted: DataType, site: Site<'_>) -> Option<Found> {
        let asset = AssetName::parse(text);
        let Some(entry) = asset.and_then(|asset| asset.find(&self.workspace.data).cloned()) else {
            let kinds = if wanted.is_model() {
                [AssetKind::Model, AssetKind::Data]
            } else {
                [AssetKind::Data, AssetKind::Model]
            };
            let absence = match self.look_up(&kinds, asset, site) {
                Lookup::Version(known) => return self.files_of(&known, site),
                Lookup::Refused => return None,
                Lookup::Absent(absence) => absence,
            };
            let name = asset.map_or(text, |asset| asset.name);
            let near = did_you_mean(name, self.workspace.data.keys().map(String::as_str));
            let help = absence.help(
                near,
                &format!("where it is:\n[data]\n\"{name}\" = \"path/to/it\""),
                &format!("`tidemill data add {name} PATH`, or `tidemill model add {name} PATH`"),
            );
            self.findings
                .add(
                    Code::UnknownData,
                    site.place,
                    site.path,
                    format!("the data asset or model `{text}` is not known"),
                )
                .help_text(&help);
            return None;
        };
        let value = match entry.location {
            Location::Local(path) => ValueSpec::Content(self.local(&path, SourceRole::Data, site)?),
            Location::Url(address) => self.remote(&address, site),
        };
        Some(Found {
            value,
            data_type: entry.data_type,
        })
    }

    /// A code folder.
    pub(super) fn code(&mut self, text: &str, site: Site<'_>) -> Option<u32> {
        if is_address(text) || text.contains("://") && !text.starts_with("file:") {
            self.findings
                .add(
                    Code::Unsupported,
                    site.place,
                    site.path,
                    format!("code must be a local folder, not `{text}`"),
                )
                .help_text("copy the code beside the pipeline");
            return None;
        }
        let path: PathBuf = site.folder.join(local_path(text)).components().collect();
        self.local(&path, SourceRole::Code, site)
    }

    /// A local file or folder that exists, as a source.
    fn local(&mut self, path: &Path, role: SourceRole, site: Site<'_>) -> Option<u32> {
        let Ok((canonical, kind)) = self.files.source(path, role) else {
            let help = self.sibling(path).map(|near| format!("did you mean `{near}`?"));
            self.findings
                .add(
                    Code::MissingPath,
                    site.place,
                    site.path,
                    format!("`{}` does not exist", path.display()),
                )
                .help_with(help);
            return None;
        };
        let Some(kind) = kind else {
            self.findings.add(
                Code::MissingPath,
                site.place,
                site.path,
                format!("`{}` is neither a file nor a folder", path.display()),
            );
            return None;
        };
        Some(self.contents.local(canonical, role, kind))
    }

    /// The neighbour of a missing path whose name is nearest.
    pub(super) fn sibling(&self, path: &Path) -> Option<String> {
        let name = path.file_name()?.to_str()?;
        let names = self.files.neighbours(path.parent()?);
        crate::diagnostic::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// The path of `file:PATH`, `file://PATH` or `PATH`.
pub(super) fn local_path(text: &str) -> &Path {
    let path = text
        .strip_prefix("file://")
        .or_else(|| text.strip_prefix("file:"));
    Path::new(path.unwrap_or(text))
}

/// Whether a path below a folder stays there: it is relative, and no part of it leads upwards.
fn stays_inside(inner: &str) -> bool {
    let climbs =
        |segment: &str| segment == ".." || segment.contains('\\') || segment.chars().any(char::is_control);
    !inner.starts_with('/') && !inner.split('/').any(climbs)
}

/// Whether a text names a YAML file.
pub(super) fn is_yaml(text: &str) -> bool {
    let extension = Path::new(text).extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("yml") || extension.eq_ignore_ascii_case("yaml")
}
