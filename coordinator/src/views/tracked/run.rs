//! Tracked runs, one or those of some experiments: what is kept of them, and of tidemill's own what the engine says now.

use super::experiment;
use super::own::{own, own_in};
use super::shown::ShownRun;
use crate::tracking::{TrackedId, Tracking};
use std::collections::BTreeSet;
use tidemill_engine::Engine;

/// Runs and attempts of tidemill's own that one search looks at, the newest.
const OWN_MAX: usize = 20_000;

/// The run with this id.
pub(crate) fn shown_run(engine: &Engine, tracking: &Tracking, id: &TrackedId) -> Option<ShownRun> {
    match (own(engine, id), tracking.run(id)) {
        (Some(own), Some(kept)) => Some(own.with(kept)),
        (Some(own), None) => Some(own),
        (None, Some(kept)) => Some(ShownRun::kept(id, kept)),
        (None, None) => None,
    }
}

/// The runs of these experiments, the newest first.
pub(crate) fn runs_in(engine: &Engine, tracking: &Tracking, experiments: &[String]) -> Vec<ShownRun> {
    let wanted: BTreeSet<&String> = experiments.iter().collect();
    let mut found = Vec::new();
    for (id, run) in tracking.runs() {
        if wanted.contains(&run.experiment) {
            found.extend(shown_run(engine, tracking, id));
        }
    }
    for id in &wanted {
        for name in experiment::names_in(engine, id) {
            let own = own_in(engine, name, id).filter(|own| tracking.run(&own.id).is_none());
            found.extend(own.take(OWN_MAX));
        }
    }
    found.sort_by(|left, right| (right.started_at, &left.id).cmp(&(left.started_at, &right.id)));
    found
}
