//! Steps that tidemill does itself, through the binary: files are copied to a folder and to a bucket, once and once more; models are registered with the way back to the
//! step that made them.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use testkit::{END_DEADLINE, S3Server, Sandbox, Steps, Up};
use tidemill_protocol::api::VersionView;
use tidemill_protocol::status::RunStatus;

/// The exit code of a run that ended badly.
const ENDED_BADLY: i32 = 5;

const COPY: &str = "
type: pipeline
inputs: {version: {type: string, default: v1}}
settings: {default_compute: local}
jobs:
  make:
    command: mkdir -p ${{outputs.files}}/deep && printf 1 > ${{outputs.files}}/a.txt && printf 22 > ${{outputs.files}}/deep/b.txt && printf 333 > ${{outputs.one}}
    outputs: {files: {type: uri_folder}, one: {type: uri_file}}
  folder:
    type: copy
    inputs: {source: '${{parent.jobs.make.outputs.files}}'}
    destination: azureml://datastores/out/paths/models/${{parent.inputs.version}}
  file:
    type: copy
    inputs: {source: '${{parent.jobs.make.outputs.one}}'}
    destination: azureml://datastores/out/paths/single/one.txt
";

fn report(sandbox: &Sandbox, step: &str) -> Value {
    let cat = sandbox.ok(["artifacts", "cat", &format!("last/{step}/report")]);
    cat.json()
}

#[test]
fn a_copy_to_a_folder_says_what_it_copied_and_is_made_again_without_harm() {
    let sandbox = Sandbox::new();
    let share = sandbox.path().join("share");
    sandbox.write("share/models/v1/other.txt", "stays");
    sandbox.ok(["datastore", "add", "out", &format!("file://{}", share.display())]);
    sandbox.write("copy.yml", COPY);
    for round in 1..=2 {
        let run = sandbox.run("copy.yml", &[]);
        let read = |path: &str| std::fs::read_to_string(share.join(path)).expect("it was copied");
        assert_eq!(read("models/v1/a.txt"), "1");
        assert_eq!(read("models/v1/deep/b.txt"), "22");
        assert_eq!(read("models/v1/other.txt"), "stays");
        assert_eq!(read("single/one.txt"), "333");
        let said = report(&sandbox, "folder");
        assert_eq!(
            (said["files"].as_u64(), said["bytes"].as_u64()),
            (Some(2), Some(3))
        );
        assert_eq!(run.step("folder").kind, "copy");
        let status = run.step("folder").status.to_string();
        assert_eq!(
            status, "succeeded",
            "in round {round} it is made, whatever was made before"
        );
        // What was taken away in between is there again afterwards.
        std::fs::remove_file(share.join("models/v1/a.txt")).expect("it is there");
    }
}

fn with_bucket(sandbox: &Sandbox, server: &S3Server, secret: &str) {
    let mut set = sandbox.command(["secret", "set", "lake-key"]);
    drop(
        sandbox
            .finish_with_input(&mut set, secret.as_bytes())
            .expect_code(0),
    );
    sandbox.write("tidemill.toml", "datastore_allow = [\"127.0.0.1\"]\n");
    let endpoint = format!("aws_endpoint={}", server.endpoint());
    sandbox.ok([
        "datastore",
        "add",
        "out",
        "s3://tidemill/lake",
        "--option",
        &endpoint,
        "--option",
        "aws_allow_http=true",
        "--option",
        "aws_access_key_id=any",
        "--option",
        "aws_region=us-east-1",
        "--secret",
        "aws_secret_access_key=lake-key",
    ]);
}

const BACK: &str = "
type: pipeline
settings: {default_compute: local}
jobs:
  look:
    command: (cd ${{inputs.rows}} && find . -type f | sort && cat deep/b.txt) > ${{outputs.seen}}
    inputs: {rows: {type: uri_folder, path: azureml://datastores/out/paths/models/v7/}}
    outputs: {seen: {type: uri_file}}
  on:
    type: copy
    inputs: {source: {type: uri_folder, path: 's3://tidemill/lake/models/v7'}}
    destination: s3://tidemill/lake/again
";

#[test]
fn a_copy_to_a_bucket_is_made_with_a_secret_and_read_back_from_there() {
    let (server, sandbox) = (S3Server::start(), Sandbox::new());
    with_bucket(&sandbox, &server, "any-key");
    sandbox.write("copy.yml", COPY);
    sandbox.write("back.yml", BACK);
    let run = sandbox.run("copy.yml", &["-p", "version=v7"]);
    let said = report(&sandbox, "folder");
    assert_eq!(said["destination"], "s3://tidemill/lake/models/v7");
    assert_eq!(said["files"].as_u64(), Some(2));
    let logged = sandbox.ok(["logs", &format!("{}/folder", run.summary.id)]).stdout;
    assert!(logged.contains("copied 2 files, 3 bytes"), "{logged}");
    sandbox.run("back.yml", &[]);
    let seen = sandbox.ok(["artifacts", "cat", "last/look/seen"]).stdout;
    assert_eq!(seen, "./a.txt\n./deep/b.txt\n22");
    assert_eq!(
        report(&sandbox, "on")["bytes"].as_u64(),
        Some(3),
        "from a bucket to a bucket"
    );
}

#[test]
fn a_bucket_that_nobody_defined_is_refused_before_anything_runs() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "copy.yml",
        &COPY.replace("azureml://datastores/out/paths", "s3://nobody"),
    );
    let refused = sandbox.tidemill(["run", "copy.yml"]).expect_code(2);
    assert!(refused.stderr.contains("lies in no datastore"), "{refused}");
    assert!(refused.stderr.contains("tidemill datastore add"), "{refused}");
}

const REGISTER: &str = "
type: pipeline
settings: {default_compute: local}
jobs:
  train:
    command: mkdir -p ${{outputs.model}} && echo flavors > ${{outputs.model}}/MLmodel
    outputs: {model: {type: mlflow_model}}
  register:
    type: register_model
    inputs: {model: '${{parent.jobs.train.outputs.model}}'}
    name: churn
    model_type: mlflow_model
    label: candidate
    description: Who leaves
    tags: {team: a}
    properties: {auc: 0.9}
  far:
    type: register_model
    inputs: {model: {type: uri_folder, path: azureml://datastores/out/paths/weights}}
    name: weights
";

#[test]
fn a_model_is_registered_once_with_the_way_back_to_its_step() {
    let sandbox = Sandbox::new();
    sandbox.write("share/weights/w.bin", "0101");
    let share = format!("file://{}", sandbox.path().join("share").display());
    sandbox.ok(["datastore", "add", "out", &share]);
    sandbox.write("register.yml", REGISTER);
    let run = sandbox.run("register.yml", &[]);
    let shown: VersionView = sandbox
        .ok(["model", "show", "churn@candidate", "-o", "json"])
        .json();
    assert_eq!(shown.version.as_str(), "1");
    assert_eq!(shown.description, "Who leaves");
    assert_eq!((&*shown.tags["team"], &*shown.tags["auc"]), ("a", "0.9"));
    assert_eq!(shown.origin.run, Some(run.summary.id));
    assert_eq!(
        shown.origin.step.as_ref().map(ToString::to_string).as_deref(),
        Some("register")
    );
    sandbox.ok(["model", "get", "weights", "fetched"]);
    let fetched = std::fs::read_to_string(sandbox.path().join("fetched/w.bin"));
    assert_eq!(fetched.expect("it was fetched"), "0101");
    // What has not changed becomes no second version; an address is looked at each time, and holds the same.
    sandbox.run("register.yml", &[]);
    let versions: Vec<Value> = sandbox.ok(["model", "versions", "churn", "-o", "json"]).items();
    assert_eq!(versions.len(), 1);
    let lineage = sandbox.ok(["lineage", "churn", "--up", "-o", "json"]).stdout;
    assert!(lineage.contains("train"), "{lineage}");
}

#[test]
fn files_that_are_no_model_become_none() {
    let sandbox = Sandbox::new();
    let text = REGISTER.split("  far:").next().expect("it begins with something");
    sandbox.write("register.yml", &text.replace("/MLmodel", "/other"));
    let run = sandbox.run_to(ENDED_BADLY, "register.yml", &[]);
    assert_eq!(run.step("register").status.to_string(), "failed");
    let logged = sandbox.ok(["logs", "last/register", "--stream", "stderr"]);
    assert!(logged.stderr.contains("MLmodel"), "{logged}");
    drop(sandbox.tidemill(["model", "show", "churn"]).expect_code(6));
}

const MODELLING: &str = "
type: pipeline
outputs: {best: {type: uri_folder}}
jobs:
  fit:
    type: command
    command: echo weights > ${{outputs.model}}/w.txt
    outputs: {model: '${{parent.outputs.best}}'}
";

/// Sends a body to a coordinator of this machine; answers the status line and the body of what comes back.
fn posted(url: &str, path: &str, body: &str) -> (String, String) {
    let address = url.strip_prefix("http://").expect("an address of this machine");
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it is sent");
    stream.write_all(body.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.lines().next().unwrap_or_default();
    (status.to_owned(), body.to_owned())
}

#[test]
fn a_call_of_a_batch_endpoint_has_an_output_copied_to_a_datastore() {
    let sandbox = Sandbox::new();
    let share = sandbox.path().join("share");
    sandbox.write("share/other.txt", "stays");
    sandbox.write("train.yml", MODELLING);
    sandbox.ok(["publish", "train.yml", "--name", "train"]);
    sandbox.ok(["datastore", "add", "out", &format!("file://{}", share.display())]);
    let up = Up::start(&sandbox, "up.log");
    let call = |uri: &str| {
        let body = serde_json::json!({"properties": {"OutputData": {"best": {"JobOutputType": "UriFolder", "Uri": uri}}}});
        posted(up.url(), "/azureml/endpoints/train/jobs", &body.to_string())
    };
    let (status, job) = call("azureml://datastores/out/paths/models/1");
    assert!(status.contains(" 201 "), "{status}: {job}");
    let job: Value = serde_json::from_str(&job).expect("a job");
    let run = job["name"].as_str().expect("a run");
    up.wait_for_run(run, RunStatus::Succeeded, END_DEADLINE);
    let copied = std::fs::read_to_string(share.join("models/1/w.txt")).expect("it was copied");
    assert_eq!(copied, "weights\n");
    let kept = up
        .ok(["artifacts", "cat", &format!("{run}/fit/model/w.txt")])
        .stdout;
    assert_eq!(kept, "weights\n", "it is in the store as well");
    let (status, refused) = call("file:///tmp/elsewhere");
    assert!(
        status.contains(" 400 ") && refused.contains("no path in a datastore"),
        "{status}: {refused}"
    );
}
