//! `tidemill runs compare`: parameters, metrics, outputs and code of runs side by side.

mod code;

use crate::args::RunsCompareArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::session::Session;
use code::{Code, Codes};
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
    /// What its steps ran, by digest.
    Code,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Parameter => "parameter",
            Self::Metric => "metric",
            Self::Artifact => "artifact",
            Self::Code => "code",
        }
    }
}

/// One thing of all runs, in the order in which they were named; none where a run has none.
#[derive(Debug, Clone, Serialize)]
struct Row {
    kind: Kind,
    name: String,
    values: Vec<Option<String>>,
    /// The lines of a file that changed from the first run to each other one, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
}

/// Does what was asked.
pub(super) async fn run(
    session: &mut Session,
    client: &Client,
    args: &RunsCompareArgs,
) -> Result<Exit, Failure> {
    let (mut titles, mut codes) = (Vec::new(), Vec::new());
    let mut things = BTreeMap::new();
    for (place, run) in args.runs.iter().enumerate() {
        let (title, code, all) = all_of(client, run).await?;
        titles.push(title);
        codes.push(code);
        for (kind, name, value) in all {
            let values: &mut Vec<Option<String>> = things
                .entry((kind, name))
                .or_insert_with(|| vec![None; args.runs.len()]);
            if let Some(slot) = values.get_mut(place) {
                *slot = Some(value);
            }
        }
    }
    let rows = things.into_iter().map(|((kind, name), values)| Row {
        kind,
        name,
        values,
        lines: Vec::new(),
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.extend(code_rows(client, &codes, args.code.then_some(&titles)).await?);
    rows.retain(|row| args.all || row.values.windows(2).any(|pair| pair[0] != pair[1]));
    if rows.is_empty() && session.printer.is_for_people() {
        session
            .printer
            .note("the runs have the same parameters, metrics, outputs and code");
        return Ok(Exit::Good);
    }
    session
        .printer
        .list(&rows, &columns(titles), |row| row.name.clone())?;
    if session.printer.is_for_people() {
        for lines in rows.iter().flat_map(|row| &row.lines) {
            print_lines(session, lines)?;
        }
    }
    Ok(Exit::Good)
}

/// The code of the runs' steps; with titles of the runs, also the lines that changed.
async fn code_rows(
    client: &Client,
    codes: &[Codes],
    titles: Option<&Vec<String>>,
) -> Result<Vec<Row>, Failure> {
    let mut code = Code::new(client);
    let mut rows = Vec::new();
    for difference in code.compare(codes).await? {
        let lines = match titles {
            Some(titles) => code.lines(&difference, titles).await?,
            None => Vec::new(),
        };
        rows.push(Row {
            kind: Kind::Code,
            name: difference.name,
            values: difference.values,
            lines,
        });
    }
    Ok(rows)
}

/// A unified diff in the colours that everybody gives it.
fn print_lines(session: &mut Session, lines: &str) -> Result<(), Failure> {
    session.printer.line("")?;
    for line in lines.lines() {
        let tone = match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => Tone::Strong,
            [b'-', ..] => Tone::Bad,
            [b'+', ..] => Tone::Good,
            [b'@', ..] => Tone::Dim,
            _ => Tone::Plain,
        };
        session.printer.line(tone.paint(line))?;
    }
    Ok(())
}

type Thing = (Kind, String, String);

/// What a run is called, and everything that it is compared by.
async fn all_of(client: &Client, run: &str) -> Result<(String, Codes, Vec<Thing>), Failure> {
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
    let codes = view.steps_list.iter();
    let codes = codes.filter_map(|step| Some((step.path.to_string(), step.code?)));
    Ok((humane::short_run(&view.summary.id), codes.collect(), all))
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
