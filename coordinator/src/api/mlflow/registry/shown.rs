//! A registered model and its versions as they are shown.

use crate::api::mlflow::fault::Fault;
use crate::api::mlflow::shapes::pairs;
use crate::catalog::{Asset, AssetVersion};
use crate::driver::Sight;
use crate::tracking::search::{Field, Subject, Vocabulary};
use crate::tracking::{Announced, TrackedId};
use crate::views::{MODEL_TAG, RUN_TAG, made_by, metrics};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tidemill_engine::Engine;
use tidemill_protocol::api::VersionMetric;
use tidemill_protocol::catalog::{AssetBody, AssetKind, Location, ModelStage, Version};
use tidemill_protocol::name::Name;

/// Tags of a version under which it is kept where it came from.
pub(super) const SOURCE: &str = "mlflow.source";
pub(super) const RUN: &str = RUN_TAG;
pub(super) const MODEL: &str = MODEL_TAG;
pub(super) const RUN_LINK: &str = "mlflow.run_link";
/// The tag by which the client tells prompts from models.
const IS_PROMPT: &str = "mlflow.prompt.is_prompt";
const KEPT: [&str; 4] = [SOURCE, RUN, MODEL, RUN_LINK];

/// What may be asked of registered models, and of their versions.
pub(super) const MODELS: Vocabulary = Vocabulary {
    things: "registered models",
    numbers: &["creation_timestamp", "last_updated_timestamp"],
    texts: &["name"],
    spellings: &[("timestamp", "last_updated_timestamp")],
    has_metrics: false,
};
pub(super) const VERSIONS: Vocabulary = Vocabulary {
    things: "model versions",
    numbers: &["version_number", "creation_timestamp", "last_updated_timestamp"],
    texts: &["name", "version", "run_id", "source_path"],
    spellings: &[],
    has_metrics: false,
};

/// The name of a model: as of everything in the catalog.
pub(super) fn name_of(text: &str) -> Result<Name, Fault> {
    text.parse().map_err(|error| Fault::invalid(format!("{error}")))
}

/// A version or alias.
pub(super) fn version_of(text: &str) -> Result<Version, Fault> {
    text.parse().map_err(|error| Fault::invalid(format!("{error}")))
}

/// A stage, in any case of letters.
pub(super) fn stage_of(text: &str) -> Result<ModelStage, Fault> {
    text.parse().map_err(|_| {
        Fault::invalid(format!(
            "invalid model version stage `{text}`: None, Staging, Production and Archived are"
        ))
    })
}

/// A registered model.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) name: Name,
    is_kept: bool,
    description: String,
    tags: BTreeMap<String, String>,
    created_at: u64,
    changed_at: u64,
    by: String,
    aliases: Vec<(Version, Version)>,
    /// The newest version in each stage, the newest of them first.
    pub(super) latest: Vec<Shown>,
}

/// A version of one.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    name: Name,
    pub(super) version: Version,
    pub(super) kept: AssetVersion,
    aliases: Vec<Version>,
    /// The run that made it, as tracking knows it.
    run: Option<TrackedId>,
    /// What was measured of it, and the parameters of the model that was logged: where it was asked for alone.
    metrics: Vec<VersionMetric>,
    params: BTreeMap<String, String>,
}

impl Model {
    fn of_asset(engine: &Engine, name: &Name, asset: &Asset) -> Self {
        let aliases = asset.labels.iter();
        Self {
            name: name.clone(),
            is_kept: true,
            description: asset.description.clone(),
            tags: asset.tags.clone(),
            created_at: asset.created_at.0,
            changed_at: asset.changed_at().0,
            by: asset.created_by.clone(),
            aliases: aliases
                .map(|(alias, version)| (alias.clone(), version.clone()))
                .collect(),
            latest: newest_in_stages(versions_of(engine, name, asset)),
        }
    }

    fn of_announced(name: &Name, announced: &Announced) -> Self {
        Self {
            name: name.clone(),
            is_kept: false,
            description: announced.description.clone(),
            tags: announced.tags.clone(),
            created_at: announced.at.0,
            changed_at: announced.changed_at().0,
            by: announced.by.clone(),
            aliases: Vec::new(),
            latest: Vec::new(),
        }
    }

    /// Whether the catalog has it: it has a version.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// What is said of it with these changes.
    pub(super) fn described(
        self,
        description: Option<String>,
        changes: &BTreeMap<String, Option<String>>,
    ) -> (String, BTreeMap<String, String>) {
        let mut tags = self.tags;
        for (key, value) in changes {
            match value {
                Some(value) => tags.insert(key.clone(), value.clone()),
                None => tags.remove(key),
            };
        }
        (description.unwrap_or(self.description), tags)
    }

    /// As the protocol writes it.
    pub(super) fn to_json(&self) -> Value {
        let aliases = self.aliases.iter();
        let aliases: Vec<Value> = aliases
            .map(|(alias, version)| json!({"alias": alias.as_str(), "version": version.as_str()}))
            .collect();
        json!({
            "name": self.name.as_str(),
            "creation_timestamp": self.created_at,
            "last_updated_timestamp": self.changed_at,
            "user_id": self.by,
            "description": self.description,
            "latest_versions": self.latest.iter().map(Shown::to_json).collect::<Vec<Value>>(),
            "tags": pairs(&self.tags),
            "aliases": aliases,
        })
    }
}

/// Of versions, the newest first, the first in each stage.
fn newest_in_stages(versions: Vec<Shown>) -> Vec<Shown> {
    let mut newest: Vec<Shown> = Vec::new();
    for version in versions {
        if newest.iter().all(|other| other.stage() != version.stage()) {
            newest.push(version);
        }
    }
    newest
}

/// The versions that its clients can count, the newest first.
fn versions_of(engine: &Engine, name: &Name, asset: &Asset) -> Vec<Shown> {
    let numbered = asset
        .versions
        .iter()
        .filter(|(version, _)| version.as_number().is_some());
    let mut all: Vec<Shown> = numbered
        .map(|(version, kept)| shown(engine, (name, asset), (version, kept)))
        .collect();
    all.sort_by_key(|shown| Reverse(shown.version.as_number()));
    all
}

fn shown(
    engine: &Engine,
    (name, asset): (&Name, &Asset),
    (version, kept): (&Version, &AssetVersion),
) -> Shown {
    Shown {
        name: name.clone(),
        version: version.clone(),
        kept: kept.clone(),
        aliases: asset.labels_of(version).cloned().collect(),
        run: made_by(engine, kept),
        metrics: Vec::new(),
        params: BTreeMap::new(),
    }
}

fn assets<'a>(sight: &Sight<'a>) -> impl Iterator<Item = (&'a Name, &'a Asset)> {
    sight.ledgers.catalog.assets(AssetKind::Model, None)
}

/// All registered models in the order of their names.
pub(super) fn all_models(sight: &Sight<'_>) -> Vec<Model> {
    let kept = assets(sight).map(|(name, asset)| Model::of_asset(sight.engine, name, asset));
    let announced = sight.ledgers.tracking.announced();
    let without_version =
        announced.filter(|(name, _)| sight.ledgers.catalog.asset(AssetKind::Model, name).is_none());
    let mut all: Vec<Model> = kept
        .chain(without_version.map(|(name, announced)| Model::of_announced(name, announced)))
        .collect();
    all.sort_by(|left, right| left.name.cmp(&right.name));
    all
}

/// The registered model with this name, or that had it.
pub(super) fn model(sight: &Sight<'_>, name: &Name) -> Option<Model> {
    match sight.ledgers.catalog.named(AssetKind::Model, name) {
        Some((name, asset)) => Some(Model::of_asset(sight.engine, name, asset)),
        None => sight
            .ledgers
            .tracking
            .announcement(name)
            .map(|announced| Model::of_announced(name, announced)),
    }
}

/// All versions of all models, by name, the newest first.
pub(super) fn all_versions(sight: &Sight<'_>) -> Vec<Shown> {
    assets(sight)
        .flat_map(|(name, asset)| versions_of(sight.engine, name, asset))
        .collect()
}

/// Puts versions in the order in which they are found when nobody asks for another: the newest first, whosever they are.
pub(super) fn newest_first(versions: &mut [Shown]) {
    versions.sort_by_key(|version| Reverse(version.kept.created_at));
}

/// The version that a text means, itself or by an alias, with what was measured of it.
pub(super) fn version(sight: &Sight<'_>, name: &Name, version: &Version) -> Option<Shown> {
    let (name, asset) = sight.ledgers.catalog.named(AssetKind::Model, name)?;
    let (version, kept) = asset.resolve(version)?;
    let tracking = &sight.ledgers.tracking;
    let logged = kept.tags.get(MODEL).and_then(|id| tracking.model(id));
    Some(Shown {
        metrics: metrics((sight.engine, tracking), kept),
        params: logged.map(|model| model.what.params.clone()).unwrap_or_default(),
        ..shown(sight.engine, (name, asset), (version, kept))
    })
}

impl Shown {
    fn kept_tag(&self, tag: &str) -> Option<&String> {
        self.kept.tags.get(tag)
    }

    /// Its stage.
    pub(super) fn stage(&self) -> ModelStage {
        self.kept.model_stage
    }

    /// Where its files are read from.
    pub(super) fn files_uri(&self) -> String {
        match &*self.kept.body {
            AssetBody::Model(files) => match &files.location {
                Location::Uri(uri) => uri.clone(),
                Location::Content(_) => format!(
                    "mlflow-artifacts:/registered/{}/{}",
                    self.name.as_str(),
                    self.version.as_str()
                ),
            },
            _ => String::new(),
        }
    }

    fn source(&self) -> String {
        self.kept_tag(SOURCE).cloned().unwrap_or_else(|| self.files_uri())
    }

    /// As the protocol writes it.
    pub(super) fn to_json(&self) -> Value {
        let own = self
            .kept
            .tags
            .iter()
            .filter(|(key, _)| !KEPT.contains(&key.as_str()));
        let tags: BTreeMap<String, String> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut fields = json!({
            "name": self.name.as_str(),
            "version": self.version.as_str(),
            "creation_timestamp": self.kept.created_at,
            "last_updated_timestamp": self.kept.changed_at(),
            "user_id": self.kept.created_by,
            "current_stage": stage_word(self.stage()),
            "description": self.kept.description,
            "source": self.source(),
            "status": "READY",
            "tags": pairs(&tags),
            "aliases": self.aliases.iter().map(Version::as_str).collect::<Vec<&str>>(),
        });
        if let Some(fields) = fields.as_object_mut() {
            let known = [
                ("run_id", self.run.as_ref().map(TrackedId::as_str)),
                ("model_id", self.kept_tag(MODEL).map(String::as_str)),
                ("run_link", self.kept_tag(RUN_LINK).map(String::as_str)),
            ];
            fields.extend(
                known
                    .into_iter()
                    .filter_map(|(name, text)| Some((name.to_owned(), text?.into()))),
            );
            self.add_measured(fields);
        }
        fields
    }
}

impl Shown {
    /// What was measured of it, under the names that the protocol has for it.
    fn add_measured(&self, fields: &mut Map<String, Value>) {
        let metrics = self.metrics.iter().map(|metric| {
            let VersionMetric { key, last, .. } = metric;
            let mut shown = json!({"key": key, "value": last.value, "timestamp": last.time, "step": last.step, "run_id": metric.tracked_run});
            if let (Some(dataset), Some(fields)) = (&metric.dataset, shown.as_object_mut()) {
                fields.insert("dataset_name".to_owned(), dataset.as_str().into());
            }
            shown
        });
        let params = self
            .params
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}));
        let lists: [(&str, Vec<Value>); 2] = [
            ("model_metrics", metrics.collect()),
            ("model_params", params.collect()),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                fields.insert(name.to_owned(), list.into());
            }
        }
    }
}

/// The word of the protocol for a stage.
const fn stage_word(stage: ModelStage) -> &'static str {
    match stage {
        ModelStage::None => "None",
        ModelStage::Staging => "Staging",
        ModelStage::Production => "Production",
        ModelStage::Archived => "Archived",
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of our age are exact in a float"
)]
const fn moment(at: u64) -> f64 {
    at as f64
}

/// A tag. Whoever searches models is asked by the client to leave prompts out; there are none here.
fn tag<'t>(tags: &'t BTreeMap<String, String>, key: &str) -> Option<Cow<'t, str>> {
    let found = tags.get(key).map(Into::into);
    found.or_else(|| (key == IS_PROMPT).then_some("false".into()))
}

impl Subject for Model {
    fn number(&self, field: &Field) -> Option<f64> {
        match field {
            Field::Number("creation_timestamp") => Some(moment(self.created_at)),
            Field::Number(_) => Some(moment(self.changed_at)),
            _ => None,
        }
    }

    fn text(&self, field: &Field) -> Option<Cow<'_, str>> {
        match field {
            Field::Tag(key) => tag(&self.tags, key),
            Field::Text(_) => Some(self.name.as_str().into()),
            _ => None,
        }
    }
}

impl Subject for Shown {
    fn number(&self, field: &Field) -> Option<f64> {
        match field {
            Field::Number("version_number") => self.version.as_number().map(moment),
            Field::Number("creation_timestamp") => Some(moment(self.kept.created_at.0)),
            Field::Number(_) => Some(moment(self.kept.changed_at().0)),
            _ => None,
        }
    }

    fn text(&self, field: &Field) -> Option<Cow<'_, str>> {
        match field {
            Field::Tag(key) => tag(&self.kept.tags, key),
            Field::Text("name") => Some(self.name.as_str().into()),
            Field::Text("version") => Some(self.version.as_str().into()),
            Field::Text("run_id") => self.run.as_ref().map(|run| run.as_str().into()),
            Field::Text(_) => Some(self.source().into()),
            _ => None,
        }
    }
}
