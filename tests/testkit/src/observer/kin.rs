//! Which processes live on when they should not. All that runs below the supervisors of a cluster's workers is written down by number and start, look after look,
//! with the attempt that it belongs to: who gives up their session, their parents and their environment afterwards is known all the same. An attempt is over
//! for its worker when the API says that it ended by that worker's word, or when the worker's log says that it was told to stop it: an attempt that was given up
//! while its worker heard nothing may go on until the worker hears of it.

use super::{EVERY, Overdue, Roll};
use crate::asking::fetch;
use crate::processes::{self, Line};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};
use tidemill_protocol::api::RunView;
use tidemill_protocol::status::AttemptStatus;

/// Looks at a process until it is certainly what it was started to be; between its fork and that it looks like its parent.
const YOUNG: u8 = 4;
/// The API is asked about attempts of processes that are older than this, with every so manieth look.
const OLD: Duration = Duration::from_secs(5);
const ASKS_EVERY: u32 = 4;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a worker writes when it was told to stop an attempt, and before the attempt's name.
const STOPPING: &str = "stopping an attempt";
const NAMED: &str = "attempt=";
/// What every process of an attempt begins with in its environment: the attempt's key and its supervisor's mark.
const COOKIE: &str = "TIDEMILL_ATTEMPT_COOKIE=";

/// A process beyond doubt: its number, and when it started.
type Id = (u32, u64);
/// An attempt at a worker.
type Made = (String, String);

#[derive(Debug, Clone)]
enum Kind {
    /// None of ours, seen so often.
    Stranger(u8),
    Supervisor(String),
    /// Of a worker, and of an attempt once that is known.
    Below {
        worker: String,
        attempt: Option<String>,
        since: Instant,
    },
}

/// Somebody who looks, and what they know.
#[derive(Debug)]
pub(super) struct Kin {
    roll: Roll,
    known: BTreeMap<Id, Kind>,
    /// Since when a process has ended and is not buried by a parent who could.
    unburied: BTreeMap<Id, Instant>,
    /// Since when an attempt is over for its worker.
    over: BTreeMap<Made, Instant>,
    /// When anything of an attempt was last there.
    last_seen: BTreeMap<Made, Instant>,
    /// Of which attempts of its worker a process may be that cannot be told: those that were there when it was first seen.
    among: BTreeMap<Id, BTreeSet<Made>>,
    /// How much of each worker's log was read, and which daemon wrote it last.
    read: BTreeMap<String, (u64, u32)>,
    /// When the kernel last held a process, so that nobody could end it.
    held: BTreeMap<Id, Instant>,
    overdue: BTreeMap<Id, Overdue>,
    looks: u32,
}

impl Kin {
    pub(super) fn of(roll: Roll) -> Self {
        Self {
            roll,
            known: BTreeMap::new(),
            unburied: BTreeMap::new(),
            over: BTreeMap::new(),
            last_seen: BTreeMap::new(),
            among: BTreeMap::new(),
            read: BTreeMap::new(),
            held: BTreeMap::new(),
            overdue: BTreeMap::new(),
            looks: 0,
        }
    }

    /// Who was there after their time, and for how long at most.
    pub(super) fn overdue(self) -> Vec<Overdue> {
        self.overdue.into_values().collect()
    }

    /// Who of those that belonged to an attempt, whatever it was, is there now.
    pub(super) fn there_still(&self) -> Vec<String> {
        let there = processes::lines();
        let below = self.known.iter().filter(|(id, kind)| {
            let line = there.get(&id.0);
            matches!(kind, Kind::Below { .. })
                && line.is_some_and(|line| line.start == id.1 && line.state != 'Z')
        });
        below
            .map(|(id, kind)| format!("process {} is left: {}", id.0, in_words(kind)))
            .collect()
    }

    pub(super) fn look(&mut self) {
        let lines = processes::lines();
        let is_there = |id: &Id| lines.get(&id.0).is_some_and(|line| line.start == id.1);
        self.known.retain(|id, _| is_there(id));
        self.unburied.retain(|id, _| is_there(id));
        self.among.retain(|id, _| is_there(id));
        self.held.retain(|id, _| is_there(id));
        let held = lines.iter().filter(|(_, line)| line.state == 'D');
        let now = Instant::now();
        self.held
            .extend(held.map(|(pid, line)| ((*pid, line.start), now)));
        self.meet(&lines);
        self.hear_of_stops(&lines);
        if self.looks.is_multiple_of(ASKS_EVERY) {
            self.ask_for_ends();
        }
        self.looks += 1;
        self.time(&lines);
        self.bury(&lines);
    }

    /// Learns who is new, parents before their children.
    fn meet(&mut self, lines: &BTreeMap<u32, Line>) {
        let folder = self.roll.census().folder.clone();
        let mut in_order: Vec<(Id, u32)> = lines
            .iter()
            .map(|(pid, line)| ((*pid, line.start), line.parent))
            .collect();
        in_order.sort_by_key(|((pid, start), _)| (*start, *pid));
        for (id, parent) in in_order {
            let parent = lines.get(&parent).map(|line| (parent, line.start));
            let above = parent.and_then(|parent| self.known.get(&parent)).cloned();
            match (self.known.get(&id), &above) {
                (
                    Some(
                        Kind::Supervisor(_) | Kind::Stranger(YOUNG..) | Kind::Below { attempt: Some(_), .. },
                    ),
                    _,
                ) => {}
                (before, Some(Kind::Supervisor(worker) | Kind::Below { worker, .. })) => {
                    let inherited = match &above {
                        Some(Kind::Below { attempt, .. }) => attempt.clone(),
                        _ => None,
                    };
                    let since = match before {
                        Some(Kind::Below { since, .. }) => *since,
                        _ => Instant::now(),
                    };
                    let attempt = attempt_of(id.0).or(inherited);
                    let worker = worker.clone();
                    let below = Kind::Below {
                        worker,
                        attempt,
                        since,
                    };
                    self.known.insert(id, below);
                }
                (Some(Kind::Below { .. }), _) => {}
                (before, _) => {
                    let looks = match before {
                        Some(Kind::Stranger(looks)) => looks + 1,
                        _ => 0,
                    };
                    let kind = supervised(id.0, &folder).map_or(Kind::Stranger(looks), Kind::Supervisor);
                    if let Kind::Supervisor(_) = &kind {
                        self.roll.census().daemons.insert(id.0);
                    }
                    self.known.insert(id, kind);
                }
            }
        }
    }

    /// Reads on in the workers' logs.
    fn hear_of_stops(&mut self, lines: &BTreeMap<u32, Line>) {
        let (folder, workers) = {
            let census = self.roll.census();
            (census.folder.clone(), census.workers.clone())
        };
        for (worker, pid) in workers {
            let state = lines.get(&pid).map(|line| line.state);
            let (read, daemon) = self.read.entry(worker.clone()).or_insert((0, pid));
            if matches!(state, None | Some('T' | 'Z')) || *daemon != pid {
                // What it had been told and not done, it is told again.
                self.over.retain(|(of, _), _| *of != worker);
            }
            *daemon = pid;
            let text = read_on(&folder.join(format!("{worker}.log")), read);
            for line in text.lines().filter(|line| line.contains(STOPPING)) {
                let name = line
                    .split_once(NAMED)
                    .and_then(|(_, rest)| rest.split_whitespace().next());
                if let Some(attempt) = name {
                    // It is told again and again: the first time counts.
                    let made = (worker.clone(), attempt.to_owned());
                    self.over.entry(made).or_insert_with(Instant::now);
                }
            }
        }
    }

    /// Asks the API how attempts stand whose processes have been there for a while.
    fn ask_for_ends(&mut self) {
        let (port, token) = {
            let census = self.roll.census();
            let Some((port, _)) = census.coordinator else {
                return;
            };
            (port, census.token.clone())
        };
        let mut open: BTreeSet<Made> = BTreeSet::new();
        for kind in self.known.values() {
            if let Kind::Below {
                worker,
                attempt: Some(attempt),
                since,
            } = kind
            {
                let made = (worker.clone(), attempt.clone());
                if since.elapsed() > OLD && !self.over.contains_key(&made) {
                    open.insert(made);
                }
            }
        }
        for made in open {
            let Some((run, rest)) = made.1.split_once('/') else {
                continue;
            };
            let Some(answer) = fetch(port, &format!("/api/v1/runs/{run}"), token.as_deref(), PATIENCE) else {
                return;
            };
            let Ok(view) = serde_json::from_str::<RunView>(&answer) else {
                continue;
            };
            if ended_by_their_word(&view, rest, &made.0) {
                self.over.insert(made, Instant::now());
            }
        }
    }

    /// Notes who is there after their time.
    fn time(&mut self, lines: &BTreeMap<u32, Line>) {
        let now = Instant::now();
        let is_alive = |id: &Id| lines.get(&id.0).is_some_and(|line| line.state != 'Z');
        for (_, kind) in self.known.iter().filter(|(id, _)| is_alive(id)) {
            if let Kind::Below {
                worker,
                attempt: Some(attempt),
                ..
            } = kind
            {
                self.last_seen.insert((worker.clone(), attempt.clone()), now);
            }
        }
        for (id, kind) in self.known.iter().filter(|(id, _)| is_alive(id)) {
            let Kind::Below {
                worker,
                attempt,
                since,
            } = kind
            else {
                continue;
            };
            let over_since = if let Some(attempt) = attempt {
                self.over.get(&(worker.clone(), attempt.clone())).copied()
            } else {
                let among = self.among.entry(*id).or_insert_with(|| {
                    let there = self.last_seen.iter().filter(|(made, seen)| {
                        made.0 == *worker && now.saturating_duration_since(**seen) <= 4 * EVERY
                    });
                    there.map(|(made, _)| made.clone()).collect()
                });
                // Whichever of them it is of: when all are over, its own is.
                let ends = among.iter().map(|made| {
                    let gone = self.last_seen.get(made).filter(|seen| **seen < now);
                    self.over.get(made).or(gone).copied()
                });
                let ends: Option<Vec<Instant>> = ends.collect();
                ends.map(|ends| ends.into_iter().max().unwrap_or(*since))
            };
            if let Some(over_since) = over_since {
                let since = self.held.get(id).map_or(over_since, |held| over_since.max(*held));
                let after = now.saturating_duration_since(since);
                let what = || format!("process {} lives on: {}", id.0, in_words(kind));
                note(&mut self.overdue, *id, after, what);
            }
        }
    }

    /// Notes which ended processes their parents, being daemons or supervisors, do not bury.
    fn bury(&mut self, lines: &BTreeMap<u32, Line>) {
        let now = Instant::now();
        let daemons = self.roll.census().daemons.clone();
        for (pid, line) in lines {
            let id = (*pid, line.start);
            let parent = lines.get(&line.parent).map(|parent| parent.state);
            let is_left = line.state == 'Z' && daemons.contains(&line.parent);
            if !is_left || parent == Some('T') {
                self.unburied.remove(&id);
                continue;
            }
            let since = *self.unburied.entry(id).or_insert(now);
            let what = || {
                format!(
                    "process {pid} has ended and its parent {} does not bury it",
                    line.parent
                )
            };
            note(&mut self.overdue, id, now.saturating_duration_since(since), what);
        }
    }
}

fn note(overdue: &mut BTreeMap<Id, Overdue>, id: Id, after: Duration, what: impl FnOnce() -> String) {
    // Within a look or two anybody may be seen.
    if after > 4 * EVERY {
        let seen = overdue
            .entry(id)
            .or_insert_with(|| Overdue { what: what(), after });
        seen.after = seen.after.max(after);
    }
}

fn in_words(kind: &Kind) -> String {
    match kind {
        Kind::Stranger(_) => "nobody of ours".to_owned(),
        Kind::Supervisor(worker) => format!("the supervisor of {worker}"),
        Kind::Below { worker, attempt, .. } => {
            let attempt = attempt.as_deref().unwrap_or("that cannot be told");
            format!("of an attempt of {worker}: {attempt}")
        }
    }
}

/// Whether an attempt, named by its step and number, was ended by what this worker said of it.
fn ended_by_their_word(run: &RunView, attempt: &str, worker: &str) -> bool {
    let found = attempt.split_once('#').and_then(|(step, number)| {
        let step = run.steps_list.get(step.parse::<usize>().ok()?)?;
        step.attempts.get(number.parse::<usize>().ok()?.checked_sub(1)?)
    });
    found.is_some_and(|attempt| {
        let is_theirs = attempt.worker.as_ref().is_some_and(|by| by.as_str() == worker);
        let is_ended = matches!(
            attempt.status,
            AttemptStatus::Succeeded
                | AttemptStatus::Failed
                | AttemptStatus::Returned
                | AttemptStatus::Preempted
        );
        is_theirs && is_ended
    })
}

/// The attempt whose cookie a process carries.
fn attempt_of(pid: u32) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut variables = environment.split(|byte| *byte == 0);
    let cookie = variables.find_map(|variable| variable.strip_prefix(COOKIE.as_bytes()))?;
    let cookie = String::from_utf8_lossy(cookie);
    let (key, _mark) = cookie.split_once('@')?;
    // Run, step, attempt and token; a run's id has such strokes of its own.
    let mut parts = key.rsplitn(4, '-');
    let (_token, attempt, step, run) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(format!("{run}/{step}#{attempt}"))
}

/// Whose supervisor a process is.
fn supervised(pid: u32, folder: &Path) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line);
    let mut arguments = line.split('\0').map(Path::new);
    let place =
        arguments.find(|argument| argument.starts_with(folder) && argument.ends_with("worker/supervisor"))?;
    let worker = place.strip_prefix(folder).ok()?.iter().next()?;
    Some(worker.to_string_lossy().into_owned())
}

/// What was written to a log since it was last read, whole lines of it.
fn read_on(log: &Path, read: &mut u64) -> String {
    let mut bytes = Vec::new();
    let file = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(*read))?;
        file.read_to_end(&mut bytes)
    });
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    if file.is_ok() {
        *read += whole as u64;
    }
    bytes.truncate(whole);
    String::from_utf8_lossy(&bytes).into_owned()
}
