//! A layered layout for graphs without circles: every edge points down, crossings are few, edges that pass layers bend around nodes.
//!
//! The classical steps: (1) layers by the longest path from a source; (2) a joint in each layer that an edge passes; (3) an order within
//! each layer by sweeps of barycentres; (4) places, by letting each node follow the middle of its neighbours without overlap. Pure numbers,
//! the same for the same graph.

/// Sweeps over all layers, for order and for places each. More change nothing one can see.
const SWEEPS: usize = 12;

/// What to lay out: widths of the nodes, and edges as pairs of places.
#[derive(Debug)]
pub(super) struct Input<'a> {
    /// The width of each node.
    pub(super) widths: &'a [f64],
    /// From where to where.
    pub(super) edges: &'a [(usize, usize)],
    /// The least distance between two neighbours of a layer.
    pub(super) gap: f64,
    /// The width that a passing edge needs.
    pub(super) joint: f64,
}

/// Where everything stands. Left edges start at 0.
#[derive(Debug)]
pub(super) struct Layout {
    /// The middle of each node.
    pub(super) middle: Vec<f64>,
    /// The layer of each node, from the top.
    pub(super) layer: Vec<usize>,
    /// For each edge the middles of its joints, one for each layer between its ends.
    pub(super) joints: Vec<Vec<f64>>,
    /// The width of all.
    pub(super) width: f64,
    /// How many layers there are.
    pub(super) layers: usize,
}

/// A node or a joint.
#[derive(Debug)]
struct Item {
    layer: usize,
    width: f64,
    above: Vec<usize>,
    below: Vec<usize>,
    middle: f64,
}

/// Lays out a graph. Edges that would close a circle are drawn but do not count for the layers.
pub(super) fn lay_out(input: &Input<'_>) -> Layout {
    let layer = layers(input.widths.len(), input.edges);
    let mut items: Vec<Item> = input
        .widths
        .iter()
        .zip(&layer)
        .map(|(width, layer)| Item {
            layer: *layer,
            width: *width,
            above: Vec::new(),
            below: Vec::new(),
            middle: 0.0,
        })
        .collect();
    let chains: Vec<Vec<usize>> = input
        .edges
        .iter()
        .map(|edge| chain(&mut items, *edge, input.joint))
        .collect();
    let layers = layer.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); layers];
    for (place, item) in items.iter().enumerate() {
        rows[item.layer].push(place);
    }
    order(&mut rows, &items);
    place(&rows, &mut items, input.gap);
    let left = items
        .iter()
        .map(|item| item.middle - item.width / 2.0)
        .fold(f64::INFINITY, f64::min);
    let right = items
        .iter()
        .map(|item| item.middle + item.width / 2.0)
        .fold(f64::NEG_INFINITY, f64::max);
    Layout {
        middle: items
            .iter()
            .take(layer.len())
            .map(|item| item.middle - left)
            .collect(),
        joints: chains
            .iter()
            .map(|chain| chain.iter().map(|joint| items[*joint].middle - left).collect())
            .collect(),
        width: if items.is_empty() { 0.0 } else { right - left },
        layer,
        layers,
    }
}

/// The longest way from a source to each node, found without recursion: pipelines may be long chains.
fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut below = vec![Vec::new(); nodes];
    let mut waiting = vec![0_usize; nodes];
    for (from, to) in edges {
        below[*from].push(*to);
        waiting[*to] += 1;
    }
    let mut layer = vec![0; nodes];
    let mut ready: Vec<usize> = (0..nodes).filter(|node| waiting[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for next in &below[node] {
            layer[*next] = layer[*next].max(layer[node] + 1);
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    layer
}

/// Puts a joint into each layer between the ends of an edge and ties all together.
fn chain(items: &mut Vec<Item>, (from, to): (usize, usize), width: f64) -> Vec<usize> {
    let mut joints = Vec::new();
    let mut last = from;
    for layer in items[from].layer + 1..items[to].layer {
        let joint = items.len();
        items.push(Item {
            layer,
            width,
            above: vec![last],
            below: Vec::new(),
            middle: 0.0,
        });
        items[last].below.push(joint);
        joints.push(joint);
        last = joint;
    }
    items[last].below.push(to);
    items[to].above.push(last);
    joints
}

fn order(rows: &mut [Vec<usize>], items: &[Item]) {
    let mut rank = vec![0.0; items.len()];
    let number = |row: &[usize], rank: &mut Vec<f64>| {
        for (place, item) in (0_u32..).zip(row) {
            rank[*item] = f64::from(place);
        }
    };
    for row in rows.iter() {
        number(row, &mut rank);
    }
    for sweep in 0..SWEEPS {
        let downwards = sweep % 2 == 0;
        let places: Vec<usize> = if downwards {
            (0..rows.len()).collect()
        } else {
            (0..rows.len()).rev().collect()
        };
        for place in places {
            let row = &mut rows[place];
            let weight = |item: &usize| {
                let neighbours = if downwards {
                    &items[*item].above
                } else {
                    &items[*item].below
                };
                mean(neighbours.iter().map(|neighbour| rank[*neighbour])).unwrap_or(rank[*item])
            };
            let mut weighed: Vec<(f64, usize)> = row.iter().map(|item| (weight(item), *item)).collect();
            weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *row = weighed.into_iter().map(|(_, item)| item).collect();
            number(row, &mut rank);
        }
    }
}

fn place(rows: &[Vec<usize>], items: &mut [Item], gap: f64) {
    for row in rows {
        let wanted: Vec<f64> = vec![0.0; row.len()];
        settle(row, items, &wanted, gap);
    }
    for sweep in 0..SWEEPS {
        let downwards = sweep % 2 == 0;
        let places: Vec<usize> = if downwards {
            (0..rows.len()).collect()
        } else {
            (0..rows.len()).rev().collect()
        };
        for place in places {
            let row = &rows[place];
            let wish = |item: &usize| {
                let item = &items[*item];
                let neighbours = if downwards { &item.above } else { &item.below };
                mean(neighbours.iter().map(|neighbour| items[*neighbour].middle)).unwrap_or(item.middle)
            };
            let wanted: Vec<f64> = row.iter().map(wish).collect();
            settle(row, items, &wanted, gap);
        }
    }
}

/// Gives each item of a row the place that it wants, as near as the order and the gaps allow: items that would overlap move as one block to
/// the mean of their wishes.
fn settle(row: &[usize], items: &mut [Item], wanted: &[f64], gap: f64) {
    struct Block {
        first: usize,
        count: f64,
        middle: f64,
        width: f64,
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (place, item) in row.iter().enumerate() {
        let width = items[*item].width + gap;
        blocks.push(Block {
            first: place,
            count: 1.0,
            middle: wanted[place],
            width,
        });
        while let [.., left, right] = blocks.as_slice() {
            if left.middle + left.width / 2.0 <= right.middle - right.width / 2.0 {
                break;
            }
            // Inside the joined block the middles of the two parts lie apart from its own by half of the other's width.
            let left_wish = left.middle + right.width / 2.0;
            let right_wish = right.middle - left.width / 2.0;
            let count = left.count + right.count;
            let joined = Block {
                first: left.first,
                middle: (left_wish * left.count + right_wish * right.count) / count,
                width: left.width + right.width,
                count,
            };
            blocks.truncate(blocks.len() - 2);
            blocks.push(joined);
        }
    }
    for (number, block) in blocks.iter().enumerate() {
        let end = blocks.get(number + 1).map_or(row.len(), |next| next.first);
        let mut left = block.middle - block.width / 2.0;
        for item in &row[block.first..end] {
            let width = items[*item].width + gap;
            items[*item].middle = left + width / 2.0;
            left += width;
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(widths: &[f64], edges: &[(usize, usize)]) -> Layout {
        lay_out(&Input {
            widths,
            edges,
            gap: 10.0,
            joint: 5.0,
        })
    }

    #[test]
    fn every_edge_points_down_and_nodes_of_a_layer_do_not_overlap() {
        let widths = [50.0, 80.0, 30.0, 60.0, 40.0, 20.0];
        let edges = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 5), (4, 5), (0, 5)];
        let layout = of(&widths, &edges);
        for (from, to) in edges {
            assert!(layout.layer[from] < layout.layer[to], "{from} → {to}");
        }
        for a in 0..widths.len() {
            for b in 0..a {
                if layout.layer[a] == layout.layer[b] {
                    let distance = (layout.middle[a] - layout.middle[b]).abs();
                    assert!(
                        distance + 0.001 >= f64::midpoint(widths[a], widths[b]) + 10.0,
                        "{a} and {b} overlap"
                    );
                }
            }
        }
        assert_eq!(
            layout.joints[7].len(),
            layout.layer[5] - 1,
            "the long edge has a joint in each layer between"
        );
    }

    #[test]
    fn a_single_parent_stands_above_the_middle_of_its_children() {
        let layout = of(&[20.0; 4], &[(0, 1), (0, 2), (0, 3)]);
        let middle = (layout.middle[1] + layout.middle[2] + layout.middle[3]) / 3.0;
        assert!((layout.middle[0] - middle).abs() < 0.001);
    }

    #[test]
    fn a_chain_of_ten_thousand_is_laid_out() {
        let edges: Vec<(usize, usize)> = (0..9_999).map(|at| (at, at + 1)).collect();
        let layout = of(&vec![10.0; 10_000], &edges);
        assert_eq!(layout.layers, 10_000);
    }

    #[test]
    fn an_empty_graph_is_no_trouble() {
        assert_eq!(of(&[], &[]).layers, 0);
    }
}
