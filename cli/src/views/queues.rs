//! Queues: what the coordinator holds back beside what the broker holds.

use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use tidemill_protocol::api::{BrokerQueueView, QueueView, Untold};
use tidemill_protocol::time::Millis;

/// The columns of a list of queues.
pub(crate) fn columns() -> Vec<Column<QueueView>> {
    let broker = |text: fn(&BrokerQueueView) -> String| {
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
        Column::new("UNACKED", broker(unacknowledged)).number(),
        Column::new("CONSUMERS", broker(|view| view.consumers.to_string()))
            .number()
            .spare(),
        Column::new("WINDOW", |queue: &QueueView| queue.window.to_string())
            .number()
            .wide(),
    ]
}

fn unacknowledged(view: &BrokerQueueView) -> String {
    match (view.unacknowledged, view.untold) {
        (Some(count), _) => humane::thousands(count),
        (None, Some(Untold::NotAsked)) => "-".to_owned(),
        (None, _) => "?".to_owned(),
    }
}

/// How to get the figures that are missing.
pub(crate) fn footnote(queues: &[QueueView]) -> Option<&'static str> {
    let views = queues.iter().filter_map(|queue| queue.broker.as_ref());
    let views: Vec<_> = views.filter(|view| view.unacknowledged.is_none()).collect();
    let is_asked = |view: &&BrokerQueueView| view.untold != Some(Untold::NotAsked);
    match views.iter().any(is_asked) {
        _ if views.is_empty() => None,
        false => Some(
            "UNACKED is known to RabbitMQ's management API only: set queue_management_url = \"http://HOST:15672\" where the coordinator runs",
        ),
        true => Some(
            "UNACKED is not known: RabbitMQ's management API (the coordinator's queue_management_url) has not answered; the coordinator's log says why",
        ),
    }
}

fn number(count: u64) -> (String, Tone) {
    (
        humane::thousands(count),
        if count == 0 { Tone::Dim } else { Tone::Plain },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(broker: Option<(Option<u64>, Option<Untold>)>) -> QueueView {
        QueueView {
            target: "cpu".parse().unwrap(),
            compute_type: None,
            backlog: 0,
            dispatched: 0,
            running: 0,
            workers: 0,
            slots: 0,
            window: 0,
            oldest_age_ms: 0,
            ended_last_minute: 0,
            broker: broker.map(|(unacknowledged, untold)| BrokerQueueView {
                ready: 0,
                unacknowledged,
                untold,
                consumers: 0,
            }),
        }
    }

    #[test]
    fn a_figure_that_is_missing_is_a_mark_and_a_footnote_says_how_to_get_it() {
        let told = queue(Some((Some(1234), None)));
        let not_asked = queue(Some((None, Some(Untold::NotAsked))));
        let silent = queue(Some((None, Some(Untold::NoAnswer))));
        let cell = |queue: &QueueView| unacknowledged(queue.broker.as_ref().unwrap());
        assert_eq!([&told, &not_asked, &silent].map(cell), ["1,234", "-", "?"]);
        assert_eq!(footnote(&[told.clone(), queue(None)]), None);
        assert!(
            footnote(&[told, not_asked.clone()])
                .unwrap()
                .contains("set queue_management_url")
        );
        assert!(
            footnote(&[not_asked, silent])
                .unwrap()
                .contains("has not answered")
        );
    }
}
