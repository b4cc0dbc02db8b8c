//! What follows from a command, or why nothing does. Asking twice for the same changes nothing and is no error.

use super::calendar::Calendar;
use super::command::{Asker, Difference, ScheduleCommand, ScheduleRejection};
use super::fact::ScheduleFact;
use super::state::{Schedule, Schedules};
use crate::ledger::{Ledger, Ledgers};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FilesChange, FiringOutcome, Moment, ScheduleSpec, Trigger};
use tidemill_protocol::time::{Millis, Timestamp};

/// Schedules at once.
pub const SCHEDULES_MAX: usize = 1_000;
/// Longest jitter.
const JITTER_MAX: Millis = Millis::from_secs(24 * 3600);
/// Parameters and tags of one schedule, and items of one list of its trigger.
const ITEMS_MAX: usize = 1_000;
/// Bytes of all texts of one schedule together.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// The time between two looks at files.
const EVERY: std::ops::RangeInclusive<Millis> = Millis::from_secs(1)..=Millis::from_secs(24 * 3600);
/// Longest path that is watched, in bytes.
const PATH_BYTES_MAX: usize = 1_024;

impl Ledger for Schedules {
    type Command = ScheduleCommand;
    type Fact = ScheduleFact;
    type Rejection = ScheduleRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.schedules
    }

    fn decide(
        &self,
        now: Timestamp,
        command: &ScheduleCommand,
    ) -> Result<Vec<ScheduleFact>, ScheduleRejection> {
        match command {
            ScheduleCommand::Set {
                name,
                spec,
                is_new,
                by,
            } => self.decide_set(now, (name, spec), *is_new, by),
            ScheduleCommand::Remove { name, by } => {
                self.allowed(name, by)?;
                Ok(vec![ScheduleFact::ScheduleRemoved {
                    name: name.clone(),
                    by: by.name.clone(),
                }])
            }
            ScheduleCommand::Pause { name, reason, by } => {
                if self.allowed(name, by)?.pause.is_some() {
                    return Ok(Vec::new());
                }
                if reason.len() > TEXT_BYTES_MAX {
                    return Err(ScheduleRejection::OutOfBounds("the reason is too long"));
                }
                Ok(vec![ScheduleFact::SchedulePaused {
                    name: name.clone(),
                    reason: reason.clone(),
                    by: by.name.clone(),
                }])
            }
            ScheduleCommand::Resume { name, by } => {
                if self.allowed(name, by)?.pause.is_none() {
                    return Ok(Vec::new());
                }
                Ok(vec![ScheduleFact::ScheduleResumed {
                    name: name.clone(),
                    by: by.name.clone(),
                }])
            }
            ScheduleCommand::Settle {
                name,
                created_at,
                moment,
                outcome,
            } => self.decide_settle((name, *created_at), moment, outcome),
            ScheduleCommand::Look {
                name,
                created_at,
                revision,
                before,
                listing,
                found,
            } => {
                let seen = (*created_at, *revision, *before);
                self.decide_look(now, (name, seen), listing, found.as_ref())
            }
        }
    }
}

/// The moment that a difference is. Files that only went away are nothing to work on.
fn change(
    now: Timestamp,
    known: &Schedule,
    listing: &ArtifactRef,
    found: &Difference,
) -> Option<FilesChange> {
    if found.added + found.changed == 0 {
        return None;
    }
    // Also where the clock was set back a moment comes after those before it.
    let last = known.changes.back().map(|change| change.moment.nominal);
    let nominal = now.max(known.settled_to).max(last.unwrap_or_default());
    Some(FilesChange {
        moment: Moment {
            nominal,
            cause: listing.digest.short(),
        },
        added: found.added,
        changed: found.changed,
        removed: found.removed,
        paths: found.paths.clone(),
    })
}

impl Schedules {
    fn decide_settle(
        &self,
        (name, created_at): (&Name, Timestamp),
        moment: &Moment,
        outcome: &FiringOutcome,
    ) -> Result<Vec<ScheduleFact>, ScheduleRejection> {
        let known = self.get(name).filter(|known| known.created_at == created_at);
        let known = known.ok_or_else(|| ScheduleRejection::Unknown(name.clone()))?;
        if known.is_settled(moment) {
            return Ok(Vec::new());
        }
        Ok(vec![ScheduleFact::ScheduleFired {
            name: name.clone(),
            moment: moment.clone(),
            outcome: outcome.clone(),
        }])
    }

    /// What was seen counts only while the schedule is what it was when it was looked.
    fn decide_look(
        &self,
        now: Timestamp,
        (name, seen): (&Name, (Timestamp, u64, Option<ArtifactRef>)),
        listing: &ArtifactRef,
        found: Option<&Difference>,
    ) -> Result<Vec<ScheduleFact>, ScheduleRejection> {
        let known = self
            .get(name)
            .ok_or_else(|| ScheduleRejection::Unknown(name.clone()))?;
        if (known.created_at, known.revision, known.seen) != seen || known.seen == Some(*listing) {
            return Ok(Vec::new());
        }
        Ok(vec![ScheduleFact::ScheduleLooked {
            name: name.clone(),
            listing: *listing,
            change: found.and_then(|found| change(now, known, listing, found)),
        }])
    }

    fn decide_set(
        &self,
        now: Timestamp,
        (name, spec): (&Name, &ScheduleSpec),
        is_new: bool,
        by: &Asker,
    ) -> Result<Vec<ScheduleFact>, ScheduleRejection> {
        check(spec)?;
        let spec = anchored(spec, now);
        let calendar = Calendar::of(&spec.trigger)?;
        if let Trigger::RunEnded(ended) = &spec.trigger
            && ended.pipeline == spec.pipeline
        {
            return Err(ScheduleRejection::Circle);
        }
        if let Some(known) = self.get(name) {
            if is_new {
                return Err(ScheduleRejection::Exists(name.clone()));
            }
            self.allowed(name, by)?;
            if *known.spec == spec {
                return Ok(Vec::new());
            }
        } else if let Some(expected) = by.expect {
            return Err(ScheduleRejection::Changed { expected, found: 0 });
        } else if self.all().len() >= SCHEDULES_MAX {
            return Err(ScheduleRejection::TooMany);
        }
        let is_over = |calendar: Calendar| calendar.after(Timestamp(now.0.saturating_sub(1))).is_none();
        if calendar.is_some_and(is_over) {
            return Err(ScheduleRejection::NeverFires);
        }
        Ok(vec![ScheduleFact::ScheduleSet {
            name: name.clone(),
            spec: Box::new(spec),
            by: by.name.clone(),
        }])
    }

    /// The schedule, if this one may change it.
    fn allowed(&self, name: &Name, by: &Asker) -> Result<&Schedule, ScheduleRejection> {
        let known = self
            .get(name)
            .ok_or_else(|| ScheduleRejection::Unknown(name.clone()))?;
        if !by.may_change_all && known.created_by != by.name {
            return Err(ScheduleRejection::NotYours(known.created_by.clone()));
        }
        match by.expect.filter(|expected| *expected != known.revision) {
            None => Ok(known),
            Some(expected) => Err(ScheduleRejection::Changed {
                expected,
                found: known.revision,
            }),
        }
    }
}

/// The same, counted from now where it does not say from when.
fn anchored(spec: &ScheduleSpec, now: Timestamp) -> ScheduleSpec {
    let mut spec = spec.clone();
    if let Trigger::Recurrence(every) = &mut spec.trigger {
        every.start_at.get_or_insert(now);
    }
    spec
}

/// Whether a path stays below the root of a datastore.
fn is_below(path: &str) -> bool {
    let climbs = |part: &str| part == ".." || part.contains('\\') || part.chars().any(char::is_control);
    path.len() <= PATH_BYTES_MAX && !path.starts_with('/') && !path.split('/').any(climbs)
}

fn check(spec: &ScheduleSpec) -> Result<(), ScheduleRejection> {
    let refuse = |rule| Err(ScheduleRejection::OutOfBounds(rule));
    if spec.jitter > JITTER_MAX {
        return refuse("the jitter is at most a day");
    }
    let lists = match &spec.trigger {
        Trigger::Cron(_) | Trigger::NewVersion(_) => 0,
        Trigger::FilesChanged(files) => {
            if !EVERY.contains(&files.every) {
                return refuse("the time between two looks is 1 second to 1 day");
            }
            if !is_below(&files.path) {
                return refuse("a watched path stays below the datastore, and has at most 1,024 bytes");
            }
            0
        }
        Trigger::RunEnded(ended) => ended.outcomes.len(),
        Trigger::Recurrence(every) => {
            let lengths = [
                every.hours.len(),
                every.minutes.len(),
                every.week_days.len(),
                every.month_days.len(),
            ];
            lengths.into_iter().max().unwrap_or_default()
        }
    };
    if spec.parameters.len().max(spec.tags.len()).max(lists) > ITEMS_MAX {
        return refuse("there may be at most 1,000 parameters, tags, or items of a list");
    }
    let pairs = spec.parameters.iter().chain(&spec.tags);
    let pairs: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
    let texts = [&spec.display_name, &spec.experiment];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    if pairs + texts + spec.description.len() > TEXT_BYTES_MAX {
        return refuse("the texts of a schedule have at most 256 KiB together");
    }
    if let Some(experiment) = &spec.experiment
        && experiment.parse::<Name>().is_err()
    {
        return refuse("the experiment is a letter or digit, then letters, digits, `.`, `_` and `-`");
    }
    Ok(())
}
