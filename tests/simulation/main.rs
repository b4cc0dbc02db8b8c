//! The engine under fire: seeded worlds in which everything around it fails, and the laws that must hold all the same. `TIDEMILL_SEED=n` replays one world,
//! `TIDEMILL_SEEDS=n` plays so many.

mod active;
mod archive;
mod bus;
mod coordinator;
mod coverage;
mod disk;
mod faults;
mod machine;
mod oracle;
mod people;
mod plans;
mod recovery;
mod scenario;
mod shrink;
mod sights;
mod store;
mod worker;
mod world;

use coverage::Coverage;
use faults::{Fault, FaultKind, Noise};
use scenario::{Keeping, Scenario};

/// Worlds of a campaign, unless another number is asked for.
const SEEDS: u64 = 1_000;

#[test]
fn every_world_comes_to_a_good_end() {
    if let Some(seed) = number("TIDEMILL_SEED") {
        play_or_report(seed);
        return;
    }
    let seeds = number("TIDEMILL_SEEDS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let coverage = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mut coverage = Coverage::default();
                    for seed in (first..seeds).step_by(usize::try_from(threads).expect("small")) {
                        coverage.merge(&play_or_report(seed));
                    }
                    coverage
                })
            })
            .collect();
        let mut coverage = Coverage::default();
        for worker in workers {
            coverage.merge(
                &worker
                    .join()
                    .expect("a world did not come to a good end: see above"),
            );
        }
        coverage
    });
    println!("{seeds} worlds: {coverage:?}");
    assert_eq!(
        coverage.missing(),
        [],
        "the campaign did not see everything that it claims to exercise"
    );
}

/// Seeds 473 and 628 of the first campaign that lost disks: the worker knew that the attempt was over, the coordinator had forgotten it.
#[test]
fn an_end_that_was_lost_with_the_disk_does_not_hold_its_step_for_ever() {
    let mut seen = Coverage::default();
    for (seed, at) in (0..8).flat_map(|seed| (20..140).map(move |at| (seed, at))) {
        let mut scenario = Scenario::from_seed(seed);
        scenario.keeping = Keeping::Archived;
        scenario.noise = Noise::NONE;
        scenario.runs.truncate(1);
        scenario.runs[0].submit_at = 10;
        scenario.faults = vec![Fault {
            at,
            kind: FaultKind::CoordinatorDies {
                machine: 0,
                after: 0,
                ticks: 5,
                with_disk: true,
            },
        }];
        match shrink::outcome(&scenario) {
            Ok(coverage) => seen.merge(&coverage),
            Err(why) => panic!("seed {seed}, its disk lost at {at}: {why}"),
        }
    }
    assert!(seen.has(coverage::Sight::Disowned), "no end was lost");
}

#[test]
fn the_same_seed_plays_the_same_world() {
    for seed in 0..5 {
        let one = world::play(&Scenario::from_seed(seed)).expect("the campaign covers it");
        let two = world::play(&Scenario::from_seed(seed)).expect("the campaign covers it");
        assert_eq!(format!("{one:?}"), format!("{two:?}"), "seed {seed}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is its own settings: which worlds to play is given in the environment"
)]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Plays a world; a failure is made smaller and printed with everything that is needed to see it again.
fn play_or_report(seed: u64) -> Coverage {
    let scenario = Scenario::from_seed(seed);
    match shrink::outcome(&scenario) {
        Ok(coverage) => coverage,
        Err(why) => {
            let (smallest, last) = shrink::shrink(&scenario);
            panic!("TIDEMILL_SEED={seed} fails: {why}\n\nmade smaller it fails with: {last}\n{smallest:#?}");
        }
    }
}
