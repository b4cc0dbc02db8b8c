//! Moments that something gives which happened: versions that were added, runs that ended, files that were seen to have changed. Read from the state, so that what happened while nobody looked is not
//! forgotten; what a schedule has settled is left out.

use super::state::Schedule;
use crate::catalog::Catalog;
use crate::driver::Sight;
use crate::published::PIPELINE_TAG;
use tidemill_engine::Run;
use tidemill_protocol::catalog::{AssetKind, Version};
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{Moment, NewVersion, RunEnded, Trigger};

/// Moments of one schedule that are gathered at once; the others come with the next look.
const MOMENTS_MAX: usize = 100;

/// The moments that a schedule has not settled yet, oldest first. Runs are looked through only where one may have ended since the last look.
pub(super) fn occasions(sight: &Sight<'_>, schedule: &Schedule, has_run_ended: bool) -> Vec<Moment> {
    let mut moments = match &schedule.spec.trigger {
        Trigger::Cron(_) | Trigger::Recurrence(_) => Vec::new(),
        Trigger::NewVersion(wanted) => versions(sight, wanted, schedule),
        Trigger::RunEnded(wanted) if has_run_ended => runs(sight, wanted, schedule),
        Trigger::RunEnded(_) => Vec::new(),
        Trigger::FilesChanged(_) => changes(schedule),
    };
    moments.sort();
    moments.truncate(MOMENTS_MAX);
    moments
}

fn versions(sight: &Sight<'_>, wanted: &NewVersion, schedule: &Schedule) -> Vec<Moment> {
    let asset = sight.ledgers.catalog.asset(wanted.kind, &wanted.name);
    let versions = asset.into_iter().flat_map(|asset| &asset.versions);
    let moments = versions.map(|(version, kept)| Moment {
        nominal: kept.created_at,
        cause: Version::to_string(version),
    });
    moments.filter(|moment| is_open(schedule, moment)).collect()
}

fn runs(sight: &Sight<'_>, wanted: &RunEnded, schedule: &Schedule) -> Vec<Moment> {
    let runs = sight.engine.runs_newest_first(None);
    let ended = runs.filter(|run| {
        wanted.outcomes.contains(&run.status()) && is_of(&sight.ledgers.catalog, run, &wanted.pipeline)
    });
    let moments = ended.filter_map(|run| {
        Some(Moment {
            nominal: run.finished_at()?,
            cause: run.id().to_string(),
        })
    });
    moments.filter(|moment| is_open(schedule, moment)).collect()
}

fn changes(schedule: &Schedule) -> Vec<Moment> {
    let moments = schedule.changes.iter().map(|change| change.moment.clone());
    moments.filter(|moment| is_open(schedule, moment)).collect()
}

fn is_of(catalog: &Catalog, run: &Run, pipeline: &Name) -> bool {
    let plan = run.plan();
    let published = plan.tags.get(PIPELINE_TAG).and_then(|tag| tag.split_once(':'));
    let published: Option<Name> = published.and_then(|(name, _)| name.parse().ok());
    let wanted = catalog.current(AssetKind::Pipeline, pipeline);
    plan.pipeline == *pipeline
        || published.is_some_and(|name| catalog.current(AssetKind::Pipeline, &name) == wanted)
}

fn is_open(schedule: &Schedule, moment: &Moment) -> bool {
    moment.nominal >= schedule.created_at
        && !schedule.is_settled(moment)
        && !schedule.waiting.contains(moment)
}
