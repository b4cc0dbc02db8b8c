//! What an operator sees of the queues: the coordinator's backlog beside RabbitMQ's own figures, once and as they change.

use std::fs;
use testkit::{
    BEGIN_DEADLINE, BrokerAccess, Cluster, Daemon, END_DEADLINE, Gate, Rabbit, Store, WorkerPlan, eventually,
};
use tidemill_protocol::api::{BrokerQueueView, QueueView, Untold};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::RunStatus;

/// The exit code of a command that needs a coordinator and finds none.
const UNREACHABLE: i32 = 8;
/// Runs that wait behind the one that holds the only slot.
const WAITING: usize = 30;

const ONE: WorkerPlan = WorkerPlan {
    name: "one",
    compute: &["cpu-cluster:cpu"],
    slots: 1,
};

fn queue(cluster: &Cluster) -> QueueView {
    let queues: Vec<QueueView> = cluster.ok(["queue", "list", "-o", "json"]).items();
    let ours = queues
        .into_iter()
        .find(|queue| queue.target.as_str() == "cpu-cluster");
    ours.expect("a worker serves it, so it is listed")
}

/// A run that holds the slot at its gate, and others behind it.
fn fill(cluster: &Cluster) -> (Gate, Vec<String>) {
    let gate = Gate::new(&cluster.sandbox, "gate");
    let mut runs = vec![cluster.submit("gate.yml", &["-p", &gate.parameter()])];
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    let open = Gate::new(&cluster.sandbox, "open");
    open.open();
    // Reuse would make one of them of all.
    let submit = |_| cluster.submit("gate.yml", &["-p", &open.parameter(), "--force-rerun"]);
    runs.extend((0..WAITING).map(submit));
    (gate, runs)
}

#[test]
fn both_views_agree_on_what_waits_and_what_runs() {
    let cluster = Cluster::start(Store::Folder, &[ONE]);
    let idle = queue(&cluster);
    assert_eq!((idle.backlog, idle.dispatched, idle.running), (0, 0, 0));
    assert_eq!((idle.workers, idle.slots, idle.oldest_age_ms), (1, 1, 0));

    let (gate, runs) = fill(&cluster);
    let full = eventually(BEGIN_DEADLINE, "the window is published", || {
        let queue = queue(&cluster);
        let broker = queue.broker?;
        (queue.dispatched > 0 && broker.ready == queue.dispatched).then_some(queue)
    });
    assert_eq!(full.running, 1);
    assert_eq!(full.backlog + full.dispatched, WAITING as u64, "{full:?}");
    assert!(
        full.backlog > 0,
        "the queue is short, the rest waits in the coordinator: {full:?}"
    );
    assert_eq!(full.compute_type.as_ref().map(Name::as_str), Some("cpu"));
    assert!(full.oldest_age_ms > 0, "{full:?}");
    let older = eventually(BEGIN_DEADLINE, "what waits grows older", || {
        Some(queue(&cluster)).filter(|queue| queue.oldest_age_ms > full.oldest_age_ms)
    });
    assert_eq!(
        (older.dispatched, older.running),
        (full.dispatched, 1),
        "nothing moves"
    );

    let broker = full.broker.expect("it answers");
    assert_eq!(
        (broker.unacknowledged, broker.untold),
        (None, Some(Untold::NotAsked)),
        "AMQP does not tell, and nobody else was named"
    );
    let listed = cluster.ok(["queue", "list"]);
    assert!(listed.stderr.contains("queue_management_url"), "{listed}");
    let table = listed.stdout;
    for column in [
        "BACKLOG",
        "QUEUED",
        "RUNNING",
        "OLDEST",
        "PER MINUTE",
        "READY",
        "UNACKED",
        "CONSUMERS",
    ] {
        assert!(table.contains(column), "{column} is missing in\n{table}");
    }
    let row = table
        .lines()
        .find(|line| line.contains("cpu-cluster"))
        .expect("it has a row");
    let cells: Vec<&str> = row.split_whitespace().collect();
    let ready = full.dispatched.to_string();
    assert_eq!(
        cells.iter().filter(|cell| **cell == ready).count(),
        2,
        "queued and ready: {row}"
    );

    gate.open();
    for run in &runs {
        cluster.wait_for_run(run, RunStatus::Succeeded, END_DEADLINE);
    }
    let done = queue(&cluster);
    assert_eq!((done.backlog, done.dispatched, done.running), (0, 0, 0));
    assert!(done.ended_last_minute > 0, "{done:?}");
    let broker = done.broker.expect("it answers");
    assert_eq!(broker.ready, 0);
    assert!(broker.consumers > 0, "a free worker listens");
}

/// The figures of our queue, as a watcher wrote them, oldest first.
fn seen(path: &std::path::Path) -> Vec<QueueView> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let views = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    views
        .filter(|view: &QueueView| view.target.as_str() == "cpu-cluster")
        .collect()
}

#[test]
fn a_watcher_sees_the_queue_fill_and_empty_and_outlives_a_killed_coordinator() {
    let mut cluster = Cluster::start(Store::Folder, &[ONE]);
    let log = cluster.sandbox.path().join("watch.log");
    let url = cluster.url();
    let watch = ["queue", "watch", "--every", "1", "-o", "jsonl", "--url", &url];
    let mut watcher = Daemon::start("watcher", &mut cluster.sandbox.command(watch), &log);
    eventually(BEGIN_DEADLINE, "it shows an idle queue", || {
        seen(&log)
            .last()
            .filter(|queue| queue.running == 0 && queue.workers == 1)
            .map(drop)
    });
    let (gate, runs) = fill(&cluster);
    eventually(BEGIN_DEADLINE, "it shows a full queue", || {
        let full = |queue: &&QueueView| queue.running == 1 && queue.backlog > 0;
        seen(&log).last().filter(full).map(drop)
    });
    cluster.kill_coordinator();
    eventually(BEGIN_DEADLINE, "it says that nobody answers", || {
        watcher.log().contains("asking again").then_some(())
    });
    assert!(watcher.is_running(), "{}", watcher.log());
    cluster.start_coordinator();
    gate.open();
    for run in &runs {
        cluster.wait_for_run(run, RunStatus::Succeeded, END_DEADLINE);
    }
    eventually(END_DEADLINE, "it shows an empty queue again", || {
        let empty = |queue: &&QueueView| queue.running + queue.backlog + queue.dispatched == 0;
        seen(&log).last().filter(empty).map(drop)
    });
    watcher.terminate();
    let status = watcher.wait(END_DEADLINE);
    assert!(status.success(), "{status}");
}

#[test]
fn there_is_nothing_to_watch_where_no_coordinator_runs() {
    let sandbox = testkit::Sandbox::new();
    let refused = sandbox.tidemill(["queue", "watch"]).expect_code(UNREACHABLE);
    assert!(refused.stderr.contains("tidemill up"), "{refused}");
    let list = sandbox.ok(["queue", "list"]);
    assert!(list.stderr.contains("no queues"), "{list}");
    let nobody = ["queue", "watch", "--url", "http://127.0.0.1:1"];
    let refused = sandbox.tidemill(nobody).expect_code(UNREACHABLE);
    assert!(refused.stderr.contains("help: "), "{refused}");
}

#[test]
fn what_a_worker_holds_unacknowledged_is_told_by_the_management_api() {
    let rabbit = Rabbit::start_managed();
    let broker = BrokerAccess {
        url: rabbit.url(),
        authorities: None,
    };
    let url = rabbit.management_url();
    let mut cluster = Cluster::prepare(
        broker,
        Store::Folder,
        &[("TIDEMILL_QUEUE_MANAGEMENT_URL", url.as_str())],
    );
    cluster.start_all(&[ONE]);
    let wait_for = |what: &str, wanted: &dyn Fn(&BrokerQueueView) -> bool| {
        eventually(BEGIN_DEADLINE, what, || queue(&cluster).broker.filter(wanted))
    };
    // A queue is there from its first task on.
    let gate = Gate::new(&cluster.sandbox, "gate");
    gate.open();
    let submit = || cluster.submit("gate.yml", &["-p", &gate.parameter(), "--force-rerun"]);
    cluster.wait_for_run(&submit(), RunStatus::Succeeded, END_DEADLINE);
    let idle = wait_for("it is asked", &|view| view.unacknowledged.is_some());
    assert_eq!((idle.unacknowledged, idle.untold), (Some(0), None));

    // A worker that is given a task and cannot claim it.
    cluster.worker(ONE.name).freeze();
    let run = submit();
    wait_for("it is held", &|view| {
        (view.ready, view.unacknowledged) == (0, Some(1))
    });
    let listed = cluster.ok(["queue", "list"]);
    assert!(!listed.stderr.contains("UNACKED"), "nothing is missing: {listed}");

    cluster.worker(ONE.name).thaw();
    cluster.wait_for_run(&run, RunStatus::Succeeded, END_DEADLINE);
    wait_for("it is acknowledged", &|view| view.unacknowledged == Some(0));

    // Nobody may look any more, and nothing but the display suffers.
    rabbit.ctl(["set_user_tags", "guest"]);
    wait_for("it says that it does not know", &|view| {
        view.untold == Some(Untold::NoAnswer)
    });
    cluster.wait_for_run(&submit(), RunStatus::Succeeded, END_DEADLINE);
    let listed = cluster.ok(["queue", "list"]);
    assert!(listed.stderr.contains("has not answered"), "{listed}");
    assert!(cluster.coordinator().log().contains("monitoring"));
}
