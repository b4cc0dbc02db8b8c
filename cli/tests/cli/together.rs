//! What people do together: tags and comments on runs, projects with roles and quotas, as they are typed and printed.

use crate::Place;

const PIPELINE: &str = "\
type: pipeline
display_name: greeting
jobs:
  greet:
    type: command
    command: echo hello
";

fn place() -> Place {
    let place = Place::new();
    place.write("p.yml", PIPELINE);
    place
}

fn ok(place: &Place, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = place.outcome(arguments);
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
    stdout
}

#[test]
fn a_run_is_tagged_renamed_and_commented_on_after_its_end_and_shows_it() {
    let place = place();
    ok(&place, &["run", "p.yml", "--tag", "old=1"]);
    let tagged = ok(&place, &["runs", "tag", "last", "stage=prod", "--remove", "old"]);
    assert!(tagged.trim_end().ends_with("stage=prod"), "{tagged}");
    ok(
        &place,
        &[
            "runs",
            "describe",
            "last",
            "--name",
            "best",
            "behind the numbers of March",
        ],
    );
    ok(
        &place,
        &["runs", "comment", "last", "it converges\nafter epoch 3"],
    );
    ok(&place, &["runs", "comment", "last", "really?"]);
    ok(&place, &["runs", "comment", "last", "--edit", "2", "really."]);
    let shown = ok(&place, &["runs", "show", "@best"]);
    for expected in [
        "behind the numbers of March",
        "stage = prod",
        "#1 tester",
        "  after epoch 3",
        "  really.",
        "tester edited comment #2",
    ] {
        assert!(shown.contains(expected), "{expected:?} is not in {shown}");
    }
    assert!(!shown.contains("old = 1"), "{shown}");
    assert_eq!(
        place
            .items(&["runs", "list", "-l", "stage=prod", "-o", "json"])
            .len(),
        1
    );
    assert_eq!(
        place.items(&["runs", "list", "-l", "old=1", "-o", "json"]).len(),
        0
    );
    ok(&place, &["runs", "comment", "last", "--remove", "1"]);
    let (code, _, stderr) = place.outcome(&["runs", "comment", "last", "--remove", "1"]);
    assert_eq!(code, 6, "{stderr}");
    let (code, _, stderr) = place.outcome(&["runs", "tag", "last", "tidemill.x=1"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("tidemill's own"), "{stderr}");
    let (code, _, _) = place.outcome(&["runs", "tag", "last"]);
    assert_eq!(code, 2, "nothing to do is a mistake");
}

#[test]
fn a_project_is_made_bounded_given_roles_listed_and_deleted() {
    let place = place();
    ok(
        &place,
        &[
            "project",
            "create",
            "cars",
            "--description",
            "what cars see",
            "--running-steps",
            "3",
        ],
    );
    ok(&place, &["team", "set", "vision", "ada", "bob"]);
    ok(
        &place,
        &["project", "set-role", "cars", "submitter", "--team", "vision"],
    );
    ok(
        &place,
        &["project", "set-role", "cars", "operator", "--person", "carol"],
    );
    let shown = ok(&place, &["project", "show", "cars"]);
    for expected in ["what cars see", "3 running steps", "team vision", "carol"] {
        assert!(shown.contains(expected), "{expected:?} is not in {shown}");
    }
    let bounded = ok(&place, &["project", "set-quota", "cars", "--target", "gpu=2"]);
    assert_eq!(bounded, "project cars may have 2 running steps on gpu\n");
    ok(&place, &["run", "p.yml", "--project", "cars"]);
    let listed = place.items(&["runs", "list", "--project", "cars", "-o", "json"]);
    assert_eq!((listed.len(), listed[0]["project"].as_str()), (1, Some("cars")));
    assert_eq!(
        place
            .items(&["runs", "list", "--project", "default", "-o", "json"])
            .len(),
        0
    );
    let names = ok(&place, &["project", "list", "-q"]);
    assert_eq!(names, "default\ncars\n");
    let (code, _, stderr) = place.outcome(&["run", "p.yml", "--project", "boats"]);
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("there is no project `boats`"), "{stderr}");
    let (code, _, stderr) = place.outcome(&["project", "delete", "default", "--yes"]);
    assert_eq!(code, 7, "{stderr}");
    ok(&place, &["project", "delete", "cars", "--dry-run"]);
    ok(&place, &["project", "delete", "cars", "--yes"]);
    assert_eq!(ok(&place, &["project", "list", "-q"]), "default\n");
    let (code, _, stderr) = place.outcome(&["project", "set-role", "cars", "boss", "--person", "x"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("one of reader, submitter, operator, none"),
        "{stderr}"
    );
}
