//! Row 80: everything at once. Faults chosen by a seed happen every few seconds, some of them end a little later, and work is submitted all the time.

use crate::campaign::{Campaign, Tally, cpu, pass};
use crate::settings::Settings;
use crate::small_disk::SmallDisk;
use crate::standby::{SUPERSEDED, TAKEOVER_DEADLINE};
use crate::trial::{Trial, fast, slow};
use std::fs;
use std::time::{Duration, Instant};
use testkit::{BrokerAccess, Cluster, Rabbit, Random, S3Server, SHORTEST_LEASE, Store, Wire, WorkerPlan};

pub(crate) const TRIALS: &[Trial] = &[
    fast("half_a_minute_of_chaos_breaks_no_invariant", || {
        reign(376, Duration::from_secs(30));
    }),
    slow("chaos_breaks_no_invariant", || {
        let settings = Settings::read();
        reign(settings.seed, settings.chaos);
    }),
];

/// Three workers, so that two may be away.
const WORKERS: [WorkerPlan; 3] = [cpu("one", 2), cpu("two", 2), cpu("three", 2)];

/// How late each piece of data comes from a slow store.
const LATE_BY: Duration = Duration::from_millis(300);

/// What may happen.
#[derive(Debug, Clone, Copy)]
enum Fault {
    CoordinatorKilled,
    CoordinatorFrozen,
    /// The coordinator is killed while a standby follows, which takes over.
    StandbySucceeds,
    /// The coordinator is cut off from broker and store while a standby follows, which takes over.
    StandbySupersedes,
    CoordinatorDiskFull,
    WorkerDiskFull,
    DaemonKilled,
    SupervisorKilled,
    WorkerDestroyed,
    WorkerFrozen,
    WorkerCut,
    WorkerDeaf,
    WorkerReset,
    BrokerKilled,
    ConnectionsClosed,
    QueuePurged,
    QueueDeleted,
    StoreCut,
    StoreSlow,
}

/// How often each is chosen, beside the others.
const FAULTS: &[(Fault, usize)] = &[
    (Fault::CoordinatorKilled, 4),
    (Fault::CoordinatorFrozen, 2),
    (Fault::StandbySucceeds, 1),
    (Fault::StandbySupersedes, 1),
    (Fault::CoordinatorDiskFull, 1),
    (Fault::WorkerDiskFull, 2),
    (Fault::DaemonKilled, 4),
    (Fault::SupervisorKilled, 2),
    (Fault::WorkerDestroyed, 2),
    (Fault::WorkerFrozen, 2),
    (Fault::WorkerCut, 3),
    (Fault::WorkerDeaf, 2),
    (Fault::WorkerReset, 3),
    (Fault::BrokerKilled, 1),
    (Fault::ConnectionsClosed, 2),
    (Fault::QueuePurged, 2),
    (Fault::QueueDeleted, 1),
    (Fault::StoreCut, 2),
    (Fault::StoreSlow, 2),
];

/// What daemons keep free, so that a disk of theirs may be small.
const RESERVE: [(&str, &str); 1] = [("TIDEMILL_DISK_RESERVE", "16MiB")];
/// MiB of the disks that are filled.
const DISK_MIB: u32 = 192;

/// Small disks for the coordinator and the first worker.
#[expect(clippy::print_stdout, reason = "what is not done must be seen")]
fn disks(cluster: &Cluster) -> Option<[SmallDisk; 2]> {
    let at = |name| SmallDisk::try_at(&cluster.sandbox.path().join(name), DISK_MIB);
    let disks = at("coordinator").zip(at(WORKERS[0].name));
    if disks.is_none() {
        println!("no disk is filled: that needs the right to mount one");
    }
    disks.map(<[SmallDisk; 2]>::from)
}

struct World {
    campaign: Campaign,
    rabbit: Rabbit,
    /// The way of each worker to the broker.
    wires: Vec<Wire>,
    store: Wire,
    /// The coordinator's own ways to broker and store.
    own: [Wire; 2],
    /// Disks of the first coordinator and of the first worker, where they may be mounted.
    disks: Option<[SmallDisk; 2]>,
    random: Random,
}

fn reign(seed: u64, length: Duration) {
    let mut world = World::new(seed);
    let begun = Instant::now();
    let mut happened = 0_u32;
    while begun.elapsed() < length {
        for _ in 0..world.random.below(3) {
            let pause = world.random.below(20);
            world.campaign.submit_if_possible(pause);
        }
        world.strike();
        happened += 1;
        pass(Duration::from_millis(world.random.below(2_000)));
    }
    world.campaign.submit(0);
    tell(seed, happened, world.campaign.end());
}

#[expect(clippy::print_stdout, reason = "the figures of the campaign")]
fn tell(seed: u64, happened: u32, tally: Tally) {
    println!("figures: chaos of seed {seed}: {happened} faults; {tally}; every invariant holds");
}

impl World {
    fn new(seed: u64) -> Self {
        let rabbit = Rabbit::start("");
        let mut server = S3Server::start();
        let store = server.put_behind_a_wire();
        let own = [Wire::to(rabbit.port()), server.wire()];
        let access = BrokerAccess {
            url: rabbit.url(),
            authorities: None,
        };
        let variables: Vec<_> = SHORTEST_LEASE.into_iter().chain(RESERVE).collect();
        let mut cluster = Cluster::prepare(access, Store::S3(server), &variables);
        let ways = vec![
            (
                "TIDEMILL_QUEUE_URL",
                format!("amqp://guest:guest@{}", own[0].address()),
            ),
            ("AWS_ENDPOINT", format!("http://{}", own[1].address())),
        ];
        // What a standby takes over is whole only then.
        cluster.set_up_coordinator(&["--archive", "sync"], ways);
        let disks = disks(&cluster);
        let mut world = Self {
            campaign: Campaign::start_in(cluster, &[]),
            own,
            disks,
            wires: WORKERS.map(|_| Wire::to(rabbit.port())).into(),
            rabbit,
            store,
            random: Random::new(seed),
        };
        for place in 0..WORKERS.len() {
            world.start_worker(place);
        }
        world.campaign.cluster.wait_for_workers(WORKERS.len());
        world
    }

    fn start_worker(&mut self, place: usize) {
        let url = format!("amqp://guest:guest@{}", self.wires[place].address());
        self.campaign
            .cluster
            .start_worker_with(WORKERS[place], &[("TIDEMILL_QUEUE_URL", url)]);
    }

    /// Some moment of a fault that ends by itself: shorter or longer than a lease.
    fn a_while(&mut self) {
        pass(Duration::from_millis(200 + self.random.below(15_000)));
    }

    #[expect(clippy::print_stdout, reason = "what led to a failure")]
    fn strike(&mut self) {
        let weighted: Vec<Fault> = FAULTS
            .iter()
            .flat_map(|(fault, weight)| std::iter::repeat_n(*fault, *weight))
            .collect();
        let fault = self.random.pick(&weighted);
        let place = self.random.place(WORKERS.len());
        println!("{fault:?} {}", WORKERS[place].name);
        match fault {
            Fault::CoordinatorKilled => self.restart_coordinator(),
            Fault::CoordinatorFrozen => {
                self.campaign.cluster.coordinator().freeze();
                self.a_while();
                self.campaign.cluster.coordinator().thaw();
            }
            Fault::StandbySucceeds => {
                self.campaign.cluster.start_standby();
                self.campaign.cluster.kill_coordinator();
                self.campaign.cluster.wait_for_takeover(TAKEOVER_DEADLINE);
            }
            Fault::StandbySupersedes => self.supersede(),
            Fault::CoordinatorDiskFull => self.fill_disk(0, 8),
            Fault::WorkerDiskFull => self.fill_disk(1, 1),
            Fault::BrokerKilled => self.rabbit.restart(),
            Fault::ConnectionsClosed => drop(self.rabbit.try_ctl(["close_all_connections", "chaos"])),
            Fault::QueuePurged => self.to_queue("purge_queue"),
            Fault::QueueDeleted => self.to_queue("delete_queue"),
            Fault::StoreCut => {
                self.store.cut();
                self.a_while();
                self.store.mend();
            }
            Fault::StoreSlow => {
                self.store.slow_down(LATE_BY);
                self.a_while();
                self.store.mend();
            }
            _ => self.strike_worker(fault, place),
        }
    }

    fn strike_worker(&mut self, fault: Fault, place: usize) {
        let name = WORKERS[place].name;
        let cluster = &mut self.campaign.cluster;
        match fault {
            Fault::DaemonKilled => {
                cluster.kill_worker(name);
                self.start_worker(place);
            }
            Fault::WorkerDestroyed => {
                cluster.destroy_worker(name);
                self.a_while();
                self.start_worker(place);
            }
            // It may be on its way up: then there is none to be killed.
            Fault::SupervisorKilled => {
                let _was_there = cluster.kill_supervisor(name);
            }
            Fault::WorkerFrozen => {
                cluster.worker(name).freeze();
                self.a_while();
                self.campaign.cluster.worker(name).thaw();
            }
            Fault::WorkerCut => self.through_wire(place, Wire::cut),
            Fault::WorkerDeaf => self.through_wire(place, Wire::hold_answers),
            _ => self.wires[place].reset(),
        }
    }

    fn through_wire(&mut self, place: usize, harm: fn(&Wire)) {
        harm(&self.wires[place]);
        self.a_while();
        self.wires[place].mend();
    }

    fn supersede(&mut self) {
        // One that took over came up by everybody's ways; started again it has its own.
        self.restart_coordinator();
        self.campaign.cluster.start_standby();
        self.own.iter().for_each(Wire::hold);
        let lost = self.campaign.cluster.wait_for_takeover(TAKEOVER_DEADLINE);
        let lost = lost.expect("it was only cut off");
        self.own.iter().for_each(Wire::mend);
        assert_eq!(lost.wait(TAKEOVER_DEADLINE).code(), Some(SUPERSEDED));
    }

    /// Leaves so many MiB on one of the two disks. A coordinator that took over lives on another one, and is not touched.
    fn fill_disk(&mut self, place: usize, left_mib: u64) {
        let Some(disks) = &self.disks else {
            return;
        };
        let ballast = disks[place].fill(left_mib);
        self.a_while();
        fs::remove_file(ballast).expect("it is there");
    }

    fn restart_coordinator(&mut self) {
        self.campaign.cluster.kill_coordinator();
        self.campaign.cluster.start_coordinator();
    }

    fn to_queue(&self, verb: &str) {
        let queue = format!("{}.tasks.cpu-cluster", self.campaign.cluster.prefix());
        // It may be gone already.
        drop(self.rabbit.try_ctl([verb, queue.as_str()]));
    }
}
