//! Workers with keys of their own, over a real RabbitMQ: a token lets one worker join, its key stays with it, the broker's password alone says nothing in its name, and a
//! quarantined worker's step moves.

use bytes::Bytes;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use testkit::{BEGIN_DEADLINE, Cluster, END_DEADLINE, Gate, Steps, Store, WorkerPlan, eventually, is_alive};
use tidemill_protocol::api::WorkerView;
use tidemill_protocol::codec;
use tidemill_protocol::ids::{AttemptId, FencingToken, StepIndex};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{
    Audience, Kind, Report, ReportBatch, ReportBody, SignerKey, Success, seal_as_worker, seal_unsigned,
};
use tidemill_transport::{AmqpBroker, AmqpConfig, Broker, Queue};

/// The exit code of somebody who has no right.
const REFUSED: i32 = 4;
/// Before the first token of a coordinator's first start.
const FIRST_EPOCH: u64 = 1 << 32;

const fn cpu(name: &'static str) -> WorkerPlan {
    WorkerPlan {
        name,
        compute: &["cpu-cluster:cpu"],
        slots: 1,
    }
}

fn join_token(cluster: &Cluster) -> (&'static str, String) {
    let created = cluster.ok(["worker", "token", "create", "--quiet"]);
    ("TIDEMILL_JOIN_TOKEN", created.stdout.trim().to_owned())
}

/// A cluster with this one worker, which has joined.
fn with_one(name: &'static str) -> Cluster {
    let mut cluster = Cluster::start(Store::Folder, &[]);
    let token = join_token(&cluster);
    cluster.start_worker_with(cpu(name), &[token]);
    cluster.wait_for_workers(1);
    cluster
}

fn workers(cluster: &Cluster) -> Vec<WorkerView> {
    let listed: serde_json::Value = cluster.ok(["worker", "list", "-o", "json"]).json();
    serde_json::from_value(listed["items"].clone()).expect("they are workers")
}

/// A step that waits at the gate, and the run that it is of.
fn waiting_step(cluster: &Cluster, name: &str) -> (Gate, String, u32) {
    let gate = Gate::new(&cluster.sandbox, name);
    let id = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    let step = gate.wait_for_arrivals(1, BEGIN_DEADLINE)[0];
    eventually(BEGIN_DEADLINE, "the claim is known", || {
        (cluster.run(&id).step("hold").status == StepStatus::Running).then_some(())
    });
    (gate, id, step)
}

/// Good ends of the first attempts of a run under every token that they could have.
fn forged(cluster: &Cluster, run: &str, worker: &str) -> Vec<u8> {
    let run = cluster.run(run).summary.id;
    let report = |step, token| Report {
        attempt: AttemptId {
            run,
            step: StepIndex(step),
            attempt: 1,
        },
        token: FencingToken(FIRST_EPOCH + token),
        at: Timestamp(1),
        body: ReportBody::Succeeded(Success::default()),
    };
    let reports = (0..2).flat_map(|step| (1..=64).map(move |token| report(step, token)));
    codec::encode(&ReportBatch {
        worker: worker.parse().expect("is a name"),
        incarnation: 1,
        first_sequence: 1,
        reports: reports.collect(),
    })
}

/// Says something with the broker's password alone.
fn publish(cluster: &Cluster, messages: Vec<Vec<u8>>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let mut config = AmqpConfig::new(cluster.broker_url(), "thief");
        cluster.prefix().clone_into(&mut config.prefix);
        let broker = AmqpBroker::start(config).expect("the address is sound");
        broker.wait_up(BEGIN_DEADLINE).await.expect("the broker is there");
        for message in messages {
            let sent = broker.publish(&Queue::Reports, Bytes::from(message)).await;
            sent.expect("the queue is there");
        }
        broker.close().await;
    });
}

#[test]
fn whoever_has_a_workers_password_on_the_broker_but_not_its_key_can_report_nothing() {
    let cluster = with_one("one");
    let (gate, id, step) = waiting_step(&cluster, "gate");
    let body = forged(&cluster, &id, "one");
    let unsigned = seal_unsigned(Kind::Reports, Audience::coordinator(), &body);
    let stranger = SignerKey::from_seed(&[7; 32]);
    let signed = seal_as_worker(&stranger, Kind::Reports, &body);
    publish(
        &cluster,
        vec![unsigned.expect("it is small"), signed.expect("it is small")],
    );
    for why in ["nobody has signed it", "of which nobody is known"] {
        eventually(BEGIN_DEADLINE, "the forgery is written down", || {
            let audit = cluster.ok(["audit", "--decision", "refused", "-o", "json"]);
            (audit.stdout.contains("REPORT") && audit.stdout.contains(why)).then_some(())
        });
    }
    assert_eq!(cluster.run(&id).step("hold").status, StepStatus::Running);
    assert!(is_alive(step), "nobody has stopped it");
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.step("hold").attempts.len(), 1);
}

#[test]
fn the_same_forgery_is_believed_where_no_worker_has_joined() {
    let cluster = Cluster::start(Store::Folder, &[cpu("one")]);
    let (_gate, id, _) = waiting_step(&cluster, "gate");
    let body = forged(&cluster, &id, "one");
    let unsigned = seal_unsigned(Kind::Reports, Audience::coordinator(), &body);
    publish(&cluster, vec![unsigned.expect("it is small")]);
    eventually(BEGIN_DEADLINE, "the forgery ends the step", || {
        (cluster.run(&id).step("hold").status == StepStatus::Succeeded).then_some(())
    });
}

#[test]
fn a_join_token_works_once_and_a_worker_keeps_its_key_across_restarts() {
    let mut cluster = Cluster::start(Store::Folder, &[]);
    let token = join_token(&cluster);
    cluster.start_worker_with(cpu("one"), std::slice::from_ref(&token));
    cluster.wait_for_workers(1);
    let key_file = cluster.sandbox.path().join("one/worker/worker.key");
    let key = fs::read(&key_file).expect("it was drawn");
    let mode = fs::metadata(&key_file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner reads it");
    assert!(workers(&cluster)[0].enrolled);

    cluster.start_worker_with(cpu("two"), std::slice::from_ref(&token));
    let second = cluster.take_worker("two").expect("it was started");
    let said = cluster.sandbox.path().join("two.log");
    assert_eq!(second.wait(END_DEADLINE).code(), Some(REFUSED));
    let said = fs::read_to_string(said).expect("it said why");
    assert!(said.contains("the join token was used by worker one"), "{said}");
    assert!(
        !said.contains(token.1.splitn(3, '_').nth(2).expect("a secret")),
        "{said}"
    );

    // Without the token, with it, and when the coordinator has another start behind it.
    for (gate, variables) in [("first", vec![]), ("second", vec![token])] {
        cluster.kill_worker("one");
        cluster.kill_coordinator();
        cluster.start_coordinator();
        cluster.start_worker_with(cpu("one"), &variables);
        let (gate, id, _) = waiting_step(&cluster, gate);
        gate.open();
        cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
        assert_eq!(fs::read(&key_file).expect("it is there"), key);
    }
}

#[test]
fn the_step_of_a_quarantined_worker_moves_to_another_until_it_is_released() {
    let mut cluster = with_one("bad");
    let (gate, id, step) = waiting_step(&cluster, "gate");
    let token = join_token(&cluster);
    cluster.start_worker_with(cpu("good"), &[token]);
    cluster.wait_for_workers(2);
    let quarantine = ["worker", "quarantine", "bad", "--reason", "odd results"];
    let said = cluster.ok([&quarantine[..], &["--dry-run"]].concat());
    assert_eq!(said.stdout.trim(), "would stop 1 step of bad");
    assert_ne!(workers(&cluster)[0].status, "quarantined", "nothing was done");
    let told = cluster.ok([&quarantine[..], &["-o", "json"]].concat());
    assert!(told.stdout.contains(r#""told": "quarantine""#), "{}", told.stdout);
    gate.wait_for_arrivals(2, END_DEADLINE);
    eventually(BEGIN_DEADLINE, "the first is stopped", || {
        (!is_alive(step)).then_some(())
    });
    let bad = workers(&cluster).remove(0);
    assert_eq!(bad.status, "quarantined");
    assert_eq!(bad.quarantine.expect("it is said").reason, "odd results");
    gate.open();
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    let attempts = &run.step("hold").attempts;
    assert_eq!(attempts[0].status, AttemptStatus::Lost);
    assert_eq!(attempts[1].worker.as_ref().map(Name::as_str), Some("good"));

    cluster.destroy_worker("good");
    let open = Gate::new(&cluster.sandbox, "open");
    open.open();
    let second = cluster.submit("gate.yml", &["-p", &open.parameter()]);
    cluster.ok(["worker", "release", "bad"]);
    let run = cluster.wait_for_run(&second, RunStatus::Succeeded, END_DEADLINE);
    let attempts = &run.step("hold").attempts;
    let last = attempts.last().expect("there is one");
    assert_eq!(last.worker.as_ref().map(Name::as_str), Some("bad"));
}
