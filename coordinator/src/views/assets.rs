//! Assets as the API shows them, and what a published pipeline tells its callers of its parameters. Their versions are in `version`.

use crate::catalog::Asset;
use tidemill_protocol::api::AssetView;
use tidemill_protocol::catalog::{AssetKind, ParameterDoc};
use tidemill_protocol::name::Name;
use tidemill_protocol::spec::{InputSpec, InputType, PipelineSpec, ValueSpec};

/// An asset.
pub(crate) fn asset_view(kind: AssetKind, name: &Name, asset: &Asset) -> AssetView {
    let labels = asset.labels.iter();
    AssetView {
        kind,
        name: name.clone(),
        description: asset.description.clone(),
        tags: asset.tags.clone(),
        latest: asset.latest.clone(),
        versions: asset.versions.len() as u64,
        labels: labels
            .map(|(label, version)| (label.to_string(), version.clone()))
            .collect(),
        model_stages: asset
            .in_stages()
            .into_iter()
            .filter(|(stage, _)| kind == AssetKind::Model && !stage.is_none())
            .map(|(stage, version)| (stage, version.clone()))
            .collect(),
        former_names: asset.former_names.clone(),
        revision: asset.revision,
        created_at: asset.created_at,
        created_by: asset.created_by.clone(),
    }
}

/// What may be given to a pipeline, in the order of the names.
pub(crate) fn parameters_of(spec: &PipelineSpec) -> Vec<ParameterDoc> {
    let Some(root) = spec.components.get(spec.root as usize) else {
        return Vec::new();
    };
    let documented = root.inputs.iter().map(|(name, input)| {
        let given = spec.inputs.get(name).map(|binding| &binding.source);
        let given = given.and_then(|source| match source {
            tidemill_protocol::spec::BindingSource::Value(value) => Some(value),
            _ => None,
        });
        ParameterDoc {
            name: name.clone(),
            type_name: type_name(input),
            optional: input.optional,
            default: given.or(input.default.as_ref()).map(|value| text_of(value, spec)),
            min: input.min.clone(),
            max: input.max.clone(),
            choices: input.choices.clone(),
            description: input.description.clone(),
        }
    });
    documented.collect()
}

fn type_name(input: &InputSpec) -> String {
    match input.input_type {
        InputType::Literal(literal) => literal.as_str().to_owned(),
        InputType::Data(data) => data.as_str().to_owned(),
    }
}

/// A default as a caller reads it: files that come along are named by their content.
fn text_of(value: &ValueSpec, spec: &PipelineSpec) -> String {
    match value {
        ValueSpec::Literal(text) | ValueSpec::Uri(text) => text.clone(),
        ValueSpec::Content(place) => spec
            .contents
            .get(*place as usize)
            .map_or_else(String::new, |content| content.digest.to_string()),
    }
}
