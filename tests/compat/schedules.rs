//! The journal's language about schedules: one golden entry for each kind of fact, of trigger and of outcome.

use crate::golden::check_ledger;
use crate::samples as s;
use std::collections::BTreeMap;
use tidemill_coordinator::schedules::ScheduleFact;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::catalog::AssetKind;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{
    CatchUp, Cron, FilesChange, FilesChanged, FiringOutcome, Frequency, Moment, NewVersion, Overlap,
    Recurrence, RunEnded, ScheduleSpec, Trigger, WeekDay,
};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::{Millis, Timestamp};

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &ScheduleFact) -> String {
    match fact {
        ScheduleFact::ScheduleSet { spec, .. } if spec.project.is_some() => "set-in-project".to_owned(),
        ScheduleFact::ScheduleSet { spec, .. } => match &spec.trigger {
            Trigger::Cron(_) => "set-cron".to_owned(),
            Trigger::Recurrence(_) => "set-recurrence".to_owned(),
            Trigger::NewVersion(_) => "set-new-version".to_owned(),
            Trigger::RunEnded(_) => "set-run-ended".to_owned(),
            Trigger::FilesChanged(_) => "set-files-changed".to_owned(),
        },
        ScheduleFact::ScheduleRemoved { .. } => "removed".to_owned(),
        ScheduleFact::SchedulePaused { .. } => "paused".to_owned(),
        ScheduleFact::ScheduleResumed { .. } => "resumed".to_owned(),
        ScheduleFact::ScheduleLooked { change: None, .. } => "looked".to_owned(),
        ScheduleFact::ScheduleLooked { change: Some(_), .. } => "looked-changed".to_owned(),
        ScheduleFact::ScheduleFired { outcome, .. } => {
            let outcome = match outcome {
                FiringOutcome::Started { .. } => "started",
                FiringOutcome::Queued => "queued",
                FiringOutcome::Overlapped => "overlapped",
                FiringOutcome::Missed { .. } => "missed",
                FiringOutcome::Refused { .. } => "refused",
            };
            format!("fired-{outcome}")
        }
    }
}

fn spec(trigger: Trigger) -> ScheduleSpec {
    let pairs = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    ScheduleSpec {
        trigger,
        pipeline: s::name("train"),
        version: Some("3".parse().expect("is a version")),
        parameters: pairs("trees", "${{creation_context.trigger_time}}"),
        display_name: Some("nightly".into()),
        experiment: Some("vision".into()),
        project: None,
        tags: pairs("team", "mill"),
        priority: -2,
        force_rerun: true,
        continue_on_step_failure: Some(false),
        catch_up: CatchUp::Last,
        overlap: Overlap::CancelRunning,
        jitter: Millis(30_000),
        description: "every night".into(),
    }
}

fn triggers() -> [Trigger; 5] {
    let (start_at, end_at) = (Some(Timestamp(5)), Some(s::MOMENT));
    let cron = Cron {
        expression: "30 2 * * 1-5".into(),
        time_zone: "Europe/Berlin".into(),
        start_at,
        end_at,
    };
    let recurrence = Recurrence {
        frequency: Frequency::Week,
        interval: 2,
        hours: vec![4, 16],
        minutes: vec![0, 30],
        week_days: vec![WeekDay::Monday, WeekDay::Sunday],
        month_days: vec![1, 31],
        time_zone: "Pacific Standard Time".into(),
        start_at,
        end_at,
    };
    let new_version = NewVersion {
        kind: AssetKind::Model,
        name: s::name("churn"),
    };
    let ended = RunEnded {
        pipeline: s::name("prepare"),
        outcomes: vec![RunStatus::Failed, RunStatus::Aborted],
    };
    [
        Trigger::Cron(cron),
        Trigger::Recurrence(recurrence),
        Trigger::NewVersion(new_version),
        Trigger::RunEnded(ended),
        Trigger::FilesChanged(FilesChanged {
            datastore: s::name("lake"),
            path: "in/2026".into(),
            every: Millis(60_000),
        }),
    ]
}

/// Two looks at files: one that found nothing new, and one that did.
fn looks(name: &Name) -> [ScheduleFact; 2] {
    let looked = |change| ScheduleFact::ScheduleLooked {
        name: name.clone(),
        listing: ArtifactRef {
            kind: ArtifactKind::Blob,
            digest: Digest::of(b"listing"),
            size_bytes: 9,
            files: 1,
        },
        change,
    };
    let change = FilesChange {
        moment: Moment {
            nominal: s::MOMENT,
            cause: "0123456789ab".into(),
        },
        added: 2,
        changed: 1,
        removed: 3,
        paths: vec!["a.csv".into(), "deep/b.csv".into()],
    };
    [looked(None), looked(Some(change))]
}

#[test]
fn every_fact_about_schedules_is_read_as_it_was_meant() {
    let (name, by) = (s::name("nightly"), "ada".to_owned());
    let set = triggers().map(|trigger| ScheduleFact::ScheduleSet {
        name: name.clone(),
        spec: Box::new(spec(trigger)),
        by: by.clone(),
    });
    let [by_the_clock, ..] = triggers();
    let in_project = ScheduleFact::ScheduleSet {
        name: name.clone(),
        spec: Box::new(ScheduleSpec {
            project: Some(s::name("cars")),
            ..spec(by_the_clock)
        }),
        by: by.clone(),
    };
    let outcomes = [
        FiringOutcome::Started { run: s::run() },
        FiringOutcome::Queued,
        FiringOutcome::Overlapped,
        FiringOutcome::Missed { times: 7 },
        FiringOutcome::Refused {
            why: "no such pipeline".into(),
        },
    ];
    let fired = outcomes.map(|outcome| ScheduleFact::ScheduleFired {
        name: name.clone(),
        moment: Moment {
            nominal: Timestamp(5),
            cause: "7".into(),
        },
        outcome,
    });
    let others = [
        ScheduleFact::ScheduleRemoved {
            name: name.clone(),
            by: by.clone(),
        },
        ScheduleFact::SchedulePaused {
            name: name.clone(),
            reason: "the source is down".into(),
            by: by.clone(),
        },
        ScheduleFact::ScheduleResumed {
            name: name.clone(),
            by,
        },
    ];
    let facts: Vec<ScheduleFact> = set
        .into_iter()
        .chain([in_project])
        .chain(fired)
        .chain(others)
        .chain(looks(&name))
        .collect();
    check_ledger("schedules", facts, kind);
}
