//! Workers and queues.

use crate::enrolment::Enrolment;
use std::collections::BTreeSet;
use tidemill_engine::{Engine, Fleet, Worker};
use tidemill_protocol::api::{QuarantineView, QueueView, RunningAttemptView, WorkerView};
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::{Millis, Timestamp};

/// Every worker that was heard of, and every other one that is quarantined.
pub(crate) fn worker_views(engine: &Engine, fleet: &Fleet, enrolment: &Enrolment) -> Vec<WorkerView> {
    let heard = fleet.workers();
    let heard = heard.map(|(id, worker)| worker_view(engine, id, worker));
    let quarantined = enrolment.quarantined();
    let silent = quarantined.filter(|(id, _)| fleet.worker(id).is_none());
    let mut views: Vec<WorkerView> = heard
        .chain(silent.map(|(id, quarantine)| unheard_view(id, quarantine.since)))
        .collect();
    for view in &mut views {
        if let Some(quarantine) = enrolment.quarantine(&view.id) {
            "quarantined".clone_into(&mut view.status);
            view.quarantine = Some(QuarantineView {
                reason: quarantine.reason.clone(),
                by: quarantine.by.clone(),
                since: quarantine.since,
            });
        }
    }
    views.sort_by(|one, other| one.id.cmp(&other.id));
    views
}

/// The workers that serve this compute target and of which nothing counts, each with the reason.
pub(crate) fn quarantined_of<'a>(
    fleet: &'a Fleet,
    enrolment: &'a Enrolment,
    target: &'a Name,
) -> impl Iterator<Item = (&'a WorkerId, &'a str)> {
    let serving = fleet
        .workers()
        .filter(|(_, worker)| worker.offer().targets.iter().any(|served| served.name == *target));
    serving.filter_map(|(id, _)| Some((id, enrolment.quarantine(id)?.reason.as_str())))
}

/// A worker of which nothing but its name is known.
fn unheard_view(id: &WorkerId, since: Timestamp) -> WorkerView {
    WorkerView {
        id: id.clone(),
        status: String::new(),
        host: String::new(),
        version: String::new(),
        targets: Vec::new(),
        slots: 0,
        slots_used: 0,
        cpus: 0,
        memory_bytes: 0,
        gpus: Vec::new(),
        last_heard_at: since,
        running: Vec::new(),
        enrolled: false,
        quarantine: None,
    }
}

fn worker_view(engine: &Engine, id: &WorkerId, worker: &Worker) -> WorkerView {
    let offer = worker.offer();
    let used = u32::try_from(worker.running().len()).unwrap_or(u32::MAX);
    let running = worker.running().iter().filter_map(|running| {
        let run = engine.run(running.attempt.run)?;
        Some(RunningAttemptView {
            run: running.attempt.run,
            step: run.planned(running.attempt.step)?.path.clone(),
            attempt: running.attempt.attempt,
            phase: running.phase,
        })
    });
    WorkerView {
        id: id.clone(),
        status: status(worker, used).to_owned(),
        host: offer.host.clone(),
        version: offer.version.clone(),
        targets: offer.targets.clone(),
        slots: offer.slots,
        slots_used: used,
        cpus: offer.cpus,
        memory_bytes: offer.memory_bytes,
        gpus: offer.gpus.clone(),
        last_heard_at: worker.heard_at(),
        running: running.collect(),
        enrolled: false,
        quarantine: None,
    }
}

/// The first of these that is so; the ones above it make those below it unimportant.
fn status(worker: &Worker, used: u32) -> &'static str {
    let offer = worker.offer();
    let words = [
        (worker.is_silent(), "silent"),
        (offer.draining, "draining"),
        (offer.disk_full, "disk_full"),
        (used >= offer.slots, "full"),
    ];
    words
        .iter()
        .find(|(is_so, _)| *is_so)
        .map_or("ready", |(_, word)| word)
}

/// The queue of every compute target that is in use or served; what the broker says of each is not in it yet.
pub(crate) fn queue_views(
    engine: &Engine,
    fleet: &Fleet,
    now: Timestamp,
    monotonic: Millis,
) -> Vec<QueueView> {
    let used = engine.backlogs().map(|(target, _)| target);
    let targets: BTreeSet<&Name> = used.chain(fleet.targets()).collect();
    targets
        .into_iter()
        .map(|target| queue_view((engine, fleet), target, (now, monotonic)))
        .collect()
}

/// The queue of one compute target, likewise.
pub(super) fn queue_view(
    (engine, fleet): (&Engine, &Fleet),
    target: &Name,
    (now, monotonic): (Timestamp, Millis),
) -> QueueView {
    let backlog = engine.backlog(target);
    let capacity = fleet.capacity(target);
    QueueView {
        target: target.clone(),
        compute_type: compute_type(fleet, target),
        backlog: backlog.queued,
        dispatched: backlog.dispatched.into(),
        running: backlog.running.into(),
        workers: capacity.workers,
        slots: capacity.slots,
        window: fleet.window(target).into(),
        oldest_age_ms: backlog.oldest.map_or(0, |oldest| now.since(oldest).0),
        ended_last_minute: fleet.ended_last_minute(monotonic, target),
        broker: None,
    }
}

fn compute_type(fleet: &Fleet, target: &Name) -> Option<Name> {
    let mut offered = fleet.workers().flat_map(|(_, worker)| &worker.offer().targets);
    offered
        .find(|offered| offered.name == *target)
        .map(|offered| offered.compute_type.clone())
}
