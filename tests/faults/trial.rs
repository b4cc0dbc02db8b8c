//! What a trial is, and the list of all of them.

use crate::{
    broken_disk, broker, chaos, checker, clock, coordinator, crowd, loops, metrics, nodes, objects, power,
    results, secrets, silence, standby, stuck, watched, worker,
};

/// How long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At most a minute or so: with every other test.
    Fast,
    /// Longer: with the whole campaign.
    Slow,
}

/// One fault, done to real processes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial {
    /// What holds, as a sentence.
    pub(crate) name: &'static str,
    /// How long it takes.
    pub(crate) pace: Pace,
    /// Does it; panics when it does not hold.
    pub(crate) run: fn(),
}

/// A trial for every run of the tests.
pub(crate) const fn fast(name: &'static str, run: fn()) -> Trial {
    Trial {
        name,
        pace: Pace::Fast,
        run,
    }
}

/// A trial for the whole campaign.
pub(crate) const fn slow(name: &'static str, run: fn()) -> Trial {
    Trial {
        name,
        pace: Pace::Slow,
        run,
    }
}

impl Trial {
    /// As the test harness takes it.
    pub(crate) fn listed(self) -> libtest_mimic::Trial {
        libtest_mimic::Trial::test(self.name, move || {
            (self.run)();
            Ok(())
        })
    }
}

/// All trials.
pub(crate) fn all() -> impl Iterator<Item = Trial> {
    let groups: [&[Trial]; 19] = [
        checker::TRIALS,
        watched::TRIALS,
        stuck::TRIALS,
        results::TRIALS,
        coordinator::TRIALS,
        broken_disk::TRIALS,
        clock::TRIALS,
        secrets::TRIALS,
        standby::TRIALS,
        crowd::TRIALS,
        broker::TRIALS,
        nodes::TRIALS,
        worker::TRIALS,
        silence::TRIALS,
        objects::TRIALS,
        metrics::TRIALS,
        power::TRIALS,
        loops::TRIALS,
        chaos::TRIALS,
    ];
    groups.into_iter().flatten().copied()
}
