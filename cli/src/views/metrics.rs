//! Metrics in lists.

use crate::output::humane;
use crate::output::table::Column;
use tidemill_protocol::api::MetricView;

/// The columns of a list of metrics.
pub(crate) fn columns() -> Vec<Column<MetricView>> {
    vec![
        Column::new("STEP", |metric: &MetricView| {
            metric
                .step
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string)
        }),
        Column::new("METRIC", |metric: &MetricView| metric.key.clone()),
        Column::new("LAST", |metric: &MetricView| format!("{:?}", metric.last.value)).number(),
        Column::new("AT", |metric: &MetricView| metric.last.step.to_string()).number(),
        Column::new("POINTS", |metric: &MetricView| metric.points.to_string()).number(),
        Column::new("ATTEMPT", |metric: &MetricView| {
            metric
                .attempt
                .map_or_else(|| "-".to_owned(), |attempt| attempt.to_string())
        })
        .number()
        .wide(),
        Column::new("REUSED FROM", |metric: &MetricView| {
            metric
                .reused_from
                .as_ref()
                .map_or_else(|| "-".to_owned(), |from| humane::short_runs(from))
        })
        .wide(),
        Column::new("TRACKED RUN", |metric: &MetricView| metric.tracked_run.clone())
            .wide()
            .fixed(),
    ]
}
