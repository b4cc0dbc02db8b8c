//! Compute targets: the queue of each beside the workers that serve it. What is said of either is what their own views say.

use super::fleet::{queue_view, worker_views};
use crate::enrolment::Enrolment;
use std::collections::BTreeSet;
use tidemill_engine::{Engine, Fleet};
use tidemill_protocol::api::{ComputeTargetView, WorkerView};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::{Millis, Timestamp};

/// Every compute target that is in use, or that a worker serves which was heard of, by name; what the broker says of its queue is not in it yet.
pub(crate) fn target_views(
    (engine, fleet): (&Engine, &Fleet),
    enrolment: &Enrolment,
    (now, monotonic): (Timestamp, Millis),
) -> Vec<ComputeTargetView> {
    let workers = worker_views(engine, fleet, enrolment);
    let used = engine.backlogs().map(|(target, _)| target);
    let served = workers.iter().flat_map(|worker| &worker.targets);
    let served = served.map(|target| &target.name);
    let targets: BTreeSet<&Name> = used.chain(fleet.targets()).chain(served).collect();
    let views = targets.into_iter().map(|target| {
        let queue = queue_view((engine, fleet), target, (now, monotonic));
        let serving: Vec<WorkerView> = serving(&workers, target).cloned().collect();
        ComputeTargetView {
            name: target.clone(),
            compute_type: queue.compute_type.clone(),
            slots_free: serving.iter().map(free).sum(),
            queue,
            workers: serving,
        }
    });
    views.collect()
}

fn serving<'a>(workers: &'a [WorkerView], target: &'a Name) -> impl Iterator<Item = &'a WorkerView> {
    workers
        .iter()
        .filter(move |worker| worker.targets.iter().any(|served| served.name == *target))
}

/// The slots of a worker that would take something now.
fn free(worker: &WorkerView) -> u32 {
    match worker.status.as_str() {
        "ready" => worker.slots.saturating_sub(worker.slots_used),
        _ => 0,
    }
}
