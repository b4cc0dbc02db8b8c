//! The schedules as their facts left them.

use super::fact::ScheduleFact;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{FilesChange, Firing, FiringOutcome, Moment, ScheduleSpec};
use tidemill_protocol::time::Timestamp;

/// Settled moments of one schedule that are remembered; the journal holds all.
pub const FIRINGS_KEPT: usize = 100;
/// Moments of one schedule that wait for the run before them at once.
pub const QUEUE_MAX: usize = 16;
/// Changes of files of one schedule that are not settled at once; while there are so many, its files are not looked at.
pub const CHANGES_MAX: usize = 32;

/// All schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedules {
    schedules: BTreeMap<Name, Schedule>,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it is.
    pub spec: Arc<ScheduleSpec>,
    /// Counts every change that somebody made.
    pub revision: u64,
    /// When it was made; two schedules of one name, one after the other, differ in this.
    pub created_at: Timestamp,
    /// Who made it: its runs are theirs.
    pub created_by: String,
    /// Why it does not fire.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// Moments before this one are settled, or do not count.
    pub settled_to: Timestamp,
    /// What of this very moment is settled; the clock's own cause is the empty one.
    #[serde(default)]
    pub settled_at: BTreeSet<String>,
    /// Moments that wait for the run before them, oldest first.
    #[serde(default)]
    pub waiting: VecDeque<Moment>,
    /// The last moments that were settled, newest last.
    #[serde(default)]
    pub firings: VecDeque<Firing>,
    /// The blob with what lay there at the last look at its files; none when the next look is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<ArtifactRef>,
    /// Changes of its files that are not settled, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub changes: VecDeque<FilesChange>,
}

/// Why a schedule does not fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

impl Schedule {
    /// Whether this moment is settled.
    pub fn is_settled(&self, moment: &Moment) -> bool {
        let is_past = moment.nominal < self.settled_to
            || (moment.nominal == self.settled_to && self.settled_at.contains(&moment.cause));
        is_past && !self.waiting.contains(moment)
    }

    /// From where on moments of the clock are still to be settled.
    pub fn clock_from(&self) -> Timestamp {
        if self.settled_at.contains("") {
            self.settled_to
        } else {
            Timestamp(self.settled_to.0.saturating_sub(1))
        }
    }

    /// The runs that it started and that are remembered, newest first.
    pub fn runs(&self) -> impl Iterator<Item = RunId> {
        let newest_first = self.firings.iter().rev();
        newest_first.filter_map(|firing| match firing.outcome {
            FiringOutcome::Started { run } => Some(run),
            _ => None,
        })
    }
}

impl Schedules {
    /// A schedule by its name.
    pub fn get(&self, name: &Name) -> Option<&Schedule> {
        self.schedules.get(name)
    }

    /// All schedules, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&Name, &Schedule)> {
        self.schedules.iter()
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &ScheduleFact) {
        if let ScheduleFact::ScheduleSet { name, spec, by } = fact {
            self.set(at, name, spec, by);
            return;
        }
        let Some(schedule) = self.schedules.get_mut(fact.schedule()) else {
            return;
        };
        match fact {
            ScheduleFact::ScheduleSet { .. } => {}
            ScheduleFact::ScheduleRemoved { name, .. } => drop(self.schedules.remove(name)),
            ScheduleFact::SchedulePaused { reason, by, .. } => {
                schedule.revision += 1;
                schedule.pause = Some(Pause {
                    at,
                    by: by.clone(),
                    reason: reason.clone(),
                });
            }
            ScheduleFact::ScheduleResumed { .. } => {
                schedule.revision += 1;
                schedule.pause = None;
                if at > schedule.settled_to {
                    schedule.settled_to = at;
                    schedule.settled_at = BTreeSet::new();
                }
                schedule.look_afresh();
            }
            ScheduleFact::ScheduleLooked { listing, change, .. } => {
                schedule.seen = Some(*listing);
                schedule.changes.extend(change.clone());
            }
            ScheduleFact::ScheduleFired { moment, outcome, .. } => schedule.fired(at, moment, outcome),
        }
    }

    fn set(&mut self, at: Timestamp, name: &Name, spec: &ScheduleSpec, by: &str) {
        let spec = Arc::new(spec.clone());
        if let Some(known) = self.schedules.get_mut(name) {
            // Moments that the old trigger named and that nobody settled are gone with it.
            if known.spec.trigger != spec.trigger {
                known.settled_to = at;
                known.settled_at = BTreeSet::new();
                known.waiting.clear();
                known.look_afresh();
            }
            known.spec = spec;
            known.revision += 1;
            return;
        }
        let schedule = Schedule {
            spec,
            revision: 1,
            created_at: at,
            created_by: by.to_owned(),
            pause: None,
            // A recurrence that begins at this very moment fires at it.
            settled_to: at,
            settled_at: BTreeSet::new(),
            waiting: VecDeque::new(),
            firings: VecDeque::new(),
            seen: None,
            changes: VecDeque::new(),
        };
        self.schedules.insert(name.clone(), schedule);
    }
}

impl Schedule {
    /// What lay there before does not count any more; what waits for a run to end still does.
    fn look_afresh(&mut self) {
        self.seen = None;
        let waiting = &self.waiting;
        self.changes.retain(|change| waiting.contains(&change.moment));
    }

    fn fired(&mut self, at: Timestamp, moment: &Moment, outcome: &FiringOutcome) {
        if moment.nominal > self.settled_to {
            self.settled_to = moment.nominal;
            self.settled_at = BTreeSet::new();
        }
        if moment.nominal == self.settled_to {
            self.settled_at.insert(moment.cause.clone());
        }
        self.waiting.retain(|waiting| waiting != moment);
        if *outcome == FiringOutcome::Queued {
            self.waiting.push_back(moment.clone());
        } else {
            self.changes.retain(|change| change.moment != *moment);
        }
        if self.firings.len() >= FIRINGS_KEPT {
            self.firings.pop_front();
        }
        self.firings.push_back(Firing {
            nominal: moment.nominal,
            cause: moment.cause.clone(),
            at,
            outcome: outcome.clone(),
        });
    }
}
