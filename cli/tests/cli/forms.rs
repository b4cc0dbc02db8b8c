//! The other forms of data: YAML, rows with commas, ids; with and without titles; and help that is no command's.

use crate::Place;

const TWO: &str = "\
type: pipeline
display_name: two
jobs:
  a:
    type: command
    command: echo a
  b:
    type: command
    command: echo b
";

fn place() -> Place {
    let place = Place::new();
    place.write("p.yml", TWO);
    assert_eq!(place.outcome(&["run", "p.yml", "--tag", "note=x, y"]).0, 0);
    place
}

#[test]
fn yaml_says_what_json_says() {
    let place = place();
    let (code, yaml, stderr) = place.outcome(&["runs", "list", "-o", "yaml"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        yaml.starts_with("apiVersion: tidemill/v1\nitems:\n  - id: "),
        "{yaml}"
    );
    assert!(yaml.contains("\n    tags:\n      note: \"x, y\"\n"), "{yaml}");
    assert!(yaml.contains("\n    steps:\n      total: 2\n"), "{yaml}");
    let (_, yaml, _) = place.outcome(&["runs", "show", "last", "-o", "yaml"]);
    assert!(yaml.contains("\nsteps_list:\n  - path: a\n"), "{yaml}");
}

#[test]
fn rows_hold_the_same_fields_by_their_ways() {
    let place = place();
    let (code, csv, stderr) = place.outcome(&["runs", "list", "-o", "csv"]);
    assert_eq!(code, 0, "{stderr}");
    let (names, rows) = csv.split_once('\n').unwrap();
    let names: Vec<&str> = names.split(',').collect();
    for wanted in ["id", "status", "steps.total", "tags.note"] {
        assert!(names.contains(&wanted), "{wanted} is missing in {names:?}");
    }
    assert_eq!(rows.lines().count(), 1);
    assert!(rows.contains(",\"x, y\""), "{rows}");
    let (_, bare, _) = place.outcome(&["runs", "list", "-o", "csv", "--no-headers"]);
    assert_eq!(bare, rows);
    let (code, stdout, stderr) = place.outcome(&["graph", "p.yml", "-o", "csv"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("-o json"), "{stderr}");
}

#[test]
fn titles_can_be_left_out_and_a_wide_table_says_more() {
    let place = place();
    let (_, titled, _) = place.outcome(&["runs", "list"]);
    let (_, bare, _) = place.outcome(&["runs", "list", "--no-headers"]);
    assert!(titled.starts_with("RUN "), "{titled}");
    assert_eq!(titled.lines().count(), bare.lines().count() + 1);
    assert!(!bare.contains("STATUS"), "{bare}");
    let (_, wide, _) = place.outcome(&["runs", "list", "-o", "wide"]);
    let (_, ids, _) = place.outcome(&["runs", "list", "-q"]);
    let whole = ids.trim();
    assert!(!titled.contains(whole), "{titled}");
    for wanted in ["PIPELINE", "EXPERIMENT", "BY", "tester", whole] {
        assert!(wide.contains(wanted), "{wanted} is missing in\n{wide}");
    }
    let (_, wide, _) = place.outcome(&["runs", "show", "last", "-o", "wide"]);
    for wanted in ["KIND", "WORKER", "AFTER"] {
        assert!(wide.contains(wanted), "{wanted} is missing in\n{wide}");
    }
}

#[test]
fn moments_are_shown_in_utc_where_that_is_wanted() {
    let place = Place::new();
    let (_, _, _) = place.outcome(&["token", "create", "--scope", "reader", "--expires", "2d"]);
    let expiry = |arguments: &[&str]| {
        let mut command = place.tidemill(&[&["token", "list", "--no-headers"], arguments].concat());
        command.env("TZ", "Asia/Tokyo");
        let (_, stdout, _) = Place::text(&command.output().unwrap());
        let hour = stdout.split_whitespace().find(|word| word.contains(':')).unwrap();
        hour.to_owned()
    };
    let (there, utc) = (expiry(&[]), expiry(&["--utc"]));
    let hour = |text: &str| text.split_once(':').unwrap().0.parse::<u32>().unwrap();
    assert!(utc.ends_with('Z') && !there.ends_with('Z'), "{utc} {there}");
    assert_eq!((hour(&utc) + 9) % 24, hour(&there));
}

#[test]
fn help_is_about_topics_and_commands() {
    let place = Place::new();
    let (code, stdout, _) = place.outcome(&["help", "exit-codes"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("help_exit_codes", stdout);
    let (code, stdout, _) = place.outcome(&["help", "names"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("last/train#2"), "{stdout}");
    let (_, of_command, _) = place.outcome(&["runs", "list", "--help"]);
    let (code, stdout, _) = place.outcome(&["help", "runs", "list"]);
    assert_eq!((code, stdout.trim_end()), (0, of_command.trim_end()));
    let (code, _, stderr) = place.outcome(&["help", "exitcodes"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("did you mean `exit-codes`?"), "{stderr}");
}
