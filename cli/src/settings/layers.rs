//! The strongest value of each key, read as what its setting is made of. Which layer is stronger is said in `resolve.rs`.

use super::{Origin, Setting, invalid, steps};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tidemill_coordinator::OpenLineageConfig;
use tidemill_protocol::destination::Destinations;
use tidemill_worker::{Reach, RunAs, StepLimits};

/// The strongest value of each key.
pub(super) struct Layers(pub(super) BTreeMap<&'static str, Setting>);

impl Layers {
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Failure> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Setting {
                value: toml::Value::String(text),
                ..
            }) => Ok(Some(text.clone())),
            Some(setting) => Err(invalid(key, setting, "a text")),
        }
    }

    /// A file or folder; what a settings file names lies beside that file.
    pub(super) fn path(&self, key: &str) -> Result<Option<PathBuf>, Failure> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let base = match &self.0[key].origin {
            Origin::File(file) => file.parent(),
            _ => None,
        };
        Ok(Some(
            base.map_or_else(|| PathBuf::from(&text), |base| base.join(&text)),
        ))
    }

    /// Files and folders, by paths from the root.
    pub(super) fn places(&self, key: &str) -> Result<Vec<PathBuf>, Failure> {
        let paths = self.list(key)?.into_iter().map(PathBuf::from);
        paths
            .map(|path| {
                if path.is_absolute() {
                    Ok(path)
                } else {
                    Err(invalid(key, &self.0[key], "absolute paths"))
                }
            })
            .collect()
    }

    /// What a strict sandbox leaves open beside the system.
    pub(super) fn reach(&self) -> Result<Reach, Failure> {
        Ok(Reach {
            readable: self.places("sandbox_readable")?,
            writable: self.places("sandbox_writable")?,
        })
    }

    /// What each step may use.
    pub(super) fn step_limits(&self) -> Result<StepLimits, Failure> {
        let limits = steps::limits(
            self.number("step_processes", 0, 1 << 22)?,
            self.number("step_open_files", 0, 1 << 30)?,
            self.size("step_file_size")?,
        );
        limits.map_err(|(key, wanted)| invalid(key, &self.0[key], &wanted))
    }

    /// As whom steps run.
    pub(super) fn run_as(&self) -> Result<RunAs, Failure> {
        let wanted = "`off`, `auto` or a range of users such as 70000-70999";
        Ok(self
            .parsed("step_user", RunAs::parse, wanted)?
            .unwrap_or_default())
    }

    /// Places on networks.
    pub(super) fn destinations(&self, key: &str) -> Result<Destinations, Failure> {
        Destinations::with(&self.list(key)?).map_err(|error| invalid(key, &self.0[key], &error.to_string()))
    }

    /// Where lineage events go.
    pub(super) fn openlineage(&self) -> Result<Option<OpenLineageConfig>, Failure> {
        let Some(url) = self.text("openlineage_url")? else {
            return Ok(None);
        };
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            let setting = &self.0["openlineage_url"];
            return Err(invalid("openlineage_url", setting, "an http or https address"));
        }
        let namespace = self.text("openlineage_namespace")?;
        Ok(Some(OpenLineageConfig {
            url,
            namespace: namespace.unwrap_or_else(|| "tidemill".to_owned()),
        }))
    }

    /// The files with which the API is served: both or none.
    pub(super) fn tls(&self) -> Result<Option<(PathBuf, PathBuf)>, Failure> {
        match (self.path("tls_cert")?, self.path("tls_key")?) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (certificate, _) => {
                let (given, other) = match certificate {
                    Some(_) => ("tls_cert", "tls_key"),
                    None => ("tls_key", "tls_cert"),
                };
                let what = format!("`{given}` is of no use without `{other}`");
                Err(Failure::new(Exit::Usage, what).help("give both: --tls-cert FILE --tls-key FILE"))
            }
        }
    }

    pub(super) fn number(&self, key: &str, least: i64, most: i64) -> Result<Option<i64>, Failure> {
        match self.0.get(key) {
            None => Ok(None),
            Some(setting) => match setting.value {
                toml::Value::Integer(number) if (least..=most).contains(&number) => Ok(Some(number)),
                _ => Err(invalid(
                    key,
                    setting,
                    &format!("a whole number from {least} to {most}"),
                )),
            },
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, Failure> {
        match self.0.get(key) {
            None => Ok(false),
            Some(setting) => {
                let value = setting.value.as_bool();
                value.ok_or_else(|| invalid(key, setting, "true or false"))
            }
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Vec<String>, Failure> {
        match self.0.get(key) {
            None => Ok(Vec::new()),
            Some(setting) => match &setting.value {
                toml::Value::String(text) => Ok(vec![text.clone()]),
                toml::Value::Array(items) => items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect::<Option<_>>()
                    .ok_or_else(|| invalid(key, setting, "a list of texts")),
                _ => Err(invalid(key, setting, "a list of texts")),
            },
        }
    }

    /// A text, or several that are one with commas between them.
    pub(super) fn texts(&self, key: &str) -> Result<Option<String>, Failure> {
        let texts = self.list(key)?;
        Ok((!texts.is_empty()).then(|| texts.join(",")))
    }

    pub(super) fn word<T: ValueEnum + Default>(&self, key: &str) -> Result<T, Failure> {
        let Some(text) = self.text(key)? else {
            return Ok(T::default());
        };
        T::from_str(&text, true).map_err(|_| {
            let words = T::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value);
            let words: Vec<String> = words
                .filter(|w| !w.is_hide_set())
                .map(|w| w.get_name().to_owned())
                .collect();
            invalid(key, &self.0[key], &format!("one of {}", words.join(", ")))
        })
    }

    pub(super) fn parsed<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        wanted: &str,
    ) -> Result<Option<T>, Failure> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) => parse(&text)
                .map(Some)
                .ok_or_else(|| invalid(key, &self.0[key], wanted)),
        }
    }

    /// A number of bytes as people write it.
    pub(super) fn size(&self, key: &str) -> Result<Option<u64>, Failure> {
        self.parsed(key, humane::parse_bytes, "a size such as 20GiB")
    }
}
