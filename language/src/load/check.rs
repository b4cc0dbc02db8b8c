//! Whether what a step binds suits what its component declares.

use super::Loader;
use super::binding::Bound;
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::literal;
use crate::yaml::Entry;
use std::collections::BTreeMap;
use tidemill_protocol::name::PortName;
use tidemill_protocol::spec::{BindingSource, BindingSpec, ComponentSpec, InputSpec, InputType, ValueSpec};

impl Loader<'_> {
    /// Checks the bindings of what is `written` and returns those that the component knows.
    pub(super) fn suited(
        &mut self,
        bound: BTreeMap<PortName, Bound>,
        written: &[Entry],
        component: &ComponentSpec,
        place: Place,
        path: &str,
    ) -> BTreeMap<PortName, BindingSpec> {
        for (name, input) in &component.inputs {
            if self.findings.is_full() {
                break;
            }
            // What is written and not bound has left an error behind already.
            let is_written = written
                .iter()
                .any(|entry| *entry.key == *name.as_str() && !entry.value.is_null());
            if !bound.contains_key(name) && !is_written && !input.optional && input.default.is_none() {
                let near = did_you_mean(
                    name.as_str(),
                    bound
                        .keys()
                        .filter(|n| !component.inputs.contains_key(*n))
                        .map(PortName::as_str),
                );
                let help = match near.filter(|help| help.starts_with("did")) {
                    Some(_) => format!("rename the input that is passed to `{name}`"),
                    None => format!("add under `inputs:`\n  {name}: VALUE"),
                };
                self.findings
                    .add(
                        Code::MissingInput,
                        place,
                        path,
                        format!("the required input `{name}` has no value"),
                    )
                    .help_text(&help);
            }
        }
        let mut suited = BTreeMap::new();
        for (name, found) in bound {
            let path = format!("{path}.inputs.{name}");
            match component.inputs.get(&name) {
                Some(input) => {
                    self.suits(&found, input, &path);
                    suited.insert(name, found.binding);
                }
                None => {
                    self.findings
                        .add(
                            Code::UndeclaredInput,
                            found.key_place,
                            &path,
                            format!("the component declares no input `{name}`: it is ignored"),
                        )
                        .help_with(did_you_mean(
                            name.as_str(),
                            component.inputs.keys().map(PortName::as_str),
                        ));
                }
            }
        }
        suited
    }

    fn suits(&mut self, found: &Bound, input: &InputSpec, path: &str) {
        if let (BindingSource::Value(ValueSpec::Literal(text)), InputType::Literal(literal_type)) =
            (&found.binding.source, input.input_type)
        {
            if let Err(refusal) = literal::accept(text, literal_type, input) {
                self.findings
                    .add(refusal.code, found.place, path, refusal.message)
                    .help_with(refusal.help);
            }
            return;
        }
        let mismatch = match (found.value_type, input.input_type) {
            (InputType::Data(bound), InputType::Data(declared)) if bound != declared => {
                Some((bound.as_str(), declared.as_str()))
            }
            (InputType::Data(bound), InputType::Literal(declared)) => {
                Some((bound.as_str(), literal::type_name(declared)))
            }
            (InputType::Literal(bound), InputType::Data(declared)) => {
                Some((literal::type_name(bound), declared.as_str()))
            }
            _ => None,
        };
        if let Some((bound, declared)) = mismatch {
            self.findings
                .add(
                    Code::TypeMismatch,
                    found.place,
                    path,
                    format!("the value is of type `{bound}`, but the component declares `{declared}`"),
                )
                .help_text("the value's own type is used");
        }
    }
}
