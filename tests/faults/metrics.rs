//! Points of metrics while the store does not take them: what a step was told is logged stays, whether it lies in the journal or in the store already.

use crate::campaign::{Campaign, cpu};
use crate::small_disk::SmallDisk;
use crate::trial::{Trial, slow};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use testkit::{
    BEGIN_DEADLINE, BrokerAccess, Cluster, END_DEADLINE, S3Server, Steps, Store, WorkerPlan, eventually,
};
use tidemill_protocol::ids::RunId;
use tidemill_protocol::status::RunStatus;

pub(crate) const TRIALS: &[Trial] = &[
    slow(
        "no_metric_point_that_was_answered_is_lost_while_the_store_is_away",
        away,
    ),
    slow(
        "no_metric_point_that_was_answered_is_lost_while_the_store_is_full",
        full,
    ),
];

const WORKER: WorkerPlan = cpu("one", 1);
/// So many points of one run are more than its journal keeps; at least some of them go to the store.
const MANY: u64 = 6_000;
const DEADLINE: Duration = Duration::from_mins(2);
/// What the coordinator says when the store takes no points.
const NOT_TAKEN: &str = "the store does not take points of metrics";

/// Logs points of one metric, five hundred at a time, each until it is answered, and writes down how many were.
const LOGS: &str = "
import json, os, pathlib, sys, time, urllib.request
folder = pathlib.Path(sys.argv[1])
url, token, run = (os.environ['MLFLOW_' + name] for name in ('TRACKING_URI', 'TRACKING_TOKEN', 'RUN_ID'))
answered = 0
while not (folder / 'enough').exists():
    points = [{'key': 'loss', 'value': n / 2, 'timestamp': n, 'step': n} for n in range(answered, answered + 500)]
    request = urllib.request.Request(
        url + '/api/2.0/mlflow/runs/log-batch',
        json.dumps({'run_id': run, 'metrics': points}).encode(),
        {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + token},
    )
    try:
        urllib.request.urlopen(request, timeout=20).read()
    except OSError:
        time.sleep(0.1)
        continue
    answered += 500
    (folder / 'next').write_text(str(answered))
    (folder / 'next').rename(folder / 'answered')
    time.sleep(0.1)
print('logged', answered)
";

/// Reads the whole history of the metric, and whether it is what was answered: each point, with its value, in its order.
const READS: &str = "
import json, sys, urllib.request
url, run, answered = sys.argv[1], sys.argv[2], int(sys.argv[3])
points, page = [], ''
while True:
    with urllib.request.urlopen(f'{url}/api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key=loss&max_results=10000&page_token={page}') as answer:
        answer = json.load(answer)
    points += answer.get('metrics', [])
    page = answer.get('next_page_token', '')
    if not page:
        break
found = {int(point['step']): float(point['value']) for point in points}
lost = [step for step in range(answered) if found.get(step) != step / 2]
assert not lost, f'{len(lost)} of {answered} points are lost, the first is {lost[0]}'
print(len(points))
";

/// A step that logs until it is told that it is enough.
struct Logging {
    campaign: Campaign,
    folder: PathBuf,
    run: String,
}

fn logging(cluster: Cluster) -> Logging {
    let campaign = Campaign::start_in(cluster, &[WORKER]);
    let folder = campaign.cluster.sandbox.path().join("points");
    fs::create_dir(&folder).expect("a folder can be made");
    campaign.cluster.sandbox.write("src/log.py", LOGS);
    let pipeline = format!(
        "type: pipeline\nsettings: {{default_compute: azureml:cpu-cluster}}\njobs:\n  log:\n    code: ./src\n    command: python3 log.py {} > ${{{{outputs.said}}}}\n    outputs: {{said: {{type: uri_file}}}}\n",
        folder.display()
    );
    campaign.cluster.sandbox.write("log.yml", &pipeline);
    let run = campaign.cluster.submit("log.yml", &[]);
    let logging = Logging {
        campaign,
        folder,
        run,
    };
    logging.wait_for(MANY, BEGIN_DEADLINE + DEADLINE);
    logging
}

impl Logging {
    fn answered(&self) -> u64 {
        let text = fs::read_to_string(self.folder.join("answered")).unwrap_or_default();
        text.parse().unwrap_or_default()
    }

    fn wait_for(&self, points: u64, deadline: Duration) {
        eventually(deadline, &format!("{points} points are answered"), || {
            (self.answered() >= points).then_some(())
        });
    }

    /// The store does not take anything now: what is logged is answered all the same, also over a crash of the coordinator.
    fn go_on_without_store(&mut self) {
        self.wait_for(self.answered() + 2 * MANY, DEADLINE);
        eventually(DEADLINE, "the store is asked in vain", || {
            self.campaign
                .cluster
                .coordinator_log()
                .contains(NOT_TAKEN)
                .then_some(())
        });
        self.campaign.cluster.kill_coordinator();
    }

    /// The store takes everything again.
    fn end(mut self) {
        self.campaign.cluster.start_coordinator();
        self.wait_for(self.answered() + MANY, DEADLINE);
        fs::write(self.folder.join("enough"), "").expect("a file can be written");
        let run = self
            .campaign
            .cluster
            .wait_for_run(&self.run, RunStatus::Succeeded, END_DEADLINE);
        assert_eq!(run.step("log").attempts.len(), 1, "{run:#?}");
        let id: RunId = self.run.parse().expect("is an id");
        let read = Command::new("python3")
            .args(["-c", READS, &self.campaign.cluster.url()])
            .arg(format!("{}-0-1", id.0.simple()))
            .arg(self.answered().to_string())
            .output()
            .expect("python3 can be started");
        let said = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success(), "{said}");
        self.campaign.submit(0);
        self.campaign.end();
    }
}

fn away() {
    let mut server = S3Server::start();
    let wire = server.put_behind_a_wire();
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::S3(server), &[]);
    let mut logging = logging(cluster);
    wire.cut();
    logging.go_on_without_store();
    wire.mend();
    logging.end();
}

fn full() {
    let cluster = Cluster::prepare(BrokerAccess::default(), Store::Folder, &[]);
    let small = SmallDisk::at(&cluster.sandbox.path().join("store"), 64);
    let mut logging = logging(cluster);
    let ballast = small.fill(0);
    logging.go_on_without_store();
    fs::remove_file(ballast).expect("it is there");
    logging.end();
}
