//! Submitting a pipeline with much local data through the API: all of it arrives, nothing of it is sent twice, the screen shows how far it has come,
//! and neither side holds it in memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::process::Command;
use std::time::Duration;
use testkit::{Cluster, Daemon, END_DEADLINE, Relay, Store, WorkerPlan};
use tidemill_protocol::status::RunStatus;

/// How long hashing, sending and storing all of it may take on a busy machine.
const UPLOAD_DEADLINE: Duration = Duration::from_mins(3);
/// The one large file.
const LARGE_BYTES: u64 = 200 * MIB;
/// The many small ones, and how many a folder has.
const FILES: usize = 5_000;
const FILES_A_FOLDER: usize = 100;
/// What a side may take at most: less than the large file, and little more than the program itself takes.
const CLIENT_BYTES_MAX: u64 = 160 * MIB;
const COORDINATOR_GROWTH_MAX: u64 = 96 * MIB;
/// What a submission may send when all data is known: the pipeline and the names of its contents.
const KNOWN_BYTES_MAX: u64 = 64 * 1024;
const MIB: u64 = 1024 * 1024;

const ONE: WorkerPlan = WorkerPlan {
    name: "one",
    compute: &["cpu:cpu"],
    slots: 1,
};

const PIPELINE: &str = "
type: pipeline
settings: {default_compute: azureml:cpu}
jobs:
  count:
    command: >-
      find ${{inputs.many}} -type f | wc -l > ${{outputs.counts}} &&
      cat ${{inputs.large}}/large.bin | wc -c >> ${{outputs.counts}} &&
      cat ${{inputs.many}}/7/42.txt >> ${{outputs.counts}}
    inputs:
      large: {type: uri_folder, path: ./large}
      many: {type: uri_folder, path: ./many}
    outputs: {counts: {type: uri_file}}
";

/// Bytes that no compression and no equal blocks make less of.
fn write_large(cluster: &Cluster) {
    let path = cluster.sandbox.write("large/large.bin", "");
    let random = File::open("/dev/urandom").expect("the machine has random numbers");
    let mut file = File::create(path).expect("a file can be written");
    io::copy(&mut random.take(LARGE_BYTES), &mut file).expect("there is room");
}

fn write_many(cluster: &Cluster) {
    for number in 0..FILES {
        let path = format!("many/{}/{}.txt", number / FILES_A_FOLDER, number % FILES_A_FOLDER);
        cluster.sandbox.write(&path, &format!("file {number}\n"));
    }
}

/// A submission by way of this relay, measured.
fn submit(cluster: &Cluster, relay: &Relay) -> (String, u64) {
    let mut command = cluster.sandbox.command(["submit", "pipeline.yml", "--quiet"]);
    command
        .env("TIDEMILL_URL", format!("http://127.0.0.1:{}", relay.port()))
        .env("TIDEMILL_STATE_DIR", cluster.sandbox.path().join("client"));
    let measured = cluster.sandbox.measured(&command, UPLOAD_DEADLINE);
    let output = measured.output.expect_code(0);
    (output.stdout.trim().to_owned(), measured.peak_bytes)
}

#[test]
fn much_data_is_sent_once_and_held_by_nobody() {
    let cluster = Cluster::start(Store::Folder, &[ONE]);
    cluster.sandbox.write("pipeline.yml", PIPELINE);
    write_large(&cluster);
    write_many(&cluster);
    let address = cluster.url().trim_start_matches("http://").parse();
    let relay = Relay::plain(address.expect("the API has an address"));
    let before = cluster.coordinator().peak_bytes();

    let (id, client_bytes) = submit(&cluster, &relay);
    let first = relay.sent();
    assert!(first > LARGE_BYTES, "{first} bytes were sent");
    assert!(
        client_bytes < CLIENT_BYTES_MAX,
        "the client took {} MiB",
        client_bytes / MIB
    );
    let growth = cluster.coordinator().peak_bytes() - before;
    assert!(
        growth < COORDINATOR_GROWTH_MAX,
        "the coordinator took {} MiB more",
        growth / MIB
    );
    cluster.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    let counts = cluster
        .ok(["artifacts", "cat", &format!("{id}/count/counts")])
        .stdout;
    let counts: Vec<&str> = counts.split_whitespace().collect();
    assert_eq!(counts, ["5000", "209715200", "file", "742"]);

    submit(&cluster, &relay);
    let second = relay.sent() - first;
    assert!(
        second < KNOWN_BYTES_MAX,
        "{second} bytes were sent though all was known"
    );

    // Another person's machine has hashed nothing yet; the store knows the data nevertheless.
    fs::remove_dir_all(cluster.sandbox.path().join("client")).expect("the client keeps its hashes there");
    cluster.sandbox.write("many/0/0.txt", "changed\n");
    submit(&cluster, &relay);
    let third = relay.sent() - first - second;
    let manifest_and_names = 2 * 1024 * 1024;
    assert!(
        third < manifest_and_names,
        "{third} bytes were sent for one changed file"
    );
}

#[test]
fn an_upload_shows_how_far_it_has_come() {
    let cluster = Cluster::start(Store::Folder, &[]);
    cluster.sandbox.write("pipeline.yml", PIPELINE);
    write_large(&cluster);
    cluster.sandbox.write("many/7/42.txt", "alone\n");
    // Work of less than a moment shows nothing; this takes two seconds on any machine.
    let address = cluster.url().trim_start_matches("http://").parse();
    let rest = Duration::from_millis(10);
    let relay = Relay::slow(address.expect("the API has an address"), rest);
    let submit = cluster.sandbox.command(["submit", "pipeline.yml"]);
    // Progress is for people at a terminal, so Python lends one.
    let mut terminal = Command::new("python3");
    terminal.args(["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"]);
    terminal.arg(submit.get_program()).args(submit.get_args());
    for (name, value) in submit.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal
        .current_dir(cluster.sandbox.path())
        .env("TIDEMILL_URL", format!("http://127.0.0.1:{}", relay.port()))
        .env("TIDEMILL_STATE_DIR", cluster.sandbox.path().join("client"))
        .env("TERM", "xterm")
        .env_remove("CI");
    let log = cluster.sandbox.path().join("screen");
    let status = Daemon::start("submit", &mut terminal, &log).wait(UPLOAD_DEADLINE);
    let screen = fs::read_to_string(log).expect("something was shown");
    assert!(status.success(), "{status}: {screen}");
    assert!(screen.contains("uploading"), "{screen}");
    assert!(screen.contains(" of 200.00 MiB"), "it says of how much: {screen}");
    assert!(screen.contains("submitted run"), "{screen}");
}
