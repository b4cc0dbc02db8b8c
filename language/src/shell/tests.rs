//! Every kind of place, with hostile values, run by the real shell.

use super::*;
use proptest::prelude::*;
use std::process::Command as Process;

fn slots(reference: &Reference, spelling: &str) -> Result<Slot, Fault> {
    let name = match reference {
        Reference::Input(name) | Reference::Output(name) => name.clone(),
        _ => String::new(),
    };
    if name == "absent" {
        return Ok(Slot::Empty);
    }
    let port = name.parse().map_err(|_| Fault {
        code: Code::UnknownInput,
        message: "no such".into(),
        help: String::new(),
        spelling: spelling.to_owned(),
    })?;
    Ok(Slot::Variable {
        numeric: name == "n",
        fragment: match reference {
            Reference::Output(_) => Fragment::Output(port),
            _ => Fragment::Input(port),
        },
    })
}

fn script(text: &str) -> String {
    match compile(text, &slots).unwrap().command {
        Command::Shell { script } => script,
        Command::Argv { words } => panic!("{text} needs no shell: {words:?}"),
    }
}

/// Runs a command with a value for `inputs.x` and returns what it prints; fails when the canary was touched.
fn run(text: &str, value: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let mut process = match compile(text, &slots).unwrap().command {
        Command::Shell { script } => {
            let mut process = Process::new("bash");
            process.arg("-c").arg(script);
            process
        }
        Command::Argv { words } => {
            let mut words = words.iter().map(|word| {
                let parts = word.0.iter().map(|fragment| match fragment {
                    Fragment::Text(text) => text.clone(),
                    Fragment::Input(_) | Fragment::Output(_) => value.to_owned(),
                });
                parts.collect::<String>()
            });
            let mut process = Process::new(words.next().unwrap());
            process.args(words);
            process
        }
    };
    process.current_dir(folder.path()).env("TIDEMILL_INPUT_x", value);
    let output = process.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !folder.path().join("canary").exists(),
        "{text} executed {value:?}"
    );
    assert!(output.status.success(), "{text} with {value:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Places for one value; each prints it as `<value>`, followed by a line end.
const PLACES: [&str; 19] = [
    "/usr/bin/printf '<%s>\\n' ${{inputs.x}}",
    "printf '<%s>\\n' ${{ inputs.x }}",
    "printf '%s\\n' \"<${{inputs.x}}>\"",
    "printf '%s\\n' '<'${{inputs.x}}'>'",
    "printf '%s\\n' '<${{inputs.x}}>'",
    "printf '%s\\n' $'<${{inputs.x}}>'",
    "printf '%s\\n' \"$(printf '<%s>' ${{inputs.x}})\"",
    "printf '%s\\n' \"$(printf '%s' \"<${{inputs.x}}>\")\"",
    "printf '%s\\n' \"$(case a in a) printf '<%s>' ${{inputs.x}};; (b) false;; esac)\"",
    "printf '%s\\n' \"`printf '<%s>' ${{inputs.x}}`\"",
    "v=${{inputs.x}}; printf '<%s>\\n' \"$v\"",
    "cat <<EOF\n<${{inputs.x}}>\nEOF",
    "cat <<'EOF'\n<${{inputs.x}}>\nEOF",
    "cat <<-\"EOF\" # ${{inputs.x}}\n\t<${{inputs.x}}>\n\tEOF\n# it's ${{inputs.x}}\ntrue",
    "cat <<A <<'B'\nA\n<${{inputs.x}}>\nB",
    "echo \"$(cat <<EOF\n<${{inputs.x}}>\nEOF\n)\"",
    "if [[ ${{inputs.x}} == ${{inputs.x}} ]]; then printf '<%s>\\n' ${{inputs.x}}; fi",
    "f() { printf '<%s>\\n' \"$@\"; }; a=(${{inputs.x}}); f \"${a[@]}\"",
    "(printf '<%s>' ${{inputs.x}} | cat) > out && cat out && echo",
];

const HOSTILE: [&str; 16] = [
    "plain",
    "",
    "two words",
    "  spaces  around  ",
    "it's",
    "say \"hi\"",
    "$(touch canary)",
    "`touch canary`",
    "; touch canary",
    "a && touch canary #",
    "* file? [a-z]*",
    "${HOME} $x \\ \\\\ \\n",
    "line one\nEOF\ntouch canary",
    "'; touch canary; '",
    "\"; touch canary; \"",
    "a[$(touch canary)]",
];

fn check(place: &str, value: &str) {
    let printed = run(place, value);
    // Command substitution drops trailing line ends; everything else must arrive as it is.
    let expected = format!("<{value}>\n");
    assert_eq!(printed, expected, "{place}");
}

#[test]
fn a_value_arrives_unchanged_in_every_place() {
    for place in PLACES {
        for value in HOSTILE {
            check(place, value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_becomes_syntax(place in 0..PLACES.len(), value in "[ -~\n\täß$`'\"\\\\()|;&<>*?{}\\[\\]#!]{0,24}") {
        // A command substitution ends without its last line ends, which `<…>` protects.
        check(PLACES[place], &value);
    }
}

#[test]
fn a_command_without_shell_syntax_becomes_an_argument_vector() {
    let compiled = compile(
        "python train.py --lr ${{inputs.x}} --out=${{outputs.m}}/a 'b c' \"d\\\" e\" ''",
        &slots,
    )
    .unwrap();
    let Command::Argv { words } = compiled.command else {
        panic!("a shell was asked for");
    };
    assert_eq!(words.len(), 8);
    assert_eq!(words[3].0, [Fragment::Input("x".parse().unwrap())]);
    assert_eq!(words[4].0.len(), 3);
    assert_eq!(words[5].0, [Fragment::Text("b c".into())]);
    assert_eq!(words[6].0, [Fragment::Text("d\" e".into())]);
    assert_eq!(words[7].0, [Fragment::Text(String::new())]);
}

#[test]
fn anything_special_goes_to_the_shell() {
    for text in [
        "a && b",
        "a; b",
        "a | b",
        "a > b",
        "a &",
        "a *.csv",
        "a ~/x",
        "a {b,c}",
        "a $HOME",
        "A=1 b",
        "cd x",
        "echo x",
        "a\nb",
        "a `b`",
        "# note",
        "${{inputs.x}} a",
        "if a",
        "while a",
        "a '${{inputs.x}}'",
        "! a",
        "(a)",
    ] {
        let compiled = compile(text, &slots).unwrap();
        assert!(matches!(compiled.command, Command::Shell { .. }), "{text}");
    }
}

#[test]
fn a_line_continued_with_a_backslash_needs_no_shell() {
    let compiled = compile("python a.py \\\n  --x 1\n", &slots).unwrap();
    assert!(matches!(compiled.command, Command::Argv { words } if words.len() == 4));
}

#[test]
fn an_unbound_optional_input_reads_as_empty() {
    assert_eq!(
        script("echo ${{inputs.absent}} \"${{inputs.absent}}\""),
        "echo \"\" \"\""
    );
    let compiled = compile("p ${{inputs.absent}} x", &slots).unwrap();
    let Command::Argv { words } = compiled.command else {
        panic!("a shell was asked for");
    };
    assert_eq!(words[1].0, [Fragment::Text(String::new())]);
}

#[test]
fn places_where_bash_evaluates_take_only_numbers() {
    for text in [
        "echo $((${{inputs.x}} + 1))",
        "(( ${{inputs.x}} > 1 )) && true",
        "[[ ${{inputs.x}} -eq 1 ]] && true",
        "[[ \"${{inputs.x}}\" -gt 1 || a == b ]] && true",
        "echo $[${{inputs.x}}]",
    ] {
        let faults = compile(text, &slots).unwrap_err();
        assert_eq!(faults[0].code, Code::UnsafePlace, "{text}");
        let numeric = text.replace("inputs.x", "inputs.n");
        assert!(compile(&numeric, &slots).is_ok(), "{numeric}");
    }
}

#[test]
fn places_that_cannot_be_quoted_are_refused() {
    for text in [
        "echo ${A:-${{inputs.x}}}",
        "echo \"${A:-\"${{inputs.x}}\"}\"",
        "echo `echo \\`echo ${{inputs.x}}\\``",
        "cat <<${{inputs.x}}\nEOF",
        "cat <<'E F'\n${{inputs.x}}\nE F",
        "echo 'don ${{inputs.x}}",
        "echo \"a ${{inputs.x}}",
        "echo $(a ${{inputs.x}}",
        "echo don't ${{inputs.x}}",
    ] {
        assert!(compile(text, &slots).is_err(), "{text}");
    }
}

#[test]
fn a_backslash_keeps_an_expression_as_text() {
    assert_eq!(run("echo \\${{inputs.x}}", "v"), "${{inputs.x}}\n");
}

#[test]
fn programs_that_read_their_argument_as_script_give_a_warning() {
    for text in [
        "eval ${{inputs.x}}",
        "bash -c \"ls ${{inputs.x}}\"; true",
        "true; python -c 'print(\"${{inputs.x}}\")'",
    ] {
        let compiled = compile(text, &slots).unwrap();
        assert_eq!(compiled.warnings.len(), 1, "{text}");
    }
    assert!(
        compile("bash run.sh ${{inputs.x}}; true", &slots)
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn a_hostile_script_neither_panics_nor_overflows() {
    let deep = "$(".repeat(100_000) + "${{inputs.x}}";
    assert!(compile(&deep, &slots).is_err());
    let heredocs = "cat <<A\n$(".repeat(10_000) + "${{inputs.x}}";
    assert!(compile(&heredocs, &slots).is_err());
    for text in [
        "${{",
        "echo ${{inputs.x",
        "\\",
        "a \\",
        "'",
        "$",
        "echo $'${{inputs.x}}\\",
        "é${{inputs.x}}é;",
        "<<",
        "<<-",
    ] {
        // Accepted or refused: either is right, as long as it comes back.
        drop(compile(text, &slots));
    }
}
