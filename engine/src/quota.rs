//! Quotas of projects: whether there is room. A quota holds back what is not released yet; nothing that is with a worker is ended because of
//! one, and an attempt that turns out to be alive is taken up again although its place was given away.

use crate::engine::Engine;
use std::collections::BTreeMap;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::Quota;

/// What a project has at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectUsage {
    /// Attempts that are with a worker or on their way to one.
    pub running_steps: u32,
    /// The same by compute target; none is 0.
    pub targets: BTreeMap<Name, u32>,
    /// Runs that have not begun.
    pub queued_runs: usize,
}

/// A quota that is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Full {
    /// The compute target that it is about; none for all.
    pub(crate) target: Option<Name>,
    /// What it allows.
    pub(crate) limit: u32,
}

impl Engine {
    /// A project's quota; none when it has none.
    pub fn quota(&self, project: &Name) -> Option<&Quota> {
        self.quotas.get(project)
    }

    /// Whether any project has one.
    pub fn has_quotas(&self) -> bool {
        !self.quotas.is_empty()
    }

    /// What a project has at this moment. Looks at every compute target that is in use.
    pub fn usage(&self, project: &Name) -> ProjectUsage {
        let lanes = self.index.lanes.iter();
        let targets = lanes.map(|(target, lane)| (target.clone(), lane.in_flight_of(project)));
        let usages = &self.index.usage;
        ProjectUsage {
            running_steps: usages.in_flight_of(project),
            targets: targets.filter(|(_, count)| *count > 0).collect(),
            queued_runs: usages.queued_of(project),
        }
    }

    /// The quota that holds a project's steps back on this compute target, if one does.
    pub(crate) fn full(&self, project: &Name, target: &Name) -> Option<Full> {
        Rooms::new(self).full(project, target)
    }

    /// How many runs a project may have queued, when it has so many.
    pub(crate) fn queue_full(&self, project: &Name) -> Option<u32> {
        let limit = self.quotas.get(project)?.queued_runs?;
        let queued = self.index.usage.queued_of(project);
        (queued >= limit as usize).then_some(limit)
    }
}

/// The room that quotas leave while one answer of `next` is put together.
pub(crate) struct Rooms<'a> {
    engine: &'a Engine,
    /// Released in this answer, of projects with a quota.
    released: BTreeMap<&'a Name, u32>,
    /// The same on one compute target.
    on_target: BTreeMap<(&'a Name, &'a Name), u32>,
}

impl<'a> Rooms<'a> {
    pub(crate) const fn new(engine: &'a Engine) -> Self {
        Self {
            engine,
            released: BTreeMap::new(),
            on_target: BTreeMap::new(),
        }
    }

    /// Which quota leaves no room, if one does.
    pub(crate) fn full(&self, project: &Name, target: &Name) -> Option<Full> {
        let quota = self.engine.quotas.get(project)?;
        let index = &self.engine.index;
        if let Some(limit) = quota.running_steps {
            let in_flight = index.usage.in_flight_of(project);
            let released = self.released.get(project).copied().unwrap_or(0);
            if in_flight + released >= limit {
                let target = None;
                return Some(Full { target, limit });
            }
        }
        let limit = *quota.targets.get(target)?;
        let in_flight = index
            .lanes
            .get(target)
            .map_or(0, |lane| lane.in_flight_of(project));
        let released = self.on_target.get(&(project, target)).copied().unwrap_or(0);
        let target = Some(target.clone());
        (in_flight + released >= limit).then_some(Full { target, limit })
    }

    /// A step is released.
    pub(crate) fn take(&mut self, project: &'a Name, target: &'a Name) {
        if self.engine.quotas.contains_key(project) {
            *self.released.entry(project).or_default() += 1;
            *self.on_target.entry((project, target)).or_default() += 1;
        }
    }
}
