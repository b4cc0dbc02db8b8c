//! Moves points from the ledger into the store: those of runs that have many, and when all runs together have many, of the runs that have most. What it does is a
//! command like any other, so a crash in between costs a piece that nobody names.

use super::chunk::Content;
use super::command::{TrackingChange, TrackingCommand};
use super::id::TrackedId;
use super::state::Tracking;
use crate::handle::CoordinatorHandle;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Points that a run may have before some are sealed.
const RUN_POINTS: u64 = 4_096;
/// Points that all runs together may have, so that snapshots stay small.
const ALL_POINTS: u64 = 250_000;
/// Runs that are sealed in one round.
const RUNS_AT_ONCE: usize = 64;

/// What is to be sealed of a run: its points, and how many of each metric were sealed before.
type Due = (TrackedId, Content, BTreeMap<String, u64>);

/// Seals until the token is cancelled.
pub(crate) async fn run_sealer(handle: CoordinatorHandle, token: CancellationToken) {
    while token
        .run_until_cancelled(tokio::time::sleep(LOOK_EVERY))
        .await
        .is_some()
    {
        while let Ok(due) = handle.look(|sight| due(&sight.ledgers.tracking)).await {
            let mut is_full = due.len() >= RUNS_AT_ONCE;
            for one in due {
                is_full &= seal(&handle, one).await;
            }
            if !is_full || token.is_cancelled() {
                break;
            }
        }
    }
}

/// What is to be sealed now.
fn due(tracking: &Tracking) -> Vec<Due> {
    let mut all: Vec<(u64, &TrackedId)> = Vec::new();
    let mut total = 0;
    for (id, run) in tracking.runs().filter(|(_, run)| run.unsealed > 0) {
        total += run.unsealed;
        all.push((run.unsealed, id));
    }
    let mut chosen: Vec<(u64, &TrackedId)> = Vec::new();
    if total > ALL_POINTS {
        all.sort_by_key(|(points, _)| Reverse(*points));
        for one in all {
            if total <= ALL_POINTS / 2 && one.0 < RUN_POINTS {
                break;
            }
            total -= one.0;
            chosen.push(one);
        }
    } else {
        chosen.extend(all.into_iter().filter(|(points, _)| *points >= RUN_POINTS));
    }
    chosen.truncate(RUNS_AT_ONCE);
    chosen
        .into_iter()
        .filter_map(|(_, id)| content_of(tracking, id))
        .collect()
}

fn content_of(tracking: &Tracking, id: &TrackedId) -> Option<Due> {
    let run = tracking.run(id)?;
    let filled = run.series.iter().filter(|(_, series)| !series.tail.is_empty());
    let series = filled
        .clone()
        .map(|(key, series)| (key.clone(), series.tail.clone()))
        .collect();
    let before = filled
        .map(|(key, series)| (key.clone(), series.sealed()))
        .collect();
    Some((id.clone(), Content { series }, before))
}

/// Seals points of one run; whether that was done.
async fn seal(handle: &CoordinatorHandle, (run, content, before): Due) -> bool {
    let summing = tokio::task::spawn_blocking(move || (content.to_bytes(), content.summary()));
    let Ok((bytes, summary)) = summing.await else {
        return false;
    };
    let stored = match handle.inner.store.put_bytes(bytes.into()).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::warn!(%run, %error, "the store does not take points of metrics; they stay in the journal meanwhile");
            return false;
        }
    };
    let series = summary.into_iter().map(|(key, sealed)| {
        let before = before.get(&key).copied().unwrap_or_default();
        (key, (before, sealed))
    });
    let change = TrackingChange::Seal {
        run: run.clone(),
        blob: stored.digest,
        size_bytes: stored.size_bytes,
        series: series.collect(),
    };
    let command = TrackingCommand {
        by: "the coordinator".to_owned(),
        base: None,
        change,
    };
    match handle.change::<Tracking>(command).await {
        Ok(Ok(_)) => true,
        Ok(Err(rejection)) => {
            tracing::warn!(%run, %rejection, "points that were sealed are not those of the run any more");
            false
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracking::{Columns, Number, Point, TrackingFact};
    use tidemill_protocol::time::Timestamp;

    fn with(counts: &[u64]) -> Tracking {
        let mut tracking = Tracking::default();
        for (number, count) in counts.iter().enumerate() {
            let run = TrackedId::named(&format!("run{number}"));
            let mut columns = Columns::default();
            for step in 0..i64::try_from(*count).unwrap() {
                columns.push(Point {
                    time: 0,
                    step,
                    value: Number(0.0),
                });
            }
            let made = TrackingFact::RunCreated {
                run: run.clone(),
                experiment: "0".into(),
                name: "a".into(),
                user: "a".into(),
                started_at: 0,
                tags: BTreeMap::new(),
                by: "a".into(),
            };
            tracking.apply(Timestamp(0), &made);
            let logged = TrackingFact::Logged {
                run,
                points: BTreeMap::from([("m".to_owned(), columns)]),
                params: BTreeMap::new(),
                tags: BTreeMap::new(),
                of_models: Vec::new(),
            };
            tracking.apply(Timestamp(0), &logged);
        }
        tracking
    }

    fn chosen(counts: &[u64]) -> Vec<String> {
        due(&with(counts))
            .into_iter()
            .map(|(run, ..)| run.to_string())
            .collect()
    }

    #[test]
    fn a_run_with_few_points_keeps_them_while_there_is_room() {
        assert_eq!(chosen(&[0, 10, 4_095, 4_096, 9_000]), ["run3", "run4"]);
    }

    #[test]
    fn many_runs_with_few_points_each_make_room_the_largest_first() {
        let counts: Vec<u64> = (0..130).map(|n| 2_000 + n).collect();
        let chosen = chosen(&counts);
        assert_eq!(chosen.len(), RUNS_AT_ONCE);
        assert_eq!(chosen[0], "run129");
    }
}
