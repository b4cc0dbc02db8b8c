//! Webhooks from end to end: a real process tells a real receiver, signed; what was answered with an error is told again, and what ended while nobody was there is
//! told after a restart.

use super::outsiders::Outsider;
use serde_json::Value;
use testkit::{END_DEADLINE, Sandbox, Up, eventually};
use tidemill_protocol::status::RunStatus;

const RECEIVER: &str = include_str!("receiver.py");
const KEY: &str = "a key of some length";
const PIPELINE: &str = "
type: pipeline
name: train
jobs:
  fit:
    command: echo done > ${{outputs.o}}
    outputs: {o: {type: uri_file}}
";

fn receive(sandbox: &Sandbox, port: u16, failing: &str) -> Outsider {
    let script = ("python3".into(), "receiver.py", RECEIVER);
    Outsider::start(sandbox, script, port, &[KEY, failing])
}

fn deliveries(up: &Up<'_>, count: usize) -> Vec<Value> {
    eventually(END_DEADLINE, &format!("{count} deliveries are settled"), || {
        let all: Vec<Value> = up.ok(["webhook", "deliveries", "chat", "-o", "json"]).items();
        (all.len() >= count).then_some(all)
    })
}

#[test]
fn a_receiver_hears_each_end_signed_again_after_an_error_and_later_after_a_restart() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox.write(
        "tidemill.toml",
        "webhook_allow = [\"127.0.0.1\"]\nlog = \"info\"\n",
    );
    let receiver = receive(&sandbox, 0, "1");
    let port = receiver.port;
    let up = Up::start(&sandbox, "up.log");
    let mut set = sandbox.command(["secret", "set", "key"]);
    drop(sandbox.finish_with_input(&mut set, KEY.as_bytes()).expect_code(0));
    let url = format!("http://127.0.0.1:{port}/hook");
    up.ok([
        "webhook",
        "add",
        "chat",
        &url,
        "--secret",
        "key",
        "--pipeline",
        "train",
    ]);
    let first = up.submit("pipeline.yml", &[]);
    up.wait_for_run(&first, RunStatus::Succeeded, END_DEADLINE);
    let heard = receiver.wait_for(2);
    assert!(heard.iter().all(|call| call["ours"] == true), "{heard:?}");
    assert_eq!(
        (&heard[0]["status"], &heard[1]["status"]),
        (&500.into(), &204.into())
    );
    assert_eq!(
        heard[0]["delivery"], heard[1]["delivery"],
        "it is the same telling"
    );
    assert_eq!(
        (&heard[1]["body"]["event"], &heard[1]["body"]["run"]["id"]),
        (&"run_ended".into(), &first.clone().into())
    );
    let told = deliveries(&up, 1);
    assert_eq!(
        (&told[0]["tries"], &told[0]["outcome"]["delivered"]["status"]),
        (&2.into(), &204.into())
    );

    receiver.end();
    let second = up.submit("pipeline.yml", &["--no-cache"]);
    up.wait_for_run(&second, RunStatus::Succeeded, END_DEADLINE);
    eventually(END_DEADLINE, "it was told in vain", || {
        up.daemon().log().contains("does not answer").then_some(())
    });
    up.kill();
    let receiver = receive(&sandbox, port, "0");
    let up = Up::start(&sandbox, "up.log");
    let heard = receiver.wait_for(1);
    assert_eq!(heard[0]["body"]["run"]["id"], serde_json::json!(second));
    let told = deliveries(&up, 2);
    assert!(told[0]["about"].as_str().unwrap().contains(&second), "{told:?}");
    assert_eq!(
        receiver.taken().len(),
        1,
        "what was taken before is not told again"
    );
}
