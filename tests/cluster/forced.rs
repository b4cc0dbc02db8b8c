//! A coordinator's place is taken by force, from its archive and on another machine, while it still serves: the older one ends by itself, and the newer one has
//! every finished result, every open run and, where answers wait for the archive, every run that the older one ever accepted.

use std::thread;
use std::time::{Duration, Instant};
use testkit::{
    BEGIN_DEADLINE, BrokerAccess, Cluster, Daemon, END_DEADLINE, Gate, Output, S3Server, Steps, Store,
    WorkerPlan, eventually, is_alive,
};
use tidemill_protocol::status::RunStatus;

/// What a coordinator ends with that another one has replaced.
const SUPERSEDED: i32 = 9;
/// What a client ends with that asks for a run of which nobody knows.
const NOT_FOUND: i32 = 6;
/// What a client ends with that gets no answer.
const UNREACHABLE: i32 = 8;
/// For how long the older one may go on accepting runs at most: it looks for a newer epoch every two seconds.
const ACCEPTS_FOR: Duration = Duration::from_mins(1);
/// The state folder of the other machine.
const ELSEWHERE: &str = "elsewhere";

const ONE: WorkerPlan = WorkerPlan {
    name: "one",
    compute: &["cpu-cluster:cpu"],
    slots: 2,
};

fn submit(cluster: &Cluster, gate: &Gate) -> Output {
    let parameter = gate.parameter();
    cluster.cli(["submit", "gate.yml", "--quiet", "-p", &parameter])
}

/// Submits to the older coordinator until it takes nothing more. Answers the runs that it accepted, and what it said at last.
fn submit_until_refused(cluster: &Cluster, gate: &Gate) -> (Vec<String>, Output) {
    let (mut accepted, begun) = (Vec::new(), Instant::now());
    loop {
        let answer = submit(cluster, gate);
        if answer.code != Some(0) {
            return (accepted, answer);
        }
        accepted.push(answer.stdout.trim().to_owned());
        assert!(
            begun.elapsed() < ACCEPTS_FOR,
            "the older coordinator goes on accepting runs: {}",
            cluster.coordinator_log()
        );
    }
}

/// Takes the place of the coordinator while somebody submits to it. Answers the older one, which may still be about to end, and the runs that it accepted meanwhile.
fn take_by_force(cluster: &mut Cluster, gate: &Gate) -> (Daemon, Vec<String>) {
    let older: &Cluster = cluster;
    let (recovered, (accepted, refused)) = thread::scope(|scope| {
        let submitting = scope.spawn(|| submit_until_refused(older, gate));
        let key = older.key();
        let arguments = [
            "journal",
            "recover",
            "--force",
            "--signing-key",
            &key,
            "-o",
            "json",
        ];
        let recovered = older.as_daemon(&arguments, ELSEWHERE).expect_code(0);
        (
            recovered,
            submitting.join().expect("it submitted until it was refused"),
        )
    });
    let recovered: serde_json::Value = recovered.json();
    assert_eq!(recovered["left_results"], serde_json::json!([]), "{recovered}");
    assert!(
        !refused.stderr.is_empty(),
        "whoever is refused is told why: {refused}"
    );
    let older = cluster
        .move_coordinator_to(ELSEWHERE)
        .expect("it was there until now");
    (older, accepted)
}

/// How often a result became a step's, by the whole journal of the newer one.
fn commits(cluster: &mut Cluster) -> usize {
    cluster.stop_coordinator();
    let export = cluster
        .as_daemon(&["journal", "export"], ELSEWHERE)
        .expect_code(0);
    let lines = export.stdout.lines();
    lines
        .filter(|line| line.contains("\"attempt_succeeded\""))
        .count()
}

fn taken_by_force(mode: &str) {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    cluster.restart_coordinator_with(&["--archive", mode]);
    let (open, shut) = (
        Gate::new(&cluster.sandbox, "open"),
        Gate::new(&cluster.sandbox, "shut"),
    );
    open.open();
    let ended = submit(&cluster, &open).expect_code(0).stdout.trim().to_owned();
    cluster.wait_for_run(&ended, RunStatus::Succeeded, END_DEADLINE);
    let shown = |cluster: &Cluster| {
        let output = format!("{ended}/after/copy");
        cluster.ok(["artifacts", "cat", &output]).stdout
    };
    let before = shown(&cluster);
    let held = submit(&cluster, &shut).expect_code(0).stdout.trim().to_owned();
    let step = shut.wait_for_arrivals(1, BEGIN_DEADLINE)[0];

    let (older, accepted) = take_by_force(&mut cluster, &open);
    assert!(!accepted.is_empty(), "somebody submitted meanwhile");
    assert_eq!(older.wait(END_DEADLINE).code(), Some(SUPERSEDED));
    cluster.start_coordinator();

    assert_eq!(shown(&cluster), before, "what had ended is there");
    assert!(is_alive(step), "and what runs has noticed nothing");
    for id in &accepted {
        let known = cluster.cli(["runs", "show", id, "-o", "json"]);
        if mode == "async" && known.code == Some(NOT_FOUND) {
            // Accepted in the last seconds: nobody promised more.
            continue;
        }
        cluster.wait_for_run(id, RunStatus::Succeeded, END_DEADLINE);
    }
    shut.open();
    let run = cluster.wait_for_run(&held, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
    let again = cluster.as_daemon(&["serve", "--listen", "127.0.0.1:0"], "coordinator");
    assert_eq!(again.code, Some(SUPERSEDED), "it must not come back: {again}");
    // Two steps of the first run and the one that was held; everything else took its results from them.
    assert_eq!(commits(&mut cluster), 3, "each work once");
}

#[test]
fn a_coordinator_that_waits_for_its_archive_ends_when_its_place_is_taken_by_force_and_nothing_that_it_accepted_is_lost()
 {
    taken_by_force("sync");
}

#[test]
fn a_coordinator_that_does_not_wait_for_its_archive_ends_when_its_place_is_taken_by_force_and_its_runs_go_on()
{
    taken_by_force("async");
}

#[test]
fn a_coordinator_that_is_cut_off_from_its_archive_answers_nobody_and_ends_when_it_finds_its_place_taken() {
    let server = S3Server::start();
    let way = server.wire();
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::S3(server), &[]);
    let variables = vec![("AWS_ENDPOINT", format!("http://{}", way.address()))];
    cluster.set_up_coordinator(&["--archive", "sync"], variables);
    cluster.start_all(&[ONE]);
    let gate = Gate::new(&cluster.sandbox, "gate");
    let id = submit(&cluster, &gate).expect_code(0).stdout.trim().to_owned();
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    way.hold();
    let told = eventually(ACCEPTS_FOR, "it says that it cannot answer", || {
        let answer = cluster.cli(["runs", "list"]);
        (answer.code == Some(UNREACHABLE)).then_some(answer)
    });
    assert!(
        told.stderr.contains("another coordinator may have taken over"),
        "{told}"
    );
    let refused = submit(&cluster, &gate);
    assert_eq!(refused.code, Some(UNREACHABLE), "{refused}");

    let key = cluster.key();
    let arguments = [
        "journal",
        "recover",
        "--force",
        "--signing-key",
        &key,
        "-o",
        "json",
    ];
    let recovered = cluster.as_daemon(&arguments, ELSEWHERE);
    assert_eq!(recovered.code, Some(0), "{recovered}");
    let older = cluster.move_coordinator_to(ELSEWHERE).expect("it still waits");
    cluster.set_up_coordinator(&["--archive", "sync"], Vec::new());
    cluster.start_coordinator();
    assert!(is_alive(step), "what runs has noticed nothing");
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1, "nothing was done twice");
    way.mend();
    assert_eq!(older.wait(END_DEADLINE).code(), Some(SUPERSEDED));
    assert_eq!(commits(&mut cluster), 2, "each work once");
}
