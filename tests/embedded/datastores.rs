//! Datastores: places that the coordinator knows by name. A worker brings what lies there, with secrets that the step never sees, and only from where an operator
//! said.

use std::sync::{Arc, Mutex};
use testkit::{Sandbox, Steps};

/// The exit code of a pipeline that cannot be used.
const NOT_VALID: i32 = 2;
/// The exit code of a run that ended and did not succeed.
const RUN_FAILED: i32 = 5;
const LISTING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>lake</Name><Prefix>raw/2024/</Prefix><KeyCount>2</KeyCount>\
<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>\
<Contents><Key>raw/2024/a.csv</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"a\"</ETag><Size>2</Size></Contents>\
<Contents><Key>raw/2024/deep/b.csv</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"b\"</ETag><Size>2</Size></Contents>\
</ListBucketResult>";

/// An S3 server with two files; what it was asked, with the headers. Answers only who signs with the right key's name.
fn serve(asked: Arc<Mutex<Vec<String>>>) -> u16 {
    testkit::serve(move |head| {
        let line = head.lines().next().unwrap_or_default();
        let (status, body) = if !head.contains("Credential=OURKEYID/") {
            ("403 Forbidden", "")
        } else if line.contains("list-type=2") {
            ("200 OK", LISTING)
        } else if line.starts_with("GET /lake/raw/2024/a.csv ") {
            ("200 OK", "a\n")
        } else if line.starts_with("GET /lake/raw/2024/deep/b.csv ") {
            ("200 OK", "b\n")
        } else {
            ("404 Not Found", "")
        };
        asked.lock().expect("nobody panicked").push(head.to_owned());
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"x\"\r\nlast-modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    })
}

const PIPELINE: &str = "
type: pipeline
settings: {default_compute: local}
jobs:
  folder:
    type: command
    command: (cd ${{inputs.rows}} && find . -type f | sort && cat deep/b.csv && env) > ${{outputs.seen}}
    inputs: {rows: {type: uri_folder, path: azureml://datastores/lake/paths/2024/}}
    outputs: {seen: {type: uri_file}}
  file:
    type: command
    command: cat ${{inputs.row}} > ${{outputs.seen}}
    inputs: {row: {type: uri_file, path: azureml://datastores/lake/paths/2024/a.csv}}
    outputs: {seen: {type: uri_file}}
";

fn sandbox(port: u16) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    sandbox.write("tidemill.toml", "datastore_allow = [\"127.0.0.1\"]\n");
    let mut set = sandbox.command(["secret", "set", "lake-key"]);
    let set = sandbox.finish_with_input(&mut set, b"very-secret-key-of-the-lake");
    drop(set.expect_code(0));
    let endpoint = format!("aws_endpoint=http://127.0.0.1:{port}");
    sandbox.ok([
        "datastore",
        "add",
        "lake",
        "s3://lake/raw",
        "--option",
        &endpoint,
        "--option",
        "aws_allow_http=true",
        "--option",
        "aws_access_key_id=OURKEYID",
        "--option",
        "aws_region=us-east-1",
        "--secret",
        "aws_secret_access_key=lake-key",
    ]);
    sandbox
}

#[test]
fn files_in_a_bucket_are_brought_with_a_secret_that_the_step_never_sees() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let port = serve(Arc::clone(&asked));
    let sandbox = sandbox(port);
    let tested = sandbox.ok(["datastore", "test", "lake"]);
    assert!(tested.stdout.contains("can be listed"), "{}", tested.stdout);
    let run = sandbox.run("pipeline.yml", &[]);
    let seen = sandbox.ok(["artifacts", "cat", "last/folder/seen"]).stdout;
    assert!(seen.starts_with("./a.csv\n./deep/b.csv\nb\n"), "{seen}");
    assert!(
        !seen.contains("very-secret") && !seen.contains("OURKEYID"),
        "{seen}"
    );
    assert_eq!(sandbox.ok(["artifacts", "cat", "last/file/seen"]).stdout, "a\n");
    let notes = run.step("folder").attempts[0]
        .usage
        .clone()
        .expect("it ran")
        .notes
        .join("\n");
    assert!(
        notes.contains("was brought from 2024/ in s3://lake/raw: 2 files, 4 bytes"),
        "{notes}"
    );
    let heads = asked.lock().expect("nobody panicked").join("\n");
    assert!(!heads.contains("very-secret"), "a signature shows no key");
}

#[test]
fn a_worker_does_not_go_to_an_endpoint_in_its_own_network_that_its_settings_do_not_open() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let port = serve(Arc::clone(&asked));
    let sandbox = sandbox(port);
    sandbox.write("tidemill.toml", "");
    let tested = sandbox.tidemill(["datastore", "test", "lake"]);
    let said = format!("{}{}", tested.stdout, tested.stderr);
    assert!(said.contains("datastore_allow"), "{said}");
    let run = sandbox.run_to(5, "pipeline.yml", &[]);
    let failure = run.step("file").attempts[0].failure.clone().expect("it says why");
    assert!(
        failure.message.contains("this machine itself") && failure.message.contains("datastore_allow"),
        "{failure:?}"
    );
    let asked = asked.lock().expect("nobody panicked");
    assert!(asked.is_empty(), "nothing was asked: {asked:?}");
}

/// A web server with one file; the lines of what it was asked.
fn serve_web(asked: Arc<Mutex<Vec<String>>>) -> u16 {
    testkit::serve(move |head| {
        let line = head.lines().next().unwrap_or_default();
        let file = "from the web\n";
        let (status, length, body) = match line.split_once(' ') {
            Some(("GET", rest)) if rest.starts_with("/data/2024/a.csv ") => ("200 OK", file.len(), file),
            Some(("HEAD", rest)) if rest.starts_with("/data/2024/a.csv ") => ("200 OK", file.len(), ""),
            _ => ("404 Not Found", 0, ""),
        };
        asked.lock().expect("nobody panicked").push(line.to_owned());
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nlast-modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nconnection: close\r\n\r\n{body}"
        )
    })
}

#[test]
fn a_file_of_a_web_server_is_brought_by_its_path_in_a_datastore_that_the_settings_open() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let port = serve_web(Arc::clone(&asked));
    let sandbox = Sandbox::new();
    sandbox.write(
        "pipeline.yml",
        "
type: pipeline
settings: {default_compute: local}
jobs:
  file:
    type: command
    command: cat ${{inputs.row}} > ${{outputs.seen}}
    inputs: {row: {type: uri_file, path: azureml://datastores/web/paths/2024/a.csv}}
    outputs: {seen: {type: uri_file}}
",
    );
    sandbox.ok([
        "datastore",
        "add",
        "web",
        &format!("http://127.0.0.1:{port}/data"),
    ]);
    // The worker fetches the file as it fetches any address: what opens datastores to it does not open this one.
    sandbox.write("tidemill.toml", "datastore_allow = [\"127.0.0.1\"]\n");
    let closed = sandbox.run_to(RUN_FAILED, "pipeline.yml", &[]);
    let failure = closed.step("file").attempts[0]
        .failure
        .clone()
        .expect("it says why");
    assert!(failure.message.contains("fetch_allow"), "{failure:?}");
    assert!(asked.lock().expect("nobody panicked").is_empty());

    // The coordinator goes to a datastore, and a worker to an address: a file of a web server is both.
    let open = "datastore_allow = [\"127.0.0.1\"]\nfetch_allow = [\"127.0.0.1\"]\n";
    sandbox.write("tidemill.toml", open);
    let tested = sandbox.ok(["datastore", "test", "web"]);
    assert!(tested.stdout.contains("404"), "{}", tested.stdout);
    sandbox.run("pipeline.yml", &[]);
    assert_eq!(
        sandbox.ok(["artifacts", "cat", "last/file/seen"]).stdout,
        "from the web\n"
    );
    let asked = asked.lock().expect("nobody panicked").join("\n");
    assert!(asked.contains("GET /data/2024/a.csv "), "{asked}");
}

#[test]
fn a_name_that_nobody_defined_is_refused_and_says_how_to_define_it() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    let refused = sandbox.tidemill(["run", "pipeline.yml"]).expect_code(NOT_VALID);
    assert!(
        refused.stderr.contains("tidemill datastore add lake ADDRESS"),
        "{refused}"
    );
    assert!(refused.stderr.contains("[datastores]"), "{refused}");
}

#[test]
fn a_folder_that_the_machines_share_is_read_where_it_is() {
    let sandbox = Sandbox::new();
    sandbox.write("share/2024/a.csv", "a\n");
    sandbox.write("share/2024/deep/b.csv", "b\n");
    sandbox.write("pipeline.yml", PIPELINE);
    let share = format!("file://{}", sandbox.path().join("share").display());
    sandbox.ok(["datastore", "add", "lake", &share]);
    sandbox.run("pipeline.yml", &[]);
    assert_eq!(sandbox.ok(["artifacts", "cat", "last/file/seen"]).stdout, "a\n");
}

const COPIED: &str = "
type: pipeline
settings: {default_compute: local}
jobs:
  folder:
    type: command
    command: cat ${{inputs.rows}}/a.csv ${{inputs.rows}}/best.csv > ${{outputs.seen}} && echo mine > ${{inputs.rows}}/a.csv
    inputs: {rows: {type: uri_folder, path: azureml://datastores/lake/paths/2024/, mode: download}}
    outputs: {seen: {type: uri_file}}
";

#[test]
fn a_copy_of_a_shared_folder_holds_nothing_that_lies_outside_the_datastore_and_waits_for_no_pipe() {
    let sandbox = Sandbox::new();
    sandbox.write("share/2024/a.csv", "a\n");
    sandbox.write("share/2024/deep/b.csv", "b\n");
    let canary = sandbox.write("canary.txt", "not for you\n");
    sandbox.write("pipeline.yml", COPIED);
    let share = sandbox.path().join("share");
    let best = share.join("2024/best.csv");
    sandbox.ok(["datastore", "add", "lake", &format!("file://{}", share.display())]);

    std::os::unix::fs::symlink("deep/b.csv", &best).expect("a link can be made");
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(
        sandbox.ok(["artifacts", "cat", "last/folder/seen"]).stdout,
        "a\nb\n"
    );
    assert_eq!(
        std::fs::read_to_string(share.join("2024/a.csv")).expect("it is there"),
        "a\n",
        "the step wrote to its copy"
    );
    let usage = run.step("folder").attempts[0].usage.clone();
    let notes = usage.expect("it ran").notes.join("\n");
    assert!(notes.contains("3 files, 6 bytes"), "{notes}");

    let refused = |why: &str| {
        let run = sandbox.run_to(RUN_FAILED, "pipeline.yml", &["--force-rerun"]);
        let attempt = run.step("folder").attempts.last().expect("it was tried");
        let failure = attempt.failure.as_ref().expect("it says why");
        assert!(failure.message.contains("input `rows`"), "{}", failure.message);
        for said in [why, "best.csv"] {
            assert!(failure.message.contains(said), "{}", failure.message);
        }
    };
    std::fs::remove_file(&best).expect("it is there");
    std::os::unix::fs::symlink(canary, &best).expect("a link can be made");
    refused("leads out of the datastore");
    std::fs::remove_file(&best).expect("it is there");
    let made = std::process::Command::new("mkfifo").arg(&best).status();
    assert!(made.expect("there is mkfifo").success());
    refused("is a named pipe");
}
