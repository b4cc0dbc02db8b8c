//! What data are called in `OpenLineage`'s words: what a step made by its place (PIPELINE/STEP/OUTPUT), what the catalog knows by its name there, and what lies behind an address as
//! everybody who reads there calls it, by `OpenLineage`'s rules for names.

use super::{OpenLineageConfig, PRODUCER};
use serde_json::{Value, json};
use tidemill_engine::Run;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::InputBinding;
use tidemill_protocol::wire::Success;

/// The form of the facet that holds a version.
const VERSION: &str = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
/// What is read where an address names no path: all of it.
const ALL: &str = "/";

/// What a step reads.
pub(super) fn inputs(run: &Run, step: StepIndex, config: &OpenLineageConfig) -> Vec<Value> {
    let inputs = run.planned(step).into_iter().flat_map(|planned| &planned.inputs);
    let data = inputs.filter_map(|(_, binding)| match binding {
        InputBinding::Value(InputValue::Literal(_)) => None,
        InputBinding::Value(InputValue::Uri(uri)) => Some(at_address(uri, config)),
        InputBinding::Value(InputValue::Artifact(artifact)) => Some(content(run, artifact, config)),
        InputBinding::Step(source) => {
            let result = run.step(source.step).and_then(|step| step.result());
            let artifact = result.and_then(|result| result.outputs.get(&source.output))?;
            let path = &run.planned(source.step)?.path;
            let name = format!("{}/{path}/{}", run.plan().pipeline, source.output);
            Some(dataset(&config.namespace, &name, &artifact.digest.to_string()))
        }
    });
    data.collect()
}

/// What a step made.
pub(super) fn outputs(
    run: &Run,
    step: StepIndex,
    result: &Success,
    config: &OpenLineageConfig,
) -> Vec<Value> {
    let Some(planned) = run.planned(step) else {
        return Vec::new();
    };
    let data = result.outputs.iter().map(|(output, artifact)| {
        let name = format!("{}/{}/{output}", run.plan().pipeline, planned.path);
        dataset(&config.namespace, &name, &artifact.digest.to_string())
    });
    data.collect()
}

/// A content that the pipeline brought along: by its name in the catalog where it has one.
fn content(run: &Run, artifact: &ArtifactRef, config: &OpenLineageConfig) -> Value {
    let mut used = run.plan().assets.iter();
    let is_it = |content: &ArtifactRef| content.digest == artifact.digest;
    if let Some(used) = used.find(|used| used.content.as_ref().is_some_and(is_it)) {
        let name = format!("{}/{}", used.kind, used.name);
        return dataset(&config.namespace, &name, used.version.as_str());
    }
    let digest = artifact.digest.to_string();
    dataset(&config.namespace, &format!("content/{digest}"), &digest)
}

/// Data behind an address.
fn at_address(address: &str, config: &OpenLineageConfig) -> Value {
    let bare = address.split(['?', '#']).next().unwrap_or(address);
    let (namespace, name) = named(bare).unwrap_or_else(|| (config.namespace.clone(), bare.to_owned()));
    json!({"namespace": namespace, "name": name, "facets": {}})
}

/// The namespace and the name of what lies at an address: none where it is no address.
fn named(address: &str) -> Option<(String, String)> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let is_container = matches!(scheme.as_str(), "abfs" | "abfss" | "wasb" | "wasbs");
    let place = match place.rsplit_once('@') {
        // A login is nobody's business.
        Some((_, host)) if !is_container => host,
        _ => place,
    };
    let is_file_system = matches!(scheme.as_str(), "file" | "hdfs");
    let name = if is_file_system {
        format!("/{path}")
    } else if path.is_empty() {
        ALL.to_owned()
    } else {
        path.to_owned()
    };
    let is_here = scheme == "file" && place.is_empty();
    let namespace = if is_here {
        scheme
    } else {
        format!("{scheme}://{place}")
    };
    Some((namespace, name))
}

fn dataset(namespace: &str, name: &str, version: &str) -> Value {
    let facet = json!({"_producer": PRODUCER, "_schemaURL": VERSION, "datasetVersion": version});
    json!({"namespace": namespace, "name": name, "facets": {"version": facet}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_behind_an_address_have_the_names_that_others_give_them() {
        for (address, namespace, name) in [
            ("s3://lake/raw/2024/", "s3://lake", "raw/2024"),
            ("S3://lake", "s3://lake", "/"),
            ("gs://lake/a", "gs://lake", "a"),
            ("file:///mnt/share/a.csv", "file", "/mnt/share/a.csv"),
            ("file://nas/share/a.csv", "file://nas", "/share/a.csv"),
            ("hdfs://name:8020/a/b", "hdfs://name:8020", "/a/b"),
            (
                "abfss://raw@lake.dfs.core.windows.net/2024",
                "abfss://raw@lake.dfs.core.windows.net",
                "2024",
            ),
            ("https://ada:secret@example.org/a/b", "https://example.org", "a/b"),
        ] {
            let (found_namespace, found_name) = named(address).unwrap();
            assert_eq!(
                (found_namespace.as_str(), found_name.as_str()),
                (namespace, name),
                "{address}"
            );
        }
        assert_eq!(named("no address"), None);
    }
}
