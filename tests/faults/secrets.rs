//! Row 75: a step that spills its secret in every way, on a worker of its own, over a RabbitMQ of its own; and then a look at every place where it could have stuck.

use crate::trial::{Trial, fast};
use std::time::Duration;
use testkit::eventually;
use testkit::spill::{Spill, in_answers, in_outputs, in_places};
use testkit::{
    BEGIN_DEADLINE, BrokerAccess, Canary, Cluster, Daemon, END_DEADLINE, Rabbit, Store, WorkerPlan,
};
use tidemill_protocol::status::RunStatus;

pub(crate) const TRIALS: &[Trial] = &[fast(
    "a_secret_that_its_step_spills_sticks_nowhere_in_a_cluster",
    spilled_in_a_cluster,
)];

const WORKER: WorkerPlan = WorkerPlan {
    name: "cpu-1",
    compute: &["cpu:cpu"],
    slots: 1,
};

fn spilled_in_a_cluster() {
    let (rabbit, canary) = (Rabbit::start(""), Canary::new());
    let access = BrokerAccess {
        url: rabbit.url(),
        authorities: None,
    };
    let mut cluster = Cluster::start_over(access, Store::Folder, &[]);
    let joining = cluster.ok(["worker", "token", "create", "--quiet"]).stdout;
    cluster.start_worker_with(WORKER, &[("TIDEMILL_JOIN_TOKEN", joining.trim().to_owned())]);
    cluster.wait_for_workers(1);
    let mut command = cluster.client(["secret", "set", "canary"]);
    let set = cluster
        .sandbox
        .finish_with_input(&mut command, canary.value().as_bytes());
    let set = set.expect_code(0);
    let spill = Spill::write(&cluster.sandbox, Spill::AS_SECRET);
    let run = cluster.submit("spill.yml", &[]);
    let followed = cluster.sandbox.path().join("followed");
    let mut command = cluster.client(["logs", "last/spill", "-f"]);
    let follower = Daemon::start("follow", &mut command, &followed);
    eventually(
        BEGIN_DEADLINE,
        "the log is followed to the end of the spill",
        || {
            let text = std::fs::read_to_string(&followed).unwrap_or_default();
            text.contains("postgres://").then_some(())
        },
    );
    let mut found = in_places(&canary, &[rabbit.folder()]);
    spill.let_go();
    cluster.wait_for_run(&run, RunStatus::Succeeded, END_DEADLINE);
    follower.wait(Duration::from_mins(1));
    let log = cluster.ok(["logs", "last/spill"]);
    assert!(
        log.stdout.matches("***").count() >= 12,
        "the log is kept, and covered: {log}"
    );
    let outputs = [
        ("secret set", set),
        ("logs", log),
        ("runs show", cluster.ok(["runs", "show", "last", "-o", "json"])),
        ("audit", cluster.ok(["audit", "-o", "json"])),
        ("queue list", cluster.ok(["queue", "list", "-o", "json"])),
    ];
    found.extend(in_outputs(&canary, &outputs));
    found.extend(in_answers(&canary, &cluster.url(), "spill"));
    cluster.stop();
    // Journal, audit log, store, worker, logs of daemons and of whoever followed; then RabbitMQ's, and what lay in memory.
    let folders = [
        cluster.sandbox.path(),
        rabbit.folder(),
        std::path::Path::new("/dev/shm"),
    ];
    found.extend(in_places(&canary, &folders));
    assert_eq!(found, Vec::<String>::new());
}
