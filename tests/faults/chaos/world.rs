//! The cluster that chaos reigns over: how each fault is done and mended, and who keeps daemons running that end by themselves, as a service manager does.

use super::schedule::{Fault, Strike};
use crate::campaign::{Campaign, Tally, cpu};
use crate::small_disk::SmallDisk;
use crate::standby::{SUPERSEDED, TAKEOVER_DEADLINE};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use testkit::{
    BrokerAccess, Cluster, Rabbit, S3Server, SHORTEST_LEASE, Store, WallClock, Wire, WorkerPlan, eventually,
};

/// Three workers, so that two may be away.
pub(super) const WORKERS: [WorkerPlan; 3] = [cpu("one", 2), cpu("two", 2), cpu("three", 2)];
/// The worker whose clock is not right.
const CLOCKED: usize = 1;

/// How late each piece of data comes from a slow store.
const LATE_BY: Duration = Duration::from_millis(300);
/// What daemons keep free, so that a disk of theirs may be small.
const RESERVE: [(&str, &str); 1] = [("TIDEMILL_DISK_RESERVE", "16MiB")];
/// MiB of the disks that are filled.
const DISK_MIB: u32 = 192;
/// A daemon that ended by itself is started again so much later.
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The workers' user at the broker, and its password.
const CREW: &str = "crew";
/// How far clocks go wrong.
const BEHIND: &str = "-2h";
const AHEAD: &str = "+1d";
const RIGHT: &str = "+0";
/// How long one deed may be waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// All that faults are done to.
pub(super) struct World {
    pub(super) campaign: Campaign,
    rabbit: Rabbit,
    /// The way of each worker to the broker.
    wires: Vec<Wire>,
    store: Wire,
    /// The coordinator's own ways to broker and store.
    own: [Wire; 2],
    /// Disks of the first coordinator and of the first worker, where they may be mounted.
    disks: Option<[SmallDisk; 2]>,
    ballast: BTreeMap<Fault, PathBuf>,
    /// Clocks of the coordinator and of one worker, where there may be such.
    clocks: Option<[WallClock; 2]>,
    /// Nobody is to start the coordinator now.
    is_coordinator_away: bool,
    /// Whose daemon is not to be started now.
    away: [bool; WORKERS.len()],
    looked: Instant,
}

impl World {
    pub(super) fn new() -> Self {
        let rabbit = Rabbit::start("");
        rabbit.ctl(["add_user", CREW, CREW]);
        rabbit.ctl(["set_permissions", CREW, ".*", ".*", ".*"]);
        let mut server = S3Server::start();
        let store = server.put_behind_a_wire();
        let own = [Wire::to(rabbit.port()), server.wire()];
        let access = BrokerAccess {
            url: rabbit.url(),
            authorities: None,
        };
        let variables: Vec<_> = SHORTEST_LEASE.into_iter().chain(RESERVE).collect();
        let mut cluster = Cluster::prepare(access, Store::S3(server), &variables);
        let clocks = clocks(&cluster);
        let mut ways = vec![
            (
                "TIDEMILL_QUEUE_URL",
                format!("amqp://guest:guest@{}", own[0].address()),
            ),
            ("AWS_ENDPOINT", format!("http://{}", own[1].address())),
        ];
        ways.extend(clocks.iter().flat_map(|[clock, _]| clock.variables()));
        // What a standby takes over is whole only then.
        cluster.set_up_coordinator(&["--archive", "sync"], ways);
        let disks = disks(&cluster);
        let mut world = Self {
            campaign: Campaign::start_in(cluster, &[]),
            own,
            disks,
            ballast: BTreeMap::new(),
            clocks,
            wires: WORKERS.map(|_| Wire::to(rabbit.port())).into(),
            rabbit,
            store,
            is_coordinator_away: false,
            away: [false; WORKERS.len()],
            looked: Instant::now(),
        };
        for place in 0..WORKERS.len() {
            world.start_worker(place);
        }
        world.campaign.cluster.wait_for_workers(WORKERS.len());
        world
    }

    fn start_worker(&mut self, place: usize) {
        let url = format!("amqp://{CREW}:{CREW}@{}", self.wires[place].address());
        // It knows the coordinator's key, and starts while there is no coordinator to ask.
        let key = self.campaign.cluster.public_key();
        let mut variables = vec![("TIDEMILL_QUEUE_URL", url), ("TIDEMILL_COORDINATOR_KEY", key)];
        if place == CLOCKED {
            variables.extend(self.clocks.iter().flat_map(|[_, clock]| clock.variables()));
        }
        self.campaign
            .cluster
            .start_worker_with(WORKERS[place], &variables);
        self.away[place] = false;
    }

    /// Lets time pass while everybody who should be there is, and what was submitted is answered.
    pub(super) fn go_on_until(&mut self, moment: Instant) {
        let deadline = moment.saturating_duration_since(Instant::now()) + PATIENCE;
        eventually(deadline, "time passes", || {
            self.campaign.harvest();
            self.start_who_ended();
            (Instant::now() >= moment).then_some(())
        });
    }

    /// A daemon may end by itself, for want of room on its disk for example, and is started again.
    fn start_who_ended(&mut self) {
        if self.looked.elapsed() < START_AGAIN_AFTER {
            return;
        }
        self.looked = Instant::now();
        if !self.is_coordinator_away && !self.campaign.cluster.has_coordinator() {
            tell_end("the coordinator");
            self.campaign.cluster.launch_coordinator();
        }
        for (place, worker) in WORKERS.iter().enumerate() {
            if !self.away[place] && !self.campaign.cluster.has_worker(worker.name) {
                tell_end(worker.name);
                self.start_worker(place);
            }
        }
    }

    /// Begins a fault; answers whether that was all.
    pub(super) fn begin(&mut self, strike: &Strike) -> bool {
        let cluster = &mut self.campaign.cluster;
        match strike.fault {
            Fault::CoordinatorKilled => {
                self.is_coordinator_away = true;
                cluster.kill_coordinator();
            }
            Fault::CoordinatorFrozen => cluster.coordinator().freeze(),
            Fault::StandbySucceeds => {
                self.have_a_coordinator();
                self.campaign.cluster.start_standby();
                self.is_coordinator_away = true;
                self.campaign.cluster.kill_coordinator();
            }
            Fault::StandbySupersedes => {
                // One that took over came up by everybody's ways; started again it has its own.
                cluster.kill_coordinator();
                self.have_a_coordinator();
                self.campaign.cluster.start_standby();
                self.is_coordinator_away = true;
                self.own.iter().for_each(Wire::hold);
            }
            Fault::CoordinatorDiskFull => self.fill_disk(strike.fault, 0, 8),
            Fault::CoordinatorClock => self.set_clock(0, wrong(strike.worker)),
            Fault::BrokerKilled => self.rabbit.kill(),
            Fault::BrokerAlarm => self.order(&["set_vm_memory_high_watermark", "0.0000001"]),
            Fault::PasswordRevoked => {
                self.order(&["change_password", CREW, "another"]);
                self.order(&["close_all_user_connections", CREW, "chaos"]);
            }
            Fault::ConnectionsClosed => self.order(&["close_all_connections", "chaos"]),
            Fault::QueuePurged => self.to_queue("purge_queue"),
            Fault::QueueDeleted => self.to_queue("delete_queue"),
            Fault::StoreCut => self.store.cut(),
            Fault::StoreSlow => self.store.slow_down(LATE_BY),
            _ => self.begin_at_worker(strike.fault, strike.worker),
        }
        strike.is_over()
    }

    fn begin_at_worker(&mut self, fault: Fault, place: usize) {
        let name = WORKERS[place].name;
        let cluster = &mut self.campaign.cluster;
        match fault {
            Fault::DaemonKilled => {
                self.away[place] = true;
                cluster.kill_worker(name);
            }
            Fault::WorkerDestroyed => {
                self.away[place] = true;
                cluster.destroy_worker(name);
            }
            // It may be on its way up: then there is none to be killed.
            Fault::SupervisorKilled => drop(cluster.kill_supervisor(name)),
            Fault::WorkerFrozen => cluster.worker(name).freeze(),
            Fault::WorkerDiskFull => self.fill_disk(fault, 1, 1),
            Fault::WorkerClock => self.set_clock(1, wrong(place)),
            Fault::WorkerCut => self.wires[place].cut(),
            Fault::WorkerDeaf => self.wires[place].hold_answers(),
            _ => self.wires[place].reset(),
        }
    }

    /// Ends a fault.
    pub(super) fn mend(&mut self, strike: &Strike) {
        let place = strike.worker;
        match strike.fault {
            Fault::CoordinatorKilled => {
                self.campaign.cluster.launch_coordinator();
                self.is_coordinator_away = false;
            }
            Fault::CoordinatorFrozen => self.campaign.cluster.coordinator().thaw(),
            Fault::StandbySucceeds => {
                self.campaign.cluster.wait_for_takeover(TAKEOVER_DEADLINE);
                self.is_coordinator_away = false;
            }
            Fault::StandbySupersedes => {
                let lost = self.campaign.cluster.wait_for_takeover(TAKEOVER_DEADLINE);
                self.own.iter().for_each(Wire::mend);
                let lost = lost.expect("it was only cut off");
                assert_eq!(lost.wait(TAKEOVER_DEADLINE).code(), Some(SUPERSEDED));
                self.is_coordinator_away = false;
            }
            Fault::CoordinatorDiskFull | Fault::WorkerDiskFull => {
                if let Some(ballast) = self.ballast.remove(&strike.fault) {
                    fs::remove_file(ballast).expect("it is there");
                }
            }
            Fault::CoordinatorClock => self.set_clock(0, RIGHT),
            Fault::WorkerClock => self.set_clock(1, RIGHT),
            Fault::BrokerKilled => self.rabbit.restart(),
            Fault::BrokerAlarm => self.order(&["set_vm_memory_high_watermark", "0.4"]),
            Fault::PasswordRevoked => self.order(&["change_password", CREW, CREW]),
            Fault::StoreCut | Fault::StoreSlow => self.store.mend(),
            Fault::DaemonKilled | Fault::WorkerDestroyed => self.start_worker(place),
            Fault::WorkerFrozen => self.campaign.cluster.worker(WORKERS[place].name).thaw(),
            Fault::WorkerCut | Fault::WorkerDeaf => self.wires[place].mend(),
            Fault::SupervisorKilled
            | Fault::WorkerReset
            | Fault::ConnectionsClosed
            | Fault::QueuePurged
            | Fault::QueueDeleted => {}
        }
    }

    /// Everything has been mended: lets all that was promised end, and the checker look.
    pub(super) fn end(mut self) -> Tally {
        self.go_on_until(Instant::now() + 2 * START_AGAIN_AFTER);
        self.campaign.harvest_all();
        self.campaign.submit(0);
        for log in self.campaign.cluster.logs() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            assert!(
                !text.contains("panicked at"),
                "a daemon panicked: {}",
                log.display()
            );
        }
        self.campaign.end()
    }

    /// Waits until there is a coordinator that answers, started again if it has ended.
    fn have_a_coordinator(&mut self) {
        if !self.campaign.cluster.has_coordinator() {
            self.campaign.cluster.launch_coordinator();
        }
        self.campaign.cluster.wait_for_coordinator();
    }

    /// Leaves so many MiB on one of the two disks. A coordinator that took over lives on another one, and is not touched.
    fn fill_disk(&mut self, fault: Fault, place: usize, left_mib: u64) {
        if let Some(disks) = &self.disks {
            self.ballast.insert(fault, disks[place].fill(left_mib));
        }
    }

    fn set_clock(&self, place: usize, by: &str) {
        if let Some(clocks) = &self.clocks {
            clocks[place].step(by);
        }
    }

    fn order(&self, words: &[&str]) {
        self.rabbit.ctl(words);
    }

    fn to_queue(&self, verb: &str) {
        let queue = format!("{}.tasks.cpu-cluster", self.campaign.cluster.prefix());
        // It may be gone already.
        drop(self.rabbit.try_ctl([verb, queue.as_str()]));
    }
}

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

/// Clocks for the coordinator and one worker.
#[expect(clippy::print_stdout, reason = "what is not done must be seen")]
fn clocks(cluster: &Cluster) -> Option<[WallClock; 2]> {
    if !WallClock::is_installed() {
        println!("no clock is set: libfaketime is not installed");
        return None;
    }
    let clocks = ["clock-of-the-coordinator", "clock-of-a-worker"].map(|name| {
        let folder = cluster.sandbox.path().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        WallClock::new(&folder)
    });
    Some(clocks)
}

#[expect(clippy::print_stdout, reason = "what led to a failure")]
fn tell_end(who: &str) {
    println!("{who} has ended by itself and is started again");
}

/// How a clock is wrong: which worker a fault is drawn for decides, so that it is part of the seed.
const fn wrong(place: usize) -> &'static str {
    if place == 0 { BEHIND } else { AHEAD }
}
