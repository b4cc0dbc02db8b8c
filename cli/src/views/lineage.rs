//! A lineage for people: what was asked about, then what led to it and what came of it, an edge a line, the nearest first.

use crate::failure::Failure;
use crate::graph::short_name;
use crate::output::Printer;
use crate::output::table::Column;
use crate::output::tone::{self, Tone};
use std::collections::BTreeMap;
use tidemill_protocol::api::{LineageNode, LineageView};
use tidemill_protocol::status::StepStatus;

/// One edge as a line.
struct Line {
    depth: u32,
    from: String,
    role: String,
    to: String,
    status: Option<StepStatus>,
}

/// Shows a lineage.
pub(crate) fn show(printer: &mut Printer, lineage: &LineageView) -> Result<(), Failure> {
    let nodes: BTreeMap<&str, &LineageNode> = lineage
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let roots = lineage.roots.iter().filter_map(|root| nodes.get(root.as_str()));
    for root in roots {
        printer.line(Tone::Strong.paint(&root.name))?;
    }
    let mut lines: Vec<Line> = lineage
        .edges
        .iter()
        .filter_map(|edge| {
            let (from, to) = (nodes.get(edge.from.as_str())?, nodes.get(edge.to.as_str())?);
            Some(Line {
                depth: from.depth.max(to.depth),
                from: short_name(from),
                role: edge.role.clone(),
                to: short_name(to),
                status: from.status.or(to.status),
            })
        })
        .collect();
    if lines.is_empty() {
        return printer.line("nothing is known of what it was made of, or of what was made of it");
    }
    lines.sort_by(|a, b| (a.depth, &a.to, &a.from).cmp(&(b.depth, &b.to, &b.from)));
    let columns = [
        Column::new("FROM", |line: &Line| line.from.clone()).fixed(),
        Column::toned("AS", |line: &Line| (line.role.clone(), Tone::Dim)),
        Column::new("TO", |line: &Line| line.to.clone()).fixed(),
        Column::toned("STATUS", |line: &Line| match line.status {
            Some(status) => (status.to_string(), tone::of_step(status)),
            None => (String::new(), Tone::Plain),
        })
        .spare(),
    ];
    printer.table(&lines, &columns)
}
