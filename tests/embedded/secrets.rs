//! Secrets from end to end on one machine: set, given to the steps that name them and to no other, and nowhere to be found, however a step spills them.

use super::ears::Ears;
use super::outsiders::Outsider;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use testkit::spill::{Spill, in_answers, in_outputs, in_places};
use testkit::{
    BEGIN_DEADLINE, Canary, Daemon, END_DEADLINE, Output, Sandbox, Steps, Up, eventually, mail_python,
};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::status::RunStatus;

/// The exit code of a pipeline that is not valid.
const INVALID: i32 = 2;

fn set(sandbox: &Sandbox, name: &str, value: &str) -> Output {
    let mut command = sandbox.command(["secret", "set", name]);
    sandbox.finish_with_input(&mut command, value.as_bytes())
}

fn set_well(sandbox: &Sandbox, name: &str, value: &str) {
    drop(set(sandbox, name, value).expect_code(0));
}

const USES: &str = "
type: pipeline
jobs:
  with:
    command: >-
      test \"$PASSWORD\" = correct-horse && test \"$(cat $KEY)\" = 'two words' && test -z \"$OTHER\"
      && echo given > ${{outputs.o}}
    secrets:
      PASSWORD: warehouse
      KEY: {secret: key, as: file}
    outputs: {o: {type: uri_file}}
  without:
    command: test -z \"$PASSWORD\" && test -z \"$KEY\" && echo none > ${{outputs.o}}
    outputs: {o: {type: uri_file}}
";

#[test]
fn a_step_is_given_the_secrets_that_it_names_and_no_other_step_is() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", USES);
    set_well(&sandbox, "warehouse", "correct-horse\n");
    set_well(&sandbox, "key", "two words");
    set_well(&sandbox, "other", "not for you");
    sandbox.run("pipeline.yml", &[]);
    let listed: serde_json::Value = sandbox.ok(["secret", "list", "-o", "json"]).json();
    let names: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|secret| secret["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["key", "other", "warehouse"]);
    let key = sandbox.state_dir().join("secrets.key");
    assert_eq!(fs::metadata(&key).unwrap().len(), 32);
}

#[test]
fn a_new_value_reaches_the_next_attempt_and_does_not_make_what_is_done_again() {
    let sandbox = Sandbox::new();
    let pipeline = "
type: pipeline
jobs:
  one:
    command: sha256sum > ${{outputs.o}} < \"$PASSWORD\"
    secrets: {PASSWORD: {secret: warehouse, as: file}}
    outputs: {o: {type: uri_file}}
";
    sandbox.write("pipeline.yml", pipeline);
    set_well(&sandbox, "warehouse", "the first value");
    sandbox.run("pipeline.yml", &[]);
    let again = set(&sandbox, "warehouse", "the second value").expect_code(0);
    assert!(again.stdout.contains("version 2"), "{again}");
    let reused = sandbox.run("pipeline.yml", &[]);
    assert_eq!(reused.reused(), ["one"], "only the name is part of the key");
    sandbox.replace("pipeline.yml", "sha256sum", "sha256sum -t");
    sandbox.run("pipeline.yml", &[]);
    let printed = sandbox.ok(["artifacts", "cat", "last/one/o"]);
    assert!(
        printed
            .stdout
            .starts_with("f18bd609ca049d51c28501064d4977ae8ebd4242dddf871e6c903839fac91ca9"),
        "{printed}"
    );
}

#[test]
fn a_pipeline_that_names_a_secret_which_nobody_set_is_refused_with_what_to_type() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", USES);
    set_well(&sandbox, "warehouse", "correct-horse");
    for verb in ["run", "plan"] {
        let refused = sandbox.tidemill([verb, "pipeline.yml"]).expect_code(INVALID);
        assert!(
            refused.stderr.contains("no secret `key`") && refused.stderr.contains("tidemill secret set key"),
            "{refused}"
        );
        assert!(!refused.stderr.contains("`warehouse`"), "{refused}");
    }
}

#[test]
fn a_value_that_is_too_short_or_a_name_that_is_none_is_refused() {
    let sandbox = Sandbox::new();
    let short = set(&sandbox, "pin", "1234").expect_code(2);
    assert!(short.stderr.contains("6 to 65536 bytes"), "{short}");
    let name = set(&sandbox, "no name", "long enough").expect_code(2);
    assert!(!name.stderr.contains("long enough"), "{name}");
    let long = set(&sandbox, "file", &"x".repeat(64 * 1024 + 1));
    assert_ne!(long.code, Some(0), "{long}");
    sandbox.ok(["secret", "list"]);
}

#[test]
fn without_its_key_file_a_coordinator_keeps_and_gives_no_secret_and_does_all_else() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", USES);
    sandbox.write(
        "plain.yml",
        "type: pipeline\njobs:\n  a:\n    command: echo fine\n",
    );
    for (name, value) in [("warehouse", "correct-horse"), ("key", "two words")] {
        set_well(&sandbox, name, value);
    }
    let (key, away) = (
        sandbox.state_dir().join("secrets.key"),
        sandbox.path().join("away.key"),
    );
    fs::rename(&key, &away).unwrap();
    sandbox.run("plain.yml", &[]);
    let refused = set(&sandbox, "warehouse", "another value");
    assert!(
        refused.code != Some(0) && refused.stderr.contains("secrets.key"),
        "{refused}"
    );
    let run = sandbox.run_to(5, "pipeline.yml", &[]);
    let failure = run.step("with").attempts[0].failure.clone().expect("it says why");
    assert_eq!(failure.reason, FailureReason::SecretMissing);
    assert!(failure.message.contains("secrets.key"), "{failure:?}");
    assert!(!key.exists(), "no other key was made in its place");
    fs::rename(&away, &key).unwrap();
    sandbox.run("pipeline.yml", &[]);
}

/// What is left open after the spill: everything that anybody can ask for, and where nothing may be found.
fn ask_everything(up: &Up<'_>) -> Vec<(&'static str, Output)> {
    let questions: [&[&str]; 12] = [
        &["runs", "list", "-o", "json"],
        &["runs", "show", "last", "-o", "json"],
        &["runs", "show", "last"],
        &["explain", "last/spill", "-o", "json"],
        &["explain", "last/spill"],
        &["logs", "last/spill"],
        &["logs", "last/spill", "--stream", "stderr"],
        &["artifacts", "list", "last", "-o", "json"],
        &["secret", "list", "-o", "json"],
        &["audit", "-o", "json"],
        &["worker", "list", "-o", "json"],
        &["queue", "list", "-o", "json"],
    ];
    questions.map(|words| (words[0], up.ok(words))).into()
}

/// Those outside who are told of everything: a webhook's receiver, a mail server, a lineage service.
struct Told {
    hook: Ears,
    lineage: Ears,
    mail: Outsider,
}

impl Told {
    /// Has them listen, and writes the settings with which they are told.
    fn begin(sandbox: &Sandbox) -> Self {
        let script = (mail_python(), "mail_server.py", include_str!("mail_server.py"));
        let told = Self {
            hook: Ears::open(),
            lineage: Ears::open(),
            mail: Outsider::start(sandbox, script, 0, &[]),
        };
        let settings = format!(
            "webhook_allow = [\"127.0.0.1\"]\nopenlineage_url = \"http://127.0.0.1:{}\"\nsmtp_host = \"127.0.0.1\"\nsmtp_port = {}\nsmtp_from = \"tidemill@example.org\"\nsmtp_tls = \"none\"\n",
            told.lineage.port, told.mail.port
        );
        sandbox.write("tidemill.toml", &settings);
        told
    }

    /// Has them told of whatever ends.
    fn subscribe(&self, sandbox: &Sandbox, up: &Up<'_>) {
        set_well(sandbox, "hook-key", "a key of some length");
        let hook = format!("http://127.0.0.1:{}/hook", self.hook.port);
        up.ok(["webhook", "add", "hook", &hook, "--secret", "hook-key"]);
        up.ok(["mailing", "add", "mail", "eve@example.org", "--run", "failed"]);
    }

    /// Waits until all of them were told of this run, which failed; says who was told the canary.
    fn who_was_told(&self, canary: &Canary, run: &str) -> Vec<String> {
        let mail = serde_json::to_vec(&self.mail.wait_for(1)).expect("it was JSON");
        eventually(
            END_DEADLINE,
            "the webhook and the lineage service are told",
            || {
                let is_told = self.hook.has_heard(run) && self.lineage.has_heard(run);
                (is_told && self.lineage.has_heard("\"FAIL\"")).then_some(())
            },
        );
        let told = [
            ("a webhook", self.hook.heard()),
            ("a lineage event", self.lineage.heard()),
            ("a mail", mail),
        ];
        let told = told.iter().filter(|(_, bytes)| canary.is_in(bytes));
        told.map(|(who, _)| (*who).to_owned()).collect()
    }
}

/// Runs the spill with somebody following its log, and gives back all the places where the canary shows.
fn places_after(sandbox: &Sandbox, canary: &Canary, given: &str) -> Vec<String> {
    let spill = Spill::write(sandbox, given);
    let leak = "type: pipeline\nname: leak\njobs:\n  leak:\n    command: echo \"it was $CANARY\" >&2; exit 3\n    compute: cpu\n";
    sandbox.write("leak.yml", &format!("{leak}{given}"));
    let told = Told::begin(sandbox);
    let up = Up::start(sandbox, "up.log");
    told.subscribe(sandbox, &up);
    let leaked = up.submit("leak.yml", &[]);
    up.wait_for_run(&leaked, RunStatus::Failed, END_DEADLINE);
    let mut found = told.who_was_told(canary, &leaked);
    let run = up.submit("spill.yml", &[]);
    let followed = sandbox.path().join("followed");
    let mut command = sandbox.command(["logs", "last/spill", "-f"]);
    let follower = Daemon::start("follow", &mut command, &followed);
    eventually(
        BEGIN_DEADLINE,
        "the log is followed to the end of the spill",
        || {
            let text = fs::read_to_string(&followed).unwrap_or_default();
            text.contains("postgres://").then_some(())
        },
    );
    found.extend(in_places(canary, &[]));
    spill.let_go();
    up.wait_for_run(&run, RunStatus::Succeeded, END_DEADLINE);
    follower.wait(Duration::from_secs(30));
    let answers = ask_everything(&up);
    if given == Spill::AS_SECRET {
        for (_, log) in answers.iter().filter(|(verb, _)| *verb == "logs") {
            // Each stream of a step is shown on the like stream of the command.
            let covered = [&log.stdout, &log.stderr].map(|shown| shown.matches("***").count());
            assert!(
                covered.iter().any(|count| *count >= 12),
                "the log is kept, and covered: {log}"
            );
        }
    }
    found.extend(in_outputs(canary, &answers));
    found.extend(in_answers(canary, up.url(), "spill"));
    up.kill();
    let memory = Path::new("/run");
    let places = [
        sandbox.state_dir(),
        sandbox.path().join("up.log"),
        followed.clone(),
    ];
    if canary.is_in(&fs::read(&places[1]).unwrap()) || canary.is_in(&fs::read(&places[2]).unwrap()) {
        found.push("the log of a process".to_owned());
    }
    found.extend(in_places(canary, &[&places[0], memory]));
    found
}

#[test]
fn a_secret_that_its_step_spills_is_nowhere_to_be_found() {
    let (sandbox, canary) = (Sandbox::new(), Canary::new());
    set_well(&sandbox, "canary", canary.value());
    assert_eq!(
        places_after(&sandbox, &canary, Spill::AS_SECRET),
        Vec::<String>::new()
    );
}

#[test]
fn the_search_for_secrets_finds_a_value_that_was_put_into_the_task_and_logs_that_are_not_covered() {
    let (sandbox, canary) = (Sandbox::new(), Canary::new());
    sandbox.write("canary.txt", canary.value());
    let quoted = serde_json::to_string(canary.value()).unwrap();
    let given = format!(
        "    environment_variables:\n      CANARY: {quoted}\n      CANARY_FILE: {}\n",
        sandbox.path().join("canary.txt").display()
    );
    let mode = fs::Permissions::from_mode(0o400);
    fs::set_permissions(sandbox.path().join("canary.txt"), mode).unwrap();
    let found = places_after(&sandbox, &canary, &given).join("\n");
    for place in [
        "journal",
        "store",
        "the output of logs",
        "/logs?attempt=1",
        "the log of a process",
        "a mail",
    ] {
        assert!(found.contains(place), "nothing was found in {place}:\n{found}");
    }
}
