//! A finished picture: one file without references to others, legible on light and dark pages.

use super::dot::fill;
use super::layout::{Input, Layout, lay_out};
use super::{Graph, Node};
use std::fmt::Write;

const NODE_HEIGHT: f64 = 44.0;
const LAYER_GAP: f64 = 56.0;
const NODE_GAP: f64 = 28.0;
const JOINT_WIDTH: f64 = 18.0;
const MARGIN: f64 = 20.0;
const NODE_WIDTH_MIN: f64 = 96.0;
/// Mean widths of a letter of the fonts below. Text is measured, not set: a little air is left.
const NAME_LETTER: f64 = 7.6;
const TARGET_LETTER: f64 = 6.2;

const STYLE: &str = "\
    .node rect { stroke: #59636e; stroke-width: 1; }\n\
    .node text { font: 600 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2328; text-anchor: middle; }\n\
    .node text.small { font: 400 11px ui-sans-serif, system-ui, sans-serif; fill: #59636e; }\n\
    .edge { fill: none; stroke: #818b98; stroke-width: 1.4; }\n\
    .order { stroke-dasharray: 4 4; }\n\
    .label { font: 400 10px ui-sans-serif, system-ui, sans-serif; fill: #818b98; text-anchor: middle; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }\n\
    @media (prefers-color-scheme: dark) { .label { stroke: #0d1117; } }\n";

/// Writes a graph as a picture.
pub(crate) fn svg(graph: &Graph) -> String {
    let widths: Vec<f64> = graph.nodes.iter().map(node_width).collect();
    let edges: Vec<(usize, usize)> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let layout = lay_out(&Input {
        widths: &widths,
        edges: &edges,
        gap: NODE_GAP,
        joint: JOINT_WIDTH,
    });
    let width = layout.width + 2.0 * MARGIN;
    let height = layer_top(layout.layers.max(1)) - LAYER_GAP + MARGIN;
    let mut picture = Picture(String::new());
    picture.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n"
    ));
    picture.put(format_args!(
        "  <title>{}</title>\n  <style>\n{STYLE}  </style>\n",
        escaped(&graph.title)
    ));
    picture.put(format_args!(
        "  <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"#818b98\"/></marker></defs>\n"
    ));
    for (number, edge) in graph.edges.iter().enumerate() {
        picture.edge(&layout, number, (edge.from, edge.to), &edge.label);
    }
    for (number, node) in graph.nodes.iter().enumerate() {
        picture.node(&layout, number, node, widths[number]);
    }
    picture.put(format_args!("</svg>"));
    picture.0
}

fn node_width(node: &Node) -> f64 {
    let letters = |text: &str| f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
    let name = letters(&node.name) * NAME_LETTER;
    let small = letters(&small_text(node)) * TARGET_LETTER;
    (name.max(small) + 28.0).max(NODE_WIDTH_MIN)
}

fn small_text(node: &Node) -> String {
    match node.status {
        Some(status) => format!("{status} · {}", node.target),
        None => node.target.clone(),
    }
}

fn layer_top(layer: usize) -> f64 {
    MARGIN + f64::from(u32::try_from(layer).unwrap_or(u32::MAX)) * (NODE_HEIGHT + LAYER_GAP)
}

struct Picture(String);

impl Picture {
    fn put(&mut self, piece: std::fmt::Arguments<'_>) {
        put(&mut self.0, piece);
    }

    fn node(&mut self, layout: &Layout, number: usize, node: &Node, width: f64) {
        let middle = layout.middle[number] + MARGIN;
        let top = layer_top(layout.layer[number]);
        let fill = node.status.map_or("#f6f8fa", fill);
        self.put(format_args!(
            "  <g class=\"node\"><rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{NODE_HEIGHT}\" rx=\"8\" fill=\"{fill}\"/>",
            middle - width / 2.0
        ));
        self.put(format_args!(
            "<text x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
            top + 19.0,
            escaped(&node.name)
        ));
        self.put(format_args!(
            "<text class=\"small\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text></g>\n",
            top + 35.0,
            escaped(&small_text(node))
        ));
    }

    /// A soft line through the edge's joints, straight past the nodes of each layer between, with its label in the first gap.
    fn edge(&mut self, layout: &Layout, number: usize, (from, to): (usize, usize), label: &str) {
        let start = (
            layout.middle[from] + MARGIN,
            layer_top(layout.layer[from]) + NODE_HEIGHT,
        );
        let mut path = format!("M{:.1},{:.1}", start.0, start.1);
        let mut at = start;
        let first = layout.layer[from] + 1;
        let mut first_bend = None;
        let joints = layout.joints[number]
            .iter()
            .enumerate()
            .map(|(n, middle)| (middle + MARGIN, layer_top(first + n), true));
        let end = (layout.middle[to] + MARGIN, layer_top(layout.layer[to]), false);
        for (x, y, passes) in joints.chain([end]) {
            let bend = f64::midpoint(at.1, y);
            first_bend.get_or_insert((f64::midpoint(at.0, x), bend));
            put(
                &mut path,
                format_args!(" C{:.1},{bend:.1} {x:.1},{bend:.1} {x:.1},{y:.1}", at.0),
            );
            at = (x, y);
            if passes {
                at.1 += NODE_HEIGHT;
                put(&mut path, format_args!(" L{x:.1},{:.1}", at.1));
            }
        }
        let class = if label.is_empty() { "edge order" } else { "edge" };
        self.put(format_args!(
            "  <path class=\"{class}\" d=\"{path}\" marker-end=\"url(#tip)\"/>\n"
        ));
        if let (Some((x, y)), false) = (first_bend, label.is_empty()) {
            self.put(format_args!(
                "  <text class=\"label\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n",
                y + 3.0,
                escaped(label)
            ));
        }
    }
}

fn put(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("writing to a string cannot fail");
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_every_step_and_edge_and_nothing_unescaped() {
        let mut graph = crate::graph::example();
        graph.title = "<script>&".to_owned();
        let picture = svg(&graph);
        assert_eq!(picture.matches("class=\"node\"").count(), graph.nodes.len());
        assert_eq!(picture.matches("class=\"edge").count(), graph.edges.len());
        assert!(picture.contains("<title>&lt;script&gt;&amp;</title>"));
        assert!(picture.contains("compare &quot;all&quot;"));
        assert!(!picture.contains("<script>"));
    }

    #[test]
    fn nothing_is_drawn_outside_of_the_picture() {
        let picture = svg(&crate::graph::example());
        assert!(!picture.contains("=\"-"), "{picture}");
    }
}
