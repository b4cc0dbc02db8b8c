//! Steps that tidemill does itself, planned: what each is told, with the store that it writes to and the secrets with which one gets in there. Only datastores are
//! written to: where workers go with credentials, an operator has said.

use super::PlanRequest;
use super::bind::Inputs;
use super::expanded::expanded;
use super::problems::ProblemList;
use crate::diagnostic::Code;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tidemill_protocol::datastore::{Datastore, DatastoreKind};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{
    Builtin, CopyTo, InputBinding, InputMode, InputPort, PortType, SecretForm, SecretUse,
};
use tidemill_protocol::spec::{ComponentBody, ComponentSpec, DataType, InputType, OtherSpec, PipelineSpec};

/// How the variables of a destination's secrets begin; no author's variable does.
const SECRET: &str = "TIDEMILL_COPY_SECRET_";

/// A step that tidemill does itself.
pub(super) struct Planned {
    pub(super) does: Builtin,
    pub(super) secrets: BTreeMap<String, SecretUse>,
    /// The datastore from which its input is brought although nobody named it.
    pub(super) reads: Option<Datastore>,
}

/// Where a step of this kind stands: what it sees.
pub(super) struct Around<'a> {
    pub(super) spec: &'a PipelineSpec,
    pub(super) request: &'a PlanRequest,
    pub(super) inputs: &'a Inputs,
    pub(super) scope: &'a Inputs,
    pub(super) path: &'a str,
}

/// The settings of a step that tidemill does itself, if the component is one.
pub(super) fn of(component: &ComponentSpec) -> Option<&OtherSpec> {
    match &component.body {
        ComponentBody::Other(other) if matches!(other.kind.as_str(), "copy" | "register_model") => {
            Some(other)
        }
        _ => None,
    }
}

/// Plans it. Its input is brought, wherever it lies, so its port may become another.
pub(super) fn plan(
    component: &ComponentSpec,
    other: &OtherSpec,
    around: &Around<'_>,
    ports: &mut BTreeMap<PortName, InputPort>,
    problems: &mut ProblemList,
) -> Option<Planned> {
    let settings: Json = serde_json::from_str(&other.settings).unwrap_or_default();
    let text = |key: &str| settings.get(key).and_then(Json::as_str).unwrap_or_default();
    let reads = brought(component, around, ports, problems);
    let (does, secrets) = if other.kind == "copy" {
        let (to, secrets) = destination(text("destination"), around, ports, problems)?;
        (Builtin::Copy(to), secrets)
    } else {
        let model_type = text("model_type").to_owned();
        (Builtin::RegisterModel { model_type }, BTreeMap::new())
    };
    Some(Planned { does, secrets, reads })
}

/// An input is an artifact or files that a worker brings. An address that is only handed on would be handed to nobody.
fn brought(
    component: &ComponentSpec,
    around: &Around<'_>,
    ports: &mut BTreeMap<PortName, InputPort>,
    problems: &mut ProblemList,
) -> Option<Datastore> {
    for (name, input) in around.inputs {
        let InputBinding::Value(InputValue::Uri(address)) = &input.binding else {
            continue;
        };
        let Some(port) = ports.get_mut(name) else { continue };
        if port.mode != InputMode::Direct || address.starts_with("file://") || address.starts_with('/') {
            continue;
        }
        let path = format!("{}.inputs.{name}", around.path);
        let Some(store) = around.holds(address, &path, problems) else {
            continue;
        };
        port.mode = InputMode::ReadOnly;
        let declared = component.inputs.get(name).map(|input| input.input_type);
        port.port_type = match declared {
            Some(InputType::Data(DataType::UriFile)) => PortType::File,
            _ => PortType::Folder,
        };
        return Some(store);
    }
    None
}

fn destination(
    text: &str,
    around: &Around<'_>,
    ports: &BTreeMap<PortName, InputPort>,
    problems: &mut ProblemList,
) -> Option<(CopyTo, BTreeMap<String, SecretUse>)> {
    let path = format!("{}.destination", around.path);
    let address = match expanded(text, around.inputs, around.scope) {
        Ok(address) => address,
        Err(message) => {
            // A parameter that has no value, or one that was refused, has left a problem behind already.
            if problems.is_empty() {
                problems.add(Code::MisplacedExpression, &path, message);
            }
            return None;
        }
    };
    let is_file = ports.values().any(|port| port.port_type == PortType::File);
    if is_file && address.ends_with('/') {
        let help = format!("name the file: {address}NAME");
        let message = "a file is copied, and the destination is a folder".to_owned();
        problems.add_with_help(Code::BadValue, &path, message, Some(help));
        return None;
    }
    if let (Some(DatastoreKind::Local), Some(place)) =
        (DatastoreKind::of(&address), address.strip_prefix("file:///"))
    {
        if place.split('/').any(|part| part == "..") || place.chars().any(char::is_control) {
            problems.add(Code::BadValue, &path, format!("`{address}` leads upwards"));
            return None;
        }
        let to = CopyTo {
            url: "file:///".to_owned(),
            path: place.trim_end_matches('/').to_owned(),
            options: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        return Some((to, BTreeMap::new()));
    }
    let store = around.holds(&address, &path, problems)?;
    let inner = store.path_of(&address).unwrap_or_default();
    let (mut secrets, mut variables) = (BTreeMap::new(), BTreeMap::new());
    for (number, (option, secret)) in store.secrets.iter().enumerate() {
        let variable = format!("{SECRET}{number}");
        let wanted = SecretUse {
            secret: secret.clone(),
            form: SecretForm::File,
        };
        secrets.insert(variable.clone(), wanted);
        variables.insert(option.clone(), variable);
    }
    let to = CopyTo {
        url: store.url.clone(),
        path: inner.trim_end_matches('/').to_owned(),
        options: store.options.clone(),
        secrets: variables,
    };
    Some((to, secrets))
}

impl Around<'_> {
    /// The datastore in which an address lies, the innermost one. Where nobody could be asked for those that there are, none is missed.
    fn holds(&self, address: &str, path: &str, problems: &mut ProblemList) -> Option<Datastore> {
        let known = self.request.datastores.iter().flatten();
        let stores = self.spec.datastores.iter().chain(known).map(|(_, store)| store);
        let found = stores
            .filter(|store| store.is_bucket() && store.path_of(address).is_some())
            .max_by_key(|store| store.url.len());
        if found.is_none() && self.request.datastores.is_some() {
            let help = "define one: `tidemill datastore add NAME ADDRESS`".to_owned();
            let message = format!("`{address}` lies in no datastore that the coordinator knows");
            problems.add_with_help(Code::UnknownDatastore, path, message, Some(help));
        }
        found.cloned()
    }
}
