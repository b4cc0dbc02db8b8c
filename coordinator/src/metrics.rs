//! Every metric of this crate: name, unit, meaning, in Prometheus' text format. No run, step or worker is ever a label: their number has no bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidemill_engine::{Event, Fact};
use tidemill_protocol::time::Millis;

/// Upper bounds of the journal's latency buckets, in seconds.
const APPEND_BOUNDS: [f64; 8] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.025, 0.1, 1.0];

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A distribution of times.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [Counter; APPEND_BOUNDS.len()],
    count: Counter,
    nanoseconds: Counter,
}

impl Histogram {
    pub(crate) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        for (bound, bucket) in APPEND_BOUNDS.iter().zip(&self.buckets) {
            if seconds <= *bound {
                bucket.add(1);
            }
        }
        self.count.add(1);
        self.nanoseconds
            .add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// The coordinator's metrics.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) journal_events: Counter,
    pub(crate) journal_appends: Histogram,
    pub(crate) runs_submitted: Counter,
    pub(crate) runs_finished: Counter,
    pub(crate) attempts_dispatched: Counter,
    pub(crate) attempts_succeeded: Counter,
    pub(crate) attempts_failed: Counter,
    pub(crate) steps_reused: Counter,
    pub(crate) leases_expired: Counter,
    pub(crate) attempts_resumed: Counter,
    pub(crate) reports_stale: Counter,
    pub(crate) reports_refused: Counter,
    pub(crate) messages_published: Counter,
    pub(crate) publish_failures: Counter,
    pub(crate) lineage_events: Counter,
    pub(crate) lineage_left_out: Counter,
    pub(crate) archive_segments: Counter,
    pub(crate) archive_failures: Counter,
    pub(crate) archive_strangers: Counter,
    pub(crate) artifacts_lost: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) dead_letters_foreign: Counter,
    /// Events that are durable here and not in the archive.
    pub(crate) archive_lag_events: AtomicU64,
    /// Since when there are any, on the monotonic clock in milliseconds; 0 when there are none.
    pub(crate) archive_behind_since: AtomicU64,
}

/// A value that is read off the state when it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Gauge {
    /// Name without the house's prefix.
    pub(crate) name: &'static str,
    /// Meaning.
    pub(crate) help: &'static str,
    /// Values, each with the compute target as label, or without.
    pub(crate) values: Vec<(Option<String>, f64)>,
}

impl Metrics {
    /// Counts what became durable.
    pub(crate) fn witness(&self, events: &[Event]) {
        for event in events {
            match &event.fact {
                Fact::RunSubmitted { .. } => self.runs_submitted.add(1),
                Fact::RunFinished { .. } => self.runs_finished.add(1),
                Fact::AttemptDispatched { .. } => self.attempts_dispatched.add(1),
                Fact::AttemptSucceeded { .. } => self.attempts_succeeded.add(1),
                Fact::AttemptFailed { .. } => self.attempts_failed.add(1),
                Fact::StepReused { .. } => self.steps_reused.add(1),
                _ => {}
            }
        }
    }

    /// Events that the archive lacks, and for how many milliseconds it has lacked some.
    pub(crate) fn archive_lag(&self, now: Millis) -> (u64, u64) {
        let since = self.archive_behind_since.load(Ordering::Relaxed);
        let behind = if since == 0 {
            0
        } else {
            now.0.saturating_sub(since)
        };
        (self.archive_lag_events.load(Ordering::Relaxed), behind)
    }

    fn counters(&self) -> [(&'static str, &'static str, &Counter); 9] {
        [
            (
                "journal_events_total",
                "Events made durable.",
                &self.journal_events,
            ),
            ("runs_submitted_total", "Runs accepted.", &self.runs_submitted),
            (
                "runs_finished_total",
                "Runs that became terminal.",
                &self.runs_finished,
            ),
            (
                "attempts_dispatched_total",
                "Attempts made out.",
                &self.attempts_dispatched,
            ),
            (
                "attempts_succeeded_total",
                "Attempts whose result was committed.",
                &self.attempts_succeeded,
            ),
            (
                "attempts_failed_total",
                "Attempts that ended badly.",
                &self.attempts_failed,
            ),
            (
                "steps_reused_total",
                "Steps that took over a known result.",
                &self.steps_reused,
            ),
            (
                "leases_expired_total",
                "Attempts whose worker fell silent.",
                &self.leases_expired,
            ),
            (
                "attempts_resumed_total",
                "Attempts given up as lost whose worker came back in time.",
                &self.attempts_resumed,
            ),
        ]
    }

    /// Those of messages and of the archive.
    fn traffic(&self) -> [(&'static str, &'static str, &Counter); 12] {
        [
            (
                "artifacts_lost_total",
                "Artifacts that a step needed and that turned out to be damaged in the store or gone from it.",
                &self.artifacts_lost,
            ),
            (
                "lineage_events_total",
                "Lineage events put into the queue for their service.",
                &self.lineage_events,
            ),
            (
                "lineage_left_out_total",
                "Lineage events left out because the queue was full.",
                &self.lineage_left_out,
            ),
            (
                "reports_stale_total",
                "Reports that changed nothing.",
                &self.reports_stale,
            ),
            (
                "reports_refused_total",
                "Messages of workers that changed nothing: not readable, not signed by whom they name, or of a quarantined worker.",
                &self.reports_refused,
            ),
            (
                "messages_published_total",
                "Messages that the broker took.",
                &self.messages_published,
            ),
            (
                "publish_failures_total",
                "Messages that the broker did not take.",
                &self.publish_failures,
            ),
            (
                "archive_segments_total",
                "Segments of the journal put into the object store.",
                &self.archive_segments,
            ),
            (
                "archive_failures_total",
                "Times that the archive in the object store could not be written or read.",
                &self.archive_failures,
            ),
            (
                "archive_strangers_total",
                "Objects in the archive that the coordinator's key has not signed, and that were ignored or stood in its way.",
                &self.archive_strangers,
            ),
            (
                "dead_letters_total",
                "Tasks of ours that the broker set aside because they came back too often.",
                &self.dead_letters,
            ),
            (
                "dead_letters_foreign_total",
                "Messages among those set aside that are no task of this coordinator: forged, misdirected, or refused by a worker.",
                &self.dead_letters_foreign,
            ),
        ]
    }

    /// Everything as text.
    pub(crate) fn render(&self, gauges: &[Gauge]) -> String {
        let mut text = String::new();
        for (name, help, counter) in self.counters().into_iter().chain(self.traffic()) {
            head(&mut text, name, help, "counter");
            line(&mut text, name, "", &counter.get().to_string());
        }
        let name = "journal_append_seconds";
        head(
            &mut text,
            name,
            "Time to make a batch of events durable.",
            "histogram",
        );
        let bucket = format!("{name}_bucket");
        for (bound, counter) in APPEND_BOUNDS.iter().zip(&self.journal_appends.buckets) {
            line(
                &mut text,
                &bucket,
                &format!("{{le=\"{bound}\"}}"),
                &counter.get().to_string(),
            );
        }
        let count = self.journal_appends.count.get().to_string();
        line(&mut text, &bucket, "{le=\"+Inf\"}", &count);
        let sum = Duration::from_nanos(self.journal_appends.nanoseconds.get()).as_secs_f64();
        line(&mut text, &format!("{name}_sum"), "", &sum.to_string());
        line(&mut text, &format!("{name}_count"), "", &count);
        for gauge in gauges {
            head(&mut text, gauge.name, gauge.help, "gauge");
            for (target, value) in &gauge.values {
                let label = target
                    .as_ref()
                    .map_or(String::new(), |target| format!("{{target=\"{target}\"}}"));
                line(&mut text, gauge.name, &label, &value.to_string());
            }
        }
        text
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    text.extend([
        "# HELP tidemill_",
        name,
        " ",
        help,
        "\n# TYPE tidemill_",
        name,
        " ",
        kind,
        "\n",
    ]);
}

fn line(text: &mut String, name: &str, labels: &str, value: &str) {
    text.extend(["tidemill_", name, labels, " ", value, "\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_help_type_and_value() {
        let metrics = Metrics::default();
        metrics.journal_appends.observe(Duration::from_millis(2));
        let gauge = Gauge {
            name: "backlog_steps",
            help: "Steps that wait.",
            values: vec![(Some("cpu".into()), 3.0)],
        };
        let text = metrics.render(&[gauge]);
        assert!(
            text.contains("tidemill_backlog_steps{target=\"cpu\"} 3\n"),
            "{text}"
        );
        assert!(
            text.contains("tidemill_journal_append_seconds_bucket{le=\"0.0025\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("tidemill_journal_append_seconds_bucket{le=\"0.001\"} 0\n"),
            "{text}"
        );
        let helps = text.matches("# HELP").count();
        assert_eq!(helps, text.matches("# TYPE").count());
    }
}
