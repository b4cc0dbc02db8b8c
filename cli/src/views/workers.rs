//! Workers as the coordinator last heard of them.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::WorkerView;
use tidemill_protocol::time::Timestamp;

/// The columns of a list of workers.
pub(crate) fn columns(now: Timestamp) -> Vec<Column<WorkerView>> {
    vec![
        Column::new("WORKER", |worker: &WorkerView| worker.id.to_string()).fixed(),
        Column::toned("STATUS", |worker: &WorkerView| {
            (worker.status.clone(), tone(&worker.status))
        })
        .fixed(),
        Column::new("SERVES", |worker: &WorkerView| {
            let targets = worker
                .targets
                .iter()
                .map(|target| format!("{} ({})", target.name, target.compute_type));
            targets.collect::<Vec<_>>().join(", ")
        }),
        Column::new("SLOTS", |worker: &WorkerView| {
            format!("{}/{}", worker.slots_used, worker.slots)
        })
        .number(),
        Column::new("CORES", |worker: &WorkerView| worker.cpus.to_string())
            .number()
            .spare(),
        Column::new("MEMORY", |worker: &WorkerView| humane::bytes(worker.memory_bytes)).number(),
        Column::new("GPUS", |worker: &WorkerView| worker.gpus.len().to_string())
            .number()
            .spare(),
        Column::toned("HEARD", move |worker: &WorkerView| {
            (humane::ago(worker.last_heard_at, now), Tone::Dim)
        }),
        Column::new("KEY", |worker: &WorkerView| {
            let word = if worker.enrolled { "own" } else { "none" };
            word.to_owned()
        })
        .wide(),
        Column::new("WHY", |worker: &WorkerView| {
            let quarantine = worker.quarantine.as_ref();
            quarantine.map_or_else(String::new, |quarantine| {
                format!("{} ({})", quarantine.reason, quarantine.by)
            })
        })
        .wide(),
        Column::new("HOST", |worker: &WorkerView| worker.host.clone()).wide(),
        Column::new("VERSION", |worker: &WorkerView| worker.version.clone()).wide(),
    ]
}

fn tone(status: &str) -> Tone {
    match status {
        "ready" => Tone::Good,
        "full" => Tone::Busy,
        "draining" | "disk_full" => Tone::Warn,
        "silent" | "quarantined" => Tone::Bad,
        _ => Tone::Plain,
    }
}
