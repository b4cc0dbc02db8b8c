//! One schedule that is attended to: its moments settled by a run, or by the reason why there is none.

use super::ScheduleCommand;
use super::calendar::Calendar;
use super::due::LATE_MAX;
use super::firing::{Start, start};
use super::state::{QUEUE_MAX, Schedule, Schedules};
use super::words::idempotency_key;
use crate::driver::Sight;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FiringOutcome, Moment, Overlap};
use tidemill_protocol::time::{Millis, Timestamp};

/// How long a firing that the world hinders (no store, no room on the disk) is tried again; less than what makes it late.
const TRY_WITHIN: Millis = Millis(LATE_MAX.0 - 60_000);

/// What came of attending to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// It is settled.
    Settled,
    /// The world hindered it.
    Hindered,
    /// There was none.
    Nothing,
}

/// A schedule whose moments are attended to.
pub(super) struct Attended<'a> {
    pub(super) handle: &'a CoordinatorHandle,
    pub(super) name: &'a Name,
    pub(super) schedule: &'a Schedule,
}

impl Attended<'_> {
    /// A coordinator may have ended between the start of a run and the fact about it: then that run is found by its key, and noted.
    pub(super) async fn is_there_already(
        &self,
        calendar: &Calendar,
        now: Timestamp,
    ) -> Result<bool, Stopped> {
        let first = calendar.after(self.schedule.clock_from());
        let Some(nominal) = first.filter(|first| *first <= now) else {
            return Ok(false);
        };
        let moment = Moment::of_clock(nominal);
        let key = idempotency_key(self.name, self.schedule, &moment);
        let looking = self.handle.look(move |sight| {
            let run = sight.engine.run_of_idempotency_key(&key);
            run.map(tidemill_engine::Run::id)
        });
        match looking.await? {
            Some(run) => {
                self.settle(moment, FiringOutcome::Started { run }).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Starts the moment that has waited longest, once no run of the schedule goes on.
    pub(super) async fn next_in_line(&self) -> Result<Answered, Stopped> {
        let Some(moment) = self.schedule.waiting.front().cloned() else {
            return Ok(Answered::Nothing);
        };
        if self.schedule.pause.is_some() || !self.active().await?.is_empty() {
            return Ok(Answered::Nothing);
        }
        match start(self.handle, self.name, self.schedule, &moment).await? {
            Start::Settled(outcome) => {
                self.settle(moment, outcome).await?;
                Ok(Answered::Settled)
            }
            Start::Hindered(_) => Ok(Answered::Hindered),
        }
    }

    /// Does what the schedule says for this moment.
    pub(super) async fn fire(&self, moment: Moment, now: Timestamp) -> Result<Answered, Stopped> {
        let overlap = self.schedule.spec.overlap;
        let active = match overlap {
            Overlap::Allow => Vec::new(),
            Overlap::Skip | Overlap::Queue | Overlap::CancelRunning => self.active().await?,
        };
        let waits = !self.schedule.waiting.is_empty();
        let outcome = match overlap {
            Overlap::Skip if !active.is_empty() => FiringOutcome::Overlapped,
            Overlap::Queue if self.schedule.waiting.len() >= QUEUE_MAX => FiringOutcome::Overlapped,
            Overlap::Queue if waits || !active.is_empty() => FiringOutcome::Queued,
            Overlap::Allow | Overlap::Skip | Overlap::Queue | Overlap::CancelRunning => {
                self.cancel(&active).await?;
                let latest = moment.nominal + self.schedule.spec.jitter + TRY_WITHIN;
                match start(self.handle, self.name, self.schedule, &moment).await? {
                    Start::Settled(outcome) => outcome,
                    Start::Hindered(why) if now > latest => FiringOutcome::Refused { why },
                    Start::Hindered(_) => return Ok(Answered::Hindered),
                }
            }
        };
        self.settle(moment, outcome).await?;
        Ok(Answered::Settled)
    }

    /// Has it noted what became of a moment.
    pub(super) async fn settle(&self, moment: Moment, outcome: FiringOutcome) -> Result<(), Stopped> {
        let command = ScheduleCommand::Settle {
            name: self.name.clone(),
            created_at: self.schedule.created_at,
            moment,
            outcome,
        };
        if let Err(rejection) = self.handle.change::<Schedules>(command).await? {
            // Somebody removed it at this moment; the run is there, and goes on.
            tracing::info!(name = %self.name, %rejection, "a firing is not noted");
        }
        Ok(())
    }

    /// Runs of the schedule that still go on.
    async fn active(&self) -> Result<Vec<RunId>, Stopped> {
        let runs: Vec<RunId> = self.schedule.runs().collect();
        let goes_on = |sight: &Sight<'_>, run: &RunId| {
            let run = sight.engine.run(*run);
            run.is_some_and(|run| !run.status().is_terminal())
        };
        let looking = self.handle.look(move |sight| {
            let active = runs.into_iter().filter(|run| goes_on(sight, run));
            active.collect::<Vec<RunId>>()
        });
        looking.await
    }

    async fn cancel(&self, runs: &[RunId]) -> Result<(), Stopped> {
        for run in runs {
            let by = format!("schedule {}", self.name);
            match self.handle.cancel(*run, by).await {
                Err(error) if error.is_stopped() => return Err(Stopped),
                // It has ended meanwhile.
                Err(_) | Ok(()) => {}
            }
        }
        Ok(())
    }
}
