//! What things are called: runs, steps, attempts, workers, pieces of work. Ids are minted by the shells; here they are only values.

use crate::digest::Digest;
use crate::name::{Name, NameError};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

/// One execution of a pipeline. A UUID of version 7, so ids sort by the time of submission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct RunId(pub Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for RunId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::parse_str(text).map(Self)
    }
}

macro_rules! number_type {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

number_type! {
    /// The place of a step in its run's plan, counted from 0. Stable for the life of the run: steps are only appended.
    StepIndex(u32);
    /// Minted per attempt by the engine, ever larger over the whole coordinator. Shown on every report and commit; a report with any
    /// other token than the attempt's own changes nothing.
    FencingToken(u64);
    /// Counts the incarnations of the coordinator. The larger epoch wins.
    Epoch(u64);
}

impl StepIndex {
    /// The index as the standard library counts.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// A step of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepRef {
    /// The run.
    pub run: RunId,
    /// The step in it.
    pub step: StepIndex,
}

impl fmt::Debug for StepRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.step)
    }
}

/// One try at a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The run.
    pub run: RunId,
    /// The step in it.
    pub step: StepIndex,
    /// Which try, counted from 1.
    pub attempt: u32,
}

impl AttemptId {
    /// The step of which this is a try.
    pub const fn step_ref(&self) -> StepRef {
        StepRef {
            run: self.run,
            step: self.step,
        }
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.run, self.step, self.attempt)
    }
}

impl fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A step's name within its run: the names of the nested pipelines that hold it and its own, joined by dots (`train.prep`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct StepPath(Arc<str>);

impl StepPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This path with one more segment.
    pub fn child(&self, name: &str) -> Result<Self, NameError> {
        format!("{}.{name}", self.0).parse()
    }
}

impl FromStr for StepPath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rule = |rule| NameError {
            what: "step name",
            text: text.chars().take(80).collect(),
            rule,
        };
        if text.len() > 1024 {
            return Err(rule("is longer than 1024 bytes"));
        }
        let well_formed = text.split('.').all(|segment| {
            !segment.is_empty()
                && !segment.starts_with('-')
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        });
        if !well_formed {
            return Err(rule(
                "may hold only letters, digits, `_` and `-`, and not start with `-`",
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StepPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The identity of a piece of work. Equal keys mean equal results (for deterministic steps), whoever produced them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct StepKey(pub Digest);

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A worker daemon. The same across its restarts (it is kept in the daemon's state folder).
pub type WorkerId = Name;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_paths_follow_their_grammar() {
        for good in ["train", "train.prep", "train_1.step-2", "fan.0"] {
            assert!(good.parse::<StepPath>().is_ok(), "{good} was refused");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a/b", "-a", "a.-b"] {
            assert!(bad.parse::<StepPath>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_attempt_reads_as_run_step_and_number() {
        let attempt = AttemptId {
            run: RunId(Uuid::nil()),
            step: StepIndex(4),
            attempt: 2,
        };
        assert_eq!(attempt.to_string(), "00000000-0000-0000-0000-000000000000/4#2");
    }
}
