//! What a coordinator said of names that the workspace's own tables do not know. The language asks nobody: reading collects what is wanted, whoever reads asks a
//! coordinator, and reads again.

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::api::VersionView;
use tidemill_protocol::catalog::{AssetKind, AssetRef};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;
use tidemill_protocol::spec::PipelineSpec;

/// A name that only a coordinator may know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// A version of an asset.
    Asset {
        /// What it is to be.
        kind: AssetKind,
        /// The name, with a version or label where one was asked for.
        asset: AssetRef,
    },
    /// A datastore.
    Datastore(Name),
}

/// What a coordinator said of a name.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It is this version.
    Known(Box<Known>),
    /// It is this place.
    Datastore(Box<Datastore>),
    /// There is no such thing.
    Unknown {
        /// What was likely meant, in a sentence.
        advice: Option<String>,
    },
}

/// A version that a catalog has.
#[derive(Debug, Clone)]
pub struct Known {
    /// What it is.
    pub view: VersionView,
    /// Of a component, what the blob in its body holds.
    pub spec: Option<Arc<PipelineSpec>>,
}

/// The answers so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog(BTreeMap<Wanted, Answer>);

impl Catalog {
    pub(super) fn learn(&mut self, wanted: Wanted, answer: Answer) {
        self.0.insert(wanted, answer);
    }

    /// What was said of a name; none when nobody was asked.
    pub(crate) fn answer(&self, wanted: &Wanted) -> Option<&Answer> {
        self.0.get(wanted)
    }
}
