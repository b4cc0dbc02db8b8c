//! A cluster whose parts have RabbitMQ users of their own, made by `tidemill broker setup`: pipelines run, and what a worker's password can still break mends.

use bytes::Bytes;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use testkit::{
    BEGIN_DEADLINE, BrokerAccess, Cluster, END_DEADLINE, Gate, Steps, Store, WorkerPlan, eventually,
};
use tidemill_protocol::codec;
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::wire::{Audience, Kind, ReportBatch, seal_unsigned};
use tidemill_transport::{AmqpBroker, AmqpConfig, Broker, BrokerError, Queue, contract};

/// The exit code of a failure that has no code of its own.
const FAILURE: i32 = 1;

const WORKER: WorkerPlan = WorkerPlan {
    name: "cpu.one",
    compute: &["cpu-cluster:cpu"],
    slots: 1,
};

/// Users and a virtual host on the shared broker; they go with the value.
#[derive(Debug)]
struct Users {
    prefix: String,
}

impl Users {
    /// As an operator does it.
    fn set_up(cluster: &Cluster) -> Self {
        let prefix = cluster.prefix().to_owned();
        let users = Self { prefix };
        let vhost = users.vhost();
        let setup = [
            "broker",
            "setup",
            "--vhost",
            &vhost,
            "--queue-prefix",
            &users.prefix,
            "--apply",
        ];
        let workers = ["--worker", "cpu=cpu-cluster", "--passwords", "passwords"];
        let done = cluster.ok(setup.into_iter().chain(workers));
        for user in ["coordinator", "worker-cpu"] {
            let password = users.password(cluster, user);
            assert!(
                !done.to_string().contains(&password),
                "a password is never printed"
            );
        }
        users
    }

    fn vhost(&self) -> String {
        format!("vhost-{}", self.prefix)
    }

    fn password(&self, cluster: &Cluster, user: &str) -> String {
        let file = cluster
            .sandbox
            .path()
            .join(format!("passwords/{}-{user}.password", self.prefix));
        let mode = fs::metadata(&file).expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "only its owner reads it");
        fs::read_to_string(&file).expect("it is text").trim().to_owned()
    }

    fn url(&self, cluster: &Cluster, user: &str) -> String {
        let password = self.password(cluster, user);
        let vhost = self.vhost();
        format!("amqp://{}-{user}:{password}@127.0.0.1:5672/{vhost}", self.prefix)
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        let (prefix, vhost) = (&self.prefix, self.vhost());
        let program = format!(
            "rabbit_vhost:delete(<<\"{vhost}\">>, <<\"tests\">>), \
             [rabbit_auth_backend_internal:delete_user(U, <<\"tests\">>) || \
             U <- [<<\"{prefix}-coordinator\">>, <<\"{prefix}-worker-cpu\">>]]."
        );
        let mut command = Command::new("rabbitmqctl");
        command
            .args(["--quiet", "eval", &program])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.status().ok();
    }
}

fn purge(url: &str, prefix: &str) -> u64 {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let mut config = AmqpConfig::new(url, "thief");
        prefix.clone_into(&mut config.prefix);
        let broker = AmqpBroker::start(config).expect("the address is sound");
        broker.wait_up(BEGIN_DEADLINE).await.expect("the broker is there");
        let target = "cpu-cluster".parse().expect("is a name");
        let purged = broker.purge(&Queue::Tasks(target)).await.expect("it may do that");
        broker.close().await;
        purged
    })
}

/// A message in the name of a worker of another class, with a password of this one.
async fn forge(url: &str, prefix: &str) {
    let mut config = AmqpConfig::new(url, "thief");
    prefix.clone_into(&mut config.prefix);
    let broker = AmqpBroker::start(config).expect("the address is sound");
    broker.wait_up(BEGIN_DEADLINE).await.expect("the broker is there");
    let forged = codec::encode(&ReportBatch {
        worker: "gpu.box-1".parse().expect("is a name"),
        incarnation: 1,
        first_sequence: 1,
        reports: Vec::new(),
    });
    let sealed = seal_unsigned(Kind::Reports, Audience::coordinator(), &forged).expect("it is small");
    let sealed: Bytes = sealed.into();
    contract::eventually("the coordinator's queue takes it", async || {
        match broker.publish(&Queue::Reports, sealed.clone()).await {
            Ok(()) => true,
            Err(BrokerError::Unroutable) => false,
            Err(error) => panic!("it may write there: {error}"),
        }
    })
    .await;
    broker.close().await;
}

async fn metrics(url: &str) -> Option<String> {
    let answer = reqwest::get(format!("{url}/metrics")).await.ok()?;
    answer.text().await.ok()
}

#[test]
fn a_report_in_the_name_of_another_classes_worker_is_set_aside_and_counted() {
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    let users = Users::set_up(&cluster);
    cluster.reach_broker_at(users.url(&cluster, "coordinator"));
    cluster.start_coordinator();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let stolen = users.url(&cluster, "worker-cpu");
    runtime.block_on(forge(&stolen, cluster.prefix()));
    eventually(BEGIN_DEADLINE, "the forgery is counted", || {
        let text = runtime.block_on(metrics(&cluster.url()))?;
        text.contains("tidemill_reports_refused_total 1").then_some(())
    });
}

#[test]
fn a_cluster_works_with_users_of_least_rights_and_repairs_a_purge_by_one_of_them() {
    let mut cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    let users = Users::set_up(&cluster);
    cluster.reach_broker_at(users.url(&cluster, "coordinator"));
    cluster.start_coordinator();
    let stolen = users.url(&cluster, "worker-cpu");
    cluster.start_worker_with(WORKER, &[("TIDEMILL_QUEUE_URL", stolen.clone())]);
    cluster.wait_for_workers(1);

    // The one slot is taken, so the second run's task lies in the queue.
    let gate = Gate::new(&cluster.sandbox, "gate");
    let first = cluster.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, BEGIN_DEADLINE);
    let open = Gate::new(&cluster.sandbox, "open");
    open.open();
    let second = cluster.submit("gate.yml", &["-p", &open.parameter()]);
    eventually(BEGIN_DEADLINE, "the second task is published", || {
        let run = cluster.run(&second);
        (run.step("hold").status == StepStatus::Dispatched).then_some(())
    });
    let purged = eventually(BEGIN_DEADLINE, "the queue holds the task", || {
        Some(purge(&stolen, cluster.prefix())).filter(|purged| *purged > 0)
    });
    assert_eq!(purged, 1);
    // A coordinator that starts compares at once; one that runs does it every few seconds.
    cluster.kill_coordinator();
    cluster.start_coordinator();
    gate.open();
    cluster.wait_for_run(&first, RunStatus::Succeeded, END_DEADLINE);
    let run = cluster.wait_for_run(&second, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(
        run.step("hold").attempts.len(),
        1,
        "the same attempt was published again"
    );
}

#[test]
fn a_worker_that_is_not_named_after_its_class_is_told_so() {
    let sandbox = testkit::Sandbox::new();
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let worker = [
        "worker",
        "start",
        "--worker-id",
        "box-1",
        "--compute",
        "gpu",
        "--coordinator-key",
        key,
    ];
    let broker = ["--queue-url", "amqp://tidemill-worker-gpu:secret@127.0.0.1:1/%2f"];
    let refused = sandbox
        .tidemill(worker.into_iter().chain(broker))
        .expect_code(FAILURE);
    assert!(refused.stderr.contains("gpu.box-1"), "{refused}");
    assert!(!refused.stderr.contains("secret"), "{refused}");
}

#[test]
fn without_apply_nothing_is_done_and_what_to_type_is_printed() {
    let sandbox = testkit::Sandbox::new();
    let setup = [
        "broker", "setup", "--vhost", "it's", "--worker", "gpu=a.b", "--worker", "cpu",
    ];
    let printed = sandbox.ok(setup).stdout;
    for wanted in [
        r"rabbitmqctl add_vhost 'it'\''s'",
        "rabbitmqctl add_user 'tidemill-worker-gpu' < '",
        r"'^(tidemill\.tasks\.a\.b|tidemill\.control\.gpu\..*)$'",
        r"'^tidemill\.inbox$'",
    ] {
        assert!(printed.contains(wanted), "{wanted:?} is missing in\n{printed}");
    }
    let definitions = sandbox.ok(setup.into_iter().chain(["-o", "json"]));
    let definitions: serde_json::Value = definitions.json();
    assert_eq!(definitions["users"].as_array().map(Vec::len), Some(3));
    let refused = sandbox
        .tidemill(["broker", "setup", "--worker", "g.pu"])
        .expect_code(2);
    assert!(refused.stderr.contains("letters, digits"), "{refused}");
}
