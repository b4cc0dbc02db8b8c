//! One cluster under attack: what is submitted while faults happen is remembered as promises, and when all of it has ended the checker judges what is left.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::spill::{in_answers, in_places};
use testkit::{
    BrokerAccess, Canary, Cluster, Daemon, Job, Observer, Promise, SHORTEST_LEASE, STEPS, Store, Told,
    WallClock, WorkerPlan, Workload, eventually, gather, judge,
};
use tidemill_protocol::api::{RunSummary, RunView};
use tidemill_protocol::ids::RunId;

/// How long everything that was submitted may take to end after the last fault.
const END_DEADLINE: Duration = Duration::from_mins(4);
/// How long a submission may be refused or unanswered while parts are away.
const SUBMIT_DEADLINE: Duration = Duration::from_mins(3);

/// So many submissions may wait for their answers at once.
const ASKED_MAX: usize = 4;
/// Whoever was refused asks again after so long.
const SUBMIT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// More runs than a campaign submits.
const RUNS_MAX: &str = "100000";

/// The id of a run that there never is: every campaign asks for its end, so that something is refused.
const NO_RUN: &str = "00000000-0000-7000-8000-000000000000";

/// A worker of the one compute target of the workload.
pub(crate) const fn cpu(name: &'static str, slots: u32) -> WorkerPlan {
    WorkerPlan {
        name,
        compute: &["cpu-cluster:cpu"],
        slots,
    }
}

/// What a campaign came to. All runs that were promised ended well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    /// Runs that were promised.
    pub(crate) runs: usize,
    /// Attempts at their steps that were begun.
    attempts: usize,
    /// Processes that were started for them: user code may begin more than once, for example when the broker delivers a task again whose claim it lost.
    starts: usize,
}

impl Tally {
    /// Attempts beyond one for each step: those that were given up.
    pub(crate) fn given_up(&self) -> usize {
        self.attempts.saturating_sub(self.runs * STEPS)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (runs, steps, given_up) = (self.runs, self.runs * STEPS, self.given_up());
        let twice = self.starts - self.attempts;
        write!(
            f,
            "{runs} runs, none lost; {steps} steps, {given_up} attempts given up, {twice} begun twice"
        )
    }
}

/// A cluster with its workload.
pub(crate) struct Campaign {
    /// The processes.
    pub(crate) cluster: Cluster,
    /// What is run.
    pub(crate) workload: Workload,
    promises: Vec<Promise>,
    /// Submissions that wait for their answer.
    asked: Vec<Asked>,
    /// What is still to be submitted: not before when, and for how long its steps sleep.
    to_submit: VecDeque<(Instant, u64)>,
    /// How many clients were started for that.
    began: usize,
    observer: Observer,
    secret: Option<Secret>,
}

/// A submission under way.
struct Asked {
    job: Job,
    pause_tenths: u64,
    since: Instant,
    client: Daemon,
}

/// What the first step of every run is given and says aloud, and where else than in the cluster's folder it might stick.
struct Secret {
    canary: Canary,
    folders: Vec<PathBuf>,
}

impl Campaign {
    /// A coordinator and these workers over the shared RabbitMQ, artifacts in a folder.
    pub(crate) fn start(workers: &[WorkerPlan]) -> Self {
        Self::start_over(BrokerAccess::default(), Store::Folder, workers)
    }

    /// The same on parts of one's own.
    pub(crate) fn start_over(broker: BrokerAccess, store: Store, workers: &[WorkerPlan]) -> Self {
        Self::start_in(Cluster::prepare(broker, store, &[]), workers)
    }

    /// The same with the shortest lease, for trials in which workers are given up.
    pub(crate) fn start_hasty(broker: BrokerAccess, store: Store, workers: &[WorkerPlan]) -> Self {
        Self::start_in(Cluster::prepare(broker, store, &SHORTEST_LEASE), workers)
    }

    /// The same in a cluster of which nothing runs yet.
    pub(crate) fn start_in(mut cluster: Cluster, workers: &[WorkerPlan]) -> Self {
        cluster.start_all(workers);
        Self {
            workload: Workload::new(&cluster.sandbox),
            observer: cluster.observe(),
            cluster,
            promises: Vec::new(),
            asked: Vec::new(),
            to_submit: VecDeque::new(),
            began: 0,
            secret: None,
        }
    }

    /// The same with a secret for every first step, which is looked for at the end, in these folders too. The workers have joined, because only such are given secrets.
    pub(crate) fn start_spilling(broker: BrokerAccess, folders: &[&Path], workers: &[WorkerPlan]) -> Self {
        let mut cluster = Cluster::prepare(broker, Store::Folder, &[]);
        cluster.start_coordinator();
        let canary = Canary::new();
        let mut command = cluster.client(["secret", "set", "canary"]);
        let set = cluster
            .sandbox
            .finish_with_input(&mut command, canary.value().as_bytes());
        assert_eq!(set.code, Some(0), "{set}");
        for worker in workers {
            let joining = cluster.ok(["worker", "token", "create", "--quiet"]).stdout;
            let token = ("TIDEMILL_JOIN_TOKEN", joining.trim().to_owned());
            cluster.start_worker_with(*worker, &[token]);
        }
        cluster.wait_for_workers(workers.len());
        let folders = folders.iter().copied().chain([Path::new("/dev/shm")]);
        Self {
            workload: Workload::spilling(&cluster.sandbox),
            observer: cluster.observe(),
            cluster,
            promises: Vec::new(),
            asked: Vec::new(),
            to_submit: VecDeque::new(),
            began: 0,
            secret: Some(Secret {
                canary,
                folders: folders.map(Path::to_owned).collect(),
            }),
        }
    }

    /// Submits one run and remembers the promise.
    pub(crate) fn submit(&mut self, pause_tenths: u64) -> RunId {
        let job = self.workload.job(pause_tenths);
        let run = eventually(SUBMIT_DEADLINE, "a submission is answered", || {
            self.try_submit(&job)
        });
        self.promises.push(job.promise(run));
        run
    }

    /// Begins to submit one run, and waits for no answer: see [`Self::harvest`].
    pub(crate) fn submit_later(&mut self, pause_tenths: u64) {
        self.to_submit.push_back((Instant::now(), pause_tenths));
        self.harvest();
    }

    /// Remembers the promises of submissions that were answered since. One that was refused, or not answered for a long time, promises nothing, and another run is
    /// submitted in its place a little later.
    pub(crate) fn harvest(&mut self) {
        for mut asked in std::mem::take(&mut self.asked) {
            if asked.client.is_running() && asked.since.elapsed() < SUBMIT_DEADLINE {
                self.asked.push(asked);
                continue;
            }
            let (said, is_running) = (asked.client.log(), asked.client.is_running());
            if !is_running && asked.client.wait(SUBMIT_AGAIN_AFTER).success() {
                let run = said.lines().find_map(|line| line.trim().parse().ok());
                self.promises
                    .push(asked.job.promise(run.expect("an id is printed")));
            } else {
                let later = Instant::now() + SUBMIT_AGAIN_AFTER;
                self.to_submit.push_back((later, asked.pause_tenths));
            }
        }
        let now = Instant::now();
        while self.asked.len() < ASKED_MAX
            && let Some((_, pause_tenths)) = self.to_submit.pop_front_if(|(due, _)| *due <= now)
        {
            let job = self.workload.job(pause_tenths);
            let client = self.client_for(&job, &format!("submission-{}.log", self.began));
            self.began += 1;
            self.asked.push(Asked {
                job,
                pause_tenths,
                since: now,
                client,
            });
        }
    }

    /// The same until all that was to be submitted is promised.
    pub(crate) fn harvest_all(&mut self) {
        eventually(2 * SUBMIT_DEADLINE, "every submission is answered", || {
            self.harvest();
            (self.asked.is_empty() && self.to_submit.is_empty()).then_some(())
        });
    }

    /// A client that asks the coordinator of this moment to take a run, and waits for its answer.
    pub(crate) fn begin_submission(&mut self) -> Daemon {
        let job = self.workload.job(0);
        self.client_for(&job, "submission.log")
    }

    fn client_for(&self, job: &Job, log: &str) -> Daemon {
        let fixed = ["submit", "--quiet"].map(str::to_owned);
        let mut command = self.cluster.client(fixed.iter().chain(&job.arguments));
        Daemon::start(
            "a submission",
            &mut command,
            &self.cluster.sandbox.path().join(log),
        )
    }

    fn try_submit(&self, job: &Job) -> Option<RunId> {
        let fixed = ["submit", "--quiet"].map(str::to_owned);
        let output = self.cluster.cli(fixed.iter().chain(&job.arguments));
        (output.code == Some(0)).then(|| output.stdout.trim().parse().expect("an id is printed"))
    }

    /// Waits until at least this many processes of steps have started.
    pub(crate) fn wait_for_starts(&self, count: usize) {
        eventually(END_DEADLINE, &format!("{count} processes have started"), || {
            (self.workload.starts() >= count).then_some(())
        });
    }

    /// Waits until no process of a step sleeps any more, as all steps of the workload do in their middle.
    pub(crate) fn wait_for_ended_processes(&self) {
        eventually(END_DEADLINE, "the steps under way have ended", || {
            let processes = self.cluster.sandbox.processes();
            (!processes.into_iter().any(sleeps)).then_some(())
        });
    }

    /// Waits until every promised run has ended.
    pub(crate) fn wait_for_all(&self) {
        let begun = Instant::now();
        for promise in &self.promises {
            let left = END_DEADLINE.saturating_sub(begun.elapsed());
            let id = promise.run.to_string();
            self.cluster
                .wait_for_run(&id, promise.status, left.max(Duration::from_secs(10)));
        }
    }

    /// Attempts beyond one for each step that the API shows, begun or not.
    pub(crate) fn spare_attempts(&self) -> usize {
        let runs = self.promises.iter();
        let runs = runs.map(|promise| self.cluster.run(&promise.run.to_string()));
        let steps = runs.flat_map(|run| run.steps_list);
        steps.map(|step| step.attempts.len().saturating_sub(1)).sum()
    }

    /// How many attempts of a run any worker has claimed.
    pub(crate) fn claims(&self, run: RunId) -> usize {
        let view = self.cluster.run(&run.to_string());
        let attempts = view.steps_list.iter().flat_map(|step| &step.attempts);
        attempts.filter(|attempt| attempt.claimed_at.is_some()).count()
    }

    /// Every run that there is, also those whose submission was not answered; waits until the last has ended, however it does.
    fn all_ended(&self) -> Vec<RunView> {
        let listed = self.cluster.ok(["runs", "list", "-n", RUNS_MAX, "-o", "json"]);
        let listed: Vec<RunSummary> = listed.items();
        let ended = listed.into_iter().map(|run| {
            let id = run.id.to_string();
            eventually(END_DEADLINE, &format!("run {id} has ended"), || {
                let run = self.cluster.run(&id);
                run.summary.status.is_terminal().then_some(run)
            })
        });
        ended.collect()
    }

    /// Waits for all that was promised, stops everything, and lets the checker look. Answers what there was.
    ///
    /// # Panics
    /// When an invariant does not hold.
    pub(crate) fn end(mut self) -> Tally {
        self.wait_for_all();
        let nobody: RunId = NO_RUN.parse().expect("is an id");
        assert!(
            self.cluster.is_refused_to_cancel(nobody),
            "a run that is none cannot be ended"
        );
        let mut told = Told {
            promises: self.promises.clone(),
            refusals: vec![nobody],
            runs: self.all_ended(),
            ..Told::default()
        };
        if let Some((secret, last)) = self.secret.as_ref().zip(self.promises.last()) {
            told.spilled = secret.in_answers(&self.cluster, last.run);
        }
        let store = self.cluster.store_config();
        self.cluster.end_daemons();
        told.vitals = self.observer.finish();
        told.stored = sweep(&mut self.cluster);
        if let Some(secret) = &self.secret {
            told.spilled.extend(secret.in_places(&self.cluster));
        }
        let states = self.cluster.states();
        let evidence = gather(&self.cluster.sandbox, &states, &store, told);
        let breaches = judge(&evidence);
        let told: Vec<String> = breaches.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        Tally {
            runs: self.promises.len(),
            attempts: self.workload.attempts(),
            starts: self.workload.starts(),
        }
    }
}

impl Secret {
    /// Where the API answers with it about this run, while it is there to be asked.
    fn in_answers(&self, cluster: &Cluster, run: RunId) -> Vec<String> {
        let log = cluster.ok(["logs", &format!("{run}/first")]);
        assert!(log.stdout.contains("given ***"), "it is said, and covered: {log}");
        in_answers(&self.canary, &cluster.url(), "first")
    }

    /// Where it sticks: journal, audit log, store, workers, logs, the arguments of processes, and what else was named.
    fn in_places(&self, cluster: &Cluster) -> Vec<String> {
        let others = self.folders.iter().map(PathBuf::as_path);
        let folders: Vec<&Path> = others.chain([cluster.sandbox.path()]).collect();
        in_places(&self.canary, &folders)
    }
}

/// Has everything swept that nothing names, and lists the rest.
#[expect(clippy::print_stdout, reason = "what was not judged must be seen")]
fn sweep(cluster: &mut Cluster) -> Option<BTreeSet<String>> {
    if WallClock::is_installed() {
        cluster.sweep_a_month_later();
        Some(cluster.stored())
    } else {
        println!("I8 is not judged: libfaketime is not installed, and nothing in the store is old");
        None
    }
}

fn sleeps(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
}

/// Lets time pass while something goes on outside.
pub(crate) fn pass(length: Duration) {
    let begun = Instant::now();
    eventually(length + Duration::from_secs(10), "time passes", || {
        (begun.elapsed() >= length).then_some(())
    });
}
