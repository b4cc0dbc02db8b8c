//! Values of parameters are values. Whatever a person writes into one, the step receives it whole, and no shell ever reads it.

use std::fs;
use testkit::Sandbox;

/// Each has ended somebody's day.
const HOSTILE: [&str; 22] = [
    "plain",
    "two words",
    " leading and trailing ",
    "double \"quotes\"",
    "single 'quotes'",
    "it's",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "&& touch pwned",
    "| tee pwned",
    "> pwned",
    "*",
    "~",
    "$HOME ${HOME} $1 $$",
    "-n",
    "--help",
    "back\\slash \\n \\",
    "%s %d %%",
    "größe 日本語 🌊",
    "{{x}} ${{inputs.value}} $[[ x ]]",
    "!history #comment",
];

/// The value in each place where an expression may stand, and how many words the process saw.
const PIPELINE: &str = "
type: pipeline
inputs:
  value:
    type: string
    default: none
jobs:
  places:
    code: ./src
    command: >-
      printf '%s' ${{inputs.value}} > ${{outputs.all}}/bare &&
      printf '%s' \"${{inputs.value}}\" > ${{outputs.all}}/double &&
      printf '%s' '${{inputs.value}}' > ${{outputs.all}}/single &&
      printf '%s' \"<${{inputs.value}}>\" > ${{outputs.all}}/inside &&
      sh words.sh ${{inputs.value}} > ${{outputs.all}}/words
    inputs:
      value: ${{parent.inputs.value}}
    outputs:
      all: {type: uri_folder}
  argv:
    code: ./src
    command: sh keep.sh ${{outputs.kept}} ${{inputs.value}} prefix-${{inputs.value}}
    inputs:
      value: ${{parent.inputs.value}}
    outputs:
      kept: {type: uri_folder}
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("src/words.sh", "printf '%s' \"$#\"\n");
    sandbox.write(
        "src/keep.sh",
        "printf '%s' \"$2\" > \"$1/whole\"\nprintf '%s' \"$3\" > \"$1/joined\"\n",
    );
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox
}

fn fetch(sandbox: &Sandbox, artifact: &str, to: &str) {
    sandbox.ok(["artifacts", "get", artifact, "--to", to, "--force"]);
}

fn check(sandbox: &Sandbox, value: &str) {
    sandbox.run("pipeline.yml", &["-p", &format!("value={value}")]);
    fetch(sandbox, "last/places/all", "all");
    fetch(sandbox, "last/argv/kept", "kept");
    let read = |path: &str| fs::read_to_string(sandbox.path().join(path)).expect("the step wrote it");
    for place in ["bare", "double", "single"] {
        assert_eq!(read(&format!("all/{place}")), value, "{place}");
    }
    assert_eq!(read("all/inside"), format!("<{value}>"));
    assert_eq!(read("all/words"), "1", "{value:?} is one word");
    assert_eq!(read("kept/whole"), value, "without a shell");
    assert_eq!(read("kept/joined"), format!("prefix-{value}"), "without a shell");
}

#[test]
fn no_value_becomes_syntax() {
    let sandbox = sandbox();
    for value in HOSTILE {
        check(&sandbox, value);
    }
    let pwned = walk(sandbox.path())
        .into_iter()
        .filter(|path| path.ends_with("pwned"));
    assert_eq!(pwned.count(), 0, "a value was executed");
}

#[test]
fn an_empty_value_is_an_empty_argument() {
    check(&sandbox(), "");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => walk(&entry.path()),
        _ => vec![entry.path()],
    });
    below.collect()
}
