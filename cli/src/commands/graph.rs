//! `tidemill graph`: a pipeline or a run as a drawing.

use crate::args::{Format, GraphArgs};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::graph::{Graph, dot, mermaid, svg};
use crate::loading;
use crate::session::Session;
use std::path::Path;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: GraphArgs) -> Result<Exit, Failure> {
    let file = Path::new(&args.subject);
    let graph = if file.is_file() {
        let plan = loading::outline(session, file, &args.parameters).await?;
        Graph::of_plan(&plan)
    } else if looks_like_a_file(&args.subject) {
        return Err(loading::no_such_file(file));
    } else {
        let connection = Connection::open(session).await?;
        let run = connection.client.run(&args.subject).await;
        connection.close().await?;
        Graph::of_run(&run?)
    };
    let printer = &mut session.printer;
    match printer.format() {
        Format::Svg => printer.line(svg(&graph))?,
        Format::Dot => printer.line(dot(&graph))?,
        Format::Json | Format::Yaml | Format::Jsonl => {
            printer.one(&graph, |_| String::new(), |_, _| Ok(()))?;
        }
        Format::Csv => {
            return Err(Failure::new(Exit::Usage, "a graph is no list of rows")
                .help("-o json has its nodes and edges"));
        }
        Format::Name => graph.nodes.iter().try_for_each(|node| printer.line(&node.name))?,
        Format::Table | Format::Wide | Format::Mermaid => printer.line(mermaid(&graph))?,
    }
    Ok(Exit::Good)
}

/// Ids hold neither dots nor slashes.
fn looks_like_a_file(subject: &str) -> bool {
    subject.contains(['.', '/'])
}
