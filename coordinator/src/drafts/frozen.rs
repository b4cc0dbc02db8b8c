//! What is published of a draft: its pipeline, with the draft's parameters as the defaults. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::plan::OnStepFailure;
use tidemill_protocol::spec::{InputType, PipelineSpec, ValueSpec};

/// Makes values the defaults of the parameters, and takes over what is said of failed steps. Whether they fit, the check of the whole says.
pub(crate) fn with_defaults(
    spec: &mut PipelineSpec,
    parameters: &BTreeMap<String, String>,
    goes_on: Option<bool>,
) {
    match goes_on {
        Some(true) => spec.on_step_failure = OnStepFailure::Continue,
        Some(false) => spec.on_step_failure = OnStepFailure::Stop,
        None => {}
    }
    let Some(root) = spec.components.get_mut(spec.root as usize) else {
        return;
    };
    let root = Arc::make_mut(root);
    for (name, text) in parameters {
        let Some(input) = root.inputs.get_mut(name.as_str()) else {
            continue;
        };
        input.default = Some(match input.input_type {
            InputType::Literal(_) => ValueSpec::Literal(text.clone()),
            InputType::Data(_) => ValueSpec::Uri(text.clone()),
        });
        // What the file itself gave would count more.
        spec.inputs.remove(name.as_str());
    }
}
