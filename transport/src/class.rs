//! Classes of workers: those that share a user on the broker, and what a message's user says about its sender. What a class may do is in `rights`.

use std::str::FromStr;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::name::Name;

/// Between a class and the rest of the name of a worker of it. A class has none in it, so no class's workers are named like another's.
const AFTER_CLASS: char = '.';

/// Workers that share a user on the broker. Their names begin with it: worker `gpu.box-1` is of class `gpu`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkerClass(Name);

/// Whom the broker vouches for as the sender of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// Nobody was asked for: there are no users for classes here, and everybody is believed.
    Anybody,
    /// A worker of this class.
    Class(WorkerClass),
    /// Somebody else, or nobody known, where each class has a user.
    Stranger,
}

impl Sender {
    /// Whether this worker may have sent it.
    pub fn may_be(&self, worker: &WorkerId) -> bool {
        match self {
            Self::Anybody => true,
            Self::Class(class) => worker.as_str().starts_with(&class.name_prefix()),
            Self::Stranger => false,
        }
    }
}

/// Why a class is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a class of workers has letters, digits, `_` and `-`, and starts with a letter or a digit: {0:?} has not"
)]
pub struct BadClass(String);

impl FromStr for WorkerClass {
    type Err = BadClass;

    fn from_str(text: &str) -> Result<Self, BadClass> {
        let bad = || BadClass(text.chars().take(80).collect());
        let name: Name = text.parse().map_err(|_| bad())?;
        if text.contains(AFTER_CLASS) {
            return Err(bad());
        }
        Ok(Self(name))
    }
}

impl WorkerClass {
    /// The class as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What the names of its workers begin with.
    pub fn name_prefix(&self) -> String {
        format!("{}{AFTER_CLASS}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_cannot_be_named_like_another_classes_workers() {
        for bad in ["", "gpu.a", "-gpu", "gpu|cpu", "g*"] {
            assert!(bad.parse::<WorkerClass>().is_err(), "{bad:?} was accepted");
        }
    }
}
