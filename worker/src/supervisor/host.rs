//! The supervisor's one loop: requests of the daemon, started and ended processes, and time in; signals, exit records and answers out. It alone reaps and
//! signals, so a process number never comes to mean another process between the two.

use super::cookie::Mark;
use super::event::Event;
use super::group::{Group, Groups, Limits};
use super::limits::StepLimits;
use super::listener;
use super::memory::kernel_kills;
use super::message::{Answer, End, ExitRecord, MESSAGES_MAX, Request, SOCKET, Start, frame};
use super::procfs::{self, Identity};
use super::record::{Left, Record, Records};
use super::running::Running;
use super::score::Scores;
use super::spawner::{self, Order, Walls, Ways};
use super::user;
use crate::clock::SystemClock;
use crate::error::SuperviseError;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process, kill_process_group, wait,
    waitid, waitpid,
};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tidemill_protocol::time::Clock;

const RECORDS: &str = "records";
const MARK: &str = "mark";
/// Events that may wait: a daemon has a bounded number of slots, so more mean that it should wait too.
const EVENTS_MAX: usize = 256;
/// Orders that may wait for a spawner.
const ORDERS_MAX: usize = 4096;
const SPAWNERS: usize = 2;
/// A supervisor without steps and without a daemon ends after this long.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Exit records reach the disk within this time.
const SYNC_WITHIN: Duration = Duration::from_secs(1);
/// The kernel's count of out-of-memory kills is read for new attempts at most this often.
const KILLS_READ_EVERY: Duration = Duration::from_secs(10);
/// The reaper looks again after this long when there was nobody to wait for and nobody woke it.
const REAPER_PAUSE: Duration = Duration::from_millis(500);

/// Runs in the current folder until there is nothing left to do. `in_force` says what every process is denied, `walls` how each is shut in, `limits` what an
/// attempt may use.
pub(super) fn run(
    in_force: Vec<String>,
    walls: Option<Walls>,
    limits: StepLimits,
) -> Result<(), SuperviseError> {
    let state = |name: &'static str| {
        move |source| SuperviseError::State {
            path: Path::new(name).to_owned(),
            source,
        }
    };
    let (records, left) = Records::open(Path::new(RECORDS)).map_err(state(RECORDS))?;
    let mark = Mark::open(Path::new(MARK)).map_err(state(MARK))?;
    let groups = Groups::open(mark.as_str());
    let (events, inbox) = sync_channel(EVENTS_MAX);
    let (dealt_with, reaper_inbox) = sync_channel(1);
    let reaper = thread::Builder::new()
        .name("reap".into())
        .spawn({
            let events = events.clone();
            move || await_children(&events, &reaper_inbox)
        })
        .map_err(SuperviseError::Thread)?;
    let (orders, order_inbox) = sync_channel(ORDERS_MAX);
    let order_inbox = Arc::new(Mutex::new(order_inbox));
    let shuts_in = walls.is_some();
    let ways = Arc::new(Ways {
        walls,
        scores: Scores::read(),
    });
    for number in 0..SPAWNERS {
        let (orders, events, reaper) = (order_inbox.clone(), events.clone(), reaper.thread().clone());
        let ways = Arc::clone(&ways);
        thread::Builder::new()
            .name(format!("spawn-{number}"))
            .spawn(move || spawner::serve(&orders, &events, &reaper, &ways))
            .map_err(SuperviseError::Thread)?;
    }
    let now = Instant::now();
    let mut host = Host {
        in_force,
        shuts_in,
        limits,
        groups,
        mark,
        clock: SystemClock::new(),
        boot_id: procfs::boot_id(),
        records,
        running: BTreeMap::new(),
        leaders: HashMap::new(),
        ended: BTreeMap::new(),
        in_flight: 0,
        orders,
        dealt_with,
        child_ended: false,
        daemon: None,
        answers: Vec::new(),
        farewell: false,
        idle_since: now,
        sync_at: None,
        kills: (now, kernel_kills()),
    };
    host.take_over(left);
    listener::listen(events).map_err(state(SOCKET))?;
    host.serve(&inbox);
    Ok(())
}

/// Tells the loop that a child has ended, once for each, leaving it to be reaped there.
fn await_children(events: &SyncSender<Event>, dealt_with: &Receiver<()>) {
    loop {
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => {
                if events.send(Event::ChildEnded).is_err() || dealt_with.recv().is_err() {
                    return;
                }
            }
            Err(Errno::CHILD) => thread::park_timeout(REAPER_PAUSE),
            Err(_) => {}
        }
    }
}

struct Host {
    /// What every process is denied, for the notes.
    in_force: Vec<String>,
    /// Whether there are walls around each.
    shuts_in: bool,
    limits: StepLimits,
    groups: Groups,
    mark: Mark,
    clock: SystemClock,
    boot_id: String,
    records: Records,
    running: BTreeMap<String, Running>,
    /// Which attempt each unreaped group leader belongs to.
    leaders: HashMap<Pid, String>,
    ended: BTreeMap<String, ExitRecord>,
    /// Ordered processes of which it is not yet known whether they started.
    in_flight: usize,
    orders: SyncSender<Order>,
    dealt_with: SyncSender<()>,
    /// Whether the reaper waits for an answer.
    child_ended: bool,
    daemon: Option<(u64, UnixStream)>,
    answers: Vec<Answer>,
    farewell: bool,
    idle_since: Instant,
    sync_at: Option<Instant>,
    kills: (Instant, u64),
}

impl Host {
    /// Ends what a killed supervisor left running, because its exit code would be lost, and keeps its exit records.
    fn take_over(&mut self, left: Left) {
        self.ended = left.ended;
        for (key, (at, processes)) in left.unfinished {
            for process in processes.iter().filter_map(Identity::verify) {
                kill_process_group(process, Signal::KILL).ok();
            }
            self.mark.cookie(&key).sweep();
            let exit = ExitRecord {
                key,
                end: End::Orphaned,
                started_at: at,
                process_ms: self.clock.now().since(at).0,
                memory_peak_bytes: None,
                notes: Vec::new(),
            };
            self.keep(exit);
        }
        self.answers.clear();
    }

    fn serve(&mut self, inbox: &Receiver<Event>) {
        loop {
            let now = Instant::now();
            let due = self.tick(now);
            self.settle(now);
            if self.is_done(now) {
                return;
            }
            match inbox.recv_timeout(due.saturating_duration_since(now)) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            for event in inbox.try_iter().take(EVENTS_MAX) {
                self.handle(event);
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connected { number, writer } => self.connected(number, writer),
            Event::Disconnected { number } => {
                if self.daemon.as_ref().is_some_and(|(n, _)| *n == number) {
                    self.daemon = None;
                    self.idle_since = Instant::now();
                }
            }
            Event::Requests(requests) => {
                for request in requests {
                    self.request(request);
                }
            }
            Event::Spawned { key, result } => {
                self.in_flight -= 1;
                self.spawned(&key, result);
            }
            Event::ChildEnded => self.child_ended = true,
        }
        if self.child_ended && self.reap() {
            self.child_ended = false;
            self.dealt_with.try_send(()).ok();
        }
    }

    fn connected(&mut self, number: u64, writer: UnixStream) {
        self.daemon = Some((number, writer));
        self.farewell = false;
        self.answers.clear();
        self.answers.push(Answer::Known {
            running: self.running.keys().cloned().collect(),
            ended: self.ended.keys().cloned().collect(),
            reads_secrets: true,
            gives_users: true,
            shuts_in: self.shuts_in,
        });
        self.answers
            .extend(self.ended.values().cloned().map(Answer::Ended));
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Start { start, again } => {
                if again && !self.running.contains_key(&start.key) && !self.ended.contains_key(&start.key) {
                    // A supervisor that was killed may have started it without having written that down.
                    self.mark.cookie(&start.key).sweep();
                }
                self.start(&Arc::from(start));
            }
            Request::Stop { key } => {
                if let Some(running) = self.running.get_mut(&key) {
                    running.stop(Some(End::Stopped), Instant::now());
                }
            }
            Request::Forget { key } => {
                if self.ended.remove(&key).is_some() {
                    self.records.add(&Record::Forgotten { key });
                }
            }
            Request::Farewell => self.farewell = true,
        }
    }

    fn start(&mut self, start: &Arc<Start>) {
        if self.running.contains_key(&start.key) {
            return;
        }
        if let Some(exit) = self.ended.get(&start.key) {
            self.answers.push(Answer::Ended(exit.clone()));
            return;
        }
        let now = Instant::now();
        if now.saturating_duration_since(self.kills.0) > KILLS_READ_EVERY {
            self.kills = (now, kernel_kills());
        }
        let mut running = Running::new(
            start.clone(),
            self.mark.cookie(&start.key),
            now,
            self.clock.now(),
            self.in_force.clone(),
        );
        running.kills_before = self.kills.1;
        let (group, notes) = self.groups.take(Limits {
            processes: self.limits.processes,
            memory_bytes: start.memory_bytes,
        });
        running.notes.extend(notes);
        running.notes.extend(start.user.map(user::in_force));
        let door = group.as_ref().map(Group::door);
        running.group = group;
        for member in 0..start.members.len() {
            let order = Order {
                start: start.clone(),
                member,
                cookie: running.cookie.clone(),
                door: door.clone(),
            };
            if self.orders.try_send(order).is_ok() {
                self.in_flight += 1;
            } else {
                running.member_not_started("too many processes are being started".into(), now);
            }
        }
        let key = start.key.clone();
        self.running.insert(key.clone(), running);
        self.finish_if_over(&key);
    }

    fn spawned(&mut self, key: &str, result: std::io::Result<Pid>) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        match result {
            Ok(pid) => {
                self.leaders.insert(pid, key.to_owned());
                if let Some(process) = Identity::of(pid, &self.boot_id) {
                    running.first_start.get_or_insert(process.start_time);
                    let (key, at) = (key.to_owned(), running.started_at);
                    self.records.add(&Record::Started { key, process, at });
                }
                running.member_started(pid);
            }
            Err(error) => {
                let why = format!("cannot start {}: {error}", running.start.program);
                running.member_not_started(why, Instant::now());
                self.finish_if_over(key);
            }
        }
    }

    /// Deals with ended children; false when the one that ended may be a process that is only just being started, to be asked for again.
    fn reap(&mut self) -> bool {
        let ended: Vec<Pid> = self
            .leaders
            .keys()
            .copied()
            .filter(|pid| has_ended(*pid))
            .collect();
        for pid in &ended {
            let key = self.leaders.remove(pid).expect("the key was listed a moment ago");
            if let Some(running) = self.running.get_mut(&key) {
                running.before_reaping(*pid);
            }
            let status = waitpid(Some(*pid), WaitOptions::NOHANG).ok().flatten();
            self.leader_ended(&key, status.map(|(_, status)| status));
        }
        if !ended.is_empty() {
            return true;
        }
        if self.in_flight > 0 {
            return false;
        }
        // An adopted orphan, or a leader that ended a moment after it was asked about. Each is in a process group of its own, and not in ours.
        if let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG)
            && let Some(key) = self.leaders.remove(&pid)
        {
            if let Some(running) = self.running.get_mut(&key) {
                running.alive.retain(|p| *p != pid);
            }
            self.leader_ended(&key, Some(status));
            self.mark.cookie(&key).sweep();
        }
        true
    }

    fn leader_ended(&mut self, key: &str, status: Option<WaitStatus>) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let end = match status {
            Some(status) => running.end_of(status),
            None => End::Orphaned,
        };
        running.member_ended(end, Instant::now());
        self.finish_if_over(key);
    }

    fn finish_if_over(&mut self, key: &str) {
        let now = Instant::now();
        let is_over = self.running.get_mut(key).is_some_and(|running| {
            running.clear(now);
            running.is_over()
        });
        if !is_over {
            return;
        }
        let running = self.running.remove(key).expect("it was there a line above");
        let (exit, group) = running.finish(now);
        if let Some(group) = group {
            self.groups.put_back(group);
        }
        self.end_orphans(key);
        self.keep(exit);
    }

    /// Ends adopted processes of an attempt that is over, and those that can be of no attempt that runs.
    fn end_orphans(&self, key: &str) {
        for pid in procfs::adopted() {
            if !self.leaders.contains_key(&pid) {
                if self.is_of_the_past(pid) {
                    // Our child, and nobody else reaps: its number is its own.
                    kill_process(pid, Signal::KILL).ok();
                } else {
                    self.mark.cookie(key).end(pid);
                }
            }
        }
    }

    /// Whether a process was there before all that runs now: then it is of an attempt that is over, whatever it did to its environment.
    fn is_of_the_past(&self, pid: Pid) -> bool {
        let Some(began) = procfs::started(pid).filter(|_| self.in_flight == 0) else {
            return false;
        };
        let mut all = self.running.values();
        all.all(|running| running.first_start.is_some_and(|first| began < first))
    }

    fn keep(&mut self, exit: ExitRecord) {
        self.records.add(&Record::Ended(exit.clone()));
        self.answers.push(Answer::Ended(exit.clone()));
        self.ended.insert(exit.key.clone(), exit);
        self.idle_since = Instant::now();
    }

    /// Does what is due and says when to wake again.
    fn tick(&mut self, now: Instant) -> Instant {
        let mut due = self.idle_since.max(now) + IDLE_MAX;
        let mut over = Vec::new();
        for (key, running) in &mut self.running {
            due = due.min(running.tick(now));
            if running.is_over() {
                over.push(key.clone());
            }
        }
        for key in over {
            self.finish_if_over(&key);
        }
        if let Some(at) = self.sync_at {
            if at <= now {
                self.sync_at = None;
                self.report_io("sync", Records::sync);
            } else {
                due = due.min(at);
            }
        }
        due
    }

    /// Writes the records, then tells the daemon: nobody hears of an end that a killed supervisor would forget.
    fn settle(&mut self, now: Instant) {
        self.report_io("write", Records::write);
        if self.records.is_unsynced() && self.sync_at.is_none() {
            self.sync_at = Some(now + SYNC_WITHIN);
        }
        if self.running.is_empty() && self.ended.is_empty() {
            self.report_io("empty", Records::compact);
        }
        let answers = std::mem::take(&mut self.answers);
        if let Some((_, writer)) = &mut self.daemon {
            for chunk in answers.chunks(MESSAGES_MAX) {
                if writer.write_all(&frame(chunk)).is_err() {
                    // It will connect again and be told everything.
                    drop(writer.shutdown(std::net::Shutdown::Both));
                    self.daemon = None;
                    return;
                }
            }
        }
    }

    fn report_io(&mut self, what: &str, act: impl FnOnce(&mut Records) -> std::io::Result<()>) {
        if let Err(error) = act(&mut self.records) {
            tracing::error!(%error, "cannot {what} the supervisor's records");
        }
    }

    fn is_done(&self, now: Instant) -> bool {
        let alone = self.daemon.is_none() && now.saturating_duration_since(self.idle_since) >= IDLE_MAX;
        self.running.is_empty() && (self.farewell || alone)
    }
}

fn has_ended(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_)))
}
