//! Names that the workspace's own tables do not know, looked up in what a catalog said: data, models, environments and components. Each resolves to one exact
//! version, which the pipeline remembers; a deprecated one is taken with a warning, a disabled one is refused.

use super::Loader;
use super::site::{Found, Site};
use crate::diagnostic::Code;
use crate::workspace::{Answer, AssetName, Known, Wanted};
use tidemill_protocol::catalog::{AssetBody, AssetKind, AssetUse, FilesBody, Location, Stage};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::Environment;
use tidemill_protocol::spec::{BindingSource, ComponentBody, ComponentSpec, PipelineSpec, ValueSpec};

/// What became of a name in the catalog.
pub(super) enum Lookup {
    /// It is a version that may be used.
    Version(Box<Known>),
    /// It is one that may not; an error says so.
    Refused,
    /// It is none that anybody knows of.
    Absent(Absence),
}

/// Why nothing is known of a name.
pub(super) struct Absence {
    /// Whether a catalog was asked.
    asked: bool,
    /// What was likely meant.
    advice: Option<String>,
}

impl Loader<'_> {
    /// What a name means in the catalog, as the first of these kinds that has it.
    pub(super) fn look_up(
        &mut self,
        kinds: &[AssetKind],
        asset: Option<AssetName<'_>>,
        site: Site<'_>,
    ) -> Lookup {
        let mut absence = Absence {
            asked: true,
            advice: None,
        };
        let Some(reference) = asset.and_then(|asset| asset.reference()) else {
            return Lookup::Absent(absence);
        };
        for kind in kinds {
            let wanted = Wanted::Asset {
                kind: *kind,
                asset: reference.clone(),
            };
            match self.workspace.catalog.answer(&wanted) {
                Some(Answer::Known(known)) => {
                    let known = known.clone();
                    return self
                        .may_be_used(&known, site)
                        .map_or(Lookup::Refused, |()| Lookup::Version(known));
                }
                Some(Answer::Unknown { advice }) => {
                    absence.advice = absence.advice.or_else(|| advice.clone());
                }
                Some(Answer::Datastore(_)) => {}
                None => {
                    absence.asked = false;
                    self.wanted.insert(wanted);
                }
            }
        }
        Lookup::Absent(absence)
    }

    /// Where a datastore is that the workspace's own tables do not know.
    pub(super) fn look_up_datastore(&mut self, name: &str) -> Result<Datastore, Absence> {
        let mut absence = Absence {
            asked: true,
            advice: None,
        };
        let Ok(name) = name.parse() else {
            return Err(absence);
        };
        let wanted = Wanted::Datastore(Name::clone(&name));
        match self.workspace.catalog.answer(&wanted) {
            Some(Answer::Datastore(found)) => {
                self.datastores.insert(name, Datastore::clone(found));
                return Ok(Datastore::clone(found));
            }
            Some(Answer::Unknown { advice }) => absence.advice.clone_from(advice),
            Some(Answer::Known(_)) => {}
            None => {
                absence.asked = false;
                self.wanted.insert(wanted);
            }
        }
        Err(absence)
    }

    fn may_be_used(&mut self, known: &Known, site: Site<'_>) -> Option<()> {
        let view = &known.view;
        let (kind, name, version) = (view.kind, &view.name, &view.version);
        let help = format!("`tidemill {kind} versions {name}` lists the others");
        match view.stage {
            Stage::Active => Some(()),
            Stage::Deprecated => {
                let message = format!("version `{version}` of {kind} `{name}` is deprecated");
                self.warn_once(Code::DeprecatedVersion, site.place, site.path, message, &help);
                Some(())
            }
            Stage::Disabled => {
                let message = format!("version `{version}` of {kind} `{name}` is disabled");
                self.findings
                    .add(Code::DisabledVersion, site.place, site.path, message)
                    .help_text(&help);
                None
            }
        }
    }

    /// Remembers that the pipeline uses a version.
    fn uses(&mut self, known: &Known) {
        let view = &known.view;
        let location = match &view.body {
            AssetBody::Data(files) | AssetBody::Model(files) => Some(&files.location),
            AssetBody::Component(_) | AssetBody::Environment(_) | AssetBody::Pipeline(_) => None,
        };
        let used = AssetUse {
            kind: view.kind,
            name: view.name.clone(),
            version: view.version.clone(),
            content: match location {
                Some(Location::Content(artifact)) => Some(*artifact),
                _ => None,
            },
            uri: match location {
                Some(Location::Uri(uri)) => Some(uri.clone()),
                _ => None,
            },
        };
        if !self.assets.contains(&used) {
            self.assets.push(used);
        }
    }

    /// The files of a version of data or of a model.
    pub(super) fn files_of(&mut self, known: &Known, site: Site<'_>) -> Option<Found> {
        let (AssetBody::Data(files) | AssetBody::Model(files)) = &known.view.body else {
            return None;
        };
        self.uses(known);
        let FilesBody { data_type, location } = files.clone();
        let value = match location {
            Location::Content(artifact) => ValueSpec::Content(self.contents.known(artifact)),
            // A datastore, or an address as it is; never another asset.
            Location::Uri(uri) if uri.starts_with("azureml://") => {
                return self.data_location(&uri, data_type, site);
            }
            Location::Uri(uri) => self.remote(&uri, site),
        };
        Some(Found {
            value,
            data_type: Some(data_type),
        })
    }

    /// A version of an environment.
    pub(super) fn environment_of(&mut self, known: &Known) -> Option<Environment> {
        let AssetBody::Environment(environment) = &known.view.body else {
            return None;
        };
        self.uses(known);
        let (name, version) = (&known.view.name, &known.view.version);
        Some(Environment {
            name: Some(format!("{name}:{version}")),
            ..environment.clone()
        })
    }

    /// A version of a component, with all that it brings along.
    pub(super) fn component_of(&mut self, known: &Known, site: Site<'_>) -> Option<u32> {
        let spec = known.spec.as_deref()?;
        let taken = self.take_in(spec);
        if taken.is_none() {
            let message = format!("component `{}` contradicts itself", known.view.name);
            self.findings.add(Code::BadSpec, site.place, site.path, message);
        }
        self.uses(known);
        taken
    }

    /// Takes the components and contents of another pipeline among our own; none when one of its references leads nowhere.
    fn take_in(&mut self, spec: &PipelineSpec) -> Option<u32> {
        let contents: Vec<u32> = spec
            .contents
            .iter()
            .map(|content| self.contents.known(*content))
            .collect();
        let mut places: Vec<u32> = Vec::with_capacity(spec.components.len());
        for component in &spec.components {
            let mut component = ComponentSpec::clone(component);
            relocate(&mut component, &contents, &places)?;
            places.push(self.intern(component));
        }
        self.datastores.extend(spec.datastores.clone());
        for used in &spec.assets {
            if !self.assets.contains(used) {
                self.assets.push(used.clone());
            }
        }
        places.get(spec.root as usize).copied()
    }
}

/// Turns the places that a component names into our own.
fn relocate(component: &mut ComponentSpec, contents: &[u32], places: &[u32]) -> Option<()> {
    let at = |list: &[u32], place: u32| list.get(place as usize).copied();
    let moved = |place: Option<u32>| match place {
        Some(place) => at(contents, place).map(Some),
        None => Some(None),
    };
    for input in component.inputs.values_mut() {
        if let Some(ValueSpec::Content(place)) = &mut input.default {
            *place = at(contents, *place)?;
        }
    }
    match &mut component.body {
        ComponentBody::Command(command) => command.code = moved(command.code)?,
        ComponentBody::Other(other) => other.code = moved(other.code)?,
        ComponentBody::Graph(graph) => {
            for step in &mut graph.steps {
                step.component = at(places, step.component)?;
                for binding in step.inputs.values_mut() {
                    if let BindingSource::Value(ValueSpec::Content(place)) = &mut binding.source {
                        *place = at(contents, *place)?;
                    }
                }
            }
        }
    }
    Some(())
}

impl Absence {
    /// What to do about a name that is not known: what was likely meant, else how to define it here or in the catalog.
    pub(super) fn help(&self, near: Option<String>, here: &str, there: &str) -> String {
        let near = near
            .filter(|help| help.starts_with("did"))
            .or_else(|| self.advice.clone());
        let mut help = match near {
            Some(near) if near.starts_with("did") => near,
            _ => format!("say in tidemill.toml {here}\nor tell the coordinator: {there}"),
        };
        if !self.asked {
            help.push_str(
                "\nno coordinator was asked: none runs here, and none was named (--url, $TIDEMILL_URL)",
            );
        }
        help
    }
}
