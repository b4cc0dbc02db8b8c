//! `tidemill runs compare`: parameters, metrics and outputs of runs side by side.

use crate::args::RunsCompareArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::output::table::Column;
use crate::session::Session;
use serde::Serialize;
use std::collections::BTreeMap;

/// What runs are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// How it ended.
    Run,
    /// What it was given.
    Parameter,
    /// What its steps logged.
    Metric,
    /// What its steps wrote, by digest.
    Artifact,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Parameter => "parameter",
            Self::Metric => "metric",
            Self::Artifact => "artifact",
        }
    }
}

/// One thing of all runs, in the order in which they were named; none where a run has none.
#[derive(Debug, Clone, Serialize)]
struct Row {
    kind: Kind,
    name: String,
    values: Vec<Option<String>>,
}

/// Does what was asked.
pub(super) async fn run(
    session: &mut Session,
    client: &Client,
    args: &RunsCompareArgs,
) -> Result<Exit, Failure> {
    let mut titles = Vec::new();
    let mut things = BTreeMap::new();
    for (place, run) in args.runs.iter().enumerate() {
        let (title, all) = all_of(client, run).await?;
        titles.push(title);
        for (kind, name, value) in all {
            let values: &mut Vec<Option<String>> = things
                .entry((kind, name))
                .or_insert_with(|| vec![None; args.runs.len()]);
            if let Some(slot) = values.get_mut(place) {
                *slot = Some(value);
            }
        }
    }
    let rows = things
        .into_iter()
        .map(|((kind, name), values)| Row { kind, name, values });
    let differs = |row: &Row| args.all || row.values.windows(2).any(|pair| pair[0] != pair[1]);
    let rows: Vec<Row> = rows.filter(differs).collect();
    if rows.is_empty() && session.printer.is_for_people() {
        session
            .printer
            .note("the runs have the same parameters, metrics and outputs");
        return Ok(Exit::Good);
    }
    session
        .printer
        .list(&rows, &columns(titles), |row| row.name.clone())?;
    Ok(Exit::Good)
}

type Thing = (Kind, String, String);

/// What a run is called, and everything that it is compared by.
async fn all_of(client: &Client, run: &str) -> Result<(String, Vec<Thing>), Failure> {
    let view = client.run(run).await?;
    let id = view.summary.id.to_string();
    let mut all = vec![(Kind::Run, "status".to_owned(), view.summary.status.to_string())];
    let parameters = view.parameters.iter();
    all.extend(parameters.map(|(name, value)| (Kind::Parameter, name.to_string(), value.clone())));
    for metric in client.metrics(&id, None).await? {
        let name = match &metric.step {
            Some(step) => format!("{step}/{}", metric.key),
            None => metric.key.clone(),
        };
        all.push((Kind::Metric, name, format!("{:?}", metric.last.value)));
    }
    for output in client.artifacts(&id).await? {
        let name = format!("{}/{}", output.step, output.output);
        all.push((Kind::Artifact, name, output.artifact.digest.short()));
    }
    Ok((humane::short_run(&view.summary.id), all))
}

fn columns(titles: Vec<String>) -> Vec<Column<Row>> {
    let mut columns = vec![
        Column::new("KIND", |row: &Row| row.kind.as_str().to_owned()).fixed(),
        Column::new("NAME", |row: &Row| row.name.clone()),
    ];
    for (place, title) in titles.into_iter().enumerate() {
        let value = move |row: &Row| {
            row.values
                .get(place)
                .cloned()
                .flatten()
                .unwrap_or_else(|| "-".to_owned())
        };
        columns.push(Column::new(title, value));
    }
    columns
}
