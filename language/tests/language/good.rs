//! Pipelines in the shapes that people write load and plan, and mean what they say.

use crate::fixtures::{GOOD, loaded, loaded_text, names, path, planned, planned_text, step, template};
use std::collections::BTreeMap;
use tidemill_language::{Code, Diagnostic, PlanRequest, Workspace, load, plan};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{
    CheckpointRule, Command, DistributionKind, InputBinding, InputMode, OnStepFailure, PortType, StepKind,
    When,
};
use tidemill_protocol::time::Millis;

#[test]
fn every_good_pipeline_loads_and_plans() {
    for name in GOOD {
        let loaded = loaded(name).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        let request = PlanRequest {
            parameters: match name {
                "good/nested/train_pipeline.yml" => {
                    [("raw".to_owned(), "https://example.org/raw".to_owned())].into()
                }
                _ => BTreeMap::new(),
            },
            ..PlanRequest::default()
        };
        let plan =
            plan(&loaded.outline(), &request).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        assert!(!plan.steps.is_empty(), "{name}");
    }
}

#[test]
fn a_small_pipeline_says_where_and_with_what_it_runs() {
    let plan = planned("good/basics/hello.yml");
    assert_eq!(plan.display_name, "Greet twice");
    assert_eq!(plan.experiment.as_str(), "greetings");
    assert_eq!(plan.pipeline.as_str(), "hello");
    let greet = template(&plan, "greet");
    assert_eq!(greet.rules.target.as_str(), "cpu-cluster");
    assert_eq!(template(&plan, "answer").rules.target.as_str(), "gpu-cluster");
    let python = greet.work.environment.python.as_ref().unwrap();
    assert!(python.requirements.contains(&"scikit-learn>=1.5,<1.6".to_owned()));
    assert_eq!(greet.work.environment.name.as_deref(), Some("sklearn-1.5"));
    assert_eq!(names(&plan, &step(&plan, "answer").after), ["greet"]);
}

#[test]
fn data_and_literals_reach_the_steps() {
    let plan = planned("good/basics/data.yml");
    let split = step(&plan, "split");
    let inputs: Vec<&str> = split.inputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(inputs, ["label", "ratio", "table"], "in order of their names");
    assert!(matches!(&split.inputs[1].1, InputBinding::Value(InputValue::Literal(l)) if &*l.text == "0.2"));
    let work = &template(&plan, "split").work;
    assert_eq!(work.inputs["table"].port_type, PortType::File);
    assert_eq!(work.outputs["report"].file_name.as_deref(), Some("report.json"));
    assert_eq!(work.outputs["parts"].port_type, PortType::Folder);
    assert!(work.code.is_some());
    assert!(matches!(&work.kind, StepKind::Command(Command::Argv { words }) if words.len() == 10));
    let count = template(&plan, "count");
    assert_eq!(count.work.environment_variables["ROUNDS"], "3");
    assert_eq!(count.rules.timeout, Some(Millis(1_800_000)));
    let python = count.work.environment.python.as_ref().unwrap();
    assert_eq!(python.version.as_deref(), Some("3.10"));
    assert_eq!(python.requirements, ["numpy==1.26.*", "pandas>=2.1"]);
    assert_eq!(
        plan.outputs.keys().map(PortName::as_str).collect::<Vec<_>>(),
        ["counts"]
    );
    assert_eq!(plan.parameters.len(), 6);
}

#[test]
fn an_output_location_gives_one_warning() {
    let loaded = loaded("good/basics/data.yml").unwrap();
    let codes: Vec<Code> = loaded.warnings.iter().map(Diagnostic::code).collect();
    assert_eq!(codes, [Code::OutputLocation]);
    assert_eq!(loaded.sources.len(), 3, "{:?}", loaded.sources);
}

#[test]
fn our_additions_become_rules() {
    let plan = planned("good/basics/additions.yml");
    assert_eq!(plan.on_step_failure, OnStepFailure::Continue);
    let flaky = &template(&plan, "flaky").rules;
    assert_eq!(
        (
            flaky.retry.retries_max,
            flaky.retry.backoff,
            flaky.retry.growth_percent
        ),
        (3, Millis(10_000), 150)
    );
    assert_eq!(flaky.retry.backoff_max, Millis(120_000));
    assert_eq!(flaky.timeout, Some(Millis(5_400_000)));
    assert_eq!((flaky.priority, flaky.cache), (5, false));
    assert_eq!((flaky.resources.cpus, flaky.resources.memory_bytes), (2, 4 << 30));
    assert_eq!(template(&plan, "once_more").rules.retry.retries_max, 2);
    assert!(!template(&plan, "once_more").rules.cache);
    assert_eq!(template(&plan, "tidy_up").rules.when, When::Always);
    assert_eq!(template(&plan, "tell").rules.when, When::OnFailure);
    assert_eq!(
        names(&plan, &step(&plan, "tidy_up").after),
        ["flaky", "once_more"]
    );
}

#[test]
fn a_checkpoint_is_a_rule_and_no_part_of_the_key() {
    let text = |checkpoint: &str| {
        format!("type: pipeline\nsettings: {{default_compute: c}}\njobs:\n  s:\n    command: x\n{checkpoint}")
    };
    let rule = |checkpoint: &str| {
        let plan = planned_text(&text(checkpoint));
        let template = template(&plan, "s");
        (template.rules.checkpoint.clone(), template.fixed)
    };
    let (none, key) = rule("");
    assert_eq!(none, None);
    let every = |seconds, path: Option<&str>| {
        Some(CheckpointRule {
            every: Millis::from_secs(seconds),
            path: path.map(|path| path.parse().unwrap()),
        })
    };
    for (written, expected) in [
        ("    checkpoint: 90s\n", every(90, None)),
        ("    checkpoint: {}\n", every(60, None)),
        (
            "    checkpoint: {every: 10m, path: ./ckpt/}\n",
            every(600, Some("ckpt")),
        ),
    ] {
        let (found, same) = rule(written);
        assert_eq!(found, expected, "{written}");
        assert_eq!(same, key, "a checkpoint changes no result");
    }
    for (wrong, word) in [
        ("    checkpoint: {every: 10ms}\n", "no pause"),
        ("    checkpoint: {every: 3d}\n", "no pause"),
        ("    checkpoint: {path: ../up}\n", "path"),
        ("    checkpoint: {evry: 1m}\n", "evry"),
    ] {
        let problems = loaded_text(&text(wrong)).map(|_| ()).expect_err(wrong);
        let problems = problems.to_problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].message.contains(word), "{problems:?}");
    }
}

#[test]
fn components_bring_their_defaults() {
    let plan = planned("good/components/pipeline.yml");
    let prep = step(&plan, "prep_job");
    let text = |name: &str| {
        prep.inputs.iter().find_map(|(n, binding)| match binding {
            InputBinding::Value(InputValue::Literal(literal)) if n.as_str() == name => {
                Some(literal.text.to_string())
            }
            _ => None,
        })
    };
    assert_eq!(text("test_split_ratio").as_deref(), Some("0.25"));
    assert_eq!(text("resize").as_deref(), Some("True"), "the spelling is kept");
    assert_eq!(text("tol").as_deref(), Some("1e-3"));
    let train = template(&plan, "train_job");
    assert_eq!(train.rules.resources.instance_count, 2);
    assert_eq!(train.rules.registers["model"].name.as_str(), "best-model");
    assert_eq!(
        train.work.distribution.as_ref().unwrap().kind,
        DistributionKind::Pytorch
    );
    let StepKind::Command(Command::Argv { words }) = &train.work.kind else {
        panic!("a shell was asked for");
    };
    assert_eq!(
        words.len(),
        10,
        "the bound optional block stands, the other does not"
    );
    assert_eq!(plan.outputs["best"].step.0, 1);
}

#[test]
fn nested_pipelines_become_dotted_steps() {
    let plan = planned("good/nested/pipeline.yml");
    let paths: Vec<&str> = plan.steps.iter().map(|step| step.path.as_str()).collect();
    assert_eq!(
        paths,
        ["left.prep", "left.train", "right.prep", "right.train", "choose"]
    );
    assert_eq!(template(&plan, "left.prep").rules.target.as_str(), "cpu-cluster");
    assert_eq!(
        template(&plan, "right.prep").rules.target.as_str(),
        "big-cluster",
        "from a parameter"
    );
    assert_eq!(
        template(&plan, "right.train").rules.target.as_str(),
        "gpu-cluster",
        "from the step around it"
    );
    assert_eq!(
        template(&plan, "left.train").rules.target.as_str(),
        "cpu",
        "the workspace's default"
    );
    assert_eq!(template(&plan, "left.train").rules.priority, 3);
    assert_eq!(names(&plan, &step(&plan, "right.prep").after), ["left.train"]);
    assert!(step(&plan, "right.train").after.is_empty());
    let sources: Vec<u32> = step(&plan, "choose")
        .inputs
        .iter()
        .filter_map(|(_, binding)| match binding {
            InputBinding::Step(source) => Some(source.step.0),
            InputBinding::Value(_) => None,
        })
        .collect();
    assert_eq!(sources, [1, 3]);
    assert_eq!(
        step(&plan, "left.train").inputs.len(),
        2,
        "the unbound optional inputs are not listed"
    );
    assert_eq!(step(&plan, "right.train").inputs.len(), 3);
}

#[test]
fn equal_steps_share_a_template() {
    let text = (0..50).fold("type: pipeline\njobs:\n".to_owned(), |text, i| {
        text + &format!("  s{i}: {{command: run me}}\n")
    });
    let plan = planned_text(&text);
    assert_eq!((plan.steps.len(), plan.templates.len()), (50, 1));
}

#[test]
fn a_whole_pipeline_may_be_a_component() {
    let plan = planned("good/nested/whole.yml");
    let paths: Vec<&str> = plan.steps.iter().map(|step| step.path.as_str()).collect();
    assert_eq!(paths, ["prep", "train"]);
    assert!(matches!(&plan.parameters["ratio"], InputValue::Literal(l) if &*l.text == "0.7"));
    assert_eq!(
        template(&plan, "train").rules.target.as_str(),
        "cpu",
        "serverless means the default pool"
    );
}

#[test]
fn other_kinds_load_and_plan_and_say_that_they_do_not_run() {
    let loaded = loaded("good/components/kinds.yml").unwrap();
    let missing = loaded
        .warnings
        .iter()
        .filter(|w| w.code() == Code::ExecutorMissing);
    assert_eq!(missing.count(), 5);
    let plan = planned("good/components/kinds.yml");
    for (name, kind) in [
        ("search", "sweep"),
        ("score", "parallel"),
        ("clean", "spark"),
        ("auto", "automl"),
        ("copy", "data_transfer"),
    ] {
        let StepKind::Other {
            name: found,
            settings,
        } = &template(&plan, name).work.kind
        else {
            panic!("{name} is no other kind");
        };
        assert_eq!(found, kind);
        assert!(
            serde_json::from_str::<serde_json::Value>(settings)
                .unwrap()
                .is_object()
        );
    }
    assert!(template(&plan, "search").work.code.is_some(), "the trial's");
    assert!(
        template(&plan, "score").work.environment.python.is_some(),
        "the task's"
    );
    assert_eq!(step(&plan, "auto").inputs.len(), 2);
}

#[test]
fn registered_names_resolve_through_the_workspace() {
    let file = path("good/registered/tidemill.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let workspace = Workspace::from_toml_layers(&[(file, text)]).unwrap();
    let loaded = load(&path("good/registered/pipeline.yml"), &workspace).unwrap_or_else(|p| panic!("{p}"));
    let plan = plan(&loaded.outline(), &PlanRequest::default()).unwrap();
    assert_eq!(template(&plan, "prep").rules.target.as_str(), "pool");
    assert_eq!(template(&plan, "read").rules.target.as_str(), "spark");
    let read = step(&plan, "read");
    let uri = |at: usize| match &read.inputs[at].1 {
        InputBinding::Value(InputValue::Uri(uri)) => uri.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(uri(0), "https://example.org/container/a/b.csv");
    assert_eq!(uri(2), "https://example.org/iris.csv");
    let mode = |input: &str| template(&plan, "read").work.inputs[input].mode;
    assert_eq!(mode("web"), InputMode::ReadOnly, "the worker fetches it");
    assert_eq!(mode("far"), InputMode::ReadOnly);
    assert_eq!(
        template(&plan, "read")
            .work
            .environment
            .python
            .as_ref()
            .unwrap()
            .requirements,
        ["numpy<3"]
    );
    assert_eq!(
        template(&plan, "other")
            .work
            .environment
            .python
            .as_ref()
            .unwrap()
            .requirements
            .len(),
        2
    );
    let unhashed = loaded.warnings.iter().filter(|w| w.code() == Code::NotHashed);
    assert_eq!(unhashed.count(), 2);
}

#[test]
fn a_file_that_is_one_step_becomes_a_pipeline() {
    let plan = planned("good/basics/single.yml");
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.experiment.as_str(), "one-step");
    assert_eq!(template(&plan, "main").rules.target.as_str(), "cpu-cluster");
}

#[test]
fn the_spec_survives_json_and_messagepack() {
    for name in GOOD {
        let spec = loaded(name).unwrap().outline();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(
            serde_json::from_str::<tidemill_language::PipelineSpec>(&json).unwrap(),
            spec,
            "{name}"
        );
        let packed = tidemill_protocol::codec::encode(&spec);
        assert_eq!(
            tidemill_protocol::codec::decode::<tidemill_language::PipelineSpec>(&packed).unwrap(),
            spec,
            "{name}"
        );
    }
}

#[test]
fn tolerances_of_real_files_are_warnings() {
    let text = r"
type: pipeline
settings: {default_datestore: azureml:x}
inputs: {file: {type: uri_file, path: https://example.org/a.csv}}
jobs:
  one:
    component:
      type: command
      inputs: {folder: {type: uri_folder}, name: {type: string, optional: true, default: n}}
      command: run ${{inputs.folder}} $[[inputs.name]] ${{inputs.name}}
    inputs: {folder: '${{parent.inputs.file}}', test_split_ratio: 1}
";
    let loaded = loaded_text(text).unwrap_or_else(|p| panic!("{p}"));
    let mut codes: Vec<&str> = loaded.warnings.iter().map(|w| w.code().as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["TM0701", "TM0702", "TM0703", "TM0704", "TM0707"]);
}

#[test]
fn artifacts_that_nobody_declared_are_declared_where_they_are_read() {
    let plan = planned_text(
        "type: pipeline
outputs: {kept: }
jobs:
  a: {component: {command: x}}
  b: {component: {command: x}}
  c: {command: 'y ${{inputs.job}}', inputs: {job: '${{parent.jobs.a.outputs.artifacts}}'}, outputs: {artifacts: '${{parent.outputs.kept}}'}}
",
    );
    let outputs = |path: &str| {
        template(&plan, path)
            .work
            .outputs
            .keys()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(outputs("a"), ["artifacts"]);
    assert!(outputs("b").is_empty(), "its key stays what it was");
    assert_eq!(outputs("c"), ["artifacts"]);
    assert_eq!(plan.outputs["kept"].output.as_str(), "artifacts");
}

#[test]
fn older_spellings_load_with_a_word_about_what_has_no_effect() {
    let loaded = loaded("good/basics/older.yml").unwrap();
    let ignored: Vec<&str> = loaded
        .warnings
        .iter()
        .filter(|warning| warning.code() == Code::IgnoredKey)
        .map(Diagnostic::message)
        .collect();
    assert_eq!(ignored, ["`compute` has no effect here and is ignored"]);
}

#[test]
fn an_environment_names_a_python_or_a_range_of_them() {
    let with = |python: &str| {
        loaded_text(&format!(
            "type: pipeline\njobs: {{a: {{command: x, environment: {{python: '{python}'}}}}}}\n"
        ))
    };
    for good in ["3", "3.11", "3.11.4", ">=3.9", ">=3.9,<3.12"] {
        assert!(with(good).is_ok(), "{good}");
    }
    for bad in ["py38", "<3.9", ">=3.9,<3.8", "3.x"] {
        let problems = with(bad).map(|_| ()).expect_err(bad);
        assert_eq!(problems.0[0].code(), Code::BadValue, "{bad}");
    }
}

#[test]
fn a_typed_input_of_a_whole_pipeline_waits_for_its_value() {
    let loaded = loaded("good/nested/submitted.yml").unwrap();
    let without = plan(&loaded.outline(), &PlanRequest::default()).unwrap_err();
    let found: Vec<(&str, &str)> = without
        .iter()
        .map(|p| (p.code.as_str(), p.path.as_str()))
        .collect();
    assert_eq!(found[0], ("TM0501", "inputs.raw"));
    let parameters = [("raw".to_owned(), "https://example.org/raw".to_owned())].into();
    let request = PlanRequest {
        parameters,
        ..PlanRequest::default()
    };
    assert!(plan(&loaded.outline(), &request).is_ok());
}

#[test]
fn an_input_that_is_written_wrong_is_one_problem_and_not_missing_too() {
    let text = "type: pipeline
jobs: {a: {component: {command: 'x ${{inputs.i}}', inputs: {i: {type: uri_folder}}}, inputs: {i: '${{parent.inputs.gone}}'}}}
";
    let problems = loaded_text(text).map(|_| ()).unwrap_err();
    let codes: Vec<Code> = problems.0.iter().map(Diagnostic::code).collect();
    assert_eq!(codes, [Code::UnknownInput]);
}
