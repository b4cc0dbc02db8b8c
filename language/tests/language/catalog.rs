//! Names that only a catalog knows: wanted by the first reading, resolved to one version by the next, and refused where they may not be used.

use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tidemill_language::{
    Answer, Known, Loaded, PlanRequest, Problems, Reading, Wanted, Workspace, load_environment, plan, read,
    read_component,
};
use tidemill_protocol::api::VersionView;
use tidemill_protocol::catalog::{AssetKind, Stage};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::InputBinding;
use tidemill_protocol::spec::PipelineSpec;

const PIPELINE: &str = "\
type: pipeline
settings: {default_compute: cpu}
jobs:
  train:
    type: command
    command: python t.py --data ${{inputs.raw}} --model ${{inputs.start}}
    environment: azureml:our-own-software@stable
    inputs:
      raw: {type: uri_folder, path: 'azureml:iris@latest'}
      start: {type: mlflow_model, path: 'azureml:iris:3'}
";

fn reading(folder: &Path, text: &str, workspace: &Workspace) -> Reading {
    let file = folder.join("pipeline.yml");
    std::fs::write(&file, text).unwrap();
    read(&file, workspace)
}

fn view(kind: AssetKind, name: &str, version: &str, body: &serde_json::Value) -> VersionView {
    serde_json::from_value(json!({
        "kind": kind, "name": name, "version": version, "body": body, "stage": "active",
        "created_at": 1, "created_by": "ada",
    }))
    .unwrap()
}

fn files(kind: AssetKind, data_type: &str) -> serde_json::Value {
    let content =
        json!({"kind": "tree", "digest": Digest::of(data_type.as_bytes()), "size_bytes": 3, "files": 1});
    json!({kind.as_str(): {"type": data_type, "location": {"content": content}}})
}

fn known(view: VersionView) -> Answer {
    Answer::Known(Box::new(Known { view, spec: None }))
}

fn wanted(kind: AssetKind, asset: &str) -> Wanted {
    Wanted::Asset {
        kind,
        asset: asset.parse().unwrap(),
    }
}

fn learned() -> Workspace {
    let mut workspace = Workspace::default();
    let data = view(
        AssetKind::Data,
        "iris",
        "7",
        &files(AssetKind::Data, "uri_folder"),
    );
    workspace.learn(wanted(AssetKind::Data, "iris@latest"), known(data));
    let model = view(
        AssetKind::Model,
        "iris",
        "3",
        &files(AssetKind::Model, "mlflow_model"),
    );
    workspace.learn(wanted(AssetKind::Model, "iris:3"), known(model));
    let software = json!({"environment": {"name": null, "image": "python:3.11", "python": null}});
    let software = view(AssetKind::Environment, "our-own-software", "1.2", &software);
    workspace.learn(
        wanted(AssetKind::Environment, "our-own-software@stable"),
        known(software),
    );
    workspace
}

fn texts(problems: &Problems) -> Vec<String> {
    let problems = problems.to_problems();
    let both = problems.into_iter().map(|problem| {
        let help = problem.help.unwrap_or_default();
        format!("{} {} | {help}", problem.code, problem.message)
    });
    both.collect()
}

fn good(reading: Reading) -> Loaded {
    assert!(reading.wanted.is_empty(), "{:?}", reading.wanted);
    reading.outcome.unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn what_nobody_here_knows_is_wanted_and_said_to_be_unknown_in_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let reading = reading(folder.path(), PIPELINE, &Workspace::default());
    let expected = [
        wanted(AssetKind::Data, "iris@latest"),
        wanted(AssetKind::Data, "iris:3"),
        wanted(AssetKind::Model, "iris@latest"),
        wanted(AssetKind::Model, "iris:3"),
        wanted(AssetKind::Environment, "our-own-software@stable"),
    ];
    assert_eq!(reading.wanted, expected.into());
    let said = texts(&reading.outcome.unwrap_err());
    let data = said.iter().find(|text| text.contains("iris@latest")).unwrap();
    assert!(
        data.contains("[data]") && data.contains("tidemill data add iris"),
        "{data}"
    );
    assert!(data.contains("no coordinator was asked"), "{data}");
}

#[test]
fn names_become_exact_versions_that_the_plan_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = good(reading(folder.path(), PIPELINE, &learned()));
    assert!(loaded.sources.is_empty(), "what is in the store needs no upload");
    let spec = loaded.finish(&std::collections::BTreeMap::new());
    let plan = plan(&spec, &PlanRequest::default()).unwrap();
    let used: Vec<String> = plan
        .assets
        .iter()
        .map(|used| format!("{} {}:{}", used.kind, used.name, used.version))
        .collect();
    assert_eq!(used.len(), 3, "{used:?}");
    for one in ["data iris:7", "model iris:3", "environment our-own-software:1.2"] {
        assert!(used.iter().any(|used| used == one), "{one} is not among {used:?}");
    }
    let step = &plan.steps[0];
    let digest = |name: &str| {
        let bound = step.inputs.iter().find(|(port, _)| port.as_str() == name);
        match &bound.unwrap().1 {
            InputBinding::Value(InputValue::Artifact(artifact)) => artifact.digest,
            other => panic!("{name} is {other:?}"),
        }
    };
    assert_eq!(digest("raw"), Digest::of(b"uri_folder"));
    assert_eq!(
        digest("start"),
        Digest::of(b"mlflow_model"),
        "a model is wanted where a model is taken"
    );
    let environment = &plan.template(step).work.environment;
    assert_eq!(environment.image.as_deref(), Some("python:3.11"));
}

#[test]
fn a_deprecated_version_warns_and_a_disabled_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let staged = |stage| {
        let mut workspace = learned();
        let mut data = view(
            AssetKind::Data,
            "iris",
            "7",
            &files(AssetKind::Data, "uri_folder"),
        );
        data.stage = stage;
        workspace.learn(wanted(AssetKind::Data, "iris@latest"), known(data));
        reading(folder.path(), PIPELINE, &workspace).outcome
    };
    let warned = staged(Stage::Deprecated).unwrap();
    assert!(
        warned
            .warnings
            .iter()
            .any(|warning| warning.to_string().contains("deprecated"))
    );
    let refused = texts(&staged(Stage::Disabled).unwrap_err());
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(
        refused[0].starts_with("TM0409") && refused[0].contains("disabled"),
        "{refused:?}"
    );
}

#[test]
fn a_name_that_the_catalog_does_not_know_either_gets_its_advice() {
    let folder = tempfile::tempdir().unwrap();
    let mut workspace = learned();
    for kind in [AssetKind::Data, AssetKind::Model] {
        let advice = (kind == AssetKind::Data).then(|| "did you mean `iris`?".to_owned());
        workspace.learn(wanted(kind, "irsi:1"), Answer::Unknown { advice });
    }
    let text = PIPELINE.replace("azureml:iris@latest", "azureml:irsi:1");
    let reading = reading(folder.path(), &text, &workspace);
    assert!(reading.wanted.is_empty(), "it was asked already");
    let said = texts(&reading.outcome.unwrap_err());
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("did you mean `iris`?"), "{said:?}");
    assert!(!said[0].contains("was asked"), "{said:?}");
}

#[test]
fn the_workspaces_own_tables_come_first() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("here")).unwrap();
    let layer = (
        folder.path().join("tidemill.toml"),
        "[data]\niris = \"here\"\n".to_owned(),
    );
    let workspace = Workspace::from_toml_layers(&[layer]).unwrap();
    let text = PIPELINE.replace(
        "environment: azureml:our-own-software@stable",
        "environment: host",
    );
    let loaded = good(reading(folder.path(), &text, &workspace));
    assert_eq!(loaded.sources.len(), 1, "nobody was asked");
}

/// A component as the catalog would keep it: with a folder of code and a nested step.
fn component(folder: &Path) -> PipelineSpec {
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/a.py"), "print(1)").unwrap();
    let inner = "type: command\nname: inner\ncode: ./src\ncommand: python a.py > ${{outputs.out}}/a\noutputs: {out: {type: uri_folder}}\n";
    std::fs::write(folder.join("inner.yml"), inner).unwrap();
    let outer = "type: pipeline\nname: outer\noutputs: {out: {type: uri_folder}}\njobs:\n  a: {type: command, component: ./inner.yml, compute: azureml:cpu, outputs: {out: '${{parent.outputs.out}}'}}\n";
    std::fs::write(folder.join("outer.yml"), outer).unwrap();
    let loaded = good(read_component(&folder.join("outer.yml"), &Workspace::default()));
    let artifact = serde_json::from_value(
        json!({"kind": "tree", "digest": Digest::of(b"code"), "size_bytes": 8, "files": 1}),
    );
    let contents = loaded
        .sources
        .iter()
        .map(|source| (source.id, artifact.as_ref().copied().unwrap()));
    let contents = contents.collect();
    loaded.finish(&contents)
}

#[test]
fn a_component_comes_with_its_code_and_its_own_steps() {
    let folder = tempfile::tempdir().unwrap();
    let spec = component(folder.path());
    assert!(tidemill_language::check_component(&spec).is_empty());
    let body = json!({"component": {"spec": {"kind": "blob", "digest": Digest::of(b"spec"), "size_bytes": 1, "files": 1}}});
    let mut workspace = Workspace::default();
    let answer = Answer::Known(Box::new(Known {
        view: view(AssetKind::Component, "outer", "2", &body),
        spec: Some(Arc::new(spec.clone())),
    }));
    workspace.learn(wanted(AssetKind::Component, "outer"), answer);
    std::fs::write(folder.path().join("own.csv"), "1").unwrap();
    let text = "type: pipeline\nsettings: {default_compute: cpu}\njobs:\n  own: {type: command, command: 'cat ${{inputs.x}}', inputs: {x: {type: uri_file, path: ./own.csv}}}\n  taken: {type: pipeline, component: 'azureml:outer'}\n";
    let loaded = good(reading(folder.path(), text, &workspace));
    assert_eq!(loaded.sources.len(), 1, "only what is on this machine");
    let outline = loaded.outline();
    let plan = plan(&outline, &PlanRequest::default()).unwrap();
    let taken = plan
        .steps
        .iter()
        .find(|step| step.path.as_str() == "taken.a")
        .unwrap();
    assert_eq!(
        plan.template(taken).work.code.unwrap().digest,
        Digest::of(b"code")
    );
    assert_eq!(plan.assets[0].version.as_str(), "2");

    // One whose places lead nowhere is refused, and nothing panics.
    let mut broken = spec;
    broken.contents.clear();
    let answer = Answer::Known(Box::new(Known {
        view: view(AssetKind::Component, "outer", "2", &body),
        spec: Some(Arc::new(broken)),
    }));
    workspace.learn(wanted(AssetKind::Component, "outer"), answer);
    let said = texts(&reading(folder.path(), text, &workspace).outcome.unwrap_err());
    assert!(said[0].starts_with("TM0506"), "{said:?}");
}

#[test]
fn an_environment_file_is_read_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env.yml");
    std::fs::write(&file, "image: python:3.11\nrequirements: [numpy, pandas]\n").unwrap();
    let environment = load_environment(&file, &Workspace::default()).unwrap();
    assert_eq!(environment.python.unwrap().requirements, ["numpy", "pandas"]);
    std::fs::write(&file, "name: nothing\ndependencies: [pip: {}]\nimage: 3\n").unwrap();
    assert!(load_environment(&folder.path().join("gone.yml"), &Workspace::default()).is_err());
}

#[test]
fn a_datastore_that_only_the_coordinator_knows_is_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let text = "type: pipeline\nsettings: {default_compute: cpu}\njobs:\n  a: {type: command, command: 'ls ${{inputs.x}}', inputs: {x: {type: uri_folder, path: 'azureml://datastores/lake/paths/raw/2024'}}}\n";
    let first = reading(folder.path(), text, &Workspace::default());
    let wanted = Wanted::Datastore("lake".parse().unwrap());
    assert_eq!(first.wanted, [wanted.clone()].into());
    let said = texts(&first.outcome.unwrap_err());
    assert!(
        said[0].contains("[datastores]") && said[0].contains("tidemill datastore add lake ADDRESS"),
        "{said:?}"
    );
    let mut workspace = Workspace::default();
    let lake = serde_json::from_value(json!({"url": "s3://company-lake/base/"})).unwrap();
    workspace.learn(wanted, Answer::Datastore(Box::new(lake)));
    let loaded = good(reading(folder.path(), text, &workspace));
    let plan = plan(&loaded.outline(), &PlanRequest::default()).unwrap();
    assert_eq!(
        plan.steps[0].inputs[0].1,
        InputBinding::Value(InputValue::Uri("s3://company-lake/base/raw/2024".into()))
    );
}
