//! One cluster under attack: what is submitted while faults happen is remembered as promises, and when all of it has ended the checker judges what is left.

use std::fmt;
use std::time::{Duration, Instant};
use testkit::{
    BrokerAccess, Cluster, Job, Observer, Promise, SHORTEST_LEASE, STEPS, Store, Told, WorkerPlan, Workload,
    eventually, gather, judge,
};
use tidemill_protocol::ids::RunId;

/// How long everything that was submitted may take to end after the last fault.
const END_DEADLINE: Duration = Duration::from_mins(4);
/// How long a submission may be refused or unanswered while parts are away.
const SUBMIT_DEADLINE: Duration = Duration::from_mins(3);

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
    observer: Observer,
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

    /// Submits one run if somebody answers now. A submission that was not answered promises nothing.
    pub(crate) fn submit_if_possible(&mut self, pause_tenths: u64) -> Option<RunId> {
        let job = self.workload.job(pause_tenths);
        let run = self.try_submit(&job)?;
        self.promises.push(job.promise(run));
        Some(run)
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
        let runs = self.promises.iter();
        let runs = runs.map(|promise| self.cluster.run(&promise.run.to_string()));
        let told = Told {
            promises: self.promises.clone(),
            refusals: vec![nobody],
            runs: runs.collect(),
            vitals: self.observer.finish(),
        };
        let store = self.cluster.store_config();
        self.cluster.stop();
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
