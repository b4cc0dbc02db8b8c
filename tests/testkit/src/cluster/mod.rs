//! A cluster of real processes: one coordinator and any number of workers, joined by the RabbitMQ of this machine under a prefix of their own
//! and by an object store. Each can be killed, ended and started again. The coordinator's standby, and who watches, are in `standby`; daemons with a network of
//! their own in `places`; who is there in `keeping`; what a sweep leaves in the store in `sweeping`.

mod keeping;
mod places;
mod standby;
mod sweeping;

use crate::observer::Roll;
use crate::parts::{BrokerAccess, SHORTEST_LEASE, WorkerPlan};
use crate::ports::free_ports;
use crate::queues;
use crate::sandbox::{ANSWER_DEADLINE, finish};
use crate::{Daemon, Output, Sandbox, Store, eventually, wrapped};
use places::Place;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tidemill_protocol::api::RunView;
use tidemill_protocol::status::RunStatus;

/// How long a daemon may take to be of use on a busy machine.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// How long processes may take to be gone after the daemons: a supervisor whose daemon was killed waits half a minute for another.
const LEAVE_DEADLINE: Duration = Duration::from_mins(1);

/// A running cluster. Everything that it started ends with it, its queues too.
#[derive(Debug)]
pub struct Cluster {
    /// Its files.
    pub sandbox: Sandbox,
    prefix: String,
    port: u16,
    coordinator: Option<Daemon>,
    /// What the coordinator is started with beside its address.
    coordinator_arguments: Vec<String>,
    /// Variables that stand instead of the cluster's own for the coordinator alone.
    coordinator_variables: Vec<(&'static str, String)>,
    /// State folders of coordinators, by name; the last one is that of the present one.
    states: Vec<String>,
    standby: Option<(u16, String, Daemon)>,
    /// Where the coordinator runs, if not beside everything else.
    place: Option<Place>,
    workers: BTreeMap<&'static str, Daemon>,
    /// What clients show to the coordinator.
    token: Option<String>,
    roll: Roll,
    store: Store,
    broker: BrokerAccess,
    variables: Vec<(&'static str, String)>,
}

impl Cluster {
    /// Starts a coordinator and these workers, and waits until all of them are known to it.
    ///
    /// # Panics
    /// When one of them does not come up; the logs are shown.
    pub fn start(store: Store, workers: &[WorkerPlan]) -> Self {
        Self::start_over(BrokerAccess::default(), store, workers)
    }

    /// The same with [`SHORTEST_LEASE`], for tests that wait until a lease has run out.
    ///
    /// # Panics
    /// When one of them does not come up; the logs are shown.
    pub fn start_hasty(store: Store, workers: &[WorkerPlan]) -> Self {
        let mut cluster = Self::prepare(BrokerAccess::default(), store, &SHORTEST_LEASE);
        cluster.start_all(workers);
        cluster
    }

    /// The same over a RabbitMQ that is reached in another way.
    ///
    /// # Panics
    /// When one of them does not come up; the logs are shown.
    pub fn start_over(broker: BrokerAccess, store: Store, workers: &[WorkerPlan]) -> Self {
        let mut cluster = Self::prepare(broker, store, &[]);
        cluster.start_all(workers);
        cluster
    }

    /// Starts a coordinator and these workers, and waits until all of them are known to it.
    ///
    /// # Panics
    /// When one of them does not come up; the logs are shown.
    pub fn start_all(&mut self, workers: &[WorkerPlan]) {
        self.start_coordinator();
        for worker in workers {
            self.start_worker(*worker);
        }
        self.wait_for_workers(workers.len());
    }

    /// A cluster of which nothing runs yet, with variables for all of its daemons.
    pub fn prepare(broker: BrokerAccess, store: Store, variables: &[(&'static str, &str)]) -> Self {
        let sandbox = Sandbox::new();
        let unique = sandbox
            .path()
            .file_name()
            .expect("the folder has a name")
            .to_string_lossy();
        let roll = Roll::default();
        sandbox.path().clone_into(&mut roll.census().folder);
        Self {
            prefix: unique.replace("tidemill-", ""),
            port: free_ports::<1>()[0],
            coordinator: None,
            coordinator_arguments: Vec::new(),
            coordinator_variables: Vec::new(),
            states: vec!["coordinator".to_owned()],
            standby: None,
            place: None,
            workers: BTreeMap::new(),
            token: None,
            roll,
            store,
            broker,
            variables: variables
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            sandbox,
        }
    }

    /// Starts the coordinator (again) and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn start_coordinator(&mut self) {
        self.launch_coordinator();
        self.wait_for_coordinator();
    }

    /// The same with no more than this many open files.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_coordinator_limited(&mut self, open_files: u32) {
        let inner = self.coordinator_command(&format!("127.0.0.1:{}", self.port));
        let limit = ["-c", "ulimit -n \"$0\" && exec \"$@\"", &open_files.to_string()];
        self.start_coordinator_by(wrapped::through("/bin/sh", &limit, &inner));
    }

    /// What starts a coordinator on this cluster's state.
    pub fn coordinator_command(&self, listen: &str) -> Command {
        let mut arguments = vec!["serve", "--listen", listen];
        arguments.extend(self.coordinator_arguments.iter().map(String::as_str));
        let key = self.key();
        if self.states.len() > 1 {
            arguments.extend(["--signing-key", &key]);
        }
        let state = self.states.last().expect("there is one from the beginning");
        let mut command = self.daemon(&arguments, state);
        let variables = self.coordinator_variables.iter();
        command.envs(variables.map(|(name, value)| (name, value)));
        command
    }

    fn start_coordinator_by(&mut self, mut command: Command) {
        let log = self.sandbox.path().join("coordinator.log");
        self.coordinator = Some(Daemon::start("coordinator", &mut command, &log));
        self.enter_coordinator();
        self.wait_for_coordinator();
    }

    /// Ends the coordinator well and starts it with these arguments from now on.
    ///
    /// # Panics
    /// When it does not come up again.
    pub fn restart_coordinator_with(&mut self, arguments: &[&str]) {
        self.stop_coordinator();
        self.set_up_coordinator(arguments, Vec::new());
        self.start_coordinator();
    }

    /// SIGTERM to the coordinator; waits until it has ended.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop_coordinator(&mut self) {
        if let Some(coordinator) = self.coordinator.take() {
            coordinator.terminate();
            coordinator.wait(START_DEADLINE);
        }
    }

    /// Runs a command of the product with the surroundings of a daemon of this name: its state folder, the queues and the store.
    pub fn as_daemon(&self, arguments: &[&str], name: &str) -> Output {
        finish(&mut self.daemon(arguments, name), ANSWER_DEADLINE)
    }

    /// Starts a worker (again); does not wait.
    pub fn start_worker(&mut self, plan: WorkerPlan) {
        self.start_worker_with(plan, &[]);
    }

    /// Starts a worker (again) with variables that stand instead of the cluster's own; does not wait.
    pub fn start_worker_with(&mut self, plan: WorkerPlan, variables: &[(&str, String)]) {
        let mut command = self.worker_command(plan);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        self.start_worker_by(plan, &mut command);
    }

    /// Starts a worker (again) from another file of the same program, which `place` puts into the cluster's folder.
    pub fn start_worker_from(&mut self, plan: WorkerPlan, place: impl FnOnce(&Path) -> PathBuf) {
        let usual = self.worker_command(plan);
        let mut command = Command::new(place(self.sandbox.path()));
        command.args(usual.get_args()).current_dir(self.sandbox.path());
        wrapped::copy_variables(&usual, &mut command);
        self.start_worker_by(plan, &mut command);
    }

    fn worker_command(&self, plan: WorkerPlan) -> Command {
        let slots = plan.slots.to_string();
        let coordinator = self.url();
        let mut arguments = vec!["worker", "start", "--worker-id", plan.name, "--slots", &slots];
        arguments.extend(["--coordinator-url", &coordinator]);
        for target in plan.compute {
            arguments.extend(["--compute", target]);
        }
        self.daemon(&arguments, plan.name)
    }

    fn start_worker_by(&mut self, plan: WorkerPlan, command: &mut Command) {
        let log = self.sandbox.path().join(format!("{}.log", plan.name));
        let daemon = Daemon::start(plan.name, command, &log);
        self.enter_worker(plan.name, &daemon);
        self.workers.insert(plan.name, daemon);
    }

    fn daemon(&self, arguments: &[&str], name: &str) -> Command {
        let mut command = self.sandbox.command(arguments);
        command
            .env("TIDEMILL_STATE_DIR", self.sandbox.path().join(name))
            .env("TIDEMILL_QUEUE_URL", &self.broker.url)
            .env("TIDEMILL_QUEUE_PREFIX", &self.prefix)
            .env("TIDEMILL_STORE_URL", self.store.url(&self.sandbox))
            .env("TIDEMILL_LOG", "info")
            .envs(self.store.variables())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(file) = &self.broker.authorities {
            command.env("TIDEMILL_QUEUE_CA", file);
        }
        command
    }

    /// Waits until the coordinator has heard of this many workers.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub fn wait_for_workers(&self, count: usize) {
        eventually(START_DEADLINE, "the workers are known", || {
            let output = self.cli(["worker", "list", "-o", "json"]);
            let known: serde_json::Value = serde_json::from_str(&output.stdout).ok()?;
            let known = known["items"].as_array()?;
            (known.len() >= count).then_some(())
        });
    }

    /// The address of the API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the names of its queues start with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Reaches the broker at another address from now on.
    pub fn reach_broker_at(&mut self, url: String) {
        self.broker.url = url;
    }

    /// The broker's address.
    pub fn broker_url(&self) -> &str {
        &self.broker.url
    }

    /// Runs a command of the product against this coordinator.
    pub fn cli<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        finish(&mut self.client(arguments), ANSWER_DEADLINE)
    }

    /// A command of the product against the coordinator that there is now.
    pub fn client<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.sandbox.command(arguments);
        command
            .env("TIDEMILL_URL", self.url())
            .env("TIDEMILL_STATE_DIR", self.sandbox.path().join("client"))
            .envs(self.token.iter().map(|token| ("TIDEMILL_TOKEN", token)));
        command
    }

    /// Shows this token from now on.
    pub fn show_token(&mut self, token: String) {
        self.roll.census().token = Some(token.clone());
        self.token = Some(token);
    }

    /// Runs a command of the product against this coordinator to its good end.
    ///
    /// # Panics
    /// When it ends otherwise; the message holds all that it said.
    #[track_caller]
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.cli(arguments).expect_code(0)
    }

    /// Submits a file and returns the run's id.
    ///
    /// # Panics
    /// When it is refused.
    pub fn submit(&self, file: &str, more: &[&str]) -> String {
        let mut arguments = vec!["submit", file, "--quiet"];
        arguments.extend(more);
        self.ok(arguments).stdout.trim().to_owned()
    }

    /// How a run stands.
    ///
    /// # Panics
    /// When the coordinator does not know it.
    pub fn run(&self, id: &str) -> RunView {
        self.cli(["runs", "show", id, "-o", "json"]).expect_code(0).json()
    }

    /// Waits until a run stands as wished, and returns it.
    ///
    /// # Panics
    /// When it ends otherwise, or not in time.
    #[track_caller]
    pub fn wait_for_run(&self, id: &str, wanted: RunStatus, deadline: Duration) -> RunView {
        eventually(deadline, &format!("run {id} is {wanted}"), || {
            // The coordinator may be away for a moment: that is what some tests are about.
            let output = self.cli(["runs", "show", id, "-o", "json"]);
            let run: RunView = serde_json::from_str(&output.stdout).ok()?;
            let status = run.summary.status;
            assert!(
                status == wanted || !status.is_terminal(),
                "run {id} ended as {status}: {run:#?}"
            );
            (status == wanted).then_some(run)
        })
    }

    /// `kill -9` to the coordinator.
    pub fn kill_coordinator(&mut self) {
        if let Some(coordinator) = self.coordinator.take() {
            coordinator.kill();
        }
    }

    /// `kill -9` to a worker's daemon. Its supervisor and its steps live on.
    pub fn kill_worker(&mut self, name: &str) {
        if let Some(worker) = self.workers.remove(name) {
            worker.kill();
        }
    }

    /// `kill -9` to a worker's daemon, its supervisor and its steps: as if the machine were gone.
    pub fn destroy_worker(&mut self, name: &str) {
        self.kill_worker(name);
        let folder = self.sandbox.path().join(name);
        for pid in crate::processes::that_name(&folder) {
            crate::processes::signal(pid, Signal::KILL);
        }
    }

    /// A worker's daemon.
    ///
    /// # Panics
    /// When there is none at present.
    pub fn worker(&self, name: &str) -> &Daemon {
        self.workers.get(name).expect("there is such a worker")
    }

    /// `kill -9` to a worker's supervisor, and to nothing else. Answers whether it had one.
    #[must_use]
    pub fn kill_supervisor(&self, name: &str) -> bool {
        self.signal_supervisor(name, Signal::KILL)
    }

    /// Keeps a worker's supervisor from doing anything until [`Self::thaw_supervisor`]. Answers whether it had one.
    #[must_use]
    pub fn freeze_supervisor(&self, name: &str) -> bool {
        self.signal_supervisor(name, Signal::STOP)
    }

    /// Lets it go on. Answers whether there was one.
    pub fn thaw_supervisor(&self, name: &str) -> bool {
        self.signal_supervisor(name, Signal::CONT)
    }

    fn signal_supervisor(&self, name: &str, signal: Signal) -> bool {
        let folder = self.sandbox.path().join(name).join("worker/supervisor");
        let pids = crate::processes::with_argument(&folder);
        for pid in &pids {
            crate::processes::signal(*pid, signal);
        }
        !pids.is_empty()
    }

    /// Waits until a worker's supervisor has written down that it started something: what it has not is started once more in the same attempt when it is killed.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_for_a_written_start(&self, name: &str) {
        let records = self.sandbox.path().join(name).join("worker/supervisor/records");
        eventually(START_DEADLINE, "a start is written down", || {
            let file = std::fs::metadata(&records).ok()?;
            (file.len() > 0).then_some(())
        });
    }

    /// Ends everything but the steps' supervisors' own records: workers by SIGTERM, then the coordinator, and waits until their processes are gone.
    ///
    /// # Panics
    /// When they do not end.
    pub fn stop(&mut self) {
        self.end_daemons();
        let left = self.sandbox.processes();
        assert!(left.is_empty(), "processes are left: {left:?}");
    }

    /// The same, and waits only for as long as processes may take: who is left then is for the checker to say.
    ///
    /// # Panics
    /// When a daemon does not end.
    pub fn end_daemons(&mut self) {
        for (_, worker) in std::mem::take(&mut self.workers) {
            worker.terminate();
            worker.wait(START_DEADLINE);
        }
        if let Some(coordinator) = self.coordinator.take() {
            coordinator.terminate();
            coordinator.wait(START_DEADLINE);
        }
        let since = Instant::now();
        // A supervisor that has nothing to do leaves when its daemon has said farewell, or after half a minute without one.
        eventually(2 * START_DEADLINE, "processes were given their time", || {
            let is_over = since.elapsed() > LEAVE_DEADLINE || self.sandbox.processes().is_empty();
            is_over.then_some(())
        });
    }

    /// Where artifacts are, for somebody beside the cluster.
    pub fn store_config(&self) -> tidemill_artifacts::StoreConfig {
        let variables = self.store.variables();
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        tidemill_artifacts::StoreConfig::from_environment(self.store.url(&self.sandbox), variables)
    }

    /// Takes a worker's daemon out of the cluster's care.
    pub fn take_worker(&mut self, name: &str) -> Option<Daemon> {
        self.workers.remove(name)
    }

    /// The coordinator's process.
    ///
    /// # Panics
    /// When there is none at present.
    pub fn coordinator(&self) -> &Daemon {
        self.coordinator.as_ref().expect("there is a coordinator")
    }

    /// What the coordinator has written.
    pub fn coordinator_log(&self) -> String {
        let path = self.sandbox.path().join("coordinator.log");
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.workers.clear();
        self.standby = None;
        self.coordinator = None;
        queues::delete(&self.prefix);
    }
}
