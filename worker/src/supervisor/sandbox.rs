//! What every process of a step is denied. The supervisor denies it to itself before it starts anything, and all processes below it inherit it: nothing has to run
//! between fork and exec, so it costs a step nothing.

use super::confine;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_bounding_set, remove_capability_from_bounding_set,
};
use std::io;

/// What steps may be allowed that run as root: what containers usually are. Everything else, looking into other processes for one, would lead past the walls.
const ROOT_KEEPS: CapabilitySet = CapabilitySet::AUDIT_WRITE
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_CHROOT);

/// How far a worker's steps are shut in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// Not at all: for steps that need `sudo` or other programs that raise their privileges.
    Off,
    /// No process gains privileges by executing a program (`no_new_privs`), and none leaves a core file, in which secrets may stand.
    #[default]
    Basic,
    /// Besides, each process reaches only the system's files and those of its own attempt, and signals nobody else (Landlock).
    Strict,
}

impl Sandbox {
    /// The word for it in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Basic => "basic",
            Self::Strict => "strict",
        }
    }

    /// The sandbox of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Basic, Self::Strict]
            .into_iter()
            .find(|sandbox| sandbox.as_str() == word)
    }

    /// Whether this system has what the sandbox needs.
    ///
    /// # Errors
    /// What it lacks.
    pub fn check(self) -> Result<(), confine::ConfineError> {
        match self {
            Self::Off | Self::Basic => Ok(()),
            Self::Strict => confine::check(),
        }
    }

    /// Shuts this thread and everything in that it starts from here on. Answers what is in force, for the notes of attempts.
    pub(super) fn enter(self) -> io::Result<Option<String>> {
        let in_force = match self {
            Self::Off => return Ok(None),
            Self::Basic => "sandbox basic: no new privileges, no core files",
            Self::Strict => {
                confine::check().map_err(io::Error::other)?;
                limit_root()?;
                "sandbox strict: no new privileges, no core files, no files but the system's and its own (Landlock)"
            }
        };
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
        Ok(Some(in_force.into()))
    }
}

/// Takes from every program that this process starts, and that would have them as root, the capabilities that lead past the walls.
fn limit_root() -> io::Result<()> {
    if !capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        // Not root: there is nothing to take, and `no_new_privs` keeps it so.
        return Ok(());
    }
    for capability in CapabilitySet::all().difference(ROOT_KEEPS).iter() {
        // A kernel that does not know one does not give it either.
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Sandbox;

    #[test]
    fn a_sandbox_has_the_word_that_settings_use() {
        for sandbox in [Sandbox::Off, Sandbox::Basic, Sandbox::Strict] {
            assert_eq!(Sandbox::parse(sandbox.as_str()), Some(sandbox));
        }
        assert_eq!(Sandbox::parse("total"), None);
    }
}
