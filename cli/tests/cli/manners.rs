//! Help, exit codes, colours, errors: what holds for every verb.

use crate::Place;

#[test]
fn the_help_is_on_standard_output_and_ends_well() {
    let place = Place::new();
    let (code, stdout, stderr) = place.outcome(&["--help"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    insta::assert_snapshot!("help", stdout);
    let (code, stdout, _) = place.outcome(&["run", "--help"]);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("EXAMPLES\n  tidemill run pipeline.yml\n"),
        "{stdout}"
    );
}

#[test]
fn a_misspelt_verb_is_a_usage_error_with_a_suggestion() {
    let (code, stdout, stderr) = Place::new().outcome(&["rum"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("'run'"), "{stderr}");
}

#[test]
fn a_misspelt_variable_is_a_usage_error_with_a_suggestion() {
    let place = Place::new();
    let output = place
        .tidemill(&["runs", "list"])
        .env("TIDEMILL_SLOT", "3")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    insta::assert_snapshot!("unknown_variable", stderr);
}

#[test]
fn an_address_where_nobody_answers_says_where_it_came_from_and_what_to_type() {
    let place = Place::new();
    let (code, _, stderr) = place.outcome(&["--url", "http://127.0.0.1:1", "runs", "list"]);
    assert_eq!(code, 8);
    assert!(stderr.contains("http://127.0.0.1:1 (from --url)"), "{stderr}");
    assert!(stderr.contains("tidemill up"), "{stderr}");
    let output = place
        .tidemill(&["runs", "list"])
        .env("TIDEMILL_URL", "http://127.0.0.1:1")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("(from $TIDEMILL_URL)")
    );
}

#[test]
fn submitting_where_no_coordinator_runs_says_how_to_start_one() {
    let place = Place::new();
    place.write(
        "p.yml",
        "type: pipeline\njobs:\n  a:\n    type: command\n    command: echo a\n",
    );
    let (code, stdout, stderr) = place.outcome(&["submit", "p.yml"]);
    assert_eq!((code, stdout.as_str()), (8, ""));
    assert!(
        stderr.contains("tidemill up") && stderr.contains("tidemill run"),
        "{stderr}"
    );
}

#[test]
fn what_goes_wrong_says_what_to_type_next() {
    let place = Place::new();
    place.write(
        "p.yml",
        "type: pipeline\ninputs:\n  n:\n    type: integer\n    default: 3\njobs:\n  a:\n    type: command\n    command: echo ${{inputs.n}}\n    \
         inputs:\n      n: ${{parent.inputs.n}}\n",
    );
    place.write("file", "");
    for number in ["1", "2"] {
        let value = format!("n={number}");
        assert_eq!(place.outcome(&["run", "p.yml", "-p", &value]).0, 0);
    }
    let (_, ids, _) = place.outcome(&["runs", "list", "-q"]);
    let common = ids.get(..4).unwrap();
    for (arguments, code, wanted) in [
        (&["run", "p.yml", "-p", "n=abc"][..], 2, &["abc", "n"][..]),
        (&["run", "p.yml", "-p", "m=4"], 2, &["m"]),
        (
            &["run", "none.yml"],
            6,
            &["there is no file none.yml", "tidemill init"],
        ),
        (
            &["runs", "show", common],
            7,
            &["several runs begin with", "runs list -q"],
        ),
        (&["runs", "show", "zzz"], 6, &["runs list"]),
        (&["runs", "cancel", "last"], 7, &["has ended", "runs show last"]),
        (&["runs", "retry", "last"], 7, &["ended well", "--force-rerun"]),
        (&["logs", "last/b"], 6, &["no step `b`", "runs show"]),
        (
            &["artifacts", "get", "last/a/x"],
            6,
            &["no output `x`", "artifacts list"],
        ),
        (&["artifacts", "get", "last"], 2, &["RUN/STEP/OUTPUT"]),
        (&["cache", "explain", "last"], 2, &["last/train"]),
        (&["token", "revoke", "abcdefghijkm"], 6, &["token list"]),
        (
            &["runs", "list", "--state-dir", "file/x"],
            1,
            &["cannot use", "--state-dir"],
        ),
        (
            &["runs", "list", "--config", "none.toml"],
            2,
            &["none.toml", "config show"],
        ),
        (&["runs", "list", "-n", "0"], 2, &["--limit"]),
        (
            &["audit", "verify", "none.jsonl"],
            6,
            &["none.jsonl", "audit export"],
        ),
        (&["runs", "list", "--url", "nonsense"], 2, &["http://host:port"]),
    ] {
        let (ended, _, stderr) = place.outcome(arguments);
        assert_eq!(ended, code, "{arguments:?}: {stderr}");
        for word in wanted {
            assert!(
                stderr.contains(word),
                "{arguments:?} says nothing of {word:?}: {stderr}"
            );
        }
    }
    let (_, _, stderr) = place.outcome(&["--url", "http://127.0.0.1:1", "runs", "list"]);
    assert!(
        stderr.contains("Connection refused"),
        "the cause itself: {stderr}"
    );
}

#[test]
fn failures_are_json_when_json_is_asked_for() {
    let (code, stdout, stderr) = Place::new().outcome(&["run", "nowhere.yml", "-o", "json"]);
    assert_eq!((code, stdout.as_str()), (6, ""));
    let body: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(body["error"]["code"], "not_found");
    assert_eq!(body["error"]["exit_code"], 6);
}

#[test]
fn colours_are_off_in_a_pipe_and_with_no_color_and_on_by_force() {
    let place = Place::new();
    let coloured = |arguments: &[&str], name: &str, value: &str| {
        let output = place.tidemill(arguments).env(name, value).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(
        !coloured(&["doctor"], "TERM", "xterm-256color"),
        "a pipe takes no colours"
    );
    assert!(coloured(&["doctor"], "CLICOLOR_FORCE", "1"));
    assert!(
        coloured(&["doctor", "--color", "always"], "NO_COLOR", "1"),
        "the command line is stronger"
    );
    assert!(!coloured(&["doctor", "--color", "never"], "CLICOLOR_FORCE", "1"));
}

#[test]
fn settings_show_their_origin_and_no_password() {
    let place = Place::new();
    place.write(
        "tidemill.toml",
        "slots = 3\nqueue_url = \"amqp://me:secret@mq:5672\"\n",
    );
    let settings = place.items(&["config", "show", "-o", "json"]);
    let find = |name: &str| settings.iter().find(|s| s["name"] == name).unwrap().clone();
    assert!(
        find("slots")["origin"]
            .as_str()
            .unwrap()
            .ends_with("tidemill.toml")
    );
    assert_eq!(find("queue_url")["value"], "amqp://me:***@mq:5672");
    assert_eq!(find("state_dir")["origin"], "$TIDEMILL_STATE_DIR");
    assert_eq!(find("color")["origin"], "default");
}

#[test]
fn the_api_is_never_offered_to_other_machines() {
    let place = Place::new();
    let arguments = [
        "serve",
        "--queue-url",
        "amqp://127.0.0.1:1",
        "--listen",
        "0.0.0.0:0",
    ];
    let (code, _, stderr) = place.outcome(&arguments);
    assert_eq!(code, 2);
    assert!(stderr.contains("0.0.0.0:0"), "{stderr}");
}

#[test]
fn a_worker_says_what_it_lacks() {
    let place = Place::new();
    for (arguments, lacking) in [
        (&["worker", "start"][..], "--compute"),
        (&["worker", "start", "--compute", "cpu"][..], "--queue-url"),
        (
            &[
                "worker",
                "start",
                "--compute",
                "cpu",
                "--queue-url",
                "amqp://127.0.0.1:1",
            ][..],
            "--coordinator-key",
        ),
        (
            &[
                "worker",
                "start",
                "--compute",
                "not a name",
                "--queue-url",
                "amqp://x",
            ][..],
            "not a name",
        ),
    ] {
        let (code, _, stderr) = place.outcome(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(stderr.contains(lacking), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_worker_takes_its_settings_from_a_file() {
    let place = Place::new();
    place.write(
        "worker.toml",
        "compute = [\"gpu-a100:gpu\"]\nqueue_url = \"amqp://127.0.0.1:1\"\ncoordinator_key = \"@no.pub\"\n",
    );
    let start = ["worker", "start", "--config", "worker.toml"];
    let (code, _, stderr) = place.outcome(&start);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("no.pub"),
        "targets and queue were taken: {stderr}"
    );
    place.write("worker.toml", "computes_ = 1\n");
    let (code, _, stderr) = place.outcome(&start);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("worker.toml"), "{stderr}");
}

#[test]
fn completions_are_made_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let (code, stdout, _) = place.outcome(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(stdout.contains("tidemill"), "{shell}");
    }
}
