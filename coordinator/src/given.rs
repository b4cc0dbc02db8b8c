//! Data given to a pipeline by its name: `azureml:NAME:VERSION` of the catalog, or a path in a datastore, in a parameter that takes files. It becomes the files, or the
//! address, that this version is; the run remembers which. Pure.

use crate::catalog::Catalog;
use crate::datastores::Datastores;
use std::collections::BTreeMap;
use tidemill_language::{Code, Severity};
use tidemill_protocol::api::Problem;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{
    AssetBody, AssetKind, AssetUse, FilesBody, LATEST, Location, Stage, Version,
};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::spec::{BindingSource, BindingSpec, DataType, InputType, PipelineSpec, ValueSpec};

/// With what such a name begins.
const PREFIX: &str = "azureml:";
/// With what a path in a datastore begins.
const ADDRESS: &str = "azureml://";

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meant {
    place: Place,
    data_type: Option<DataType>,
    used: Option<AssetUse>,
    datastore: Option<(Name, Datastore)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Content(ArtifactRef),
    Uri(String),
}

/// The text that names a path in a datastore.
pub(crate) fn path_in(datastore: &Name, path: &str) -> String {
    format!("azureml://datastores/{datastore}/paths/{path}")
}

/// The parameters that name data, each with its text.
pub(crate) fn named(spec: &PipelineSpec, parameters: &BTreeMap<String, String>) -> Vec<(PortName, String)> {
    let Some(root) = spec.components.get(spec.root as usize) else {
        return Vec::new();
    };
    let named = parameters.iter().filter_map(|(name, text)| {
        let (port, input) = root.inputs.get_key_value(name.as_str())?;
        let is_name = matches!(input.input_type, InputType::Data(_)) && text.starts_with(PREFIX);
        is_name.then(|| (port.clone(), text.clone()))
    });
    named.collect()
}

/// Gives the pipeline what its parameters name; answers with a problem for each name that means nothing.
pub(crate) fn take(
    spec: &mut PipelineSpec,
    parameters: &mut BTreeMap<String, String>,
    found: Vec<(PortName, Result<Meant, String>)>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (port, found) in found {
        match found {
            Ok(meant) => {
                parameters.remove(port.as_str());
                give(spec, port, meant);
            }
            Err(message) => problems.push(problem(&port, message)),
        }
    }
    problems
}

fn give(spec: &mut PipelineSpec, port: PortName, meant: Meant) {
    let value = match meant.place {
        Place::Uri(address) => ValueSpec::Uri(address),
        Place::Content(artifact) => {
            let place = u32::try_from(spec.contents.len()).unwrap_or(u32::MAX);
            spec.contents.push(artifact);
            ValueSpec::Content(place)
        }
    };
    let binding = BindingSpec {
        source: BindingSource::Value(value),
        data_type: meant.data_type,
        mode: None,
    };
    spec.inputs.insert(port, binding);
    spec.datastores.extend(meant.datastore);
    if let Some(used) = meant.used
        && !spec.assets.contains(&used)
    {
        spec.assets.push(used);
    }
}

/// What a name means: a path in a datastore, a version of data, or else of a model.
pub(crate) fn meant(catalog: &Catalog, datastores: &Datastores, text: &str) -> Result<Meant, String> {
    if text.starts_with(ADDRESS) {
        let (address, datastore) = in_datastore(datastores, text)?;
        return Ok(Meant {
            place: Place::Uri(address),
            data_type: None,
            used: None,
            datastore: Some(datastore),
        });
    }
    let text = text.strip_prefix(PREFIX).unwrap_or(text);
    let (text, inside) = match text.split_once('/') {
        Some((text, inside)) => (text, Some(inside)),
        None => (text, None),
    };
    let (name, version) = match text.split_once([':', '@']) {
        Some((name, version)) => (name, version),
        None => (text, LATEST),
    };
    let bad = || format!("`{PREFIX}{text}` is no name of data");
    let name: Name = name.parse().map_err(|_| bad())?;
    let version: Version = version.parse().map_err(|_| bad())?;
    let (kind, version, files) = files_of(catalog, &name, &version)?;
    let mut used = AssetUse {
        kind,
        name: name.clone(),
        version,
        content: None,
        uri: None,
    };
    let mut datastore = None;
    let place = match (&files.location, inside) {
        (Location::Content(artifact), None) => {
            used.content = Some(*artifact);
            Place::Content(*artifact)
        }
        (Location::Uri(address), inside) => {
            let mut address = address.clone();
            if address.starts_with(ADDRESS) {
                let (found, store) = in_datastore(datastores, &address)?;
                address = found;
                datastore = Some(store);
            }
            let address = below(&address, inside, &name)?;
            // By it the step that reads it is found.
            used.uri = Some(address.clone());
            Place::Uri(address)
        }
        (Location::Content(_), Some(_)) => {
            return Err(format!(
                "`{name}` is in the store and not an address: it can only be taken whole"
            ));
        }
    };
    Ok(Meant {
        place,
        // What stands behind it may be a file of a folder.
        data_type: inside.is_none().then_some(files.data_type),
        used: Some(used),
        datastore,
    })
}

fn below(address: &str, inside: Option<&str>, name: &Name) -> Result<String, String> {
    match inside {
        None => Ok(address.to_owned()),
        Some(inside) if inside.split('/').any(|part| part == "..") => {
            Err(format!("`{inside}` leads out of `{name}`"))
        }
        Some(inside) => Ok(format!("{}/{inside}", address.trim_end_matches('/'))),
    }
}

fn files_of<'a>(
    catalog: &'a Catalog,
    name: &Name,
    version: &Version,
) -> Result<(AssetKind, Version, &'a FilesBody), String> {
    let found = [AssetKind::Data, AssetKind::Model]
        .into_iter()
        .find_map(|kind| Some((kind, catalog.asset(kind, name)?.resolve(version)?)));
    let Some((kind, (exact, kept))) = found else {
        return Err(format!("there is no data `{name}` with a version `{version}`"));
    };
    if kept.stage == Stage::Disabled {
        return Err(format!("version `{version}` of `{name}` is disabled"));
    }
    match &*kept.body {
        AssetBody::Data(files) | AssetBody::Model(files) => Ok((kind, exact.clone(), files)),
        _ => Err(format!("`{name}` is no data")),
    }
}

/// `azureml://…datastores/D/paths/P` as an address, with the datastore that it lies in.
pub(crate) fn in_datastore(
    datastores: &Datastores,
    text: &str,
) -> Result<(String, (Name, Datastore)), String> {
    let bad = || format!("`{text}` is no path in a datastore");
    let (_, rest) = text.split_once("datastores/").ok_or_else(bad)?;
    let (store, inner) = rest
        .split_once("/paths/")
        .unwrap_or((rest.trim_end_matches('/'), ""));
    let name: Name = store.parse().map_err(|_| bad())?;
    let known = datastores.get(&name);
    let known = known.ok_or_else(|| format!("the coordinator has no datastore `{name}`"))?;
    let address = known.definition.below(inner);
    let address = address.ok_or_else(|| format!("`{inner}` leads out of the datastore `{name}`"))?;
    Ok((address, (name, known.definition.clone())))
}

fn problem(port: &PortName, message: String) -> Problem {
    Problem {
        code: Code::UnknownData.as_str().to_owned(),
        severity: Severity::Error.as_str().to_owned(),
        message,
        help: Some("`tidemill data list` and `tidemill datastore list` show what there is".to_owned()),
        file: None,
        line: None,
        column: None,
        path: format!("inputs.{port}"),
    }
}
