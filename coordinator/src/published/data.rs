//! Data of the catalog given to a published pipeline: `azureml:NAME:VERSION` in a parameter that takes files becomes the files, or the address, that this version is.

use super::PublishedError;
use crate::catalog::Catalog;
use crate::handle::{CoordinatorHandle, SubmitError};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::api::Problem;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::catalog::{AssetBody, AssetKind, LATEST, Location, Stage, Version};
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::spec::{BindingSource, BindingSpec, InputType, PipelineSpec, ValueSpec};

/// With what such a name begins.
const PREFIX: &str = "azureml:";

/// Takes the names of data out of the parameters: files go into the pipeline, addresses stay parameters. Refuses with every name that means nothing.
pub(super) async fn take(
    handle: &CoordinatorHandle,
    spec: &mut PipelineSpec,
    parameters: &mut BTreeMap<String, String>,
) -> Result<(), PublishedError> {
    let Some(root) = spec.components.get(spec.root as usize).map(Arc::clone) else {
        return Ok(());
    };
    let mut named: Vec<(PortName, String)> = Vec::new();
    for (name, text) in &*parameters {
        let Some((port, input)) = root.inputs.get_key_value(name.as_str()) else {
            continue;
        };
        let rest = text.strip_prefix(PREFIX).filter(|rest| !rest.starts_with("//"));
        if let (InputType::Data(_), Some(rest)) = (input.input_type, rest) {
            named.push((port.clone(), rest.to_owned()));
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    let found = handle.look(move |sight| {
        let catalog = &sight.ledgers.catalog;
        let found = named
            .into_iter()
            .map(|(port, text)| (port, locate(catalog, &text)));
        found.collect::<Vec<_>>()
    });
    let mut problems = Vec::new();
    for (port, found) in found.await? {
        match found {
            Ok(Location::Uri(address)) => drop(parameters.insert(port.to_string(), address)),
            Ok(Location::Content(artifact)) => {
                parameters.remove(port.as_str());
                give(spec, port, artifact);
            }
            Err(message) => problems.push(problem(&port, message)),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(PublishedError::Refused(SubmitError::Invalid(problems)))
    }
}

fn give(spec: &mut PipelineSpec, port: PortName, artifact: ArtifactRef) {
    let place = u32::try_from(spec.contents.len()).unwrap_or(u32::MAX);
    spec.contents.push(artifact);
    let binding = BindingSpec {
        source: BindingSource::Value(ValueSpec::Content(place)),
        data_type: None,
        mode: None,
    };
    spec.inputs.insert(port, binding);
}

/// What a name means: of data, or else of a model.
fn locate(catalog: &Catalog, text: &str) -> Result<Location, String> {
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
    let found = [AssetKind::Data, AssetKind::Model]
        .into_iter()
        .find_map(|kind| catalog.asset(kind, &name)?.resolve(&version));
    let Some((_, kept)) = found else {
        return Err(format!("there is no data `{name}` with a version `{version}`"));
    };
    if kept.stage == Stage::Disabled {
        return Err(format!("version `{version}` of `{name}` is disabled"));
    }
    let (AssetBody::Data(files) | AssetBody::Model(files)) = &*kept.body else {
        return Err(format!("`{name}` is no data"));
    };
    match (&files.location, inside) {
        (location, None) => Ok(location.clone()),
        (Location::Uri(address), Some(inside)) => {
            if inside.split('/').any(|part| part == "..") {
                return Err(format!("`{inside}` leads out of `{name}`"));
            }
            Ok(Location::Uri(format!(
                "{}/{inside}",
                address.trim_end_matches('/')
            )))
        }
        (Location::Content(_), Some(_)) => Err(format!(
            "`{name}` is in the store and not an address: it can only be taken whole"
        )),
    }
}

fn problem(port: &PortName, message: String) -> Problem {
    Problem {
        code: "TM0000".to_owned(),
        severity: "error".to_owned(),
        message,
        help: Some("GET /api/v1/assets/data lists what there is".to_owned()),
        file: None,
        line: None,
        column: None,
        path: format!("inputs.{port}"),
    }
}
