//! `secrets:` from the file to the plan: names only, each wrong one with its place and a way out, and no value said back.

use crate::fixtures::{loaded_text, planned_text, template};
use tidemill_language::{Code, PlanRequest, plan};
use tidemill_protocol::plan::{SecretForm, SecretUse};

fn text(step: &str) -> String {
    format!("type: pipeline\nsettings: {{default_compute: c}}\njobs:\n  s:\n    command: x\n{step}")
}

fn problems(step: &str) -> Vec<(Code, String, Option<String>)> {
    let found = loaded_text(&text(step)).map(|_| ()).expect_err(step);
    let all = found.0.iter();
    all.map(|problem| {
        (
            problem.code(),
            problem.message().to_owned(),
            problem.help().map(str::to_owned),
        )
    })
    .collect()
}

#[test]
fn a_step_is_planned_with_the_names_of_its_secrets_and_how_it_is_given_them() {
    let step = "    secrets:\n      A: one\n      B: {secret: two}\n      C: {secret: three, as: file}\n";
    let plan = planned_text(&text(step));
    let secrets = &template(&plan, "s").work.secrets;
    let wanted = |secret: &str, form| SecretUse {
        secret: secret.parse().unwrap(),
        form,
    };
    assert_eq!(secrets["A"], wanted("one", SecretForm::Variable));
    assert_eq!(secrets["B"], wanted("two", SecretForm::Variable));
    assert_eq!(secrets["C"], wanted("three", SecretForm::File));
}

#[test]
fn a_name_changes_the_key_and_none_leaves_it_as_it_was() {
    let key = |step: &str| template(&planned_text(&text(step)), "s").fixed;
    let with = key("    secrets: {A: one}\n");
    assert_ne!(with, key(""));
    assert_ne!(with, key("    secrets: {A: two}\n"));
    assert_ne!(with, key("    secrets: {B: one}\n"));
    assert_eq!(key("    secrets: {}\n"), key(""));
}

#[test]
fn a_steps_secrets_stand_over_those_of_its_component() {
    let folder = tempfile::tempdir().unwrap();
    let component = "type: command\ncommand: x\nsecrets: {A: one, B: two}\n";
    std::fs::write(folder.path().join("c.yml"), component).unwrap();
    let file = folder.path().join("p.yml");
    let pipeline = "type: pipeline\nsettings: {default_compute: c}\njobs:\n  s:\n    component: ./c.yml\n    secrets: {B: {secret: other, as: file}}\n";
    std::fs::write(&file, pipeline).unwrap();
    let loaded = tidemill_language::load(&file, &tidemill_language::Workspace::default()).unwrap();
    let plan = plan(&loaded.outline(), &PlanRequest::default()).unwrap();
    let secrets = &template(&plan, "s").work.secrets;
    assert_eq!(secrets["A"].secret.as_str(), "one");
    assert_eq!(secrets["B"].secret.as_str(), "other");
    assert_eq!(secrets["B"].form, SecretForm::File);
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    for (step, code, help) in [
        (
            "    secrets: {TIDEMILL_X: a}\n",
            Code::BadName,
            "`TIDEMILL_` are taken",
        ),
        (
            "    secrets: {A-B: a}\n",
            Code::BadName,
            "letters, digits and `_`",
        ),
        (
            "    secrets: {A: {secret: a, as: fil}}\n",
            Code::BadValue,
            "did you mean `file`?",
        ),
        (
            "    secrets: {A: {secrt: a}}\n",
            Code::UnknownKey,
            "did you mean `secret`?",
        ),
        (
            "    environment_variables: {A: 1}\n    secrets: {A: a}\n",
            Code::BadValue,
            "one of the two",
        ),
    ] {
        let found = problems(step);
        let is_said = found.iter().any(|(found, _, said)| {
            *found == code && said.as_deref().is_some_and(|said| said.contains(help))
        });
        assert!(is_said, "{step}: {found:?}");
    }
}

#[test]
fn a_value_in_place_of_a_name_is_not_said_back() {
    for value in ["'pa$$w0rd of mine'", "{secret: 'pa$$w0rd of mine'}"] {
        let found = problems(&format!("    secrets: {{A: {value}}}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        let (code, message, help) = &found[0];
        assert_eq!(*code, Code::BadName);
        assert!(!message.contains("pa$$") && help.as_deref().unwrap().contains("tidemill secret set"));
    }
}

#[test]
fn secrets_of_a_nested_pipeline_are_refused_because_they_would_reach_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let inner = "type: pipeline\njobs:\n  a:\n    command: x\n";
    std::fs::write(folder.path().join("inner.yml"), inner).unwrap();
    let file = folder.path().join("p.yml");
    let outer = "type: pipeline\njobs:\n  s:\n    component: ./inner.yml\n    secrets: {A: one}\n";
    std::fs::write(&file, outer).unwrap();
    let found = tidemill_language::load(&file, &tidemill_language::Workspace::default()).unwrap_err();
    assert!(
        found.to_string().contains("would reach no step inside"),
        "{found}"
    );
}

#[test]
fn there_are_at_most_32_of_them() {
    use std::fmt::Write;
    let mut step = "    secrets:\n".to_owned();
    for n in 0..32 {
        writeln!(step, "      S{n}: name").unwrap();
    }
    assert_eq!(template(&planned_text(&text(&step)), "s").work.secrets.len(), 32);
    step.push_str("      S32: name\n");
    assert_eq!(problems(&step)[0].0, Code::BadValue);
}
