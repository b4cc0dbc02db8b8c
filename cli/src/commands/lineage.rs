//! `tidemill lineage`: what something was made of, and what was made of it; as a list, as data, or as a drawing.

use crate::args::{Format, LineageArgs};
use crate::client::Asked;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::graph::{Graph, dot, mermaid, svg};
use crate::session::Session;
use crate::views;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: LineageArgs) -> Result<Exit, Failure> {
    let direction = match (args.up, args.down) {
        (true, _) => Some("up"),
        (_, true) => Some("down"),
        _ => None,
    };
    let asked = Asked {
        of: &args.subject,
        kind: args.kind,
        direction,
        depth: args.depth,
        limit: args.limit,
    };
    let connection = Connection::open(session).await?;
    let found = connection.client.lineage(&asked).await;
    connection.close().await?;
    let lineage = found.map_err(|failure| match failure.exit {
        Exit::Conflict => failure.help(format!("tidemill lineage {} --kind KIND", args.subject)),
        _ => failure,
    })?;
    let printer = &mut session.printer;
    match printer.format() {
        Format::Dot => printer.line(dot(&Graph::of_lineage(&lineage)))?,
        Format::Mermaid => printer.line(mermaid(&Graph::of_lineage(&lineage)))?,
        Format::Svg => printer.line(svg(&Graph::of_lineage(&lineage)))?,
        Format::Csv => printer.list(&lineage.edges, &[], |edge| edge.to.clone())?,
        Format::Name => lineage.nodes.iter().try_for_each(|node| printer.line(&node.id))?,
        Format::Table | Format::Wide => views::lineage::show(printer, &lineage)?,
        Format::Json | Format::Yaml | Format::Jsonl => {
            printer.one(&lineage, |_| String::new(), |_, _| Ok(()))?;
        }
    }
    if lineage.truncated && printer.is_for_people() {
        printer.warn("there is more than is shown");
        printer.help("--limit and --depth show more, --up or --down less of the rest");
    }
    Ok(Exit::Good)
}
