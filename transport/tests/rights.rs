//! What a worker's user may do on RabbitMQ, and what whoever stole its password may not. Needs a broker at `TIDEMILL_TEST_AMQP_URL` (default: a local one)
//! and its `rabbitmqctl`; without them every test here fails. Users and virtual host are the test's own and are removed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use futures_util::FutureExt;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind};
use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tidemill_transport::class::{Sender, WorkerClass};
use tidemill_transport::contract::{PATIENCE, eventually, next, numbered, publish_numbers, take_numbers};
use tidemill_transport::rights;
use tidemill_transport::topology::Topology;
use tidemill_transport::{AmqpBroker, AmqpConfig, Broker, Queue};

/// The password of every user here, and what RabbitMQ keeps of it; both from its documentation.
const PASSWORD: &str = "test12";
const HASH: &str = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";

fn ctl(arguments: &[&str], input: &str) {
    let mut child = Command::new("rabbitmqctl")
        .arg("--quiet")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("rabbitmqctl can be run");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "rabbitmqctl failed");
}

/// A virtual host with a coordinator's user and those of two classes.
#[derive(Debug)]
struct House {
    name: String,
    topology: Topology,
}

impl House {
    fn build() -> Self {
        let name = format!("rights-{}", uuid::Uuid::now_v7().simple());
        let topology = Topology::new(&name).unwrap();
        let class = |name: &str| (name.parse::<WorkerClass>().unwrap(), vec![name.parse().unwrap()]);
        let rights = rights::all(&topology, &BTreeMap::from([class("gpu"), class("cpu")]));
        let users = rights.iter().map(|rights| {
            let algorithm = "rabbit_password_hashing_sha256";
            let user = &rights.user;
            format!(
                r#"{{"name":"{user}","password_hash":"{HASH}","hashing_algorithm":"{algorithm}","tags":""}}"#
            )
        });
        let permissions = rights.iter().map(|rights| {
            let [configure, write, read] =
                [&rights.configure, &rights.write, &rights.read].map(|pattern| pattern.replace('\\', r"\\"));
            let user = &rights.user;
            format!(
                r#"{{"user":"{user}","vhost":"{name}","configure":"{configure}","write":"{write}","read":"{read}"}}"#
            )
        });
        let definitions = format!(
            r#"{{"vhosts":[{{"name":"{name}"}}],"users":[{}],"permissions":[{}]}}"#,
            users.collect::<Vec<_>>().join(","),
            permissions.collect::<Vec<_>>().join(",")
        );
        ctl(&["import_definitions", "--format", "json"], &definitions);
        Self { name, topology }
    }

    fn url(&self, user: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
        let url = std::env::var("TIDEMILL_TEST_AMQP_URL");
        let url = url.unwrap_or_else(|_| "amqp://127.0.0.1:5672".to_owned());
        let uri: AMQPUri = url.parse().unwrap();
        let (host, port) = (uri.authority.host, uri.authority.port);
        format!(
            "amqp://{}-{user}:{PASSWORD}@{host}:{port}/{}",
            self.name, self.name
        )
    }

    async fn broker(&self, user: &str) -> Arc<AmqpBroker> {
        let mut config = AmqpConfig::new(self.url(user), user);
        config.prefix.clone_from(&self.name);
        let broker = AmqpBroker::start(config).unwrap();
        broker.wait_up(PATIENCE).await.expect("these tests need RabbitMQ");
        broker
    }

    fn tear_down(&self) {
        let name = &self.name;
        let program = format!(
            "rabbit_vhost:delete(<<\"{name}\">>, <<\"tests\">>), \
             [rabbit_auth_backend_internal:delete_user(U, <<\"tests\">>) || \
             U <- [<<\"{name}-coordinator\">>, <<\"{name}-worker-gpu\">>, <<\"{name}-worker-cpu\">>]]."
        );
        ctl(&["eval", &program], "");
    }
}

async fn check(test: impl AsyncFnOnce(&House)) {
    let house = House::build();
    let outcome = AssertUnwindSafe(test(&house)).catch_unwind().await;
    house.tear_down();
    if let Err(panicked) = outcome {
        resume_unwind(panicked);
    }
}

async fn is_there(broker: &AmqpBroker, queue: &Queue) {
    eventually("the queue is there", async || broker.depth(queue).await.is_ok()).await;
}

fn tasks(class: &str) -> Queue {
    Queue::Tasks(class.parse().unwrap())
}

fn control(worker: &str) -> Queue {
    Queue::Control(worker.parse().unwrap())
}

/// Whoever has the password, with a connection of his own and no manners.
#[derive(Debug)]
struct Thief {
    connection: Connection,
    topology: Topology,
}

impl Thief {
    async fn of(house: &House) -> Self {
        let (url, properties) = (house.url("worker-gpu"), ConnectionProperties::default());
        Self {
            connection: Connection::connect(&url, properties).await.unwrap(),
            topology: house.topology.clone(),
        }
    }

    fn name(&self, queue: &Queue) -> String {
        self.topology.name(queue)
    }

    /// Tries something on a fresh channel, and is refused for want of a right.
    async fn is_refused<T>(&self, what: &str, attempt: impl AsyncFnOnce(Channel) -> lapin::Result<T>) {
        let channel = self.connection.create_channel().await.unwrap();
        let Err(error) = attempt(channel).await else {
            panic!("nobody refused to {what}");
        };
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            panic!("{what}: {error}");
        };
        assert!(
            matches!(protocol.kind(), AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)),
            "{what}: {error}"
        );
    }

    async fn cannot_publish(&self, exchange: &str, queue: &Queue) {
        let what = format!("publish through {exchange:?} to {queue:?}");
        let key = self.name(queue);
        let publish = async |channel: Channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            let sent = channel.basic_publish(exchange.into(), key.into(), options, b"run this", properties);
            sent.await?.await
        };
        self.is_refused(&what, publish).await;
    }

    async fn cannot_read(&self, queue: &Queue) {
        let name = self.name(queue);
        self.is_refused(&format!("consume {name}"), async |channel: Channel| {
            let options = BasicConsumeOptions::default();
            channel
                .basic_consume(name.as_str().into(), "".into(), options, FieldTable::default())
                .await
        })
        .await;
        self.is_refused(&format!("get from {name}"), async |channel: Channel| {
            channel
                .basic_get(name.as_str().into(), BasicGetOptions::default())
                .await
        })
        .await;
        self.is_refused(&format!("purge {name}"), async |channel: Channel| {
            channel
                .queue_purge(name.as_str().into(), QueuePurgeOptions::default())
                .await
        })
        .await;
    }

    async fn cannot_declare(&self, queue: &str, arguments: FieldTable) {
        self.is_refused(&format!("declare {queue:?}"), async |channel: Channel| {
            let options = QueueDeclareOptions {
                durable: true,
                ..QueueDeclareOptions::default()
            };
            channel.queue_declare(queue.into(), options, arguments).await
        })
        .await;
    }

    async fn cannot_delete(&self, queue: &Queue) {
        let name = self.name(queue);
        self.is_refused(&format!("delete {name}"), async |channel: Channel| {
            channel
                .queue_delete(name.into(), QueueDeleteOptions::default())
                .await
        })
        .await;
    }

    async fn cannot_bind(&self, queue: &Queue, exchange: &str, key: &Queue) {
        let (name, key) = (self.name(queue), self.name(key));
        let what = format!("bind {name} to {exchange} for {key}");
        self.is_refused(&what, async |channel: Channel| {
            let options = QueueBindOptions::default();
            channel
                .queue_bind(
                    name.into(),
                    exchange.into(),
                    key.into(),
                    options,
                    FieldTable::default(),
                )
                .await
        })
        .await;
    }

    async fn cannot_touch_exchanges(&self) {
        for exchange in self.topology.exchanges() {
            self.is_refused(&format!("delete {exchange}"), async |channel: Channel| {
                channel
                    .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
                    .await
            })
            .await;
        }
        let another = format!("{}.another", self.topology.exchange());
        self.is_refused("declare an exchange", async |channel: Channel| {
            let options = ExchangeDeclareOptions::default();
            channel
                .exchange_declare(
                    another.into(),
                    ExchangeKind::Fanout,
                    options,
                    FieldTable::default(),
                )
                .await
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_and_coordinator_can_do_their_work_with_their_own_users() {
    check(async |house| {
        let coordinator = house.broker("coordinator").await;
        coordinator.declare(&tasks("gpu")).await.unwrap();
        coordinator.declare(&Queue::Reports).await.unwrap();
        let mut heartbeats = coordinator.consume(&Queue::Heartbeats, 5).await.unwrap();
        let mut reports = coordinator.consume(&Queue::Reports, 5).await.unwrap();
        let worker = house.broker("worker-gpu").await;
        let mut controls = worker.consume(&control("gpu.box-1"), 5).await.unwrap();
        let mut arrivals = worker.consume(&tasks("gpu"), 5).await.unwrap();

        is_there(&coordinator, &control("gpu.box-1")).await;
        is_there(&coordinator, &Queue::Heartbeats).await;

        publish_numbers(&*coordinator, &tasks("gpu"), 3).await;
        publish_numbers(&*coordinator, &control("gpu.box-1"), 2).await;
        assert_eq!(take_numbers(&mut arrivals, 3).await, [0, 1, 2]);
        assert_eq!(take_numbers(&mut controls, 2).await, [0, 1]);
        publish_numbers(&*worker, &Queue::Reports, 2).await;
        publish_numbers(&*worker, &Queue::Heartbeats, 1).await;
        assert_eq!(take_numbers(&mut reports, 2).await, [0, 1]);
        assert_eq!(take_numbers(&mut heartbeats, 1).await, [0]);

        // What a worker refuses is set aside although it may not write there itself.
        let mut dead = coordinator.consume(&Queue::DeadLetters, 5).await.unwrap();
        coordinator.publish(&tasks("gpu"), numbered(7)).await.unwrap();
        next(&mut arrivals).await.reject(false).await.unwrap();
        assert_eq!(take_numbers(&mut dead, 1).await, [7]);
        worker.close().await;
        coordinator.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reports_is_of_the_class_whose_password_he_has() {
    check(async |house| {
        let coordinator = house.broker("coordinator").await;
        coordinator.declare(&Queue::Reports).await.unwrap();
        let mut reports = coordinator.consume(&Queue::Reports, 5).await.unwrap();
        let worker = house.broker("worker-gpu").await;
        worker.publish(&Queue::Reports, numbered(0)).await.unwrap();
        let honest = next(&mut reports).await;
        assert_eq!(honest.sender, Sender::Class("gpu".parse().unwrap()));

        let thief = Thief::of(house).await;
        let report = async |channel: Channel, properties: BasicProperties| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let (exchange, key) = (thief.topology.inbox(), thief.name(&Queue::Reports));
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish(exchange.into(), key.into(), options, b"a lie", properties);
            sent.await?.await
        };
        let channel = thief.connection.create_channel().await.unwrap();
        report(channel, BasicProperties::default()).await.unwrap();
        assert_eq!(next(&mut reports).await.sender, Sender::Stranger);
        let channel = thief.connection.create_channel().await.unwrap();
        let other = format!("{}-worker-cpu", house.name);
        let pretended = BasicProperties::default().with_user_id(other.as_str().into());
        assert!(
            report(channel, pretended).await.is_err(),
            "the broker vouches for nobody else"
        );
        worker.close().await;
        coordinator.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_worker_password_publishes_no_task_reads_no_other_class_and_changes_nothing() {
    check(async |house| {
        let coordinator = house.broker("coordinator").await;
        for queue in [tasks("gpu"), tasks("cpu"), Queue::Reports, Queue::DeadLetters] {
            coordinator.declare(&queue).await.unwrap();
        }
        let _heartbeats = coordinator.consume(&Queue::Heartbeats, 5).await.unwrap();
        coordinator.publish(&tasks("cpu"), numbered(1)).await.unwrap();
        coordinator.publish(&tasks("gpu"), numbered(2)).await.unwrap();
        let cpu = house.broker("worker-cpu").await;
        let _controls = cpu.consume(&control("cpu.box-1"), 5).await.unwrap();
        let gpu = house.broker("worker-gpu").await;
        let _own = gpu.consume(&control("gpu.box-1"), 5).await.unwrap();

        let thief = Thief::of(house).await;
        let main = house.topology.exchange();
        for queue in [
            tasks("gpu"),
            tasks("cpu"),
            control("cpu.box-1"),
            Queue::DeadLetters,
        ] {
            thief.cannot_publish(main, &queue).await;
            thief.cannot_publish("", &queue).await;
        }
        for queue in [
            tasks("cpu"),
            control("cpu.box-1"),
            Queue::Reports,
            Queue::Heartbeats,
            Queue::DeadLetters,
        ] {
            thief.cannot_read(&queue).await;
            thief.cannot_delete(&queue).await;
            // Its own queue would hear what others are sent.
            thief.cannot_bind(&control("gpu.box-1"), main, &queue).await;
            thief
                .cannot_bind(&control("gpu.box-1"), &house.topology.inbox(), &queue)
                .await;
        }
        thief.cannot_delete(&tasks("gpu")).await;
        thief
            .cannot_declare(&thief.name(&tasks("new")), FieldTable::default())
            .await;
        thief
            .cannot_declare(&thief.name(&control("cpu.new")), FieldTable::default())
            .await;
        thief.cannot_declare("", FieldTable::default()).await;
        // A queue of its own that hands what expires to the tasks' exchange would publish for it.
        let mut laundry = FieldTable::default();
        laundry.insert(
            "x-dead-letter-exchange".into(),
            AMQPValue::LongString(main.into()),
        );
        thief
            .cannot_declare(&thief.name(&control("gpu.laundry")), laundry)
            .await;
        thief.cannot_touch_exchanges().await;

        // What is left to it: to empty its own class's queue, which the coordinator notices and repairs.
        assert_eq!(gpu.purge(&tasks("gpu")).await.unwrap(), 1);
        let untouched = async || {
            let depth = coordinator.depth(&tasks("cpu")).await;
            depth.is_ok_and(|depth| depth.ready == 1)
        };
        eventually("nobody else's task is gone", untouched).await;
        thief.connection.close(200, "caught".into()).await.unwrap();
        for broker in [cpu, gpu, coordinator] {
            broker.close().await;
        }
    })
    .await;
}
