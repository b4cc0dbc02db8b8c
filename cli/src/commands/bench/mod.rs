//! `tidemill bench`: what this machine can do, and how near tidemill comes to it. Each figure of ours stands beside a limit measured in the same
//! minute, because a number alone says nothing about another machine.

mod limits;
mod steps;

use crate::args::BenchArgs;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::session::Session;
use crate::shutdown::Interrupts;
use serde::Serialize;

/// One figure.
#[derive(Debug, Serialize)]
struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
    /// The limit's name and how much of it the value is.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<(&'static str, f64)>,
}

impl Figure {
    const fn limit(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            what,
            value,
            unit,
            of: None,
        }
    }

    fn beside(what: &'static str, value: f64, unit: &'static str, limit: &Self) -> Self {
        let share = if limit.value > 0.0 {
            value / limit.value
        } else {
            0.0
        };
        Self {
            what,
            value,
            unit,
            of: Some((limit.what, share)),
        }
    }
}

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: BenchArgs) -> Result<Exit, Failure> {
    let folder = tempfile::Builder::new()
        .prefix("tidemill-bench-")
        .tempdir()
        .context(|| "cannot make a folder to measure in")?;
    let place = folder.path().to_path_buf();
    session.printer.note("measuring the limits of this machine …");
    let measured = tokio::task::spawn_blocking(move || limits::measure(&place)).await?;
    let limits = measured.context(|| "cannot measure this machine")?;
    session.printer.note(format_args!(
        "running {} steps, then the same again …",
        args.steps
    ));
    let interrupts = Interrupts::listen()?;
    let Some(ours) = steps::measure(session, &interrupts, folder.path(), args.steps).await? else {
        return Ok(interrupts.exit());
    };
    let mut figures = vec![
        Figure::beside(
            "steps, each one process",
            ours.steps_per_second,
            "/s",
            &limits.processes,
        ),
        Figure::limit("the same again, all reused", ours.reused_per_second, "/s"),
        Figure::limit("from start to first step's end", ours.first_step_ms, "ms"),
    ];
    figures.extend([limits.processes, limits.syncs, limits.hash]);
    let columns = [
        Column::new("FIGURE", |figure: &Figure| figure.what.to_owned()).fixed(),
        Column::new("VALUE", |figure: &Figure| {
            format!("{:.*}", usize::from(figure.value < 100.0), figure.value)
        })
        .number(),
        Column::new("UNIT", |figure: &Figure| figure.unit.to_owned()),
        Column::toned("", |figure: &Figure| {
            let text = figure.of.map(|(limit, share)| format!("{share:.2} × {limit}"));
            (text.unwrap_or_default(), Tone::Dim)
        }),
    ];
    session
        .printer
        .list(&figures, &columns, |figure| figure.what.to_owned())?;
    Ok(Exit::Good)
}
