//! Outputs of a call that go to a datastore as well: for each a `copy` step behind the step that makes it, as an author would have written it. Where copies may
//! go is the planner's to say, as for every other.

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::compute::Resources;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::ids::StepPath;
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::{Builtin, Environment};
use tidemill_protocol::spec::{
    BindingSource, BindingSpec, ComponentBody, ComponentSpec, DataType, GraphSpec, InputSpec, InputType,
    OtherSpec, OutputRef, OutputSpec, PipelineSpec, StepOverrides, StepSpec,
};

/// Where outputs of a run are copied to: by output the address, and the datastore in which it lies.
pub(crate) type Copies = BTreeMap<PortName, (String, (Name, Datastore))>;

/// What a copy step tells of itself.
const REPORT_FILE: &str = "report.json";

/// Adds the copy steps to a pipeline; answers with the output for which that cannot be done.
pub(super) fn add(spec: &mut PipelineSpec, copies: &Copies) -> Result<(), PortName> {
    for (output, (address, (name, datastore))) in copies {
        copy(spec, output, address).ok_or_else(|| output.clone())?;
        spec.datastores.insert(name.clone(), datastore.clone());
    }
    Ok(())
}

fn copy(spec: &mut PipelineSpec, output: &PortName, address: &str) -> Option<()> {
    let mut root = ComponentSpec::clone(spec.components.get(spec.root as usize)?);
    let data_type = root.outputs.get(output)?.data_type;
    let ComponentBody::Graph(graph) = &mut root.body else {
        return None;
    };
    let from = graph.outputs.get(output)?.clone();
    let maker = graph.steps.iter().find(|step| step.name == from.step)?;
    let overrides = StepOverrides {
        // Where nothing is said for all steps, it runs where the output is made.
        target: maker
            .overrides
            .target
            .clone()
            .filter(|_| graph.default_target.is_none()),
        ..StepOverrides::default()
    };
    let component = u32::try_from(spec.components.len()).ok()?;
    let step = StepSpec {
        name: free_name(graph, output)?,
        component,
        display_name: format!("copy of {output}"),
        inputs: BTreeMap::from([(Builtin::SOURCE.parse().ok()?, bound_to(from))]),
        registers: BTreeMap::new(),
        depends_on: Vec::new(),
        overrides,
    };
    graph.steps.push(step);
    spec.components.push(Arc::new(copying(data_type, address)?));
    // A component refers to those before it only, so the pipeline itself moves behind the new one.
    spec.components.push(Arc::new(root));
    spec.root = component.checked_add(1)?;
    Some(())
}

fn bound_to(from: OutputRef) -> BindingSpec {
    BindingSpec {
        source: BindingSource::Step(from),
        data_type: None,
        mode: None,
    }
}

/// `copy_NAME`, or with a number behind it where the pipeline has such a step.
fn free_name(graph: &GraphSpec, output: &PortName) -> Option<StepPath> {
    let is_free = |name: &StepPath| graph.steps.iter().all(|step| step.name != *name);
    let plain = std::iter::once(format!("copy_{output}"));
    let numbered = (2..=graph.steps.len() + 2).map(|number| format!("copy_{output}_{number}"));
    let mut names = plain.chain(numbered).filter_map(|name| name.parse().ok());
    names.find(is_free)
}

/// The component of a step that copies there.
fn copying(data_type: DataType, address: &str) -> Option<ComponentSpec> {
    let source = InputSpec::of(InputType::Data(data_type));
    let report = OutputSpec {
        data_type: DataType::UriFile,
        file_name: Some(REPORT_FILE.to_owned()),
        optional: false,
        description: String::new(),
    };
    Some(ComponentSpec {
        name: None,
        version: None,
        display_name: String::new(),
        inputs: BTreeMap::from([(Builtin::SOURCE.parse().ok()?, source)]),
        outputs: BTreeMap::from([(Builtin::REPORT.parse().ok()?, report)]),
        // Whether a place outside still holds what was copied there, nobody can know.
        deterministic: false,
        body: ComponentBody::Other(OtherSpec {
            kind: "copy".to_owned(),
            settings: serde_json::json!({ "destination": address }).to_string(),
            code: None,
            environment: Environment::default(),
            environment_variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            resources: Resources::default(),
            timeout: None,
        }),
    })
}
