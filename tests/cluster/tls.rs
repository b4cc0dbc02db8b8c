//! RabbitMQ over TLS: with the authority that vouches for it everything works, and without it nobody talks to it.

use std::net::{Ipv4Addr, SocketAddr};
use testkit::{Authority, BrokerAccess, Cluster, END_DEADLINE, Relay, Sandbox, Steps, Store, WorkerPlan};
use tidemill_protocol::status::RunStatus;

/// Where `scripts/test` starts RabbitMQ.
const RABBITMQ: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5672);
/// The exit codes of a command line that is wrong, and of something that cannot be reached.
const USAGE: i32 = 2;
const UNREACHABLE: i32 = 8;

const ONE: WorkerPlan = WorkerPlan {
    name: "one",
    compute: &["cpu:cpu"],
    slots: 1,
};

const PIPELINE: &str = "
type: pipeline
settings: {default_compute: azureml:cpu}
jobs:
  greet:
    command: echo over TLS > ${{outputs.words}}
    outputs: {words: {type: uri_file}}
";

fn url(relay: &Relay) -> String {
    format!("amqps://guest:guest@localhost:{}", relay.port())
}

#[test]
fn a_cluster_works_over_tls_when_it_is_told_the_authority() {
    let authority = Authority::new("of this cluster");
    let relay = Relay::tls(RABBITMQ, &authority);
    let files = Sandbox::new();
    let broker = BrokerAccess {
        url: url(&relay),
        authorities: Some(authority.write(&files, "ca.pem")),
    };
    let cluster = Cluster::start_over(broker, Store::Folder, &[ONE]);
    cluster.sandbox.write("pipeline.yml", PIPELINE);
    let id = cluster.submit("pipeline.yml", &[]);
    let run = cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.executed(), ["greet"]);
    assert_eq!(
        cluster.ok(["artifacts", "cat", "last/greet/words"]).stdout,
        "over TLS\n"
    );
    assert!(relay.sent() > 0, "it went through the relay");

    let other = Authority::new("of nobody").write(&files, "other.pem");
    let (url, coordinator) = (url(&relay), cluster.url());
    let worker = [
        "worker",
        "start",
        "--compute",
        "cpu",
        "--coordinator-url",
        &coordinator,
    ];
    let broker = ["--queue-url", &url, "--queue-ca", &other.display().to_string()].map(str::to_owned);
    let all = worker.iter().map(|text| (*text).to_owned()).chain(broker);
    let refused = files.tidemill(all).expect_code(UNREACHABLE);
    assert!(refused.stderr.contains("other.pem"), "{refused}");
}

#[test]
fn a_broker_that_no_known_authority_vouches_for_is_refused_with_help() {
    let authority = Authority::new("of nobody known");
    let relay = Relay::tls(RABBITMQ, &authority);
    let sandbox = Sandbox::new();
    let url = url(&relay);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--queue-url", &url];
    let refused = sandbox.tidemill(serve).expect_code(UNREACHABLE);
    for wanted in [
        "localhost",
        "not trusted",
        "UnknownIssuer",
        "help: ",
        "--queue-ca",
    ] {
        assert!(
            refused.stderr.contains(wanted),
            "{wanted:?} is missing in {refused}"
        );
    }
    assert!(
        !refused.stderr.contains("guest:guest"),
        "a password is never shown: {refused}"
    );

    let doctor = sandbox.tidemill(["doctor", "--queue-url", &url]).expect_code(1);
    assert!(
        doctor.stdout.contains("not trusted") && doctor.stdout.contains("--queue-ca"),
        "{doctor}"
    );

    // The host in the address counts too, even when the authority is known.
    let file = authority.write(&sandbox, "ca.pem").display().to_string();
    let elsewhere = url.replace("localhost", "0.0.0.0");
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--queue-url",
        &elsewhere,
        "--queue-ca",
        &file,
    ];
    let refused = sandbox.tidemill(serve).expect_code(UNREACHABLE);
    assert!(refused.stderr.contains("not valid for"), "{refused}");
    assert!(refused.stderr.contains("the host in the URL"), "{refused}");
}

#[test]
fn a_broker_whose_certificate_has_expired_is_refused_although_its_authority_is_known() {
    let authority = Authority::new("of this cluster");
    let relay = Relay::tls_expired(RABBITMQ, &authority);
    let sandbox = Sandbox::new();
    let file = authority.write(&sandbox, "ca.pem").display().to_string();
    let url = url(&relay);
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--queue-url",
        &url,
        "--queue-ca",
        &file,
    ];
    let key = "00".repeat(32);
    let worker = [
        "worker",
        "start",
        "--compute",
        "cpu",
        "--coordinator-key",
        &key,
        "--queue-url",
        &url,
        "--queue-ca",
        &file,
    ];
    for command in [&serve[..], &worker[..]] {
        let refused = sandbox.tidemill(command).expect_code(UNREACHABLE);
        for wanted in ["cannot be trusted", "xpired"] {
            assert!(
                refused.stderr.contains(wanted),
                "{wanted:?} is missing in {refused}"
            );
        }
    }
}

#[test]
fn a_settings_file_names_the_authority_beside_itself() {
    let authority = Authority::new("of this project");
    let relay = Relay::tls(RABBITMQ, &authority);
    let sandbox = Sandbox::new();
    authority.write(&sandbox, "settings/ca.pem");
    let settings = format!("queue_url = \"{}\"\nqueue_ca = \"ca.pem\"\n", url(&relay));
    sandbox.write("settings/all.toml", &settings);
    let doctor = sandbox.ok(["doctor", "--config", "settings/all.toml"]);
    assert!(doctor.stdout.contains("answers"), "{doctor}");
}

#[test]
fn an_authority_that_is_no_use_is_a_mistake_and_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write("empty.pem", "nothing\n");
    let refuse = |url: &str, file: &str, wanted: &str| {
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--queue-url",
            url,
            "--queue-ca",
            file,
        ];
        let refused = sandbox.tidemill(serve).expect_code(USAGE);
        assert!(
            refused.stderr.contains(wanted),
            "{wanted:?} is missing in {refused}"
        );
    };
    refuse("amqps://localhost:1", "gone.pem", "gone.pem");
    refuse("amqps://localhost:1", "empty.pem", "no certificate in");
    refuse("amqp://localhost:1", "empty.pem", "not encrypted");
}
