//! The catalog as its facts left it, and the questions that it answers.

use super::fact::{CatalogFact, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::catalog::{AssetBody, AssetKind, LATEST, ModelStage, Origin, Stage, Version};
use tidemill_protocol::ids::{RunId, StepPath};
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::time::Timestamp;

/// All assets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    assets: BTreeMap<AssetKind, BTreeMap<Name, Asset>>,
    /// What became of the outputs that their pipelines give names, of the runs that are known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    settled: BTreeMap<RunId, BTreeMap<StepPath, BTreeMap<PortName, Settled>>>,
    /// Names that assets had, each with the name that the asset has now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    renamed: BTreeMap<AssetKind, BTreeMap<Name, Name>>,
}

/// What became of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// What it was to become.
    pub kind: AssetKind,
    /// Under which name.
    pub name: Name,
    /// The version that it is, or why it is none.
    pub verdict: Verdict,
}

/// A named thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Free text.
    pub description: String,
    /// People's labels for it.
    pub tags: BTreeMap<String, String>,
    /// Its versions.
    pub versions: BTreeMap<Version, AssetVersion>,
    /// Labels that point at versions.
    pub labels: BTreeMap<Version, Version>,
    /// The version that was added last.
    pub latest: Version,
    /// Counts every change.
    pub revision: u64,
    /// Larger than every number that was a version.
    pub next_number: u64,
    /// When its first version was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
    /// When anything of it changed last, a version of it or what is said of that included; none in states older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed_at: Option<Timestamp>,
    /// Names that it had, the one before this last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<Name>,
}

/// A version of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetVersion {
    /// What it is.
    pub body: Arc<AssetBody>,
    /// Free text.
    pub description: String,
    /// People's labels for it.
    pub tags: BTreeMap<String, String>,
    /// How it stands.
    pub stage: Stage,
    /// Its stage in the registry; `none` of what is no model.
    #[serde(default, skip_serializing_if = "ModelStage::is_none")]
    pub model_stage: ModelStage,
    /// Where it came from.
    pub origin: Origin,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: String,
    /// When something else was said of it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed_at: Option<Timestamp>,
}

impl AssetVersion {
    /// When it was added, or something else was said of it last.
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at.unwrap_or(self.created_at)
    }
}

impl Asset {
    /// When anything of it changed last.
    pub fn changed_at(&self) -> Timestamp {
        let newest = || self.versions.values().map(|version| version.created_at).max();
        self.changed_at.or_else(newest).unwrap_or(self.created_at)
    }

    /// The version that a text means: a version, a label, or `latest`.
    pub fn resolve(&self, reference: &Version) -> Option<(&Version, &AssetVersion)> {
        let version = if reference.as_str() == LATEST {
            &self.latest
        } else if self.versions.contains_key(reference) {
            reference
        } else {
            self.labels.get(reference)?
        };
        self.versions.get_key_value(version)
    }

    /// The version that came from there.
    pub fn made_at(&self, origin: &Origin) -> Option<&Version> {
        let mut versions = self.versions.iter();
        let found = versions.find(|(_, version)| version.origin == *origin);
        found.map(|(version, _)| version)
    }

    /// The newest version in each stage of the registry: the one with the largest number, else the one that was added last.
    pub fn in_stages(&self) -> BTreeMap<ModelStage, &Version> {
        let mut newest: BTreeMap<ModelStage, (&Version, &AssetVersion)> = BTreeMap::new();
        let age = |(version, kept): (&Version, &AssetVersion)| (version.as_number(), kept.created_at);
        for one in &self.versions {
            let kept = newest.entry(one.1.model_stage).or_insert(one);
            if age(one) > age(*kept) {
                *kept = one;
            }
        }
        newest
            .into_iter()
            .map(|(stage, (version, _))| (stage, version))
            .collect()
    }

    /// The labels that point at a version.
    pub fn labels_of<'a>(&'a self, version: &'a Version) -> impl Iterator<Item = &'a Version> {
        let pointing = self.labels.iter().filter(move |(_, target)| *target == version);
        pointing.map(|(label, _)| label)
    }
}

impl Catalog {
    /// An asset by its name, or by one that it had.
    pub fn asset(&self, kind: AssetKind, name: &Name) -> Option<&Asset> {
        self.named(kind, name).map(|(_, asset)| asset)
    }

    /// The same with the name that it has now.
    pub fn named(&self, kind: AssetKind, name: &Name) -> Option<(&Name, &Asset)> {
        self.assets.get(&kind)?.get_key_value(self.current(kind, name))
    }

    /// The name that the asset has now which has, or had, this one.
    pub fn current<'a>(&'a self, kind: AssetKind, name: &'a Name) -> &'a Name {
        let renamed = self.renamed.get(&kind);
        renamed.and_then(|renamed| renamed.get(name)).unwrap_or(name)
    }

    /// The assets of one kind in the order of their names, those after `after` only.
    pub fn assets<'a>(
        &'a self,
        kind: AssetKind,
        after: Option<&'a Name>,
    ) -> impl Iterator<Item = (&'a Name, &'a Asset)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let table = self.assets.get(&kind).into_iter();
        table.flat_map(move |table| table.range::<Name, _>((from, Unbounded)))
    }

    /// How many assets there are, of all kinds.
    pub fn len(&self) -> usize {
        self.assets.values().map(BTreeMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of the outputs of a step, by output; those that have no name in the catalog are not there.
    pub fn settled(&self, run: RunId, step: &StepPath) -> impl Iterator<Item = (&PortName, &Settled)> {
        let outputs = self.settled.get(&run).and_then(|steps| steps.get(step));
        outputs.into_iter().flatten()
    }

    /// Whether anything is known of outputs of this run.
    pub fn has_settled(&self, run: RunId) -> bool {
        self.settled.contains_key(&run)
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &CatalogFact) {
        match fact {
            CatalogFact::VersionAdded { .. } => return self.add(at, fact),
            CatalogFact::OutputSettled { .. } => return self.settle_output(fact),
            CatalogFact::AssetRenamed { kind, name, to, .. } => return self.rename(at, (*kind, name), to),
            CatalogFact::OutputsForgotten { run } => {
                self.settled.remove(run);
                return;
            }
            _ => {}
        }
        let Some((kind, name)) = fact.asset() else {
            return;
        };
        let Some(asset) = self.assets.get_mut(&kind).and_then(|table| table.get_mut(name)) else {
            return;
        };
        asset.change(at, fact);
        if asset.versions.is_empty()
            && let Some(gone) = self.assets.entry(kind).or_default().remove(name)
            && let Some(renamed) = self.renamed.get_mut(&kind)
        {
            renamed.retain(|former, _| !gone.former_names.contains(former));
        }
    }

    fn rename(&mut self, at: Timestamp, (kind, name): (AssetKind, &Name), to: &Name) {
        let table = self.assets.entry(kind).or_default();
        let Some(mut asset) = table.remove(name) else {
            return;
        };
        asset.revision += 1;
        asset.changed_at = Some(at);
        asset.former_names.retain(|former| former != to);
        asset.former_names.push(name.clone());
        let renamed = self.renamed.entry(kind).or_default();
        renamed.remove(to);
        let former = asset.former_names.iter();
        renamed.extend(former.map(|former| (former.clone(), to.clone())));
        table.insert(to.clone(), asset);
    }

    fn settle_output(&mut self, fact: &CatalogFact) {
        let CatalogFact::OutputSettled {
            kind,
            name,
            run,
            step,
            output,
            verdict,
        } = fact
        else {
            return;
        };
        let settled = Settled {
            kind: *kind,
            name: name.clone(),
            verdict: verdict.clone(),
        };
        let steps = self.settled.entry(*run).or_default();
        let outputs = steps.entry(step.clone()).or_default();
        outputs.insert(output.clone(), settled);
    }

    fn add(&mut self, at: Timestamp, fact: &CatalogFact) {
        let CatalogFact::VersionAdded {
            kind,
            name,
            version,
            body,
            description,
            tags,
            origin,
            by,
        } = fact
        else {
            return;
        };
        let table = self.assets.entry(*kind).or_default();
        let asset = table.entry(name.clone()).or_insert_with(|| Asset {
            description: String::new(),
            tags: BTreeMap::new(),
            versions: BTreeMap::new(),
            labels: BTreeMap::new(),
            latest: version.clone(),
            revision: 0,
            next_number: 1,
            created_at: at,
            created_by: by.clone(),
            changed_at: None,
            former_names: Vec::new(),
        });
        asset.revision += 1;
        asset.changed_at = Some(at);
        asset.latest = version.clone();
        if let Some(number) = version.as_number() {
            asset.next_number = asset.next_number.max(number.saturating_add(1));
        }
        let added = AssetVersion {
            body: Arc::new(body.clone()),
            description: description.clone(),
            tags: tags.clone(),
            stage: Stage::Active,
            model_stage: ModelStage::None,
            origin: origin.clone(),
            created_at: at,
            created_by: by.clone(),
            changed_at: None,
        };
        asset.versions.insert(version.clone(), added);
    }
}

impl Asset {
    fn change(&mut self, at: Timestamp, fact: &CatalogFact) {
        self.revision += 1;
        self.changed_at = Some(at);
        match fact {
            CatalogFact::VersionAdded { .. }
            | CatalogFact::AssetRenamed { .. }
            | CatalogFact::OutputSettled { .. }
            | CatalogFact::OutputsForgotten { .. } => {}
            CatalogFact::AssetDescribed {
                description, tags, ..
            } => {
                self.description.clone_from(description);
                self.tags.clone_from(tags);
            }
            CatalogFact::VersionDescribed {
                version,
                description,
                tags,
                stage,
                ..
            } => {
                if let Some(version) = self.versions.get_mut(version) {
                    version.description.clone_from(description);
                    version.tags.clone_from(tags);
                    version.stage = *stage;
                    version.changed_at = Some(at);
                }
            }
            CatalogFact::VersionPromoted {
                version, model_stage, ..
            } => {
                if let Some(version) = self.versions.get_mut(version) {
                    version.model_stage = *model_stage;
                    version.changed_at = Some(at);
                }
            }
            CatalogFact::LabelSet { label, version, .. } => {
                self.labels.insert(label.clone(), version.clone());
            }
            CatalogFact::LabelRemoved { label, .. } => {
                self.labels.remove(label);
            }
            CatalogFact::VersionRemoved { version, .. } => {
                self.versions.remove(version);
                self.labels.retain(|_, target| target != version);
                if self.latest == *version {
                    let newest = self.versions.iter().max_by_key(|(_, version)| version.created_at);
                    if let Some((newest, _)) = newest {
                        self.latest = newest.clone();
                    }
                }
            }
        }
    }
}
