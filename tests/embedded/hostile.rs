//! Hostile pipeline files: each is refused with an error that says what is wrong, within little memory, and none of it reaches the terminal raw. Nor does
//! what drives a terminal in the output of a step.

use std::fmt::Write as _;
use std::fs::File;
use std::sync::OnceLock;
use std::time::Duration;
use testkit::{Output, Sandbox};

/// The exit code of a pipeline that is not valid.
const INVALID: i32 = 2;
/// The most that a refusal may take beyond the program itself. A release build's 15 MiB make it less than 64 MiB; a debug build's file alone is twice
/// as large.
const GROWTH_BYTES_MAX: u64 = 48 * 1024 * 1024;
/// Longest refusal: nobody reads more.
const SAID_BYTES_MAX: usize = 1024 * 1024;
/// For a busy machine. How soon it really is, is measured elsewhere.
const ANSWER_DEADLINE: Duration = Duration::from_mins(2);

/// What the program takes when it does next to nothing.
fn idle_bytes() -> u64 {
    static IDLE: OnceLock<u64> = OnceLock::new();
    *IDLE.get_or_init(|| {
        let sandbox = Sandbox::new();
        sandbox
            .measured(&sandbox.command(["version"]), ANSWER_DEADLINE)
            .peak_bytes
    })
}

/// Validates the file of this name: it must be refused with this code, within the memory.
#[track_caller]
fn refuse_file(sandbox: &Sandbox, name: &str, code: &str) -> Output {
    let measured = sandbox.measured(&sandbox.command(["validate", name]), ANSWER_DEADLINE);
    let growth = measured.peak_bytes.saturating_sub(idle_bytes());
    assert!(growth < GROWTH_BYTES_MAX, "{code}: it took {} MiB", growth >> 20);
    let output = measured.output;
    assert_eq!(output.code, Some(INVALID), "{code}: {}", start(&output.stderr));
    let said = output.stdout.len() + output.stderr.len();
    assert!(said < SAID_BYTES_MAX, "{code}: {said} bytes were said");
    assert!(output.stderr.contains(code), "{code}: {}", start(&output.stderr));
    for raw in ['\u{1b}', '\u{202e}', '\0'] {
        let seen = output.stderr.contains(raw) || output.stdout.contains(raw);
        assert!(!seen, "{code}: {raw:?} reached the terminal");
    }
    output
}

#[track_caller]
fn refuse_bytes(bytes: &[u8], code: &str) -> Output {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("hostile.yml"), bytes).expect("a file can be written");
    refuse_file(&sandbox, "hostile.yml", code)
}

#[track_caller]
fn refuse(text: &str, code: &str) -> Output {
    refuse_bytes(text.as_bytes(), code)
}

fn start(text: &str) -> String {
    text.chars().take(2_000).collect()
}

#[test]
fn aliases_that_grow_without_end_are_refused() {
    let mut bomb = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 9].join(",");
        writeln!(bomb, "a{level}: &a{level} [{list}]").expect("a string takes it");
    }
    refuse(&bomb, "TM0107");
    let long = "x".repeat(900_000);
    refuse(
        &format!("a: &a {long}\nb:\n{}", "- *a\n".repeat(10_000)),
        "TM0107",
    );
}

#[test]
fn values_nested_without_end_are_refused() {
    refuse(&("[".repeat(20_000) + &"]".repeat(20_000)), "TM0105");
    refuse(&"- ".repeat(20_000), "TM0105");
    refuse(&format!("a: {}", "{b: ".repeat(200_000)), "TM0105");
}

#[test]
fn a_key_given_twice_is_refused_and_both_places_are_shown() {
    let output = refuse(
        "type: pipeline\njobs:\n  a: {command: x}\n  a: {command: y}\n",
        "TM0106",
    );
    assert!(output.stderr.contains("hostile.yml:4"), "{output}");
}

#[test]
fn files_that_are_too_large_are_refused_unread() {
    let sandbox = Sandbox::new();
    let file = File::create(sandbox.path().join("sparse.yml")).expect("a file can be made");
    file.set_len(100 << 20).expect("it has no bytes on the disk");
    refuse_file(&sandbox, "sparse.yml", "TM0102");
    sandbox.write(
        "full.yml",
        &"a: 1 # a comment that goes on and on\n".repeat(3_000_000),
    );
    refuse_file(&sandbox, "full.yml", "TM0102");
    refuse(&format!("a: [{}]", "1,".repeat(500_000)), "TM0107");
    let mut steps = "type: pipeline\njobs:\n".to_owned();
    for number in 0..10_001 {
        writeln!(steps, " s{number}: {{command: x}}").expect("a string takes it");
    }
    refuse(&steps, "TM0108");
}

#[test]
fn steps_in_a_circle_are_refused_and_the_circle_is_shown() {
    let step = |name: &str, after: &str| format!("  {name}: {{command: x, depends_on: [{after}]}}\n");
    let itself = format!("type: pipeline\njobs:\n{}", step("alone", "alone"));
    let output = refuse(&itself, "TM0505");
    assert!(output.stderr.contains("alone"), "{output}");
    let jobs = [step("dawn", "dusk"), step("noon", "dawn"), step("dusk", "noon")].concat();
    let output = refuse(&format!("type: pipeline\njobs:\n{jobs}"), "TM0505");
    for name in ["dawn", "noon", "dusk"] {
        assert!(output.stderr.contains(name), "{name} is missing: {output}");
    }
}

#[test]
fn a_circle_of_ten_thousand_steps_needs_no_stack() {
    let mut jobs = "type: pipeline\njobs:\n".to_owned();
    for number in 0..10_000 {
        let before = (number + 9_999) % 10_000;
        writeln!(jobs, " s{number}: {{command: x, depends_on: [s{before}]}}").expect("a string takes it");
    }
    refuse(&jobs, "TM0505");
    let mut jobs = "type: pipeline\njobs:\n".to_owned();
    for number in 0..100_000 {
        writeln!(jobs, " s{number}: {{}}").expect("a string takes it");
    }
    let chain = refuse(&jobs, "TM010");
    assert!(chain.stderr.len() < SAID_BYTES_MAX);
}

#[test]
fn a_step_that_is_missing_is_named() {
    let output = refuse(
        "type: pipeline\njobs:\n  prepare: {command: x}\n  train: {command: x, depends_on: [prepair]}\n",
        "TM0304",
    );
    assert!(output.stderr.contains("did you mean"), "{output}");
}

#[test]
fn what_is_no_text_is_refused_and_shown_escaped() {
    refuse_bytes(b"type: pipeline\njobs: {a: {command: \xff}}", "TM0103");
    refuse_bytes(b"type: pipeline\0", "TM0103");
    refuse("jobs: {a\u{202E}b: {command: x}}", "TM0103");
    refuse("jobs: {a: {command: \"x\\0\"}}", "TM0103");
    refuse("jobs: {\"a\\u202Eb\": {command: x}}", "TM0103");
    refuse("jobs: {a: {command: \"\\ud800\"}}", "TM0104");
    refuse("jobs: {\"a\\e[31mb\": {command: x}}", "TM0");
    refuse(
        "jobs: {a: {command: x, environment_variables: {\"A\\0B\": x}}}",
        "TM0103",
    );
}

#[test]
fn names_that_would_lead_out_of_a_folder_are_refused() {
    for name in [
        "../up",
        "..",
        "/etc/passwd",
        "a/../../b",
        "%2e%2e%2fup",
        "..\\\\up",
    ] {
        let step = format!("type: pipeline\njobs:\n  \"{name}\": {{command: x}}\n");
        refuse(&step, "TM0");
        let output = format!(
            "type: pipeline\njobs:\n  a: {{command: x, outputs: {{\"{name}\": {{type: uri_file}}}}}}\n"
        );
        refuse(&output, "TM0");
        let input = format!("type: pipeline\njobs:\n  a: {{command: x, inputs: {{\"{name}\": 1}}}}\n");
        refuse(&input, "TM0");
    }
}

#[test]
fn a_steps_output_does_not_drive_the_terminal_unless_it_is_wanted_raw() {
    let sandbox = Sandbox::new();
    let pipeline = r"type: pipeline
jobs:
  loud:
    command: |
      printf '\033]0;title\007plain \033[31mred\033[0m \033[2J\342\200\256end\n'
      printf '\033]52;c;eA==\033\\\033[1;1Hsecond\n' >&2
";
    sandbox.write("loud.yml", pipeline);
    sandbox.run("loud.yml", &[]);
    let shown = sandbox.ok(["logs", "last/loud"]);
    assert_eq!(shown.stdout, "plain \u{1b}[31mred\u{1b}[0m end\n");
    assert!(shown.stderr.contains("second"), "{shown}");
    for raw in ["\u{1b}]", "\u{1b}[1;1H"] {
        assert!(!shown.stderr.contains(raw), "{raw:?} reached the terminal");
    }
    let raw = sandbox.ok(["logs", "last/loud", "--raw", "--stream", "stdout"]);
    assert_eq!(
        raw.stdout,
        "\u{1b}]0;title\u{7}plain \u{1b}[31mred\u{1b}[0m \u{1b}[2J\u{202e}end\n"
    );
}
