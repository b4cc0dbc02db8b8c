//! Queues: what the coordinator holds back beside what the broker holds.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::QueueView;
use tidemill_protocol::time::Millis;

/// The columns of a list of queues.
pub(crate) fn columns() -> Vec<Column<QueueView>> {
    let broker = |text: fn(&tidemill_protocol::api::BrokerQueueView) -> String| {
        move |queue: &QueueView| queue.broker.as_ref().map_or_else(|| "-".to_owned(), text)
    };
    vec![
        Column::new("TARGET", |queue: &QueueView| queue.target.to_string()).fixed(),
        Column::new("TYPE", |queue: &QueueView| {
            queue
                .compute_type
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string)
        })
        .spare(),
        Column::toned("BACKLOG", |queue: &QueueView| number(queue.backlog)).number(),
        Column::toned("QUEUED", |queue: &QueueView| number(queue.dispatched)).number(),
        Column::toned("RUNNING", |queue: &QueueView| number(queue.running)).number(),
        Column::toned("WORKERS", |queue: &QueueView| {
            let is_stuck = queue.workers == 0 && queue.backlog + queue.dispatched > 0;
            (
                queue.workers.to_string(),
                if is_stuck { Tone::Bad } else { Tone::Plain },
            )
        })
        .number(),
        Column::new("SLOTS", |queue: &QueueView| queue.slots.to_string())
            .number()
            .spare(),
        Column::new("OLDEST", |queue: &QueueView| match queue.oldest_age_ms {
            0 => "-".to_owned(),
            age => humane::duration(Millis(age)),
        })
        .number(),
        Column::new("PER MINUTE", |queue: &QueueView| {
            humane::thousands(queue.ended_last_minute)
        })
        .number()
        .spare(),
        Column::new("READY", broker(|view| humane::thousands(view.ready))).number(),
        Column::new(
            "UNACKED",
            broker(|view| {
                view.unacknowledged
                    .map_or_else(|| "?".to_owned(), humane::thousands)
            }),
        )
        .number(),
        Column::new("CONSUMERS", broker(|view| view.consumers.to_string()))
            .number()
            .spare(),
        Column::new("WINDOW", |queue: &QueueView| queue.window.to_string())
            .number()
            .wide(),
    ]
}

fn number(count: u64) -> (String, Tone) {
    (
        humane::thousands(count),
        if count == 0 { Tone::Dim } else { Tone::Plain },
    )
}
