//! From parser events to the tree, without recursion and within the caps.

use super::node::{Entry, Node, Scalar, Value};
use super::text::{TEXT_BYTES_MAX, describe, forbidden};
use crate::diagnostic::{Code, Findings, Place};
use granit_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::{HashMap, HashSet};

/// Deepest nesting of values.
const DEPTH_MAX: usize = 32;
/// Most values in a file, aliases expanded.
const NODES_MAX: usize = 250_000;
/// Most bytes of scalars in a file, aliases expanded.
const BYTES_MAX: usize = 4 * TEXT_BYTES_MAX;

/// A fault that ends the reading of a file.
struct Fault {
    code: Code,
    place: Place,
    message: String,
}

type Result<T> = std::result::Result<T, Fault>;

/// Parses the text of a registered file. None means that an error was noted, or that the file is empty (noted too).
pub(crate) fn parse(file: u32, text: &str, findings: &mut Findings) -> Option<Node> {
    let mut builder = Builder {
        file,
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        nodes: 0,
        bytes: 0,
        duplicates: Vec::new(),
    };
    let result = builder.run(text);
    let duplicates = !builder.duplicates.is_empty();
    for (key, place) in builder.duplicates {
        findings
            .add(
                Code::DuplicateKey,
                place,
                "",
                format!("the key `{key}` stands twice in this mapping"),
            )
            .label("second time")
            .help_text("remove one of the two; YAML readers disagree about which of them counts");
    }
    match result {
        Err(fault) => {
            findings.add(fault.code, fault.place, "", fault.message);
            None
        }
        Ok(()) if duplicates => None,
        Ok(()) => {
            if builder.root.is_none() {
                let place = Place {
                    file,
                    start: 0,
                    end: 0,
                };
                findings.add(Code::BadYaml, place, "", "the file is empty");
            }
            builder.root
        }
    }
}

/// A collection that is not closed yet.
enum Open {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(Box<str>, Place)>),
}

struct Frame {
    open: Open,
    place: Place,
    anchor: usize,
}

struct Builder {
    file: u32,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, Weight)>,
    nodes: usize,
    bytes: usize,
    duplicates: Vec<(Box<str>, Place)>,
}

#[derive(Clone, Copy)]
struct Weight {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Builder {
    fn run(&mut self, text: &str) -> Result<()> {
        let mut options = granit_parser::Options::default();
        options.set_emit_comments(false);
        options.flow_nesting_limit = DEPTH_MAX + 8;
        options.block_nesting_limit = DEPTH_MAX + 8;
        options.simple_key_max_lookahead = 4096;
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| self.scan_fault(&error, text))?;
            let place = self.place(&span);
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Fault {
                            code: Code::BadYaml,
                            place,
                            message: "the file holds more than one document".to_owned(),
                        });
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let text_tag = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                    let plain = style == ScalarStyle::Plain && !text_tag;
                    self.scalar(&text, plain, anchor, place)?;
                }
                Event::SequenceStart(_, anchor, _) => self.open(Open::List(Vec::new()), anchor, place)?,
                Event::MappingStart(_, anchor, _) => self.open(Open::Map(Vec::new(), None), anchor, place)?,
                Event::SequenceEnd | Event::MappingEnd => self.close(place)?,
                Event::Alias(anchor) => self.alias(anchor, place)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn place(&self, span: &Span) -> Place {
        let offset = |marker: &granit_parser::Marker| {
            u32::try_from(marker.byte_offset().unwrap_or_else(|| marker.index())).unwrap_or(u32::MAX)
        };
        Place {
            file: self.file,
            start: offset(&span.start),
            end: offset(&span.end),
        }
    }

    fn scan_fault(&self, error: &granit_parser::ScanError, text: &str) -> Fault {
        let at = error
            .marker()
            .byte_offset()
            .unwrap_or_else(|| error.marker().index());
        let start = u32::try_from(at.min(text.len())).unwrap_or(0);
        let message = error.info();
        let deep = message.contains("nest") || message.contains("recursion");
        Fault {
            code: if deep { Code::TooDeep } else { Code::BadYaml },
            place: Place {
                file: self.file,
                start,
                end: start,
            },
            message: if deep {
                format!("values are nested more than {DEPTH_MAX} deep")
            } else {
                format!("this is no YAML: {message}")
            },
        }
    }

    fn scalar(&mut self, text: &str, plain: bool, anchor: usize, place: Place) -> Result<()> {
        // Escapes of quoted scalars can bring in what the file's own text does not hold.
        if let Some((_, character)) = forbidden(text) {
            return Err(Fault {
                code: Code::BadText,
                place,
                message: describe(character),
            });
        }
        self.count(1, text.len(), place)?;
        let scalar = Scalar {
            text: text.into(),
            plain,
        };
        let node = Node {
            place,
            value: Value::Scalar(scalar),
        };
        if anchor > 0 {
            let weight = Weight {
                nodes: 1,
                bytes: text.len(),
                depth: 0,
            };
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        self.put(node)
    }

    fn open(&mut self, open: Open, anchor: usize, place: Place) -> Result<()> {
        self.count(1, 0, place)?;
        if self.stack.len() >= DEPTH_MAX {
            return Err(self.too_deep(place));
        }
        self.stack.push(Frame { open, place, anchor });
        Ok(())
    }

    fn too_deep(&self, place: Place) -> Fault {
        Fault {
            code: Code::TooDeep,
            place: Place {
                file: self.file,
                ..place
            },
            message: format!("values are nested more than {DEPTH_MAX} deep"),
        }
    }

    fn close(&mut self, end: Place) -> Result<()> {
        let frame = self.stack.pop().expect("the parser closes only what it opened");
        let place = Place {
            end: end.end.max(frame.place.end),
            ..frame.place
        };
        let value = match frame.open {
            Open::List(items) => Value::List(items),
            Open::Map(entries, _) => Value::Map(self.merge(entries)),
        };
        let node = Node { place, value };
        if frame.anchor > 0 {
            // The copy kept for aliases counts too: anchors inside anchors would otherwise multiply memory.
            let weight = weigh(&node);
            self.count(weight.nodes, weight.bytes, place)?;
            self.anchors.insert(frame.anchor, (node.clone(), weight));
        }
        self.put(node)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<()> {
        let Some((node, weight)) = self.anchors.get(&anchor) else {
            return Err(Fault {
                code: Code::BadYaml,
                place,
                message: "the alias stands inside the value that it names".to_owned(),
            });
        };
        let (node, weight) = (node.clone(), *weight);
        self.count(weight.nodes, weight.bytes, place)?;
        if self.stack.len() + weight.depth > DEPTH_MAX {
            return Err(self.too_deep(place));
        }
        self.put(node)
    }

    fn count(&mut self, nodes: usize, bytes: usize, place: Place) -> Result<()> {
        self.nodes += nodes;
        self.bytes += bytes;
        if self.nodes > NODES_MAX || self.bytes > BYTES_MAX {
            return Err(Fault {
                code: Code::TooManyValues,
                place,
                message: format!("the file holds more than {NODES_MAX} values once its aliases are expanded"),
            });
        }
        Ok(())
    }

    /// Puts a finished value where the innermost open collection wants it.
    fn put(&mut self, node: Node) -> Result<()> {
        match self.stack.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map(entries, pending)) => match pending.take() {
                Some((key, key_place)) => entries.push(Entry {
                    key,
                    key_place,
                    value: node,
                }),
                None => match node.value {
                    Value::Scalar(scalar) => *pending = Some((scalar.text, node.place)),
                    Value::List(_) | Value::Map(_) => {
                        return Err(Fault {
                            code: Code::BadYaml,
                            place: node.place,
                            message: "a key must be a text, not a list or a mapping".to_owned(),
                        });
                    }
                },
            },
        }
        Ok(())
    }

    /// Notes duplicate keys and resolves merge keys (`<<: *defaults`): what stands in the mapping itself wins.
    fn merge(&mut self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|a, b| entries[*a].key.cmp(&entries[*b].key).then(a.cmp(b)));
        for pair in order.windows(2) {
            if let [first, second] = *pair
                && entries[first].key == entries[second].key
            {
                let again = &entries[second];
                self.duplicates.push((again.key.clone(), again.key_place));
            }
        }
        let Some(at) = entries.iter().position(|e| &*e.key == "<<") else {
            return entries;
        };
        let merged = entries.remove(at);
        let sources = match merged.value.value {
            Value::Map(_) => vec![merged.value],
            Value::List(items) => items,
            Value::Scalar(_) => Vec::new(),
        };
        let mut known: HashSet<Box<str>> = entries.iter().map(|own| own.key.clone()).collect();
        for source in sources {
            if let Value::Map(inherited) = source.value {
                entries.extend(
                    inherited
                        .into_iter()
                        .filter(|entry| known.insert(entry.key.clone())),
                );
            }
        }
        entries
    }
}

/// How much an alias of this value adds. Recursion is safe: values are at most [`DEPTH_MAX`] deep.
fn weigh(node: &Node) -> Weight {
    let mut total = Weight {
        nodes: 1,
        bytes: 0,
        depth: 1,
    };
    let mut add = |child: &Node| {
        let weight = weigh(child);
        total.nodes += weight.nodes;
        total.bytes += weight.bytes;
        total.depth = total.depth.max(weight.depth + 1);
    };
    match &node.value {
        Value::Scalar(scalar) => {
            total.bytes = scalar.text.len();
            total.depth = 0;
        }
        Value::List(items) => items.iter().for_each(&mut add),
        Value::Map(entries) => entries.iter().for_each(|entry| add(&entry.value)),
    }
    total
}
