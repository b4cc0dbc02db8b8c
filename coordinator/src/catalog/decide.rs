//! What follows from a command, or why nothing does. Asking twice for the same changes nothing and is no error.

use super::command::{CatalogCommand, CatalogRejection, Changes, NewVersion, Which};
use super::fact::CatalogFact;
use super::stages::promote;
use super::state::{Asset, Catalog};
use crate::idempotency::Created;
use crate::ledger::{Ledger, Ledgers};
use std::collections::BTreeMap;
use tidemill_protocol::catalog::{AssetBody, AssetKind, LATEST, Stage, Version};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Assets of all kinds that are known at once.
pub const ASSETS_MAX: usize = 100_000;
/// Versions of one asset.
pub const VERSIONS_MAX: usize = 10_000;
/// Labels of one asset.
const LABELS_MAX: usize = 1_000;
/// Names that one asset may have had.
const FORMER_NAMES_MAX: usize = 100;
/// Longest description in bytes.
const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Tags of one asset or version.
const TAGS_MAX: usize = 100;
/// Longest key of a tag, and longest value, in bytes.
const TAG_BYTES_MAX: (usize, usize) = (256, 8_192);

impl Ledger for Catalog {
    type Command = CatalogCommand;
    type Fact = CatalogFact;
    type Rejection = CatalogRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.catalog
    }

    fn created(fact: &CatalogFact) -> Option<Created> {
        match fact {
            CatalogFact::VersionAdded { version, .. } => Some(Created::new(version)),
            _ => None,
        }
    }

    fn decide(&self, _: Timestamp, command: &CatalogCommand) -> Result<Vec<CatalogFact>, CatalogRejection> {
        let name = self.current(command.kind, &command.name);
        if *name == command.name {
            return self.decide_named(command);
        }
        let command = CatalogCommand {
            name: name.clone(),
            ..command.clone()
        };
        self.decide_named(&command)
    }
}

impl Catalog {
    /// The same about an asset by the name that it has now.
    fn decide_named(&self, command: &CatalogCommand) -> Result<Vec<CatalogFact>, CatalogRejection> {
        let asset = self.asset(command.kind, &command.name);
        let found = asset.map_or(0, |asset| asset.revision);
        if let Some(expected) = command.expect.filter(|expected| *expected != found) {
            return Err(CatalogRejection::Changed { expected, found });
        }
        if let Changes::Add(new) = &command.change {
            if asset.is_none() && self.len() >= ASSETS_MAX {
                return Err(CatalogRejection::TooMany("the catalog is full"));
            }
            return add(asset, command, new);
        }
        let asset = asset.ok_or_else(|| CatalogRejection::UnknownAsset {
            kind: command.kind,
            name: command.name.clone(),
        })?;
        if let Changes::Promote { .. } = &command.change {
            return promote(asset, command);
        }
        let fact = match &command.change {
            Changes::Rename(to) => self.decide_rename(asset, command, to)?,
            _ => change(asset, command)?,
        };
        Ok(fact.into_iter().collect())
    }

    fn decide_rename(
        &self,
        asset: &Asset,
        command: &CatalogCommand,
        to: &Name,
    ) -> Result<Option<CatalogFact>, CatalogRejection> {
        let CatalogCommand { kind, name, .. } = command;
        if let Some((taken, _)) = self.named(*kind, to).filter(|(taken, _)| *taken != name) {
            return Err(CatalogRejection::NameTaken {
                kind: *kind,
                name: to.clone(),
                is_former: taken != to,
            });
        }
        let is_former = asset.former_names.contains(to);
        if !is_former && asset.former_names.len() >= FORMER_NAMES_MAX {
            return Err(CatalogRejection::TooMany("the asset has had 100 names already"));
        }
        Ok((to != name).then(|| CatalogFact::AssetRenamed {
            kind: *kind,
            name: name.clone(),
            to: to.clone(),
            by: command.by.clone(),
        }))
    }
}

fn add(
    asset: Option<&Asset>,
    command: &CatalogCommand,
    new: &NewVersion,
) -> Result<Vec<CatalogFact>, CatalogRejection> {
    if kind_of(&new.body) != command.kind {
        return Err(CatalogRejection::OtherKind(command.kind));
    }
    check_texts(&new.description, &new.tags)?;
    let version = match &new.version {
        Some(version) if version.as_str() == LATEST => {
            return Err(CatalogRejection::LabelTaken(version.clone()));
        }
        Some(version) => version.clone(),
        None => Version::number(asset.map_or(1, |asset| asset.next_number)),
    };
    let mut facts = Vec::new();
    match asset.and_then(|asset| asset.versions.get(&version)) {
        Some(known) if *known.body == new.body => {}
        Some(_) => return Err(CatalogRejection::VersionTaken(version)),
        None => {
            let (versions, labelled) = asset.map_or((0, false), |asset| {
                (asset.versions.len(), asset.labels.contains_key(&version))
            });
            if labelled {
                return Err(CatalogRejection::LabelTaken(version));
            }
            if versions >= VERSIONS_MAX {
                return Err(CatalogRejection::TooMany(
                    "the asset has all the versions it may have",
                ));
            }
            facts.push(CatalogFact::VersionAdded {
                kind: command.kind,
                name: command.name.clone(),
                version: version.clone(),
                body: new.body.clone(),
                description: new.description.clone(),
                tags: new.tags.clone(),
                origin: new.origin.clone(),
                by: command.by.clone(),
            });
        }
    }
    for label in &new.labels {
        let is_version = *label == version || asset.is_some_and(|asset| asset.versions.contains_key(label));
        if is_version || label.as_str() == LATEST {
            return Err(CatalogRejection::LabelTaken(label.clone()));
        }
        let points_there = asset.and_then(|asset| asset.labels.get(label)) == Some(&version);
        if !points_there {
            facts.push(label_set(command, label, &version));
        }
    }
    Ok(facts)
}

fn change(asset: &Asset, command: &CatalogCommand) -> Result<Option<CatalogFact>, CatalogRejection> {
    match &command.change {
        // Decided where the other assets are known, or where several facts may follow.
        Changes::Add(_) | Changes::Rename(_) | Changes::Promote { .. } => Ok(None),
        Changes::Describe {
            which,
            description,
            tags,
            stage,
        } => describe(asset, command, which, (description.as_deref(), tags, *stage)),
        Changes::Label { label, version } => {
            known(asset, command, version)?;
            if asset.versions.contains_key(label) || label.as_str() == LATEST {
                return Err(CatalogRejection::LabelTaken(label.clone()));
            }
            let is_new = !asset.labels.contains_key(label);
            if is_new && asset.labels.len() >= LABELS_MAX {
                return Err(CatalogRejection::TooMany(
                    "the asset has all the labels it may have",
                ));
            }
            let points_there = asset.labels.get(label) == Some(version);
            Ok((!points_there).then(|| label_set(command, label, version)))
        }
        Changes::Unlabel(label) => {
            if !asset.labels.contains_key(label) {
                return Err(CatalogRejection::UnknownLabel {
                    kind: command.kind,
                    name: command.name.clone(),
                    label: label.clone(),
                });
            }
            Ok(Some(CatalogFact::LabelRemoved {
                kind: command.kind,
                name: command.name.clone(),
                label: label.clone(),
                by: command.by.clone(),
            }))
        }
        Changes::Remove(version) => {
            known(asset, command, version)?;
            Ok(Some(CatalogFact::VersionRemoved {
                kind: command.kind,
                name: command.name.clone(),
                version: version.clone(),
                by: command.by.clone(),
            }))
        }
    }
}

fn known(asset: &Asset, command: &CatalogCommand, version: &Version) -> Result<(), CatalogRejection> {
    if asset.versions.contains_key(version) {
        return Ok(());
    }
    Err(CatalogRejection::UnknownVersion {
        kind: command.kind,
        name: command.name.clone(),
        version: version.clone(),
    })
}

type Wanted<'a> = (
    Option<&'a str>,
    &'a BTreeMap<String, Option<String>>,
    Option<Stage>,
);

fn describe(
    asset: &Asset,
    command: &CatalogCommand,
    which: &Which,
    (description, tags, stage): Wanted<'_>,
) -> Result<Option<CatalogFact>, CatalogRejection> {
    let (kind, name, by) = (command.kind, command.name.clone(), command.by.clone());
    let described = |old: &str| description.unwrap_or(old).to_owned();
    match which {
        Which::Asset => {
            let (description, tags) = (described(&asset.description), tagged(&asset.tags, tags));
            check_texts(&description, &tags)?;
            let same = description == asset.description && tags == asset.tags;
            Ok((!same).then_some(CatalogFact::AssetDescribed {
                kind,
                name,
                description,
                tags,
                by,
            }))
        }
        Which::Version(version) => {
            known(asset, command, version)?;
            let old = &asset.versions[version];
            let (description, tags) = (described(&old.description), tagged(&old.tags, tags));
            check_texts(&description, &tags)?;
            let stage = stage.unwrap_or(old.stage);
            let same = description == old.description && tags == old.tags && stage == old.stage;
            Ok((!same).then_some(CatalogFact::VersionDescribed {
                kind,
                name,
                version: version.clone(),
                description,
                tags,
                stage,
                by,
            }))
        }
    }
}

fn tagged(
    old: &BTreeMap<String, String>,
    changes: &BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    let mut tags = old.clone();
    for (key, value) in changes {
        match value {
            Some(value) => tags.insert(key.clone(), value.clone()),
            None => tags.remove(key),
        };
    }
    tags
}

fn label_set(command: &CatalogCommand, label: &Version, version: &Version) -> CatalogFact {
    CatalogFact::LabelSet {
        kind: command.kind,
        name: command.name.clone(),
        label: label.clone(),
        version: version.clone(),
        by: command.by.clone(),
    }
}

fn check_texts(description: &str, tags: &BTreeMap<String, String>) -> Result<(), CatalogRejection> {
    if description.len() > DESCRIPTION_BYTES_MAX {
        return Err(CatalogRejection::TooLong("a description has at most 64 KiB"));
    }
    if tags.len() > TAGS_MAX {
        return Err(CatalogRejection::TooLong("there may be at most 100 tags"));
    }
    let (key_max, value_max) = TAG_BYTES_MAX;
    let fits = |(key, value): (&String, &String)| {
        (1..=key_max).contains(&key.len()) && value.len() <= value_max && !key.chars().any(char::is_control)
    };
    if !tags.iter().all(fits) {
        let rule = "a tag has a name of 1 to 256 bytes without control characters, and at most 8 KiB of text";
        return Err(CatalogRejection::TooLong(rule));
    }
    Ok(())
}

/// What a body is.
const fn kind_of(body: &AssetBody) -> AssetKind {
    match body {
        AssetBody::Data(_) => AssetKind::Data,
        AssetBody::Model(_) => AssetKind::Model,
        AssetBody::Component(_) => AssetKind::Component,
        AssetBody::Environment(_) => AssetKind::Environment,
        AssetBody::Pipeline(_) => AssetKind::Pipeline,
    }
}
