//! What becomes of outputs that their pipelines give names: when a step has ended well, each is a version of data or of a model, or it is said why not. Decided
//! once for each output: what was decided is kept, so that neither a crash nor a version's removal lets it be decided again.

use super::command::{CatalogCommand, CatalogRejection, Changes, NewVersion};
use super::fact::{CatalogFact, Verdict};
use super::state::{Asset, Catalog};
use crate::ledger::Ledger;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::catalog::{AssetBody, AssetKind, FilesBody, Location, Origin, Version, VersionError};
use tidemill_protocol::ids::{RunId, StepPath};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::Registration;
use tidemill_protocol::spec::DataType;
use tidemill_protocol::time::Timestamp;

/// An output of a step that ended well, and the name that its pipeline gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedOutput {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepPath,
    /// The output.
    pub output: PortName,
    /// Its content.
    pub artifact: ArtifactRef,
    /// Whether the step took the result over from another.
    pub reused: bool,
    /// What it is to become.
    pub registration: Registration,
    /// Who submitted the run.
    pub by: String,
}

/// Why an output becomes no version.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error(transparent)]
    Catalog(#[from] CatalogRejection),
}

impl Catalog {
    /// The facts that settle an output; none when it is settled already.
    ///
    /// A step that was executed makes a version. One that took a result over does so only when the latest version is something else, and a version that the
    /// pipeline names is made once: with other content it is refused.
    pub fn settle(&self, now: Timestamp, output: &NamedOutput) -> Vec<CatalogFact> {
        let mut settled = self.settled(output.run, &output.step);
        if settled.any(|(name, _)| *name == output.output) {
            return Vec::new();
        }
        let data_type = data_type(output);
        let kind = if data_type.is_model() {
            AssetKind::Model
        } else {
            AssetKind::Data
        };
        let (mut facts, verdict) = match self.version_of(now, kind, data_type, output) {
            Ok((facts, version)) => (facts, Verdict::Version(version)),
            Err(refusal) => (Vec::new(), Verdict::Refused(refusal.to_string())),
        };
        facts.push(CatalogFact::OutputSettled {
            kind,
            name: self.current(kind, &output.registration.name).clone(),
            run: output.run,
            step: output.step.clone(),
            output: output.output.clone(),
            verdict,
        });
        facts
    }

    fn version_of(
        &self,
        now: Timestamp,
        kind: AssetKind,
        data_type: DataType,
        output: &NamedOutput,
    ) -> Result<(Vec<CatalogFact>, Version), Refusal> {
        let registration = &output.registration;
        let origin = Origin {
            run: Some(output.run),
            step: Some(output.step.clone()),
            output: Some(output.output.clone()),
        };
        let asset = self.asset(kind, &registration.name);
        // The journal may end between the two facts.
        if let Some(made) = asset.and_then(|asset| asset.made_at(&origin)) {
            return Ok((Vec::new(), made.clone()));
        }
        let files = FilesBody {
            data_type,
            location: Location::Content(output.artifact),
        };
        let body = match kind {
            AssetKind::Model => AssetBody::Model(files),
            _ => AssetBody::Data(files),
        };
        let wanted: Option<Version> = parsed(registration.version.as_deref())?;
        let same = asset
            .filter(|_| output.reused)
            .and_then(|asset| latest_if(asset, &body));
        let version = wanted.or(same);
        let new = NewVersion {
            version: version.clone(),
            body,
            description: registration.description.clone(),
            tags: registration.tags.clone(),
            labels: parsed(registration.label.as_deref())?.into_iter().collect(),
            origin,
        };
        let command = CatalogCommand {
            kind,
            name: registration.name.clone(),
            expect: None,
            by: output.by.clone(),
            change: Changes::Add(new),
        };
        let facts = self.decide(now, &command)?;
        let added = facts.iter().find_map(|fact| match fact {
            CatalogFact::VersionAdded { version, .. } => Some(version.clone()),
            _ => None,
        });
        let version = added.or(version);
        Ok((
            facts,
            version.expect("a version without a number is always added"),
        ))
    }
}

fn parsed(text: Option<&str>) -> Result<Option<Version>, VersionError> {
    text.map(str::parse).transpose()
}

/// The latest version, if it is this.
fn latest_if(asset: &Asset, body: &AssetBody) -> Option<Version> {
    let latest = asset.versions.get(&asset.latest)?;
    (*latest.body == *body).then(|| asset.latest.clone())
}

/// What the output means: as its pipeline says, else by its shape. A file is no folder, whatever was declared.
fn data_type(output: &NamedOutput) -> DataType {
    let declared = output.registration.data_type.as_deref().and_then(DataType::parse);
    let by_shape = match output.artifact.kind {
        ArtifactKind::Blob => DataType::UriFile,
        ArtifactKind::Tree => DataType::UriFolder,
    };
    match declared {
        Some(DataType::UriFile | DataType::UriFolder) | None => by_shape,
        Some(declared) => declared,
    }
}
