//! Each attempt as a user of its own: what its processes are, what they cannot reach, and what works as before. Only root can have that, so for anybody else these
//! tests find nothing to do.

use crate::bench::{Bench, Step, config, eventually, parts, store};
use async_trait::async_trait;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use tidemill_artifacts::{Scan, ScanOptions, scan};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::{InputMode, InputPort, PortType, PythonEnvironment, SecretForm, SecretUse};
use tidemill_protocol::secret::{GivenSecrets, SecretValue, SecretsRequest};
use tidemill_protocol::wire::ReportBody;
use tidemill_worker::{AskError, RunAs, SecretSource, StartError, UserRange, WorkerConfig};
use tokio_util::sync::CancellationToken;

const COUNT: u32 = 100;
const SECRET: &str = "hunter2-of-the-forest";

/// The first user of this test: others run at the same time.
fn first() -> u32 {
    1_900_500_000 + std::process::id() % 10_000 * COUNT
}

/// Whether steps can be given users of their own; says so when they cannot.
#[expect(clippy::print_stdout, reason = "what could not be tried must be seen")]
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("NOT PROVED HERE, for want of root's rights");
    }
    is_root
}

fn users(config: &mut WorkerConfig) {
    config.run_as = RunAs::Users(UserRange {
        first: first(),
        last: first() + COUNT - 1,
    });
    let dir = config.state_dir.parent().unwrap();
    config.users_dir = dir.join("users");
    // What a real machine has: a way to the state folder, and a place where anybody may write.
    fs::set_permissions(dir, Permissions::from_mode(0o711)).unwrap();
    let open = dir.join("open");
    fs::create_dir_all(&open).unwrap();
    fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
}

/// The processes of these users.
fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let all = entries.filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok());
    all.filter(|status| {
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or("")
        };
        let uid = field("Uid:")
            .split_whitespace()
            .next()
            .and_then(|uid| uid.parse().ok());
        uid.is_some_and(|uid: u32| (first()..first() + COUNT).contains(&uid))
            && !field("State:").contains('Z')
    })
    .collect()
}

/// Users that are taken.
fn taken(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("users")).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A step that says who it is, then waits until it is let go.
fn waiting(bench: &Bench, name: &str) -> Step {
    let script = "id -u > \"$OPEN/$NAME.new\"; mv \"$OPEN/$NAME.new\" \"$OPEN/$NAME\"; \
                  until test -e \"$OPEN/go\"; do sleep 0.02; done";
    Step::shell(script)
        .variable("OPEN", bench.path("open").to_str().unwrap())
        .variable("NAME", name)
}

#[derive(Debug)]
struct Giver;

#[async_trait]
impl SecretSource for Giver {
    async fn ask(&self, _: SecretsRequest) -> Result<GivenSecrets, AskError> {
        let value = SecretValue::new(SECRET.into()).unwrap();
        Ok(GivenSecrets([("db".parse().unwrap(), value)].into()))
    }
}

fn with_secret(mut step: Step) -> Step {
    for (variable, form) in [("DB_FILE", SecretForm::File), ("DB", SecretForm::Variable)] {
        let wanted = SecretUse {
            secret: "db".parse().unwrap(),
            form,
        };
        step.work.secrets.insert(variable.into(), wanted);
    }
    step
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_is_a_user_of_its_own_at_home_in_its_own_folder_and_says_so() {
    if !is_root() {
        return;
    }
    let mut bench = Bench::start_with(users).await;
    let script = "id -u; id -g; id -G; stat -c %u . \"$TMPDIR\"; touch \"$HOME/x\" x; \
                  echo $USER; echo by name >> /dev/stdout; grep -c NoNewPrivs /proc/self/status";
    let success = bench.run_well(Step::shell(script)).await;
    let said = bench.stdout(&success).await;
    let lines: Vec<&str> = said.lines().collect();
    let uid: u32 = lines[0].parse().unwrap();
    assert!((first()..first() + COUNT).contains(&uid), "{said}");
    assert!(
        lines[1..5].iter().all(|line| *line == lines[0]),
        "one user, one group: {said}"
    );
    assert_eq!(lines[5..], ["step", "by name", "1"], "{said}");
    let noted = success
        .usage
        .notes
        .iter()
        .any(|note| note.contains(&format!("user {uid} in force")));
    assert!(noted, "{:?}", success.usage.notes);
    let other = bench.run_well(Step::shell("id -u")).await;
    assert_ne!(
        bench.stdout(&other).await.trim(),
        lines[0],
        "a number rests before it is given again"
    );
    assert_eq!(taken(bench.dir.path()), Vec::<String>::new());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_reaches_no_other_step_no_secret_and_nothing_of_the_workers() {
    if !is_root() {
        return;
    }
    let mut bench = Bench::start_asking(Arc::new(Giver), users).await;
    let open = bench.path("open");
    let victim = with_secret(waiting(&bench, "victim"));
    let script = "test \"$(cat $DB_FILE)\" = \"$DB\" && echo $DB_FILE > $OPEN/secret && echo $$ > $OPEN/pid && pwd > $OPEN/work;";
    let victim = match victim.work.kind {
        tidemill_protocol::plan::StepKind::Command(tidemill_protocol::plan::Command::Shell {
            script: rest,
        }) => {
            let mut step = with_secret(Step::shell(&format!("{script} {rest}")));
            step.work.environment_variables = victim.work.environment_variables;
            step
        }
        other => panic!("{other:?}"),
    };
    let first = bench.submit(victim).await;
    eventually("the victim runs", async || !read(&open.join("victim")).is_empty()).await;
    let victim: u32 = read(&open.join("victim")).trim().parse().unwrap();
    let secret = read(&open.join("secret"));
    assert_eq!(fs::metadata(secret.trim()).unwrap().mode() & 0o777, 0o400);

    let state = bench.path("state");
    let tries = "
        no() { if \"$@\" > /dev/null 2>&1; then echo \"could: $*\"; fi; }
        test \"$(id -u)\" != $VICTIM || echo the same user
        no cat $(cat $OPEN/secret)
        no ls $(dirname $(cat $OPEN/secret))
        no kill -9 $(cat $OPEN/pid)
        no cat /proc/$(cat $OPEN/pid)/environ
        no ls $(cat $OPEN/work)
        no touch $(cat $OPEN/work)/x
        no ls $STATE
        no touch $STATE/x
        no cat $STATE/worker.key
        no ls $STATE/attempts
        no touch $STATE/attempts/x
        no ls $STATE/cache
        no ls $STATE/outbox
        no ls $STATE/supervisor
        no touch $STATE/environments/x
        no touch $STATE/python/x
        no rm -f $STATE/python/sitecustomize.py
        no touch ../attempt
        no cat ../attempt
        no touch ../x
        no ls $STORE
        no ls $USERS
        echo tried";
    let thief = Step::shell(tries)
        .variable("VICTIM", &victim.to_string())
        .variable("OPEN", open.to_str().unwrap())
        .variable("STATE", state.to_str().unwrap())
        .variable("STORE", bench.path("store/blobs").to_str().unwrap())
        .variable("USERS", bench.path("users").to_str().unwrap());
    let success = bench.run_well(thief).await;
    assert_eq!(bench.stdout(&success).await, "tried\n");
    fs::write(open.join("go"), "").unwrap();
    bench.success(first).await;
    assert!(!Path::new(secret.trim()).exists(), "it is gone with its attempt");
    bench.end().await;
}

async fn folder(bench: &Bench, text: &str) -> ArtifactRef {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/a.txt"), text).unwrap();
    let scanned: Scan = scan(dir.path(), &ScanOptions::data()).unwrap();
    bench.store.upload(&scanned, &()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_outputs_code_and_checkpoints_are_as_they_were() {
    if !is_root() {
        return;
    }
    let mut bench = Bench::start_with(users).await;
    let large = "x".repeat(200_000);
    let input = folder(&bench, &large).await;
    let script = "set -e
        ro=$TIDEMILL_INPUT_ro rw=$TIDEMILL_INPUT_rw
        cmp $ro/sub/a.txt $rw/sub/a.txt
        if echo y >> $ro/sub/a.txt 2> /dev/null; then echo wrote to an input; fi
        if touch $ro/new 2> /dev/null; then echo added to an input; fi
        echo y >> $rw/sub/a.txt; touch $rw/new
        cat sub/a.txt | wc -c; echo changed > sub/a.txt
        cp $ro/sub/a.txt $TIDEMILL_OUTPUT_file
        mkdir $TIDEMILL_OUTPUT_dir/deep && echo out > $TIDEMILL_OUTPUT_dir/deep/o && chmod 0 $TIDEMILL_OUTPUT_dir/deep/o
        echo log > logs/l
        cat $TIDEMILL_CHECKPOINT/sub/a.txt | wc -c; rm -r $TIDEMILL_CHECKPOINT/sub; echo 2 > $TIDEMILL_CHECKPOINT/epoch";
    let mut step = Step::shell(script)
        .input("ro", InputValue::Artifact(input))
        .input("rw", InputValue::Artifact(input))
        .output("file", PortType::File)
        .output("dir", PortType::Folder)
        .checkpointed()
        .after(input);
    for (name, mode) in [("ro", InputMode::ReadOnly), ("rw", InputMode::Copy)] {
        let port = InputPort {
            port_type: PortType::Folder,
            mode,
        };
        step.work.inputs.insert(name.parse().unwrap(), port);
    }
    step.work.code = Some(input);
    let success = bench.run_well(step).await;
    assert_eq!(bench.stdout(&success).await, "200000\n200000\n");
    let output = |name: &str| success.outputs[name];
    assert_eq!(bench.text(&output("file")).await, large);
    let dir = bench.store.get_tree(&output("dir").digest).await.unwrap();
    assert_eq!(dir.entries[0].path.as_str(), "deep/o");
    let artifacts = bench.store.get_tree(&output("artifacts").digest).await.unwrap();
    assert_eq!(artifacts.entries[0].path.as_str(), "logs/l");
    // What is stored is the worker's, and stays so when the number is given again.
    let mut files = vec![bench.path("store/blobs")];
    while let Some(path) = files.pop() {
        assert_eq!(fs::metadata(&path).unwrap().uid(), 0, "{}", path.display());
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    let failing = Step::shell("echo 3 > $TIDEMILL_CHECKPOINT/epoch; exit 7").checkpointed();
    let attempt = bench.submit(failing).await;
    let checkpoint = loop {
        match bench.report().await {
            report if report.attempt != attempt => {}
            report => match report.body {
                ReportBody::Checkpointed { checkpoint } => break checkpoint,
                ReportBody::Claimed | ReportBody::Progress { .. } => {}
                other => panic!("expected a checkpoint, not {other:?}"),
            },
        }
    };
    let saved = bench.store.get_tree(&checkpoint.digest).await.unwrap();
    assert_eq!(saved.entries[0].path.as_str(), "epoch");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_leads_elsewhere_is_not_read_by_root_for_the_step() {
    if !is_root() {
        return;
    }
    let mut bench = Bench::start_with(users).await;
    let links = [
        "ln -s /etc/shadow $TIDEMILL_OUTPUT_shadow",
        "ln /etc/passwd $TIDEMILL_OUTPUT_shadow",
        // The folder of the output is the step's own.
        "cd /; rm -r $(dirname $TIDEMILL_OUTPUT_shadow); ln -s /etc $(dirname $TIDEMILL_OUTPUT_shadow)",
    ];
    for link in links {
        let script = format!("{link} || true");
        let body = bench
            .run(Step::shell(&script).output("shadow", PortType::File))
            .await;
        let ReportBody::Failed { failure, .. } = body else {
            panic!("expected a failure, not {body:?}");
        };
        let is_refused = matches!(
            failure.reason,
            FailureReason::OutputRefused { .. } | FailureReason::OutputMissing { .. }
        );
        assert!(is_refused, "{failure:?}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_step_is_left_whatever_it_did_to_hide_and_a_stopped_one_ends() {
    if !is_root() {
        return;
    }
    let mut bench = Bench::start_with(users).await;
    let hide =
        "for n in 1 2 3; do env -i setsid sh -c 'sleep 1000 & sleep 1000' > /dev/null 2>&1 & done; sleep 0.2";
    bench.run_well(Step::shell(hide)).await;
    assert!(processes().is_empty(), "{:?}", processes());
    let attempt = bench.submit(waiting(&bench, "stopped")).await;
    let file = bench.path("open/stopped");
    eventually("it runs", async || !read(&file).is_empty()).await;
    bench.stop(attempt).await;
    let ending = bench.ending(attempt).await;
    assert!(matches!(ending, ReportBody::Stopped { .. }), "{ending:?}");
    assert!(processes().is_empty());
    assert_eq!(taken(bench.dir.path()), Vec::<String>::new());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_keeps_its_user_over_a_new_daemon_and_nobody_else_gets_it() {
    if !is_root() {
        return;
    }
    let mut bench = Bench::start_with(users).await;
    bench.submit(waiting(&bench, "before")).await;
    let (before, after) = (bench.path("open/before"), bench.path("open/after"));
    eventually("it runs", async || !read(&before).is_empty()).await;
    let dir = bench.leave().await;
    assert_eq!(taken(dir.path()), [read(&before).trim()]);
    // An attempt that was over when the daemon was killed.
    fs::write(
        dir.path().join("users").join((first() + 50).to_string()),
        dir.path().join("state").as_os_str().as_encoded_bytes(),
    )
    .unwrap();

    let mut bench = Bench::start_in(dir, users).await;
    assert_eq!(bench.metric("tidemill_attempts_adopted_total"), 1);
    // This bench counts from the beginning: the first is taken for the one that runs.
    for _ in 0..2 {
        bench.submit(waiting(&bench, "after")).await;
    }
    eventually("the other runs", async || !read(&after).is_empty()).await;
    assert_ne!(read(&before), read(&after));
    assert_eq!(taken(bench.dir.path()).len(), 2);
    fs::write(bench.path("open/go"), "").unwrap();
    for _ in 0..2 {
        bench.next_success().await;
    }
    eventually("both are free", async || taken(bench.dir.path()).is_empty()).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_steps_run_as_the_worker_and_its_folder_is_its_own() {
    let mut bench = Bench::start().await;
    let success = bench.run_well(Step::shell("id -u")).await;
    let own = rustix::process::geteuid().as_raw().to_string();
    assert_eq!(bench.stdout(&success).await.trim(), own);
    assert_eq!(fs::metadata(bench.path("state")).unwrap().mode() & 0o777, 0o700);
    assert!(!bench.path("users").exists());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_give_users_does_not_start_unless_it_may_do_without() {
    if !is_root() {
        return;
    }
    // The folder of the test is closed to everybody else.
    let dir = tempfile::tempdir().unwrap();
    let (broker, store) = (crate::bench::broker().await, store(dir.path()).await);
    let mut closed = config(dir.path());
    users(&mut closed);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let refused =
        tidemill_worker::start(closed.clone(), parts(&broker, &store), CancellationToken::new()).await;
    let Err(StartError::Config(why)) = refused else {
        panic!("expected a refusal, not {refused:?}");
    };
    assert!(
        why.contains("cannot go through") && why.contains("chmod"),
        "{why}"
    );
    let mut bench = Bench::start_in(dir, |config| {
        users(config);
        config.run_as = RunAs::Auto;
        fs::set_permissions(config.state_dir.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
    })
    .await;
    let success = bench.run_well(Step::shell("id -u")).await;
    assert_eq!(bench.stdout(&success).await, "0\n");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_is_built_by_a_user_of_its_own_and_is_the_workers_afterwards() {
    if !is_root() {
        return;
    }
    let tool = "#!/bin/sh\nfor last; do :; done\npython3 -m venv \"$last\" && id -u > \"$last/built-by\" && chmod 600 \"$last/built-by\" && touch \"$HOME/x\"\n";
    let mut bench = Bench::start_with(|config| {
        users(config);
        let bin = config.state_dir.parent().unwrap().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("uv"), tool).unwrap();
        for path in [&bin, &bin.join("uv")] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", bin.display());
        config.base_environment.insert("PATH".into(), path);
    })
    .await;
    let script = "cat $VIRTUAL_ENV/built-by; stat -c %u $VIRTUAL_ENV $VIRTUAL_ENV/built-by $VIRTUAL_ENV/bin/python; \
                  python -c 'print(\"runs\")'; touch $VIRTUAL_ENV/x 2> /dev/null || echo closed";
    let mut step = Step::shell(script);
    step.work.environment.python = Some(PythonEnvironment {
        version: None,
        requirements: Vec::new(),
    });
    let success = bench.run_well(step).await;
    let said = bench.stdout(&success).await;
    let lines: Vec<&str> = said.lines().collect();
    let builder: u32 = lines[0].parse().unwrap();
    assert!((first()..first() + COUNT).contains(&builder), "{said}");
    assert_eq!(lines[1..], ["0", "0", "0", "runs", "closed"], "{said}");
    assert_eq!(taken(bench.dir.path()), Vec::<String>::new());
    bench.end().await;
}

/// A wheel with nothing in it but a module of its name.
const MAKE_WHEEL: &str = "
import sys, zipfile
files = {'empty.py': 'WHAT = 1', 'empty-1.dist-info/METADATA': 'Metadata-Version: 2.1\\nName: empty\\nVersion: 1\\n',
    'empty-1.dist-info/WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n', 'empty-1.dist-info/RECORD': ''}
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
";

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_with_requirements_is_built_by_a_user_of_its_own() {
    if !is_root() {
        return;
    }
    let mut bench = Bench::start_with(users).await;
    let wheel = bench.path("open/empty-1-py3-none-any.whl");
    let made = std::process::Command::new("/usr/bin/python3")
        .args(["-c", MAKE_WHEEL])
        .arg(&wheel)
        .status();
    assert!(made.unwrap().success());
    let mut step = Step::shell(
        "python -c 'import empty; print(empty.WHAT)'; stat -c %u $VIRTUAL_ENV/lib/python3*/site-packages/empty.py",
    );
    step.work.environment.python = Some(PythonEnvironment {
        version: None,
        requirements: vec![wheel.to_str().unwrap().to_owned()],
    });
    let success = bench.run_well(step).await;
    assert_eq!(bench.stdout(&success).await, "1\n0\n");
    assert_eq!(taken(bench.dir.path()), Vec::<String>::new());
    bench.end().await;
}
