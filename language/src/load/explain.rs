//! Places for what only planning finds. A plan is made from a spec, which knows no files; the path that a problem carries leads back into the pipeline's own.

use crate::diagnostic::{Code, Diagnostic, Location, Problems, SourceFile};
use crate::yaml::{Entry, Node, Value};
use std::sync::Arc;
use tidemill_protocol::api::Problem;

/// The pipeline's own file, kept to find places in it.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) file: Arc<SourceFile>,
    pub(super) root: Arc<Node>,
}

impl Origin {
    /// The problems with their places in the file: as near as their paths lead.
    pub(super) fn explain(&self, problems: Vec<Problem>) -> Problems {
        let diagnostic = |problem: Problem| Diagnostic {
            code: Code::parse(&problem.code).unwrap_or(Code::BadSpec),
            location: Some(self.locate(&problem.path)),
            message: problem.message,
            help: problem.help,
            path: problem.path,
            label: None,
        };
        Problems(problems.into_iter().map(diagnostic).collect())
    }

    /// `inputs.x` is a key of the file; `step.inputs.x` and `outer.inner.inputs.x` begin with a step's name.
    fn locate(&self, path: &str) -> Location {
        let mut node = &*self.root;
        let mut place = entry(node, "jobs").map_or(node.place, |jobs| jobs.key_place);
        for (depth, part) in path.split('.').enumerate() {
            let own = entry(node, part);
            let found = match depth {
                0 => own.or_else(|| step(node, part)),
                _ => own.or_else(|| step(&entry(node, "component")?.value, part)),
            };
            let Some(found) = found else { break };
            place = match &found.value.value {
                Value::Scalar(_) if !found.value.is_null() => found.value.place,
                _ => found.key_place,
            };
            node = &found.value;
        }
        Location {
            file: Arc::clone(&self.file),
            start: place.start as usize,
            end: place.end as usize,
        }
    }
}

fn step<'n>(pipeline: &'n Node, name: &str) -> Option<&'n Entry> {
    entry(&entry(pipeline, "jobs")?.value, name)
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| &*entry.key == key),
        Value::Scalar(_) | Value::List(_) => None,
    }
}
