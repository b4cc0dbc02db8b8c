//! What is wrong with a pipeline is said at once, with its place, its cause and a way out.

use crate::fixtures::{loaded, loaded_text};
use tidemill_language::{Code, Workspace};

pub(crate) const BAD: [&str; 9] = [
    "bad/keys.yml",
    "bad/expressions.yml",
    "bad/circle.yml",
    "bad/names.yml",
    "bad/values.yml",
    "bad/duplicate.yml",
    "bad/loop_a.yml",
    "bad/shape.yml",
    "bad/yaml.yml",
];

fn rendered(name: &str) -> String {
    let problems = loaded(name).map(|_| ()).expect_err(name);
    problems
        .render(false, 110)
        .replace(env!("CARGO_MANIFEST_DIR"), "HERE")
}

#[test]
fn every_problem_is_shown_in_its_place() {
    for name in BAD {
        let short = name.trim_start_matches("bad/").trim_end_matches(".yml");
        insta::assert_snapshot!(format!("bad_{short}"), rendered(name));
    }
}

#[test]
fn a_problem_converts_to_the_words_of_the_api() {
    let problems = loaded("bad/circle.yml").unwrap_err().to_problems();
    let circle = problems.iter().find(|p| p.code == Code::Cycle.as_str()).unwrap();
    assert_eq!(circle.severity, "error");
    assert!(circle.message.contains("→"), "{}", circle.message);
    assert!(circle.file.as_deref().unwrap().ends_with("circle.yml"));
    assert!(circle.line.is_some() && circle.column.is_some() && circle.help.is_some());
}

#[test]
fn no_input_makes_only_warnings_an_error() {
    let text = "type: pipeline\nsettings: {unheard_of: 1}\njobs: {a: {command: x}}\n";
    assert_eq!(loaded_text(text).unwrap().warnings.len(), 1);
}

#[test]
fn codes_are_unique() {
    let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Code::ALL.len());
}

#[test]
fn a_faulty_workspace_file_is_explained() {
    let text = "[environment]\nx = 1\n[computes]\ncpu = \"a b\"\n[data]\nrows = { pth = \"x\" }\n[worker]\nanything = true\n";
    let problems = Workspace::from_toml_layers(&[("tidemill.toml".into(), text.to_owned())]).unwrap_err();
    let found: Vec<(&str, u32)> = problems
        .iter()
        .map(|p| (p.code.as_str(), p.line.unwrap()))
        .collect();
    assert_eq!(
        found,
        [("TM0201", 1), ("TM0204", 4), ("TM0203", 6), ("TM0201", 6)]
    );
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `environments`?"));
    assert!(Workspace::from_toml_layers(&[("t.toml".into(), "x = ".to_owned())]).is_err());
}

#[test]
fn later_layers_win() {
    let layer = |text: &str| ("t.toml".into(), text.to_owned());
    let workspace = Workspace::from_toml_layers(&[
        layer("[computes]\na = \"one\"\n"),
        layer("[computes]\na = \"two\"\n"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yml");
    std::fs::write(
        &file,
        "type: pipeline\ncompute: azureml:a\njobs: {s: {command: x}}\n",
    )
    .unwrap();
    let loaded = tidemill_language::load(&file, &workspace.unwrap()).unwrap();
    let plan =
        tidemill_language::plan(&loaded.outline(), &tidemill_language::PlanRequest::default()).unwrap();
    assert_eq!(plan.templates[0].rules.target.as_str(), "two");
}
