//! For Markdown pages: GitHub, GitLab and most editors draw it.

use super::Graph;
use super::dot::fill;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Writes a graph as Mermaid reads it.
pub(crate) fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("flowchart TD\n");
    let mut put = |line: String| text.write_str(&line).expect("writing to a string cannot fail");
    for (place, node) in graph.nodes.iter().enumerate() {
        let class = node
            .status
            .map(|status| format!(":::{status}"))
            .unwrap_or_default();
        put(format!("  n{place}([\"{}\"]){class}\n", escaped(&node.name)));
    }
    for edge in &graph.edges {
        if edge.label.is_empty() {
            put(format!("  n{} -.-> n{}\n", edge.from, edge.to));
        } else {
            put(format!(
                "  n{} -->|\"{}\"| n{}\n",
                edge.from,
                escaped(&edge.label),
                edge.to
            ));
        }
    }
    let statuses: BTreeSet<_> = graph.nodes.iter().filter_map(|node| node.status).collect();
    for status in statuses {
        put(format!(
            "  classDef {status} fill:{},color:#1f2328\n",
            fill(status)
        ));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Mermaid has no escape but HTML's.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => safe.push_str("#quot;"),
            '#' => safe.push_str("#35;"),
            '<' => safe.push_str("#lt;"),
            '>' => safe.push_str("#gt;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_status_has_its_class_and_quotes_are_escaped() {
        let text = super::mermaid(&crate::graph::example());
        assert!(text.starts_with("flowchart TD\n"));
        assert!(text.contains("n3([\"compare #quot;all#quot;\"])\n"), "{text}");
        assert!(text.contains("n1([\"train.forest\"]):::succeeded"));
        assert!(text.contains("classDef failed "));
        assert!(text.contains("n2 -.-> n3"));
        assert!(!text.contains("classDef running"));
    }
}
