//! The JSON Schema agrees with the loader: what loads passes, and what has a wrong shape fails in both.

use crate::fixtures::{GOOD, path};
use serde_json::Value;

fn json(name: &str) -> Value {
    let text = std::fs::read_to_string(path(name)).unwrap();
    tidemill_language::yaml_to_json(&text).unwrap_or_else(|problem| panic!("{name}: {problem}"))
}

fn validator(definition: Option<&str>) -> jsonschema::Validator {
    let mut schema = tidemill_language::schema();
    if let Some(definition) = definition {
        schema.as_object_mut().unwrap().remove("anyOf");
        schema["$ref"] = Value::String(format!("#/$defs/{definition}"));
    }
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::draft202012::meta::is_valid(
        &tidemill_language::schema()
    ));
}

#[test]
fn good_pipelines_pass() {
    let pipeline = validator(None);
    let component = validator(Some("component"));
    for name in GOOD.iter().chain(&["good/registered/pipeline.yml"]) {
        let json = json(name);
        let errors: Vec<String> = pipeline
            .iter_errors(&json)
            .map(|e| format!("{} at {}", e, e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    for name in [
        "good/components/prep.yml",
        "good/components/train.yml",
        "good/nested/train_pipeline.yml",
    ] {
        assert!(component.is_valid(&json(name)), "{name}");
    }
}

#[test]
fn wrong_shapes_fail_in_both() {
    let pipeline = validator(None);
    for text in [
        "type: pipeline\njobs: nothing\n",
        "type: pipeline\njobs: {}\n",
        "type: pipeline\ndisplayname: x\njobs: {a: {command: x}}\n",
        "type: pipeline\njobs: {a: {command: x, retires: 3}}\n",
        "type: pipeline\njobs: {a: {command: x, retry: {max: 1000}}}\n",
        "type: pipeline\njobs: {a: {command: x, timeout: soon}}\n",
        "type: pipeline\njobs: {a: {command: x, when: sometimes}}\n",
        "type: pipeline\njobs: {a: {command: x, priority: high}}\n",
        "type: pipeline\njobs: {a: {command: x, resources: {instance_count: 0}}}\n",
        "type: pipeline\njobs: {2 many: {command: x}}\n",
        "type: pipeline\njobs: {a: {}}\n",
        "type: pipeline\njobs: {a: [1]}\n",
        "type: pipeline\njobs: {a: {type: comand, command: x}}\n",
        "type: pipeline\ninputs: {n: {type: intger}}\njobs: {a: {command: x}}\n",
        "type: pipeline\ninputs: {a-b: 1}\njobs: {a: {command: x}}\n",
        "type: pipeline\njobs: {a: {command: x, outputs: {o: {type: integer}}}}\n",
        "type: pipeline\njobs: {a: {command: x, distribution: {type: ray}}}\n",
        "type: pipeline\njobs: {a: {command: x, environment_variables: {TIDEMILL_X: 1}}}\n",
        "type: pipeline\njobs: {a: {command: x, secrets: {TIDEMILL_X: a}}}\n",
        "type: pipeline\njobs: {a: {command: x, secrets: {A: not a name}}}\n",
        "type: pipeline\njobs: {a: {command: x, secrets: {A: {secret: a, as: argument}}}}\n",
        "type: pipeline\njobs: {a: {type: sweep, trial: {command: x}}}\n",
        "type: pipelin\njobs: {a: {command: x}}\n",
    ] {
        assert!(
            crate::fixtures::loaded_text(text).is_err(),
            "the loader accepts {text}"
        );
        let json = tidemill_language::yaml_to_json(text).unwrap();
        assert!(!pipeline.is_valid(&json), "the schema accepts {text}");
    }
}
