//! The bus over RabbitMQ keeps the contract, and survives what networks and brokers do. Needs a broker at `TIDEMILL_TEST_AMQP_URL`
//! (default: a local one); without it every test here fails. Each test has a prefix of its own and removes what it made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use async_trait::async_trait;
use futures_util::FutureExt;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use std::panic::AssertUnwindSafe;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use tidemill_transport::contract::{
    self, FaultProxy, Flow, PATIENCE, Subject, control, eventually, next, nothing, number, numbered,
    publish_numbers, take_numbers, tasks,
};
use tidemill_transport::topology::Topology;
use tidemill_transport::{AmqpBroker, AmqpConfig, Broker, BrokerError, Link, Queue};
use tokio::time::timeout;

#[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
fn broker_url() -> String {
    std::env::var("TIDEMILL_TEST_AMQP_URL")
        .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned())
}

/// A bus under test, behind a proxy.
#[derive(Debug)]
struct Rabbit {
    broker: Arc<AmqpBroker>,
    proxy: FaultProxy,
    topology: Topology,
}

impl Rabbit {
    async fn start(tune: impl FnOnce(&mut AmqpConfig)) -> Self {
        let mut uri: AMQPUri = broker_url()
            .parse()
            .expect("TIDEMILL_TEST_AMQP_URL is an AMQP URL");
        let upstream = format!("{}:{}", uri.authority.host, uri.authority.port);
        let proxy = FaultProxy::start(upstream).await.unwrap();
        uri.authority.host = proxy.address().ip().to_string();
        uri.authority.port = proxy.address().port();
        let mut config = AmqpConfig::new(uri.to_string(), "contract");
        config.prefix = format!("test-{}", uuid::Uuid::now_v7().simple());
        tune(&mut config);
        let topology = Topology::new(&config.prefix).unwrap();
        let broker = AmqpBroker::start(config).unwrap();
        broker
            .wait_up(PATIENCE)
            .await
            .expect("these tests need RabbitMQ: start one, or set TIDEMILL_TEST_AMQP_URL");
        Self {
            broker,
            proxy,
            topology,
        }
    }

    /// A connection of the operator's, around the proxy.
    async fn operator() -> Connection {
        Connection::connect(&broker_url(), ConnectionProperties::default())
            .await
            .unwrap()
    }

    async fn clean_up(&self) {
        self.broker.close().await;
        let operator = Self::operator().await;
        let channel = operator.create_channel().await.unwrap();
        for queue in contract::queues() {
            let name = self.topology.name(&queue).into();
            channel
                .queue_delete(name, QueueDeleteOptions::default())
                .await
                .unwrap();
        }
        for exchange in self.topology.exchanges() {
            channel
                .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
                .await
                .unwrap();
        }
    }

    async fn eventually_link(&self, what: &str, is_so: impl Fn(&Link) -> bool) {
        let link = self.broker.link();
        eventually(what, async || is_so(&link.borrow())).await;
    }
}

#[async_trait]
impl Subject for Rabbit {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::<AmqpBroker>::clone(&self.broker)
    }

    async fn delete(&self, queue: &Queue) {
        let operator = Self::operator().await;
        let channel = operator.create_channel().await.unwrap();
        let name = self.topology.name(queue).into();
        channel
            .queue_delete(name, QueueDeleteOptions::default())
            .await
            .unwrap();
    }
}

async fn check(tune: impl FnOnce(&mut AmqpConfig), test: impl AsyncFnOnce(&Rabbit)) {
    let rabbit = Rabbit::start(tune).await;
    let outcome = AssertUnwindSafe(test(&rabbit)).catch_unwind().await;
    rabbit.clean_up().await;
    if let Err(panicked) = outcome {
        resume_unwind(panicked);
    }
}

fn as_it_is(_: &mut AmqpConfig) {}

fn impatient(config: &mut AmqpConfig) {
    config.heartbeat = Duration::from_secs(2);
    config.call_timeout = Duration::from_secs(2);
    config.publish_timeout = Duration::from_secs(15);
}

/// One test for each promise of the contract.
macro_rules! promises {
    ($($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            check(as_it_is, async |rabbit| contract::$name(rabbit).await).await;
        }
    )*};
}

tidemill_transport::each_promise!(promises);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_and_consumers_survive_cut_connections() {
    check(impatient, async |rabbit| {
        let broker = &rabbit.broker;
        broker.declare(&tasks()).await.unwrap();
        let mut consumer = broker.consume(&tasks(), 2).await.unwrap();
        publish_numbers(&**broker, &tasks(), 2).await;
        let held = next(&mut consumer).await;
        let again = number(&held);
        next(&mut consumer).await.ack().await.unwrap();
        // The window is full until the broker has heard of that: what comes now proves that it has, and a cut cannot take it back.
        broker.publish(&tasks(), numbered(50)).await.unwrap();
        assert_eq!(number(&next(&mut consumer).await), 50);

        for round in 0..3 {
            let before = broker.link().has_changed();
            assert!(before.is_ok());
            rabbit.proxy.refuse(true);
            rabbit.proxy.cut();
            rabbit
                .eventually_link("the cut is noticed", |link| matches!(link, Link::Down(_)))
                .await;
            rabbit.proxy.refuse(false);
            // Sent while there is no connection: waits for one.
            broker.publish(&tasks(), numbered(100 + round)).await.unwrap();
            rabbit
                .eventually_link("a new connection", |link| *link == Link::Up)
                .await;
        }
        assert!(matches!(held.ack().await, Err(BrokerError::Stale)));
        let seen = take_numbers(&mut consumer, 5).await;
        assert_eq!(seen, [again, 50, 100, 101, 102]);
        nothing(&mut consumer).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_is_waited_for() {
    check(impatient, async |rabbit| {
        let broker = &rabbit.broker;
        broker.declare(&tasks()).await.unwrap();
        rabbit.proxy.refuse(true);
        rabbit.proxy.cut();
        rabbit
            .eventually_link("the cut is noticed", |link| matches!(link, Link::Down(_)))
            .await;
        assert!(matches!(
            broker.declare(&tasks()).await,
            Err(BrokerError::Disconnected(_))
        ));
        let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
        nothing(&mut consumer).await;
        rabbit.proxy.refuse(false);
        broker.wait_up(PATIENCE).await.unwrap();
        publish_numbers(&**broker, &tasks(), 1).await;
        assert_eq!(take_numbers(&mut consumer, 1).await, [0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_noticed_in_either_direction() {
    check(impatient, async |rabbit| {
        let broker = &rabbit.broker;
        broker.declare(&tasks()).await.unwrap();
        let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
        let holds: [fn(&FaultProxy, Flow); 2] = [FaultProxy::to_broker, FaultProxy::to_client];
        for (number, hold) in holds.into_iter().enumerate() {
            hold(&rabbit.proxy, Flow::Hold);
            rabbit
                .eventually_link("the silence is noticed", |link| matches!(link, Link::Down(_)))
                .await;
            hold(&rabbit.proxy, Flow::Pass);
            broker.wait_up(PATIENCE).await.unwrap();
            broker.publish(&tasks(), numbered(number as u64)).await.unwrap();
            assert_eq!(take_numbers(&mut consumer, 1).await, [number as u64]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_network_only_takes_longer() {
    check(as_it_is, async |rabbit| {
        let broker = &rabbit.broker;
        broker.declare(&tasks()).await.unwrap();
        rabbit.proxy.to_broker(Flow::Delay(Duration::from_millis(40)));
        rabbit.proxy.to_client(Flow::Delay(Duration::from_millis(40)));
        let mut consumer = broker.consume(&tasks(), 10).await.unwrap();
        publish_numbers(&**broker, &tasks(), 5).await;
        assert_eq!(take_numbers(&mut consumer, 5).await, [0, 1, 2, 3, 4]);
        nothing(&mut consumer).await;
        assert_eq!(*broker.link().borrow(), Link::Up);
    })
    .await;
}

/// A method frame of the broker's on channel 0: `connection.blocked` (60) or `connection.unblocked` (61).
fn connection_frame(method: u8, arguments: &[u8]) -> Vec<u8> {
    let size = u32::try_from(4 + arguments.len()).unwrap().to_be_bytes();
    let mut frame = vec![1, 0, 0];
    frame.extend(size);
    frame.extend([0, 10, 0, method]);
    frame.extend(arguments);
    frame.push(0xCE);
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_holds_publishes_back_until_it_is_over() {
    check(as_it_is, async |rabbit| {
        let broker = &rabbit.broker;
        broker.declare(&tasks()).await.unwrap();
        let mut consumer = broker.consume(&tasks(), 5).await.unwrap();
        publish_numbers(&**broker, &tasks(), 1).await;
        let held = next(&mut consumer).await;

        let mut arguments = vec![u8::try_from("low on memory".len()).unwrap()];
        arguments.extend(b"low on memory");
        rabbit.proxy.inject(&connection_frame(60, &arguments));
        rabbit
            .eventually_link(
                "the alarm is shown",
                |link| matches!(link, Link::Blocked(why) if why == "low on memory"),
            )
            .await;
        let queue = tasks();
        let mut publishing = broker.publish(&queue, numbered(9));
        assert!(
            timeout(Duration::from_millis(300), &mut publishing)
                .await
                .is_err()
        );
        rabbit.proxy.inject(&connection_frame(61, &[]));
        publishing.await.unwrap();
        rabbit
            .eventually_link("the alarm is over", |link| *link == Link::Up)
            .await;
        held.ack().await.unwrap();
        assert_eq!(take_numbers(&mut consumer, 1).await, [9]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_that_lasts_ends_the_connections() {
    // Long enough to be seen on a machine that stalls for a moment.
    let soon = |config: &mut AmqpConfig| config.blocked_timeout = Duration::from_secs(5);
    check(soon, async |rabbit| {
        rabbit.proxy.inject(&connection_frame(60, &[0]));
        rabbit
            .eventually_link("the alarm is shown", |link| matches!(link, Link::Blocked(_)))
            .await;
        rabbit.proxy.refuse(true);
        rabbit
            .eventually_link("the connections end", |link| matches!(link, Link::Down(_)))
            .await;
        rabbit.proxy.refuse(false);
        rabbit.broker.wait_up(PATIENCE).await.unwrap();
        rabbit.broker.declare(&tasks()).await.unwrap();
        publish_numbers(&*rabbit.broker, &tasks(), 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_declared_comes_back_by_itself() {
    check(impatient, async |rabbit| {
        let broker = &rabbit.broker;
        broker.declare(&tasks()).await.unwrap();
        rabbit.delete(&tasks()).await;
        assert!(matches!(
            broker.publish(&tasks(), numbered(0)).await,
            Err(BrokerError::Unroutable)
        ));
        eventually("the canary restores the queue", async || {
            broker.publish(&tasks(), numbered(1)).await.is_ok()
        })
        .await;
        let mut consumer = broker.consume(&tasks(), 5).await.unwrap();
        assert_eq!(take_numbers(&mut consumer, 1).await, [1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_outlives_a_queue_that_is_swapped_under_it() {
    let soon = |config: &mut AmqpConfig| config.idle_renewal = Duration::from_secs(1);
    check(soon, async |rabbit| {
        let broker = &rabbit.broker;
        broker.declare(&tasks()).await.unwrap();
        let mut consumer = broker.consume(&tasks(), 5).await.unwrap();
        for _ in 0..3 {
            publish_numbers(&**broker, &tasks(), 2).await;
            assert_eq!(take_numbers(&mut consumer, 2).await, [0, 1]);
            rabbit.delete(&tasks()).await;
            broker.declare(&tasks()).await.unwrap();
        }
        nothing(&mut consumer).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_up_serves_at_once() {
    for _ in 0..30 {
        check(as_it_is, async |rabbit| {
            let mut listener = rabbit.broker.consume(&control(), 1).await.unwrap();
            publish_numbers(&*rabbit.broker, &control(), 1).await;
            assert_eq!(take_numbers(&mut listener, 1).await, [0]);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribing_to_a_queue_that_is_being_made_costs_no_connection() {
    for _ in 0..20 {
        check(as_it_is, async |rabbit| {
            let mut link = rabbit.broker.link();
            link.mark_unchanged();
            let listen = async || rabbit.broker.consume(&tasks(), 1).await.unwrap();
            let making = async || rabbit.broker.declare(&tasks()).await.unwrap();
            let _listeners = tokio::join!(listen(), listen(), listen(), making());
            publish_numbers(&*rabbit.broker, &tasks(), 1).await;
            assert!(!link.has_changed().unwrap(), "{:?}", *link.borrow());
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_another_shape_is_refused() {
    check(as_it_is, async |rabbit| {
        let operator = Rabbit::operator().await;
        let channel = operator.create_channel().await.unwrap();
        let name = rabbit.topology.name(&tasks()).into();
        channel
            .queue_declare(name, QueueDeclareOptions::default(), FieldTable::default())
            .await
            .unwrap();
        assert!(matches!(
            rabbit.broker.declare(&tasks()).await,
            Err(BrokerError::Refused(_))
        ));
        // The refusal is that queue's alone.
        let mut listener = rabbit.broker.consume(&control(), 1).await.unwrap();
        rabbit.broker.publish(&control(), numbered(3)).await.unwrap();
        assert_eq!(take_numbers(&mut listener, 1).await, [3]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_prefixes_share_a_broker_unnoticed() {
    check(as_it_is, async |left| {
        check(as_it_is, async |right| {
            left.broker.declare(&tasks()).await.unwrap();
            right.broker.declare(&tasks()).await.unwrap();
            publish_numbers(&*left.broker, &tasks(), 1).await;
            let mut other = right.broker.consume(&tasks(), 1).await.unwrap();
            nothing(&mut other).await;
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_an_error_with_a_reason() {
    let mut config = AmqpConfig::new("amqp://guest:s3cret@127.0.0.1:1/%2f", "test");
    config.call_timeout = Duration::from_millis(500);
    config.publish_timeout = Duration::from_millis(500);
    let broker = AmqpBroker::start(config).unwrap();
    for refused in [
        broker.wait_up(Duration::from_millis(500)).await,
        broker.declare(&tasks()).await,
        broker.publish(&tasks(), numbered(0)).await,
    ] {
        let Err(BrokerError::Disconnected(why)) = refused else {
            panic!("a connection to nothing: {refused:?}");
        };
        assert!(!why.contains("s3cret"));
    }
    broker.close().await;
}

#[tokio::test]
async fn of_several_addresses_the_next_one_is_taken_when_one_is_lost() {
    let uri: AMQPUri = broker_url().parse().unwrap();
    let upstream = format!("{}:{}", uri.authority.host, uri.authority.port);
    let other = FaultProxy::start(upstream).await.unwrap();
    other.refuse(true);
    let mut second = uri;
    second.authority.host = other.address().ip().to_string();
    second.authority.port = other.address().port();
    let both = |config: &mut AmqpConfig| config.url = format!("{second},{}", config.url);
    // The first of the two refuses: the bus comes up all the same.
    let rabbit = Rabbit::start(both).await;
    let queue = tasks();
    rabbit.broker.declare(&queue).await.unwrap();
    let mut consumer = rabbit.broker.consume(&queue, 10).await.unwrap();
    for number in 0..4 {
        // Whoever serves is lost, and the other one is there again.
        let (lost, found) = if number % 2 == 0 {
            (&rabbit.proxy, &other)
        } else {
            (&other, &rabbit.proxy)
        };
        found.refuse(false);
        lost.refuse(true);
        lost.cut();
        eventually("a message goes through the other address", async || {
            rabbit.broker.publish(&queue, numbered(number)).await.is_ok()
        })
        .await;
        loop {
            let delivery = next(&mut consumer).await;
            let is_it = self::number(&delivery) == number;
            delivery.ack().await.ok();
            if is_it {
                break;
            }
        }
    }
    rabbit.proxy.refuse(false);
    rabbit.clean_up().await;
}
