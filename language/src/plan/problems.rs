//! Problems found while planning. They have no places in files: the spec has none.

use crate::diagnostic::{Code, Severity};
use tidemill_protocol::api::Problem;

/// Most problems that are gathered.
const PROBLEMS_MAX: usize = 100;

#[derive(Debug, Default)]
pub(super) struct ProblemList {
    list: Vec<Problem>,
}

impl ProblemList {
    pub(super) fn add(&mut self, code: Code, path: &str, message: impl Into<String>) {
        self.add_with_help(code, path, message, None);
    }

    pub(super) fn add_with_help(
        &mut self,
        code: Code,
        path: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let problem = Problem {
            code: code.as_str().to_owned(),
            severity: Severity::Error.as_str().to_owned(),
            message: message.into(),
            help,
            file: None,
            line: None,
            column: None,
            path: path.to_owned(),
        };
        if self.list.len() < PROBLEMS_MAX && !self.list.contains(&problem) {
            self.list.push(problem);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
