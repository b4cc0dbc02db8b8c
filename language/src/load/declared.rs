//! The declarations that an inline step amounts to: nobody wrote them down, so they are read off what is bound and what is given.

use super::binding::{Bound, Scope};
use super::ports::OutputNode;
use std::collections::BTreeMap;
use tidemill_protocol::literal::LiteralType;
use tidemill_protocol::name::PortName;
use tidemill_protocol::spec::{BindingSource, InputSpec, InputType, OutputSpec};

/// An input of which nothing is known.
pub(super) fn unknown_input() -> InputSpec {
    InputSpec::of(InputType::Literal(LiteralType::String))
}

/// The declaration that a binding of an inline step amounts to.
pub(super) fn declared(found: &Bound, scope: &Scope<'_>) -> InputSpec {
    // Only what may be absent in the pipeline may be absent here.
    let parent = match &found.binding.source {
        BindingSource::Parent(name) => scope.inputs.get(name),
        _ => None,
    };
    InputSpec {
        input_type: found.value_type,
        optional: parent.is_some_and(|input| input.optional && input.default.is_none()),
        mode: found.binding.mode,
        ..unknown_input()
    }
}

/// The outputs that a step declares.
pub(super) fn own_outputs(outputs: &BTreeMap<PortName, OutputNode>) -> BTreeMap<PortName, OutputSpec> {
    outputs
        .iter()
        .map(|(name, node)| (name.clone(), node.spec.clone()))
        .collect()
}
