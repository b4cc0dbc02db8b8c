//! For Graphviz.

use super::Graph;
use std::fmt::Write;
use tidemill_protocol::status::StepStatus;

/// Writes a graph as Graphviz reads it.
pub(crate) fn dot(graph: &Graph) -> String {
    let mut text = format!("digraph {} {{\n", quoted(&graph.title));
    text.push_str("  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#f6f8fa\", fontname=\"sans-serif\"];\n");
    text.push_str("  edge [color=\"#8c959f\", fontname=\"sans-serif\", fontsize=10];\n");
    let mut put = |line: String| text.write_str(&line).expect("writing to a string cannot fail");
    for (place, node) in graph.nodes.iter().enumerate() {
        let color = node
            .status
            .map(|status| format!(", fillcolor=\"{}\"", fill(status)))
            .unwrap_or_default();
        put(format!("  n{place} [label={}{color}];\n", quoted(&node.name)));
    }
    for edge in &graph.edges {
        let style = if edge.label.is_empty() {
            " [style=dashed]".to_owned()
        } else {
            format!(" [label={}]", quoted(&edge.label))
        };
        put(format!("  n{} -> n{}{style};\n", edge.from, edge.to));
    }
    text.push('}');
    text
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
    )
}

/// The colour behind a step that stands like this.
pub(super) const fn fill(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Blocked | StepStatus::Ready | StepStatus::Dispatched => "#f6f8fa",
        StepStatus::Running => "#ddf4ff",
        StepStatus::Waiting => "#fff8c5",
        StepStatus::Succeeded => "#dafbe1",
        StepStatus::Reused => "#d8f3f0",
        StepStatus::Skipped => "#eaeef2",
        StepStatus::Failed => "#ffdcd7",
        StepStatus::Cancelled | StepStatus::Aborted => "#fff1e5",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_cannot_break_out_of_their_quotes() {
        let text = super::dot(&crate::graph::example());
        assert!(text.contains(r#"n3 [label="compare \"all\""]"#), "{text}");
        assert!(text.contains("n0 -> n1 [label=\"data\"];"));
        assert!(text.contains("n2 -> n3 [style=dashed];"));
        assert!(text.ends_with('}'));
    }
}
