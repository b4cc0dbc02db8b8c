//! A scenario: everything that a seed decides beforehand, as data, so that a failing one can be printed and made smaller. How it plays out is in
//! `world.rs`.

use crate::faults::{Fault, Noise, random_faults};
use testkit::Random;
use tidemill_protocol::plan::{OnStepFailure, When};

/// Compute targets of every scenario.
pub(crate) const TARGETS: [&str; 3] = ["cpu", "gpu", "spark"];
/// Projects of every scenario.
pub(crate) const PROJECTS: [&str; 2] = ["default", "vision"];
/// Ticks after which no new fault and no new request begins.
pub(crate) const TROUBLE_TICKS: u64 = 400;

/// One play.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) workers: Vec<WorkerScript>,
    pub(crate) runs: Vec<RunScript>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) noise: Noise,
    pub(crate) keeping: Keeping,
    /// Quotas that people set, in the order of their ticks.
    pub(crate) quotas: Vec<QuotaScript>,
}

/// A quota, and when it is set.
#[derive(Debug, Clone)]
pub(crate) struct QuotaScript {
    pub(crate) set_at: u64,
    pub(crate) project: &'static str,
    /// None takes it away; never 0, so that every run can end.
    pub(crate) running_steps: Option<u32>,
    /// The same on the first target alone.
    pub(crate) on_first_target: Option<u32>,
}

/// Where the coordinator's journal is kept beside its own disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// Nowhere.
    Local,
    /// In the store, some time later.
    Archived,
    /// In the store before anything is answered, and a second machine stands by.
    Guarded,
}

/// A worker: what it serves. Every target is served by the first worker too, so that every run can end.
#[derive(Debug, Clone)]
pub(crate) struct WorkerScript {
    pub(crate) targets: Vec<&'static str>,
    pub(crate) slots: u32,
}

/// A run: when it is submitted, of what it consists, and what people do to it.
#[derive(Debug, Clone)]
pub(crate) struct RunScript {
    pub(crate) submit_at: u64,
    pub(crate) submitter: u64,
    pub(crate) project: &'static str,
    pub(crate) on_step_failure: OnStepFailure,
    pub(crate) force_rerun: bool,
    pub(crate) steps: Vec<StepScript>,
    pub(crate) actions: Vec<(u64, Action)>,
}

/// What a person does to a run.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Cancel,
    Retry,
    Forget,
    /// Steps whose `data` and `after` count through the old steps first.
    AddSteps(Vec<StepScript>),
}

/// A step and how its process behaves.
#[derive(Debug, Clone)]
pub(crate) struct StepScript {
    /// Which work it does: equal numbers are equal templates.
    pub(crate) work: u64,
    pub(crate) literal: u64,
    pub(crate) data: Vec<usize>,
    pub(crate) after: Vec<usize>,
    pub(crate) when: When,
    pub(crate) cache: bool,
    pub(crate) priority: i32,
    pub(crate) retries: u32,
    pub(crate) target: &'static str,
    /// Its first attempts fail through its own fault.
    pub(crate) fails: u32,
    /// Its kind has no executor.
    pub(crate) foreign: bool,
}

impl Scenario {
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let workers = (0..=random.below(3))
            .map(|place| worker(&mut random, place))
            .collect::<Vec<_>>();
        let mut runs: Vec<RunScript> = (0..=random.below(4)).map(|_| run(&mut random)).collect();
        let faults = random_faults(&mut random, workers.len());
        let noise = Noise::random(&mut random);
        let keeping = random.pick(&[Keeping::Local, Keeping::Archived, Keeping::Guarded]);
        // Drawn last, so that the rest of a world is what its seed always gave.
        for run in &mut runs {
            run.project = random.pick(&PROJECTS);
        }
        let mut quotas: Vec<QuotaScript> = (0..random.below(4)).map(|_| quota(&mut random)).collect();
        quotas.sort_by_key(|quota| quota.set_at);
        Self {
            seed,
            workers,
            runs,
            faults,
            noise,
            keeping,
            quotas,
        }
    }
}

fn quota(random: &mut Random) -> QuotaScript {
    let bound = |random: &mut Random, often: u64| {
        random
            .chance(often)
            .then(|| 1 + u32::try_from(random.below(3)).expect("small"))
    };
    QuotaScript {
        set_at: random.below(TROUBLE_TICKS / 2),
        project: random.pick(&PROJECTS),
        running_steps: bound(random, 800),
        on_first_target: bound(random, 300),
    }
}

fn worker(random: &mut Random, place: u64) -> WorkerScript {
    let all = place == 0 || random.chance(300);
    let targets = if all {
        TARGETS.to_vec()
    } else {
        vec![random.pick(&TARGETS)]
    };
    WorkerScript {
        targets,
        slots: 1 + u32::try_from(random.below(3)).expect("small"),
    }
}

fn run(random: &mut Random) -> RunScript {
    // A run without misfortune of its own must succeed whatever the world does.
    let healthy = random.chance(500);
    let count = 1 + random.place(10);
    let steps = (0..count).map(|place| step(random, place, healthy)).collect();
    let policies = [OnStepFailure::Stop, OnStepFailure::Continue];
    let submit_at = random.below(TROUBLE_TICKS / 2);
    let actions = if healthy {
        gentle_actions(random, count)
    } else {
        rough_actions(random, count)
    };
    RunScript {
        submit_at,
        submitter: random.below(2),
        project: PROJECTS[0],
        on_step_failure: random.pick(&policies),
        force_rerun: random.chance(150),
        steps,
        actions: actions
            .into_iter()
            .map(|(at, action)| (submit_at + at, action))
            .collect(),
    }
}

fn gentle_actions(random: &mut Random, steps: usize) -> Vec<(u64, Action)> {
    if random.chance(250) {
        vec![(1 + random.below(60), added(random, steps, true))]
    } else {
        Vec::new()
    }
}

fn rough_actions(random: &mut Random, steps: usize) -> Vec<(u64, Action)> {
    let mut actions = Vec::new();
    if random.chance(250) {
        actions.push((1 + random.below(60), added(random, steps, false)));
    }
    if random.chance(400) {
        let at = random.below(120);
        actions.push((at, Action::Cancel));
        if random.chance(400) {
            actions.push((at + 1 + random.below(20), Action::Cancel));
        }
    }
    if random.chance(500) {
        actions.push((100 + random.below(100), Action::Retry));
    }
    if random.chance(250) {
        actions.push((180 + random.below(100), Action::Forget));
    }
    actions
}

fn added(random: &mut Random, old: usize, healthy: bool) -> Action {
    let count = 1 + random.place(4);
    Action::AddSteps(
        (old..old + count)
            .map(|place| step(random, place, healthy))
            .collect(),
    )
}

fn step(random: &mut Random, place: usize, healthy: bool) -> StepScript {
    let edges = |random: &mut Random, often: u64, most: usize| {
        let mut edges = Vec::new();
        while place > 0 && edges.len() < most && random.chance(often) {
            edges.push(random.place(place));
        }
        edges.sort_unstable();
        edges.dedup();
        edges
    };
    let whens = [
        When::OnSuccess,
        When::OnSuccess,
        When::OnSuccess,
        When::Always,
        When::OnFailure,
    ];
    let unlucky = !healthy && random.chance(250);
    let retries = u32::try_from(random.below(3)).expect("small");
    StepScript {
        work: random.below(6),
        literal: random.below(2),
        data: edges(random, 600, 2),
        after: edges(random, 200, 2),
        when: random.pick(&whens),
        cache: !random.chance(150),
        priority: i32::try_from(random.below(3)).expect("small") - 1,
        retries,
        target: random.pick(&TARGETS),
        fails: if unlucky {
            u32::try_from(random.below(4)).expect("small")
        } else {
            random_luck(random, retries)
        },
        foreign: unlucky && random.chance(150),
    }
}

/// Failures that the step's own retries make good.
fn random_luck(random: &mut Random, retries: u32) -> u32 {
    if random.chance(200) { retries } else { 0 }
}
