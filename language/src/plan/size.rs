//! How large a step's task becomes: what does not fit a message must be refused when it is planned, because nobody could ever be given it.

use super::bind::Inputs;
use super::problems::ProblemList;
use crate::diagnostic::Code;
use tidemill_protocol::codec;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::{InputBinding, StepTemplate};
use tidemill_protocol::wire::ENVELOPE_BYTES_MAX;

/// Most bytes of a step's own. The rest of a message is for names, signatures and what the coordinator adds.
const STEP_BYTES_MAX: usize = ENVELOPE_BYTES_MAX - 512 * 1024;
/// At least what a reference to an artifact or another step's output takes in a message.
const REFERENCE_BYTES: usize = 256;

/// What a template takes in a message.
pub(super) fn of_template(template: &StepTemplate) -> usize {
    codec::encode(template).len()
}

/// Refuses a step whose template, of so many bytes, and values do not fit a message.
pub(super) fn check(path: &str, template: usize, inputs: &Inputs, problems: &mut ProblemList) {
    let values = inputs
        .iter()
        .map(|(name, input)| name.as_str().len() + of_value(&input.binding));
    let bytes = template.saturating_add(values.sum());
    if bytes <= STEP_BYTES_MAX {
        return;
    }
    let message = format!(
        "the step's command and values have {} KiB; what is sent to a worker may have {} KiB",
        bytes.div_ceil(1024),
        STEP_BYTES_MAX / 1024
    );
    let help =
        "give what is large as a file: an input of type `uri_file` or `uri_folder`, or in the code folder";
    problems.add_with_help(Code::StepTooLarge, path, message, Some(help.to_owned()));
}

fn of_value(binding: &InputBinding) -> usize {
    match binding {
        InputBinding::Value(InputValue::Literal(literal)) => literal.text.len(),
        InputBinding::Value(InputValue::Uri(uri)) => uri.len(),
        InputBinding::Value(InputValue::Artifact(_)) | InputBinding::Step(_) => REFERENCE_BYTES,
    }
}
