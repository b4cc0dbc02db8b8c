//! Makes a failing scenario smaller: whatever can be left out while it still fails is left out.

use crate::coverage::Coverage;
use crate::faults::Noise;
use crate::scenario::{Action, Keeping, RunScript, Scenario, StepScript};
use crate::world;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Most worlds that are played to make one smaller.
const PLAYS_MAX: usize = 2_000;

/// How a scenario ends; a panic is a failure like any other.
pub(crate) fn outcome(scenario: &Scenario) -> Result<Coverage, String> {
    catch_unwind(AssertUnwindSafe(|| world::play(scenario))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()))
            .unwrap_or_default())
    })
}

/// The smallest scenario that was found to fail, and how it fails.
pub(crate) fn shrink(scenario: &Scenario) -> (Scenario, String) {
    let mut smallest = scenario.clone();
    let mut why = outcome(scenario).err().unwrap_or_default();
    let mut plays = 0;
    loop {
        let before = plays;
        let mut found = false;
        for candidate in smaller(&smallest) {
            plays += 1;
            if let Err(reason) = outcome(&candidate) {
                (smallest, why, found) = (candidate, reason, true);
                break;
            }
        }
        if !found || plays > PLAYS_MAX || plays == before {
            return (smallest, why);
        }
    }
}

/// Every scenario with one thing less.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut candidate = scenario.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    for run in 0..scenario.runs.len() {
        with(&|s| without(&mut s.runs, run));
    }
    for fault in 0..scenario.faults.len() {
        with(&|s| without(&mut s.faults, fault));
    }
    for quota in 0..scenario.quotas.len() {
        with(&|s| without(&mut s.quotas, quota));
    }
    if !scenario.noise.is_none() {
        with(&|s| s.noise = Noise::NONE);
    }
    if scenario.keeping != Keeping::Local {
        with(&|s| s.keeping = Keeping::Local);
    }
    for (run, script) in scenario.runs.iter().enumerate() {
        for action in 0..script.actions.len() {
            with(&|s| without(&mut s.runs[run].actions, action));
        }
        for step in (0..script.steps.len()).filter(|_| script.steps.len() > 1) {
            with(&|s| without_step(&mut s.runs[run], step));
        }
    }
    all
}

fn without<T>(list: &mut Vec<T>, place: usize) {
    list.remove(place);
}

fn without_step(run: &mut RunScript, gone: usize) {
    run.steps.remove(gone);
    let renumber = |steps: &mut Vec<StepScript>| {
        for step in steps {
            for edges in [&mut step.data, &mut step.after] {
                edges.retain(|edge| *edge != gone);
                edges
                    .iter_mut()
                    .filter(|edge| **edge > gone)
                    .for_each(|edge| *edge -= 1);
            }
        }
    };
    renumber(&mut run.steps);
    for (_, action) in &mut run.actions {
        if let Action::AddSteps(steps) = action {
            renumber(steps);
        }
    }
}
