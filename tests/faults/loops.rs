//! Kill loops: one part is killed again and again at random moments of a running workload.

use crate::broker::{REJOIN_MAX, settle, wait_until_all_are_back};
use crate::campaign::{Campaign, Tally, cpu, pass};
use crate::settings::Settings;
use crate::trial::{Trial, fast, slow};
use std::time::{Duration, Instant};
use testkit::{BrokerAccess, Rabbit, Random, Store};

pub(crate) const TRIALS: &[Trial] = &[
    fast("five_kills_of_the_coordinator_lose_nothing", || coordinator(5, 1)),
    fast("five_kills_of_worker_daemons_lose_nothing", || workers(5, 2)),
    slow("two_hundred_kills_of_the_coordinator_lose_nothing", || {
        let settings = Settings::read();
        coordinator(settings.kills, settings.seed);
    }),
    slow("two_hundred_kills_of_worker_daemons_lose_nothing", || {
        let settings = Settings::read();
        workers(settings.kills, settings.seed);
    }),
    slow("twenty_kills_of_the_broker_lose_nothing", || {
        let settings = Settings::read();
        broker(settings.broker_kills, settings.seed);
    }),
];

/// From the death of the coordinator to its first answer.
const RESTART_MAX: Duration = Duration::from_secs(5);

/// Longest time between a restart and the next kill.
const BETWEEN_KILLS_MS: u64 = 1_500;

const WORKERS: [testkit::WorkerPlan; 2] = [cpu("one", 2), cpu("two", 2)];

fn random_moment(random: &mut Random) {
    pass(Duration::from_millis(10 + random.below(BETWEEN_KILLS_MS)));
}

/// How long a part was away, over all kills.
#[derive(Default)]
struct Away(Vec<Duration>);

impl Away {
    fn measure(&mut self, act: impl FnOnce()) {
        let begun = Instant::now();
        act();
        self.0.push(begun.elapsed());
    }
}

#[expect(clippy::print_stdout, reason = "the figures of the campaign")]
fn report(what: &str, mut away: Away, tally: Tally) {
    away.0.sort_unstable();
    let at = |part: usize| away.0[(away.0.len() - 1) * part / 100].as_millis();
    println!(
        "figures: {} kills of {what}: {tally}; away for {} ms (median), {} ms (longest)",
        away.0.len(),
        at(50),
        at(100),
    );
}

impl Away {
    /// Each time it was back as soon as it has to be.
    fn assert_within(&self, bound: Duration) {
        for away in &self.0 {
            assert!(
                *away <= bound,
                "it was away for {away:?}, and may be for {bound:?}"
            );
        }
    }
}

/// Kills again and again by `act` while runs are submitted.
fn kill_loop(
    what: &str,
    (kills, seed): (u32, u64),
    back_within: Option<Duration>,
    act: impl Fn(&mut Campaign, &mut Random),
) {
    let mut random = Random::new(seed);
    let mut campaign = Campaign::start_spilling(BrokerAccess::default(), &[], &WORKERS);
    let mut away = Away::default();
    for _ in 0..kills {
        campaign.submit(random.below(10));
        random_moment(&mut random);
        away.measure(|| act(&mut campaign, &mut random));
    }
    let tally = campaign.end();
    if let Some(bound) = back_within {
        away.assert_within(bound);
    }
    report(what, away, tally);
}

fn coordinator(kills: u32, seed: u64) {
    kill_loop(
        "the coordinator",
        (kills, seed),
        Some(RESTART_MAX),
        |campaign, _| {
            campaign.cluster.kill_coordinator();
            campaign.cluster.start_coordinator();
        },
    );
}

fn workers(kills: u32, seed: u64) {
    kill_loop("worker daemons", (kills, seed), None, |campaign, random| {
        let worker = random.pick(&WORKERS);
        campaign.cluster.kill_worker(worker.name);
        campaign.cluster.start_worker(worker);
    });
}

fn broker(kills: u32, seed: u64) {
    let mut random = Random::new(seed);
    let mut rabbit = Rabbit::start("");
    let access = BrokerAccess {
        url: rabbit.url(),
        authorities: None,
    };
    let mut campaign = Campaign::start_over(access, Store::Folder, &WORKERS);
    settle(&mut campaign);
    let (mut away, mut apart) = (Away::default(), Away::default());
    for _ in 0..kills {
        for _ in 0..3 {
            campaign.submit(random.below(20));
        }
        random_moment(&mut random);
        away.measure(|| rabbit.restart());
        apart.measure(|| wait_until_all_are_back(&rabbit, campaign.cluster.prefix()));
    }
    let tally = campaign.end();
    apart.assert_within(REJOIN_MAX);
    report("the broker", away, tally);
    report(
        "the broker, from its first answer until all were back at it",
        apart,
        tally,
    );
}
