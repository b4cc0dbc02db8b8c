//! Row 80: everything at once. Faults chosen by a seed begin every two seconds or so and last for a while, several of them at a time, and work is submitted all the time.
//! What happens when is in `schedule`, how it is done in `world`.

mod schedule;
mod world;

use crate::campaign::Tally;
use crate::settings::Settings;
use crate::trial::{Trial, fast, slow};
use schedule::{Deed, Fault, Schedule, Strike};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use world::{WORKERS, World};

pub(crate) const TRIALS: &[Trial] = &[
    fast(
        "a_seed_of_chaos_always_gives_the_same_faults_and_never_two_at_once_that_contradict_each_other",
        schedule::is_sound,
    ),
    fast("half_a_minute_of_chaos_breaks_no_invariant", || {
        reign(376, Duration::from_secs(30));
    }),
    slow("chaos_breaks_no_invariant", || {
        let settings = Settings::read();
        reign(settings.seed, settings.chaos);
    }),
];

/// What happened.
#[derive(Default)]
struct Happened {
    kinds: BTreeMap<Fault, usize>,
    open: Vec<Strike>,
    most_at_once: usize,
}

impl Happened {
    fn begin(&mut self, strike: Strike) {
        *self.kinds.entry(strike.fault).or_default() += 1;
        self.open.push(strike);
        self.most_at_once = self.most_at_once.max(self.open.len());
    }

    fn end(&mut self, strike: &Strike) {
        self.open.retain(|open| open != strike);
    }
}

fn reign(seed: u64, length: Duration) {
    let mut world = World::new();
    let mut schedule = Schedule::of(seed, WORKERS.len());
    let mut happened = Happened::default();
    let begun = Instant::now();
    // What is done takes its time, which is added to the moment of whatever comes after it: faults last for as long as they are meant to, or longer.
    let mut late_by = Duration::ZERO;
    while begun.elapsed() < length {
        let (at, deed) = schedule.next();
        world.go_on_until(begun + at + late_by);
        let doing = Instant::now();
        match deed {
            Deed::Submit { pause_tenths } => world.campaign.submit_later(pause_tenths),
            Deed::Begin(strike) => {
                tell("begins", &strike);
                happened.begin(strike);
                if world.begin(&strike) {
                    happened.end(&strike);
                }
            }
            Deed::Mend(strike) => {
                tell("is mended", &strike);
                world.mend(&strike);
                happened.end(&strike);
            }
        }
        late_by += doing.elapsed();
    }
    let meanwhile = world.campaign.workload.attempts();
    for strike in std::mem::take(&mut happened.open) {
        tell("is mended in the end", &strike);
        world.mend(&strike);
    }
    figures(seed, &happened, meanwhile, world.end());
}

#[expect(clippy::print_stdout, reason = "what led to a failure")]
fn tell(what: &str, strike: &Strike) {
    println!("{:?} {} {what}", strike.fault, WORKERS[strike.worker].name);
}

#[expect(clippy::print_stdout, reason = "the figures of the campaign")]
fn figures(seed: u64, happened: &Happened, meanwhile: usize, tally: Tally) {
    let all: usize = happened.kinds.values().sum();
    let each = happened
        .kinds
        .iter()
        .map(|(fault, times)| format!("{times} {fault:?}"));
    println!(
        "figures: chaos of seed {seed}: {all} faults, {} open at once at most ({}); {tally}; {meanwhile} attempts began before all was mended; every invariant holds",
        happened.most_at_once,
        each.collect::<Vec<_>>().join(", "),
    );
}
