//! What projects have at a moment, kept as their runs and steps change. What they may have is not here (`quota`).

use crate::place::RunNumber;
use crate::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::RunStatus;

/// What each project has; none is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usages(BTreeMap<Name, Usage>);

/// What one project has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Usage {
    /// Attempts in flight, of all compute targets.
    in_flight: u32,
    /// Runs that have not begun.
    queued: BTreeSet<RunNumber>,
}

impl Usages {
    /// Attempts of a project in flight.
    pub(crate) fn in_flight_of(&self, project: &Name) -> u32 {
        self.0.get(project).map_or(0, |usage| usage.in_flight)
    }

    /// How many runs of a project have not begun.
    pub(crate) fn queued_of(&self, project: &Name) -> usize {
        self.0.get(project).map_or(0, |usage| usage.queued.len())
    }

    /// An attempt of the run is in flight.
    pub(crate) fn count_flight(&mut self, run: &Run) {
        self.change(run.project(), |usage| usage.in_flight += 1);
    }

    /// It is not any more.
    pub(crate) fn discount_flight(&mut self, run: &Run) {
        self.change(run.project(), |usage| usage.in_flight -= 1);
    }

    /// Notes whether a run has begun. To be called whenever that may have changed.
    pub(crate) fn note_queued(&mut self, run: &Run) {
        let (number, queued) = (run.number, run.status() == RunStatus::Queued);
        self.change(run.project(), |usage| {
            if queued {
                usage.queued.insert(number);
            } else {
                usage.queued.remove(&number);
            }
        });
    }

    /// A run is forgotten.
    pub(crate) fn forget(&mut self, run: &Run) {
        self.change(run.project(), |usage| {
            usage.queued.remove(&run.number);
        });
    }

    fn change(&mut self, project: &Name, change: impl FnOnce(&mut Usage)) {
        if let Some(usage) = self.0.get_mut(project) {
            change(usage);
            if *usage == Usage::default() {
                self.0.remove(project);
            }
            return;
        }
        let mut usage = Usage::default();
        change(&mut usage);
        if usage != Usage::default() {
            self.0.insert(project.clone(), usage);
        }
    }
}
