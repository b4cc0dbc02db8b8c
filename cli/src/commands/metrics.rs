//! `tidemill metrics`: what the steps of a run logged.

use crate::args::MetricsArgs;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: MetricsArgs) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let asked = connection.client.metrics(&args.run, args.step.as_deref()).await;
    connection.close().await?;
    let metrics = asked?;
    if metrics.is_empty() && session.printer.is_for_people() {
        session.printer.note("nothing was logged");
        session
            .printer
            .help("a step logs with `mlflow.log_metric(\"loss\", 0.5)`; nothing has to be configured");
        return Ok(Exit::Good);
    }
    let columns = views::metrics::columns();
    session
        .printer
        .list(&metrics, &columns, |metric| metric.key.clone())?;
    Ok(Exit::Good)
}
