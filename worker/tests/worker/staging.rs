//! What a step finds when it starts, and what is kept of what it leaves.

use crate::bench::{Bench, Step, without_limits};
use bytes::Bytes;
use tidemill_artifacts::{ScanOptions, scan};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::FencingToken;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{InputMode, InputPort, PortType};
use tidemill_protocol::wire::ReportBody;

async fn folder(bench: &Bench, files: &[(&str, &str)]) -> ArtifactRef {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let scan = scan(dir.path(), &ScanOptions::data()).unwrap();
    bench.store.upload(&scan, &()).await.unwrap()
}

fn port(step: &mut Step, name: &str, port_type: PortType, mode: InputMode) {
    let port = InputPort { port_type, mode };
    step.work.inputs.insert(name.parse().unwrap(), port);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_starts_in_a_private_copy_of_its_code() {
    let mut bench = Bench::start().await;
    let code = folder(&bench, &[("train.py", "print('trained')"), ("lib/a.txt", "a")]).await;
    let mut step =
        Step::shell("python3 train.py; cat lib/a.txt; echo changed > lib/a.txt; ls -d outputs logs");
    step.work.code = Some(code);
    for _ in 0..2 {
        let success = bench.run_well(step.clone()).await;
        assert_eq!(bench.stdout(&success).await, "trained\nalogs\noutputs\n");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_read_only_or_private_copies_as_asked() {
    let mut bench = Bench::start().await;
    let data = folder(&bench, &[("b.csv", "2"), ("a.csv", "1")]).await;
    let script = "stat -c %a \"$TIDEMILL_INPUT_read/a.csv\"; \
                  echo 3 > \"$TIDEMILL_INPUT_copy/a.csv\"; cat \"$TIDEMILL_INPUT_copy/a.csv\"";
    let mut step = Step::shell(script)
        .input("read", InputValue::Artifact(data))
        .input("copy", InputValue::Artifact(data));
    port(&mut step, "read", PortType::Folder, InputMode::ReadOnly);
    port(&mut step, "copy", PortType::Folder, InputMode::Copy);
    let success = bench.run_well(step).await;
    assert_eq!(bench.stdout(&success).await, "444\n3\n");
    bench.end().await;
}

/// Lists the input `data` in all the ways that scripts list folders.
const LISTING: &str = r#"
import glob, os, pathlib, sys
d = os.environ["TIDEMILL_INPUT_data"]
names = [
    os.listdir(d),
    [e.name for e in os.scandir(d)],
    [os.path.basename(p) for p in glob.glob(d + "/*")],
    [p.name for p in pathlib.Path(d).iterdir()],
    next(files for _, _, files in os.walk(d)),
]
with os.scandir(d) as entries:
    first = next(entries).name
print(first, all(n == sorted(n) for n in names), len(names[0]), "mine" in sys.modules)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn python_lists_folders_in_the_order_of_their_names() {
    let mut bench = Bench::start().await;
    let names: Vec<String> = (0..200).map(|i| format!("part-{i}.csv")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let data = folder(&bench, &files).await;
    let code = folder(&bench, &[("list.py", LISTING)]).await;
    let mut step = Step::shell("python3 list.py").input("data", InputValue::Artifact(data));
    step.work.code = Some(code);
    for mode in [InputMode::ReadOnly, InputMode::Copy] {
        port(&mut step, "data", PortType::Folder, mode);
        let success = bench.run_well(step.clone()).await;
        assert_eq!(
            bench.stdout(&success).await,
            "part-0.csv True 200 False\n",
            "{mode:?}"
        );
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sitecustomize_of_the_authors_has_its_turn_and_sees_no_other() {
    let mut bench = Bench::start().await;
    let own = "import sys\nsys.modules['mine'] = sys\n";
    let code = folder(
        &bench,
        &[
            ("list.py", LISTING),
            ("lib/sitecustomize.py", own),
            ("lib/helper.py", ""),
        ],
    )
    .await;
    let mut step = Step::shell("python3 -c 'import helper' && python3 list.py")
        .input("data", InputValue::Artifact(code));
    step.work.code = Some(code);
    let path = ("PYTHONPATH".to_owned(), "lib".to_owned());
    step.work.environment_variables = [path].into();
    port(&mut step, "data", PortType::Folder, InputMode::ReadOnly);
    let success = bench.run_well(step).await;
    assert_eq!(bench.stdout(&success).await, "lib True 2 True\n");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_become_artifacts_under_one_manifest() {
    let mut bench = Bench::start().await;
    let script = "test -z \"$(ls -A \"$TIDEMILL_OUTPUT_model\")\" && echo m > \"$TIDEMILL_OUTPUT_model/m.txt\"; \
                  echo 0.9 > \"$TIDEMILL_OUTPUT_score\"; echo note > outputs/note.txt";
    let step = Step::shell(script)
        .output("model", PortType::Folder)
        .output("score", PortType::File);
    let attempt = bench.submit(step).await;
    let success = bench.success(attempt).await;
    let names: Vec<&str> = success.outputs.keys().map(PortName::as_str).collect();
    assert_eq!(names, ["artifacts", "model", "score"]);
    assert_eq!(bench.text(&success.outputs["score"]).await, "0.9\n");
    let artifacts = success.outputs["artifacts"];
    let tree = bench.store.get_tree(&artifacts.digest).await.unwrap();
    assert_eq!(tree.entries[0].path.as_str(), "outputs/note.txt");
    let token = FencingToken(u64::from(attempt.step.0));
    let (manifest, digest) = bench.store.read_manifest(&attempt, token).await.unwrap();
    assert_eq!(Some(digest), success.manifest);
    assert_eq!(manifest.outputs, success.outputs);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_artifacts_hold_what_the_step_wrote_there_and_what_it_left_by_habit() {
    let mut bench = Bench::start().await;
    let script = "mkdir -p \"$TIDEMILL_OUTPUT_artifacts/outputs/model\" outputs/model logs; \
                  echo 1 > \"$TIDEMILL_OUTPUT_artifacts/outputs/model/a\"; echo 2 > outputs/model/b; echo 3 > outputs/c; echo 4 > logs/d";
    let success = bench
        .run_well(Step::shell(script).output("artifacts", PortType::Folder))
        .await;
    let tree = bench
        .store
        .get_tree(&success.outputs["artifacts"].digest)
        .await
        .unwrap();
    let paths: Vec<&str> = tree.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(
        paths,
        ["logs/d", "outputs/c", "outputs/model/a", "outputs/model/b"]
    );
    let nothing = bench
        .run_well(Step::shell("true").output("artifacts", PortType::Folder))
        .await;
    let tree = bench
        .store
        .get_tree(&nothing.outputs["artifacts"].digest)
        .await
        .unwrap();
    assert!(tree.entries.is_empty(), "what is declared is there, though empty");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_that_would_replace_each_other_or_leave_the_step_are_refused() {
    let mut bench = Bench::start().await;
    std::fs::create_dir(bench.path("elsewhere")).unwrap();
    let elsewhere = bench.path("elsewhere");
    let twice = "mkdir -p \"$TIDEMILL_OUTPUT_artifacts/outputs\"; echo 1 > \"$TIDEMILL_OUTPUT_artifacts/outputs/a\"; echo 2 > outputs/a".to_owned();
    let link = format!(
        "rmdir \"$TIDEMILL_OUTPUT_artifacts\"; ln -s '{}' \"$TIDEMILL_OUTPUT_artifacts\"; echo 2 > outputs/a",
        elsewhere.display()
    );
    let inner = format!(
        "ln -s '{}' \"$TIDEMILL_OUTPUT_artifacts/outputs\"; echo 2 > outputs/a",
        elsewhere.display()
    );
    for script in [twice, link, inner] {
        let body = bench
            .run(Step::shell(&script).output("artifacts", PortType::Folder))
            .await;
        let ReportBody::Failed { failure, .. } = body else {
            panic!("expected a failure of {script}, not {body:?}");
        };
        assert!(
            matches!(failure.reason, FailureReason::OutputRefused { .. }),
            "{failure:?}"
        );
    }
    assert_eq!(
        std::fs::read_dir(elsewhere).unwrap().count(),
        0,
        "nothing left the step"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_whose_bytes_are_gone_fails_the_attempt_with_the_inputs_name() {
    let mut bench = Bench::start().await;
    let lost = ArtifactRef {
        digest: tidemill_protocol::digest::Digest::of(b"never stored"),
        ..bench.store.put_bytes(Bytes::from_static(b"x")).await.unwrap()
    };
    let mut step = Step::argv(&["/bin/true"]).input("data", InputValue::Artifact(lost));
    port(&mut step, "data", PortType::File, InputMode::ReadOnly);
    let body = bench.run(step).await;
    let ReportBody::Failed { failure, .. } = body else {
        panic!("expected a failure, not {body:?}");
    };
    assert!(failure.message.contains("input `data`"), "{}", failure.message);
    let digest = lost.digest.to_string();
    assert_eq!(failure.reason, FailureReason::InputLost { digest });
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_on_this_machine_is_read_in_place_and_another_is_passed_on() {
    let mut bench = Bench::start().await;
    std::fs::write(bench.path("here.txt"), "here").unwrap();
    let here = format!("file://{}", bench.path("here.txt").display());
    let mut step = Step::shell("cat \"$TIDEMILL_INPUT_near\"; echo; echo \"$TIDEMILL_INPUT_far\"")
        .input("near", InputValue::Uri(here.into()))
        .input("far", InputValue::Uri("https://example.com/x".into()));
    port(&mut step, "near", PortType::File, InputMode::ReadOnly);
    // A single file would be fetched.
    port(&mut step, "far", PortType::Folder, InputMode::ReadOnly);
    let success = bench.run_well(step).await;
    assert_eq!(bench.stdout(&success).await, "here\nhttps://example.com/x\n");
    let notes = without_limits(&success);
    assert_eq!(notes.len(), 2, "{notes:?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_on_this_machine_is_copied_from_a_datastore_that_holds_it_and_from_nowhere_else() {
    let mut bench = Bench::start().await;
    std::fs::create_dir(bench.path("share")).unwrap();
    std::fs::write(bench.path("share/a.csv"), "a").unwrap();
    let at = |name: &str| format!("file://{}", bench.path(name).display());
    let copying = |uri: String| {
        let script = "echo changed > \"$TIDEMILL_INPUT_data\" && cat \"$TIDEMILL_INPUT_data\"";
        let mut step = Step::shell(script).input("data", InputValue::Uri(uri.into()));
        port(&mut step, "data", PortType::File, InputMode::Copy);
        step.rules.reads = vec![serde_json::from_value(serde_json::json!({"url": at("share")})).unwrap()];
        step
    };
    let good = copying(at("share/a.csv"));
    // The worker's own key, which the worker can read.
    let bad = [at("state/worker.key"), at("share/../state/worker.key")].map(&copying);
    let success = bench.run_well(good).await;
    assert_eq!(bench.stdout(&success).await, "changed\n");
    let share = bench.path("share/a.csv");
    assert_eq!(std::fs::read_to_string(share).unwrap(), "a");
    for step in bad {
        let body = bench.run(step).await;
        let ReportBody::Failed { failure, .. } = body else {
            panic!("expected a failure, not {body:?}");
        };
        assert_eq!(failure.reason, FailureReason::InputUnreadable);
        for said in ["input `data`", "lies in no datastore", "tidemill datastore add"] {
            assert!(failure.message.contains(said), "{}", failure.message);
        }
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempts_folder_goes_away_with_what_was_left_in_it() {
    let mut bench = Bench::start().await;
    bench.run_well(Step::shell("mkdir -m 500 ro; echo x")).await;
    let attempts = bench.path("state/attempts");
    crate::bench::eventually("the folder is gone", async || {
        std::fs::read_dir(&attempts).unwrap().next().is_none()
    })
    .await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_finds_nothing_of_the_step_before_it() {
    let mut bench = Bench::start_with(|config| config.slots = 1).await;
    let code = folder(&bench, &[("a.txt", "a")]).await;
    let look = Step::shell("find . ..; echo seen >&2");
    let mut with_code = look.clone();
    with_code.work.code = Some(code);
    let mut seen = Vec::new();
    for step in [
        look.clone(),
        look.clone(),
        with_code,
        Step::shell("touch x $TMPDIR/y"),
        look,
    ] {
        let success = bench.run_well(step).await;
        let stdout = bench.stdout(&success).await;
        let mut lines: Vec<String> = stdout.lines().map(ToOwned::to_owned).collect();
        lines.sort_unstable();
        seen.push(lines);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[4]);
    assert_eq!(seen[2].len(), seen[0].len() + 2, "the code, seen from two places");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_is_kept_at_both_ends() {
    let mut bench = Bench::start_with(|config| config.log_bytes_max = 256 * 1024).await;
    let success = bench
        .run_well(Step::shell(
            "echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo last",
        ))
        .await;
    let stdout = bench.stdout(&success).await;
    assert!(stdout.starts_with("first\n"));
    assert!(stdout.ends_with("last\n"));
    assert!(stdout.contains("were left out here"));
    assert!(stdout.len() < 300 * 1024);
    bench.end().await;
}
