//! What a command could not do: one sentence, its causes, what to type next, and the exit code. Every error of every crate ends up in this
//! shape before it is printed; printing itself is `output`'s.

use crate::exit::Exit;
use std::error::Error;
use std::ops::{Deref, DerefMut};
use tidemill_protocol::api::Problem;

/// Longest chain of causes that is kept: an error that names itself as its cause would never end.
const CAUSES_MAX: usize = 16;

/// A command that could not do what was asked. Boxed: it is passed up through every call and seldom exists.
#[derive(Debug)]
pub(crate) struct Failure(Box<Details>);

/// What there is to say about it.
#[derive(Debug)]
pub(crate) struct Details {
    /// The exit code.
    pub(crate) exit: Exit,
    /// A stable word for programs, e.g. `not_found`; empty when there is none.
    pub(crate) code: String,
    /// What could not be done: lower case, no full stop.
    pub(crate) what: String,
    /// Why, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to type or do next.
    pub(crate) help: Vec<String>,
    /// Problems of pipeline files, for programs.
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    /// A failure in one sentence.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self(Box::new(Details {
            exit,
            code: String::new(),
            what: what.into(),
            causes: Vec::new(),
            help: Vec::new(),
            problems: Vec::new(),
        }))
    }

    /// The same with something to type or do next.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The same with one more cause, innermost so far.
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The same with a stable word for programs.
    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// The same with what is wrong with a pipeline, each problem a cause; what to type is the first problem's.
    pub(crate) fn problems(mut self, problems: Vec<Problem>) -> Self {
        self.causes.extend(problems.iter().map(one_line));
        self.help
            .extend(problems.iter().find_map(|problem| problem.help.clone()));
        self.problems = problems;
        self
    }

    /// The same with nothing but the innermost cause: between it and us libraries only said that they were in between.
    pub(crate) fn at_its_root(mut self) -> Self {
        let last = self.causes.pop();
        self.causes.clear();
        self.causes.extend(last);
        self
    }

    /// Puts an error and its chain of causes below a sentence.
    pub(crate) fn because(exit: Exit, what: impl Into<String>, error: &(dyn Error + 'static)) -> Self {
        let mut failure = Self::new(exit, what);
        let mut next = Some(error);
        while let Some(error) = next.filter(|_| failure.causes.len() < CAUSES_MAX) {
            let text = error.to_string();
            // Many libraries repeat the text of their source in their own: say each thing once.
            if failure.causes.last().is_none_or(|last| !last.contains(&text)) {
                failure.causes.push(text);
            }
            next = error.source();
        }
        failure
    }
}

/// A problem without its source window.
pub(crate) fn one_line(problem: &Problem) -> String {
    let place = match (&problem.file, problem.line) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        (Some(file), None) => format!(" ({file})"),
        _ if !problem.path.is_empty() => format!(" ({})", problem.path),
        _ => String::new(),
    };
    format!("{}: {}{place}", problem.code, problem.message)
}

impl Deref for Failure {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut failure = Self::because(Exit::Failure, String::new(), &error);
        failure.what = if failure.causes.is_empty() {
            "unknown failure".to_owned()
        } else {
            failure.causes.remove(0)
        };
        failure
    }
}

/// Says what was being done when something failed.
pub(crate) trait Context<T> {
    /// Puts this sentence above the error.
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, Failure>;
}

impl<T, E: Error + 'static> Context<T> for Result<T, E> {
    fn context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T, Failure> {
        self.map_err(|error| Failure::because(Exit::Failure, what(), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_that_repeat_their_source_are_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open: no such file")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("no such file")]
        struct Inner;
        let failure = Failure::because(Exit::Failure, "it broke", &Outer(Inner));
        assert_eq!(failure.causes, ["cannot open: no such file"]);
    }
}
