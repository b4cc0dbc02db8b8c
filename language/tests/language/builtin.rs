//! Steps that tidemill does itself: what their author says becomes what the step is told, and what cannot be done is said before anything runs.

use crate::fixtures::{loaded_text, planned_text, step, template};
use std::collections::BTreeMap;
use tidemill_language::{Code, PlanRequest, plan};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::plan::{Builtin, InputMode, PortType, StepKind};

fn pipeline(steps: &str) -> String {
    format!(
        "type: pipeline\ninputs: {{to: {{type: string, default: v1}}}}\nsettings: {{default_compute: c}}\njobs:\n  train:\n    command: x\n    outputs: {{model: {{type: mlflow_model}}, one: {{type: uri_file}}}}\n{steps}"
    )
}

fn copy(source: &str, destination: &str) -> String {
    pipeline(&format!(
        "  out:\n    type: copy\n    inputs: {{source: {source}}}\n    destination: {destination}\n"
    ))
}

const MODEL: &str = "'${{parent.jobs.train.outputs.model}}'";

fn lake() -> BTreeMap<tidemill_protocol::name::Name, Datastore> {
    let store = Datastore {
        url: "s3://lake/raw".into(),
        options: [("aws_region".to_owned(), "eu-1".to_owned())].into(),
        secrets: [("aws_secret_access_key".to_owned(), "lake-key".parse().unwrap())].into(),
        description: String::new(),
    };
    [("lake".parse().unwrap(), store)].into()
}

#[test]
fn a_copy_is_told_where_to_and_is_never_reused_by_itself() {
    let plan = planned_text(&copy(MODEL, "'file:///share/models/${{parent.inputs.to}}/'"));
    let out = template(&plan, "out");
    let StepKind::Builtin(Builtin::Copy(to)) = &out.work.kind else {
        panic!("{:?}", out.work.kind)
    };
    assert_eq!(
        (to.url.as_str(), to.path.as_str()),
        ("file:///", "share/models/v1")
    );
    assert!(!out.rules.cache, "what lies at the destination, no key knows");
    assert_eq!(out.work.outputs["report"].port_type, PortType::File);
    let asked = copy(MODEL, "file:///share/models\n    is_deterministic: true");
    assert!(template(&planned_text(&asked), "out").rules.cache);
}

#[test]
fn an_address_in_a_datastore_brings_its_options_and_the_names_of_its_secrets() {
    let loaded = loaded_text(&copy(
        "{type: uri_folder, path: 's3://lake/raw/in'}",
        "s3://lake/raw/out",
    ))
    .unwrap();
    let request = PlanRequest {
        datastores: Some(lake()),
        ..PlanRequest::default()
    };
    let plan = plan(&loaded.outline(), &request).unwrap();
    let out = template(&plan, "out");
    let StepKind::Builtin(Builtin::Copy(to)) = &out.work.kind else {
        panic!("{:?}", out.work.kind)
    };
    assert_eq!((to.url.as_str(), to.path.as_str()), ("s3://lake/raw", "out"));
    let variable = &to.secrets["aws_secret_access_key"];
    assert_eq!(out.work.secrets[variable].secret.as_str(), "lake-key");
    let source = &out.work.inputs["source"];
    assert_eq!(
        (source.mode, source.port_type),
        (InputMode::ReadOnly, PortType::Folder)
    );
    assert_eq!(out.rules.reads.len(), 1, "its files are brought from there");
    assert_eq!(step(&plan, "out").inputs.len(), 1);
}

#[test]
fn what_lies_in_no_datastore_is_refused_once_it_is_known_which_there_are() {
    let loaded = loaded_text(&copy(MODEL, "s3://other/out")).unwrap();
    assert!(
        plan(&loaded.outline(), &PlanRequest::default()).is_ok(),
        "nobody was asked"
    );
    let request = PlanRequest {
        datastores: Some(lake()),
        ..PlanRequest::default()
    };
    let problems = plan(&loaded.outline(), &request).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].code, Code::UnknownDatastore.as_str());
    assert_eq!(problems[0].path, "out.destination");
}

#[test]
fn a_model_becomes_a_version_with_all_that_is_said_of_it() {
    let text = pipeline(&format!(
        "  register:\n    type: register_model\n    inputs: {{model: {MODEL}}}\n    name: churn\n    model_type: mlflow_model\n    version: 2026-11\n    alias: champion\n    description: The best\n    tags: {{team: a}}\n    properties: {{auc: 0.9}}\n"
    ));
    let plan = planned_text(&text);
    let register = template(&plan, "register");
    assert!(
        matches!(&register.work.kind, StepKind::Builtin(Builtin::RegisterModel { model_type }) if model_type == "mlflow_model")
    );
    let version = &register.rules.registers["model"];
    assert_eq!(version.name.as_str(), "churn");
    assert_eq!(version.version.as_deref(), Some("2026-11"));
    assert_eq!(version.label.as_deref(), Some("champion"));
    assert_eq!(version.data_type.as_deref(), Some("mlflow_model"));
    assert_eq!(version.description, "The best");
    assert_eq!(version.tags.len(), 2);
    assert!(register.rules.cache, "the same content is the same model");
}

#[test]
fn a_file_may_be_a_model_of_its_authors_own_and_an_address_is_looked_at_each_time() {
    let of = |source: &str, model_type: &str| {
        pipeline(&format!(
            "  register:\n    type: register_model\n    inputs: {{model: {source}}}\n    name: churn\n    model_type: {model_type}\n"
        ))
    };
    let file = "'${{parent.jobs.train.outputs.one}}'";
    let plan = planned_text(&of(file, "custom_model"));
    let register = template(&plan, "register");
    assert_eq!(register.work.outputs["model"].port_type, PortType::File);
    assert_eq!(
        register.rules.registers["model"].data_type.as_deref(),
        Some("custom_model")
    );
    assert!(loaded_text(&of(file, "mlflow_model")).is_err());
    let address = "{type: uri_file, path: 'https://example.org/m.bin'}";
    assert!(
        !template(&planned_text(&of(address, "custom_model")), "register")
            .rules
            .cache
    );
}

#[test]
fn what_cannot_be_done_is_said_when_it_is_read() {
    for (what, text) in [
        ("web server", copy(MODEL, "https://example.org/x")),
        ("local path", copy(MODEL, "./out")),
        (
            "unknown parameter",
            copy(MODEL, "'file:///x/${{parent.inputs.nothing}}'"),
        ),
        (
            "no expression of a step",
            copy(MODEL, "'file:///x/${{inputs.source}}'"),
        ),
        ("a literal", copy("{value: 3}", "file:///x")),
        ("other input", copy(&format!("{MODEL}, other: 1"), "file:///x")),
        (
            "no input",
            pipeline("  out: {type: copy, destination: 'file:///x'}\n"),
        ),
        (
            "no destination",
            pipeline(&format!("  out: {{type: copy, inputs: {{source: {MODEL}}}}}\n")),
        ),
        (
            "other output",
            copy(MODEL, "file:///x\n    outputs: {files: {type: uri_folder}}"),
        ),
        ("a command", copy(MODEL, "file:///x\n    command: x")),
        (
            "no name",
            pipeline(&format!(
                "  r: {{type: register_model, inputs: {{model: {MODEL}}}}}\n"
            )),
        ),
        (
            "no type of model",
            pipeline(&format!(
                "  r: {{type: register_model, name: m, model_type: uri_file, inputs: {{model: {MODEL}}}}}\n"
            )),
        ),
        (
            "both words",
            pipeline(&format!(
                "  r: {{type: register_model, name: m, label: a, alias: b, inputs: {{model: {MODEL}}}}}\n"
            )),
        ),
    ] {
        assert!(loaded_text(&text).is_err(), "{what} was accepted:\n{text}");
    }
}

#[test]
fn a_file_needs_the_name_of_a_file() {
    let text = copy("'${{parent.jobs.train.outputs.one}}'", "file:///x/");
    let problems = plan(&loaded_text(&text).unwrap().outline(), &PlanRequest::default()).unwrap_err();
    assert!(
        problems[0].help.as_deref().unwrap().contains("file:///x/NAME"),
        "{problems:?}"
    );
}

#[test]
fn a_refused_parameter_is_one_problem_whoever_uses_it() {
    let text = "type: pipeline\ninputs: {n: {type: integer, max: 5}, m: {type: integer}}\nsettings: {default_compute: c}\njobs:\n  a: {command: 'x ${{inputs.n}}', inputs: {n: '${{parent.inputs.n}}'}}\n  b: {command: 'x ${{inputs.t}}', inputs: {t: 'run-${{parent.inputs.n}}'}}\n  c: {command: 'x ${{inputs.m}}', inputs: {m: '${{parent.inputs.m}}'}}\n";
    let request = PlanRequest {
        parameters: [("n".to_owned(), "9".to_owned())].into(),
        ..PlanRequest::default()
    };
    let problems = plan(&loaded_text(text).unwrap().outline(), &request).unwrap_err();
    let found: Vec<(&str, &str)> = problems
        .iter()
        .map(|problem| (problem.code.as_str(), problem.path.as_str()))
        .collect();
    assert_eq!(found, [("TM0501", "inputs.m"), ("TM0503", "inputs.n")]);
}
