//! Planning binds parameters, and trusts no spec.

use crate::fixtures::{loaded_text, names, planned_text, step, template};
use std::sync::Arc;
use tidemill_language::{PipelineSpec, PlanRequest, plan};
use tidemill_protocol::api::Problem;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::{InputBinding, When};
use tidemill_protocol::spec::{BindingSource, ComponentBody, ComponentSpec, GraphSpec, ValueSpec};

const TYPED: &str = r"
type: pipeline
inputs:
  rounds: {type: integer, default: 3, min: 1, max: 10}
  rate: {type: number, default: 0.1}
  kind: {type: string, enum: [fast, slow], default: fast}
  strict: {type: boolean, default: false}
  where: azureml:cpu-cluster
  word: {type: string}
  data: {type: uri_folder, optional: true}
jobs:
  a:
    component:
      command: run ${{inputs.rounds}} ${{inputs.label}} $[[--data ${{inputs.data}}]]
      inputs:
        rounds: {type: integer, max: 7}
        label: {type: string, default: none}
        data: {type: uri_folder, optional: true}
    compute: ${{parent.inputs.where}}
    inputs: {rounds: '${{parent.inputs.rounds}}', label: 'x-${{parent.inputs.word}}-y', data: '${{parent.inputs.data}}'}
";

fn request(parameters: &[(&str, &str)]) -> PlanRequest {
    PlanRequest {
        parameters: parameters
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        ..PlanRequest::default()
    }
}

fn problems(parameters: &[(&str, &str)]) -> Vec<Problem> {
    plan(&loaded_text(TYPED).unwrap().outline(), &request(parameters)).unwrap_err()
}

#[test]
fn parameters_are_bound_by_their_types() {
    let spec = loaded_text(TYPED).unwrap().outline();
    let made = plan(
        &spec,
        &request(&[
            ("word", "w w"),
            ("rounds", "7"),
            ("strict", "true"),
            ("where", "azureml:big"),
        ]),
    )
    .unwrap();
    let text = |name: &str| match &made.parameters[name] {
        InputValue::Literal(literal) => literal.text.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (text("rounds"), text("strict"), text("word")),
        ("7".into(), "True".into(), "w w".into())
    );
    assert!(!made.parameters.contains_key("data"));
    assert_eq!(template(&made, "a").rules.target.as_str(), "big");
    let label = &step(&made, "a").inputs[0];
    assert!(matches!(&label.1, InputBinding::Value(InputValue::Literal(l)) if &*l.text == "x-w w-y"));
    let with_data = plan(
        &spec,
        &request(&[("word", "w"), ("data", "https://example.org/x")]),
    )
    .unwrap();
    assert_eq!(step(&with_data, "a").inputs.len(), 3);
    assert_ne!(
        template(&made, "a").fixed,
        template(&with_data, "a").fixed,
        "the optional block stands"
    );
}

#[test]
fn parameters_that_do_not_fit_are_refused_all_at_once() {
    let found = problems(&[
        ("rounds", "11"),
        ("rate", "x"),
        ("kind", "fsat"),
        ("strict", "maybe"),
        ("wrd", "1"),
        ("data", "./x"),
    ]);
    let codes: Vec<(&str, &str)> = found.iter().map(|p| (p.code.as_str(), p.path.as_str())).collect();
    for expected in [
        ("TM0504", "inputs"),
        ("TM0503", "inputs.rounds"),
        ("TM0502", "inputs.rate"),
        ("TM0503", "inputs.kind"),
        ("TM0502", "inputs.strict"),
        ("TM0501", "inputs.word"),
        ("TM0502", "inputs.data"),
    ] {
        assert!(codes.contains(&expected), "{expected:?} in {codes:?}");
    }
    let kind = found.iter().find(|p| p.path == "inputs.kind").unwrap();
    assert_eq!(kind.help.as_deref(), Some("did you mean `fast`?"));
}

#[test]
fn a_components_own_bounds_hold_for_what_is_passed_on() {
    let found = problems(&[("word", "w"), ("rounds", "9")]);
    assert_eq!(
        (found[0].code.as_str(), found[0].path.as_str()),
        ("TM0503", "a.inputs.rounds")
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn a_submission_says_how_its_run_is_called() {
    let spec = loaded_text("type: pipeline\ntags: {a: 1, b: 2}\njobs: {s: {command: x, priority: 2}}\n")
        .unwrap()
        .outline();
    let request = PlanRequest {
        display_name: Some("mine".into()),
        experiment: Some("exp".into()),
        tags: [("b".to_owned(), "3".to_owned())].into(),
        priority: 40,
        force_rerun: true,
        ..PlanRequest::default()
    };
    let made = plan(&spec, &request).unwrap();
    assert_eq!(
        (made.display_name.as_str(), made.experiment.as_str()),
        ("mine", "exp")
    );
    assert_eq!((made.tags["a"].as_str(), made.tags["b"].as_str()), ("1", "3"));
    assert!(made.force_rerun);
    assert_eq!(template(&made, "s").rules.priority, 42);
    let bad = PlanRequest {
        experiment: Some("a b".into()),
        ..PlanRequest::default()
    };
    assert_eq!(plan(&spec, &bad).unwrap_err()[0].code, "TM0204");
}

#[test]
fn local_data_may_be_given_with_the_submission() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("d")).unwrap();
    let mut loaded = loaded_text(TYPED).unwrap();
    let mut parameters = request(&[("data", "d"), ("word", "w")]).parameters;
    loaded.take_local_data(&mut parameters, folder.path()).unwrap();
    assert_eq!(parameters.len(), 1, "literals stay parameters");
    assert_eq!(loaded.sources.len(), 1);
    let made = plan(&loaded.outline(), &request(&[("word", "w")])).unwrap();
    assert!(matches!(made.parameters["data"], InputValue::Artifact(_)));
    let mut gone = request(&[("data", "gone")]).parameters;
    let problems = loaded_text(TYPED)
        .unwrap()
        .take_local_data(&mut gone, folder.path())
        .unwrap_err();
    assert_eq!(problems[0].path, "inputs.data");
}

#[test]
fn a_step_that_fits_no_message_is_refused_by_its_name_and_one_that_just_fits_is_not() {
    let spec = loaded_text(TYPED).unwrap().outline();
    let word = |bytes: usize| "w".repeat(bytes);
    let refused = plan(&spec, &request(&[("word", &word(4 * 1024 * 1024))])).unwrap_err();
    assert_eq!(
        (refused.len(), &*refused[0].code, &*refused[0].path),
        (1, "TM0110", "a")
    );
    assert!(refused[0].message.len() < 200, "{}", refused[0].message);
    assert!(refused[0].help.as_deref().unwrap().contains("uri_file"));
    plan(&spec, &request(&[("word", &word(3 * 1024 * 1024))])).unwrap();
}

#[test]
fn order_and_conditions_reach_into_nested_pipelines() {
    let made = planned_text(
        r"
type: pipeline
jobs:
  before: {command: x}
  group:
    depends_on: [before]
    when: always
    component:
      type: pipeline
      jobs:
        one: {command: x}
        two: {command: x, depends_on: [one]}
        three: {command: x, depends_on: [one], when: on_failure}
  after: {command: x, depends_on: [group]}
",
    );
    assert_eq!(names(&made, &step(&made, "group.one").after), ["before"]);
    assert_eq!(names(&made, &step(&made, "group.two").after), ["group.one"]);
    assert_eq!(template(&made, "group.one").rules.when, When::Always);
    assert_eq!(template(&made, "group.two").rules.when, When::OnSuccess);
    assert_eq!(
        names(&made, &step(&made, "after").after),
        ["group.two", "group.three"]
    );
}

#[test]
fn an_order_that_data_implies_is_not_repeated() {
    let made = planned_text(
        "type: pipeline\njobs:\n  a: {command: x, outputs: {o: }}\n  b: {command: 'x ${{inputs.i}}', inputs: {i: '${{parent.jobs.a.outputs.o}}'}, depends_on: [a]}\n",
    );
    assert!(step(&made, "b").after.is_empty());
}

#[test]
fn code_and_data_are_part_of_the_work() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let file = folder.path().join("p.yml");
    std::fs::write(&file, "type: pipeline\njobs: {a: {command: x, code: src}}\n").unwrap();
    let loaded = tidemill_language::load(&file, &tidemill_language::Workspace::default()).unwrap();
    let source = loaded.sources[0].clone();
    let mut artifact = loaded.outline().contents[0];
    artifact.digest = tidemill_protocol::digest::Digest::of(b"content");
    let spec = loaded.finish(&[(source.id, artifact)].into());
    let made = plan(&spec, &PlanRequest::default()).unwrap();
    assert_eq!(made.templates[0].work.code, Some(artifact));
}

fn spec() -> PipelineSpec {
    loaded_text("type: pipeline\ninputs: {x: 1}\njobs: {a: {command: 'x ${{inputs.x}}', inputs: {x: '${{parent.inputs.x}}'}}}\n")
        .unwrap()
        .outline()
}

fn root(spec: &mut PipelineSpec) -> &mut GraphSpec {
    let root = spec.root as usize;
    match &mut Arc::make_mut(&mut spec.components[root]).body {
        ComponentBody::Graph(graph) => graph,
        ComponentBody::Command(_) | ComponentBody::Other(_) => panic!("the root is a graph"),
    }
}

type Fault = fn(&mut PipelineSpec);

#[test]
fn a_spec_that_contradicts_itself_is_refused() {
    let faults: [(&str, Fault); 10] = [
        ("TM0506", |spec| spec.format = 9),
        ("TM0506", |spec| spec.root = 99),
        ("TM0506", |spec| spec.root = 0),
        ("TM0506", |spec| root(spec).steps[0].component = 99),
        ("TM0303", |spec| {
            let output = tidemill_protocol::spec::OutputRef {
                step: "gone".parse().unwrap(),
                output: "o".parse().unwrap(),
            };
            root(spec).steps[0].inputs.values_mut().next().unwrap().source = BindingSource::Step(output);
        }),
        ("TM0506", |spec| {
            root(spec).steps[0].inputs.values_mut().next().unwrap().source =
                BindingSource::Value(ValueSpec::Content(5));
        }),
        ("TM0304", |spec| {
            root(spec).steps[0].depends_on.push("gone".parse().unwrap());
        }),
        ("TM0505", |spec| {
            root(spec).steps[0].depends_on.push("a".parse().unwrap());
        }),
        ("TM0506", |spec| {
            let step = root(spec).steps[0].clone();
            root(spec).steps.push(step);
        }),
        ("TM0203", |spec| root(spec).steps.clear()),
    ];
    for (at, (code, fault)) in faults.into_iter().enumerate() {
        let mut spec = spec();
        fault(&mut spec);
        let found = plan(&spec, &PlanRequest::default()).unwrap_err();
        assert_eq!(found[0].code, code, "fault {at}: {found:?}");
    }
}

#[test]
fn a_pipeline_that_holds_itself_is_refused() {
    let mut spec = spec();
    let own = spec.root;
    root(&mut spec).steps[0].component = own;
    let found = plan(&spec, &PlanRequest::default()).unwrap_err();
    assert_eq!(found[0].code, "TM0109");
}

#[test]
fn pipelines_that_multiply_are_refused() {
    let mut spec = spec();
    let leaf = root(&mut spec).steps[0].clone();
    for level in 0..20_u32 {
        let component = if level == 0 {
            leaf.component
        } else {
            spec.components.len() as u32 - 1
        };
        let steps = ["l", "r"].map(|name| tidemill_protocol::spec::StepSpec {
            name: name.parse().unwrap(),
            component,
            ..leaf.clone()
        });
        spec.components.push(Arc::new(ComponentSpec {
            inputs: spec.components[spec.root as usize].inputs.clone(),
            body: ComponentBody::Graph(GraphSpec {
                steps: steps.into(),
                ..GraphSpec::default()
            }),
            ..ComponentSpec::clone(&spec.components[0])
        }));
    }
    spec.root = spec.components.len() as u32 - 1;
    let found = plan(&spec, &PlanRequest::default()).unwrap_err();
    assert_eq!(found[0].code, "TM0108");
}
