//! The supervisor without processes, for measurements: it listens, keeps exit records and answers exactly as the real one does, in the same groups, and
//! declares every attempt well ended at the moment at which it is asked to start it. What is left of a step is then what tidemill itself costs.

use super::event::Event;
use super::listener;
use super::message::{Answer, End, ExitRecord, MESSAGES_MAX, Request, frame};
use super::record::{Record, Records};
use crate::clock::SystemClock;
use crate::error::SuperviseError;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use tidemill_protocol::time::Clock;

const RECORDS: &str = "records";
/// Events that may wait.
const EVENTS_MAX: usize = 256;
/// It ends after this long without a daemon.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Exit records reach the disk within this time.
const SYNC_WITHIN: Duration = Duration::from_secs(1);

/// Runs in the current folder until the daemon says farewell or has been gone for long.
pub(super) fn run() -> Result<(), SuperviseError> {
    let state = |source| SuperviseError::State {
        path: Path::new(RECORDS).to_owned(),
        source,
    };
    let (records, left) = Records::open(Path::new(RECORDS)).map_err(state)?;
    let (events, inbox) = sync_channel(EVENTS_MAX);
    let mut nothing = Nothing {
        clock: SystemClock::new(),
        records,
        ended: left.ended,
        daemon: None,
        answers: Vec::new(),
        farewell: false,
        sync_at: None,
    };
    listener::listen(events).map_err(state)?;
    nothing.serve(&inbox).map_err(state)
}

struct Nothing {
    clock: SystemClock,
    records: Records,
    ended: BTreeMap<String, ExitRecord>,
    daemon: Option<(u64, UnixStream)>,
    answers: Vec<Answer>,
    farewell: bool,
    sync_at: Option<Instant>,
}

impl Nothing {
    fn serve(&mut self, inbox: &Receiver<Event>) -> std::io::Result<()> {
        while !self.farewell {
            let now = Instant::now();
            if self.sync_at.take_if(|at| *at <= now).is_some() {
                self.records.sync()?;
            }
            let due = self.sync_at.unwrap_or(now + IDLE_MAX);
            match inbox.recv_timeout(due.saturating_duration_since(now)) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout) if self.sync_at.is_some() || self.daemon.is_some() => {}
                Err(_) => return Ok(()),
            }
            for event in inbox.try_iter().take(EVENTS_MAX) {
                self.handle(event);
            }
            self.settle()?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connected { number, writer } => {
                self.daemon = Some((number, writer));
                self.answers.clear();
                self.answers.push(Answer::Known {
                    running: Vec::new(),
                    ended: self.ended.keys().cloned().collect(),
                    reads_secrets: true,
                    gives_users: true,
                    shuts_in: false,
                });
                self.answers
                    .extend(self.ended.values().cloned().map(Answer::Ended));
            }
            Event::Disconnected { number } => {
                self.daemon.take_if(|(current, _)| *current == number);
            }
            Event::Requests(requests) => requests.into_iter().for_each(|request| self.request(request)),
            // There are no processes.
            Event::Spawned { .. } | Event::ChildEnded => {}
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Start { start, .. } => {
                // A process finds its streams opened, so the folder looks afterwards as if one had run.
                for stream in [&start.stdout, &start.stderr] {
                    if let Err(error) = OpenOptions::new().create(true).append(true).open(stream) {
                        tracing::error!(%error, stream, "cannot make a stream");
                    }
                }
                let (clock, records) = (&self.clock, &mut self.records);
                let exit = self.ended.entry(start.key).or_insert_with_key(|key| {
                    let exit = ExitRecord {
                        key: key.clone(),
                        end: End::Exited(0),
                        started_at: clock.now(),
                        process_ms: 0,
                        memory_peak_bytes: None,
                        notes: Vec::new(),
                    };
                    records.add(&Record::Ended(exit.clone()));
                    exit
                });
                self.answers.push(Answer::Ended(exit.clone()));
            }
            // It has ended already.
            Request::Stop { .. } => {}
            Request::Forget { key } => {
                if self.ended.remove(&key).is_some() {
                    self.records.add(&Record::Forgotten { key });
                }
            }
            Request::Farewell => self.farewell = true,
        }
    }

    /// Writes the records, then tells the daemon.
    fn settle(&mut self) -> std::io::Result<()> {
        self.records.write()?;
        if self.records.is_unsynced() && self.sync_at.is_none() {
            self.sync_at = Some(Instant::now() + SYNC_WITHIN);
        }
        if self.ended.is_empty() {
            self.records.compact()?;
        }
        let answers = std::mem::take(&mut self.answers);
        if let Some((_, writer)) = &mut self.daemon {
            for chunk in answers.chunks(MESSAGES_MAX) {
                if writer.write_all(&frame(chunk)).is_err() {
                    // It will connect again and be told everything.
                    drop(writer.shutdown(Shutdown::Both));
                    self.daemon = None;
                    break;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{OwnFiles, Start, read_frame};
    use super::*;

    fn start(key: &str) -> Request {
        let start = Start {
            key: key.into(),
            program: "/nowhere/at/all".into(),
            arguments: vec!["all".into()],
            environment: vec![],
            secrets: vec![],
            members: vec![vec![]],
            folder: "/nowhere".into(),
            stdout: "/nowhere/stdout".into(),
            stderr: "/nowhere/stderr".into(),
            time_limit_ms: None,
            grace_ms: 0,
            memory_bytes: 0,
            log_bytes_max: 0,
            own: OwnFiles::default(),
            user: None,
        };
        Request::Start {
            start: Box::new(start),
            again: false,
        }
    }

    #[test]
    fn every_start_ends_well_at_once_and_is_known_until_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (records, left) = Records::open(&dir.path().join(RECORDS)).unwrap();
        let mut nothing = Nothing {
            clock: SystemClock::new(),
            records,
            ended: left.ended,
            daemon: None,
            answers: Vec::new(),
            farewell: false,
            sync_at: None,
        };
        let (mut daemon, writer) = UnixStream::pair().unwrap();
        let (events, inbox) = sync_channel(EVENTS_MAX);
        events.send(Event::Connected { number: 1, writer }).unwrap();
        let requests = vec![
            start("a"),
            start("b"),
            Request::Forget { key: "a".into() },
            Request::Farewell,
        ];
        events.send(Event::Requests(requests)).unwrap();
        nothing.serve(&inbox).unwrap();

        let answers: Vec<Answer> = read_frame(&mut daemon).unwrap().unwrap();
        let ended: Vec<(&str, &End)> = answers
            .iter()
            .filter_map(|answer| match answer {
                Answer::Ended(exit) => Some((exit.key.as_str(), &exit.end)),
                Answer::Known { .. } => None,
            })
            .collect();
        assert_eq!(ended, [("a", &End::Exited(0)), ("b", &End::Exited(0))]);
        let (_, left) = Records::open(&dir.path().join(RECORDS)).unwrap();
        assert_eq!(left.ended.keys().collect::<Vec<_>>(), ["b"]);
    }
}
