//! What every process of a step is denied. The supervisor denies it to itself before it starts anything, and all processes below it inherit it: nothing has to run
//! between fork and exec, so it costs a step nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// How far a worker's steps are shut in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// Not at all: for steps that need `sudo` or other programs that raise their privileges.
    Off,
    /// No process gains privileges by executing a program (`no_new_privs`), and none leaves a core file, in which secrets may stand.
    #[default]
    Basic,
}

impl Sandbox {
    /// The word for it in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Basic => "basic",
        }
    }

    /// The sandbox of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Basic]
            .into_iter()
            .find(|sandbox| sandbox.as_str() == word)
    }

    /// Shuts this thread and everything in that it starts from here on. Answers what is in force, for the notes of attempts.
    pub(super) fn enter(self) -> io::Result<Option<String>> {
        match self {
            Self::Off => Ok(None),
            Self::Basic => {
                rustix::thread::set_no_new_privs(true)?;
                let none = Rlimit {
                    current: Some(0),
                    maximum: Some(0),
                };
                setrlimit(Resource::Core, none)?;
                // Read back: what is recorded is what is so.
                let is_set = rustix::thread::no_new_privs()? && getrlimit(Resource::Core).maximum == Some(0);
                if !is_set {
                    return Err(io::Error::other("the system did not keep what was set"));
                }
                Ok(Some("sandbox basic: no new privileges, no core files".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sandbox;

    #[test]
    fn a_sandbox_has_the_word_that_settings_use() {
        for sandbox in [Sandbox::Off, Sandbox::Basic] {
            assert_eq!(Sandbox::parse(sandbox.as_str()), Some(sandbox));
        }
        assert_eq!(Sandbox::parse("strict"), None);
    }
}
