//! How much memory a command of the product takes at most. Its parent is a small Python program, because only a parent is told by the kernel.

use crate::sandbox::{Output, Sandbox, finish};
use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

/// Runs its arguments, and writes how it went and the largest resident set in KiB into the file that the first of them names.
const PARENT: &str = "
import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], 'w') as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
";

/// A command that has ended, and its memory.
#[derive(Debug)]
pub struct Measured {
    /// What it answered.
    pub output: Output,
    /// The most memory that was resident at once, in bytes: its own and that of the program file.
    pub peak_bytes: u64,
}

impl Sandbox {
    /// Runs a command of the product to its end and measures it. A prepared command may differ from [`Sandbox::command`] in variables only.
    ///
    /// # Panics
    /// When it cannot be measured or hangs.
    #[track_caller]
    pub fn measured(&self, command: &Command, deadline: Duration) -> Measured {
        let note = self.path().join("peak");
        let mut parent = Command::new("python3");
        parent
            .args([OsStr::new("-c"), OsStr::new(PARENT), note.as_os_str()])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(self.path())
            .stdin(std::process::Stdio::null());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => parent.env(name, value),
                None => parent.env_remove(name),
            };
        }
        let output = finish(&mut parent, deadline);
        let peak = std::fs::read_to_string(&note).unwrap_or_else(|_| panic!("it was not measured: {output}"));
        std::fs::remove_file(note).expect("the note can be removed");
        let kib: u64 = peak.trim().parse().expect("it is a number");
        Measured {
            output,
            peak_bytes: kib * 1024,
        }
    }
}
