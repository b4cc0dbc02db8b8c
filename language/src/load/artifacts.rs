//! The output `artifacts`, which every step that is no pipeline has without declaring it: what it left in `./outputs` and `./logs`. Where something
//! reads it, it is declared here, so that planning and everything after it knows outputs of one kind only.

use super::Loader;
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::name::PortName;
use tidemill_protocol::spec::{BindingSource, ComponentSpec, DataType, GraphSpec, OutputRef, OutputSpec};

/// Its name.
pub(super) const NAME: &str = "artifacts";

/// Adds it to a step's outputs, unless the author has declared it.
pub(super) fn declare(outputs: &mut BTreeMap<PortName, OutputSpec>) {
    let name: PortName = NAME.parse().expect("the name keeps the grammar");
    outputs.entry(name).or_insert_with(|| OutputSpec {
        data_type: DataType::UriFolder,
        file_name: None,
        optional: false,
        description: String::new(),
    });
}

impl Loader<'_> {
    /// Declares it for the steps of a graph of which it is read. Others of the same component stay as they are, and so does their key.
    pub(super) fn declare_read_artifacts(&mut self, graph: &mut GraphSpec) {
        let read: BTreeSet<StepPath> = sources(graph)
            .filter(|source| source.output.as_str() == NAME)
            .map(|source| source.step.clone())
            .collect();
        for step in graph.steps.iter_mut().filter(|step| read.contains(&step.name)) {
            let component = self.component(step.component);
            if !component.outputs.contains_key(NAME) {
                let mut declared = ComponentSpec::clone(&component);
                declare(&mut declared.outputs);
                step.component = self.intern(declared);
            }
        }
    }
}

/// Every output of a step of this graph that something reads.
fn sources(graph: &GraphSpec) -> impl Iterator<Item = &OutputRef> {
    let bindings = graph.steps.iter().flat_map(|step| step.inputs.values());
    let read = bindings.filter_map(|binding| match &binding.source {
        BindingSource::Step(source) => Some(source),
        BindingSource::Value(_) | BindingSource::Parent(_) | BindingSource::Text(_) => None,
    });
    read.chain(graph.outputs.values())
}
