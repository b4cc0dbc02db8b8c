//! The journal's language about tracking: one golden entry for each kind of fact.

use crate::golden::check;
use crate::samples as s;
use std::collections::BTreeMap;
use tidemill_coordinator::Entry;
use tidemill_coordinator::ledger::LedgerEvent;
use tidemill_coordinator::tracking::{
    Bucket, Columns, DatasetUse, Lifecycle, ModelOutput, ModelPoint, ModelStatus, NewModel, Number, Point,
    SealedPoints, StoredFile, TrackedId, TrackedStatus, TrackingFact,
};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::AttemptId;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &TrackingFact) -> &'static str {
    match fact {
        TrackingFact::ExperimentCreated { .. } => "experiment-created",
        TrackingFact::ExperimentChanged { .. } => "experiment-changed",
        TrackingFact::RunCreated { .. } => "run-created",
        TrackingFact::RunChanged { .. } => "run-changed",
        TrackingFact::Logged { .. } => "logged",
        TrackingFact::Linked { .. } => "linked",
        TrackingFact::FileStored { .. } => "file-stored",
        TrackingFact::FilesRemoved { .. } => "files-removed",
        TrackingFact::ModelLogged { .. } => "model-logged",
        TrackingFact::ModelChanged { .. } => "model-changed",
        TrackingFact::PointsSealed { .. } => "points-sealed",
        TrackingFact::ModelAnnounced { .. } => "model-announced",
        TrackingFact::ModelUnannounced { .. } => "model-unannounced",
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn point(step: i64, value: f64) -> Point {
    Point {
        time: 1_700_000_000_000 + step,
        step,
        value: Number(value),
    }
}

fn columns() -> Columns {
    let mut columns = Columns::default();
    for (step, value) in [(0, 0.5), (-1, f64::NAN), (7, f64::NEG_INFINITY)] {
        columns.push(point(step, value));
    }
    columns
}

fn logged(run: TrackedId) -> TrackingFact {
    TrackingFact::Logged {
        run,
        points: BTreeMap::from([("loss/train".to_owned(), columns())]),
        params: texts(&[("depth", "3")]),
        tags: BTreeMap::from([
            ("owner".to_owned(), Some("ada".to_owned())),
            ("old".to_owned(), None),
        ]),
        of_models: vec![ModelPoint {
            model: "m-1".into(),
            key: "loss/train".into(),
            point: point(0, 0.5),
            dataset: Some(("iris".into(), "d1".into())),
        }],
    }
}

fn linked(run: TrackedId) -> TrackingFact {
    TrackingFact::Linked {
        run,
        datasets: vec![DatasetUse {
            name: "iris".into(),
            digest: "d1".into(),
            source_type: "local".into(),
            source: "{\"uri\": \"iris.csv\"}".into(),
            schema: Some("{}".into()),
            profile: None,
            tags: texts(&[("mlflow.data.context", "training")]),
        }],
        models_in: vec!["m-1".into()],
        models_out: vec![ModelOutput {
            model: "m-2".into(),
            step: 7,
        }],
    }
}

fn about_experiments() -> [TrackingFact; 2] {
    [
        TrackingFact::ExperimentCreated {
            id: "1234".into(),
            name: "churn, second try".into(),
            tags: texts(&[("team", "risk")]),
            by: "ada".into(),
        },
        TrackingFact::ExperimentChanged {
            id: "1234".into(),
            name: Some("churn".into()),
            lifecycle: Some(Lifecycle::Deleted),
            tags: BTreeMap::from([("team".to_owned(), None)]),
            by: "ada".into(),
        },
    ]
}

fn about_files_and_models(run: &TrackedId) -> [TrackingFact; 7] {
    [
        TrackingFact::ModelAnnounced {
            name: s::name("churn"),
            description: "who leaves".into(),
            tags: texts(&[("owner", "ada")]),
            by: "ada".into(),
        },
        TrackingFact::ModelUnannounced {
            name: s::name("churn"),
            by: "ada".into(),
        },
        TrackingFact::PointsSealed {
            run: run.clone(),
            blob: Digest::of(b"points"),
            size_bytes: 6,
            series: BTreeMap::from([(
                "loss".to_owned(),
                SealedPoints {
                    count: 2,
                    buckets: vec![Bucket::one(point(1, 0.5)).and(Bucket::one(point(2, 0.25)))],
                },
            )]),
        },
        TrackingFact::FileStored {
            path: "1234/models/m-1/artifacts/MLmodel".into(),
            file: StoredFile {
                blob: Digest::of(b"bytes"),
                size_bytes: 5,
            },
            by: "ada".into(),
        },
        TrackingFact::FilesRemoved {
            path: "1234/models/m-1".into(),
            by: "ada".into(),
        },
        TrackingFact::ModelLogged {
            model: "m-1".into(),
            logged: NewModel {
                experiment: "1234".into(),
                name: "tree".into(),
                model_type: Some("classifier".into()),
                run: Some(run.clone()),
                params: texts(&[("depth", "3")]),
                tags: texts(&[("owner", "ada")]),
            },
            by: "ada".into(),
        },
        TrackingFact::ModelChanged {
            model: "m-1".into(),
            status: Some(ModelStatus::Ready),
            params: texts(&[("rate", "0.1")]),
            tags: BTreeMap::from([("owner".to_owned(), None)]),
            lifecycle: Some(Lifecycle::Deleted),
            by: "ada".into(),
        },
    ]
}

#[test]
fn every_fact_about_tracking_is_read_as_it_was_meant() {
    let attempt: AttemptId = s::attempt();
    let own = TrackedId::of_attempt(attempt);
    let run = TrackedId::named("0123456789abcdef0123456789abcdef");
    let about_runs = [
        TrackingFact::RunCreated {
            run: run.clone(),
            experiment: "1234".into(),
            name: "brave-fox".into(),
            user: "ada".into(),
            started_at: 1_700_000_000_000,
            tags: texts(&[("mlflow.parentRunId", own.as_str())]),
            by: "ada".into(),
        },
        TrackingFact::RunChanged {
            run: run.clone(),
            name: Some("brave-wolf".into()),
            status: Some(TrackedStatus::Finished),
            ended_at: Some(1_700_000_100_000),
            lifecycle: Some(Lifecycle::Active),
            by: "ada".into(),
        },
        logged(own),
        linked(run.clone()),
    ];
    let facts = about_experiments()
        .into_iter()
        .chain(about_runs)
        .chain(about_files_and_models(&run));
    let entries = facts.map(|fact| {
        let name = kind(&fact);
        let fact = fact.into();
        (name, Entry::Ledger(LedgerEvent { at: s::MOMENT, fact }))
    });
    check("tracking", &entries.collect::<Vec<_>>());
}
