//! A disk that takes what is written and fails to keep it, for one process: strace stands between it and the kernel, and answers its `fsync` and `fdatasync` with EIO.

use crate::eventually;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long strace may take to hold every thread.
const HELD_WITHIN: Duration = Duration::from_secs(30);

/// The fault of a process; over when this is dropped, or the process has ended.
#[derive(Debug)]
pub struct SyncFault {
    tracer: Child,
}

impl SyncFault {
    /// From now on nothing that this process writes reaches the disk. None where there is no strace, or it may not hold the process.
    ///
    /// # Panics
    /// When not every thread is held in time.
    pub fn begin(process: u32) -> Option<Self> {
        let mut command = Command::new("strace");
        command.args(["--quiet=all", "--follow-forks", "--output=/dev/null"]);
        command.args(["--trace=fsync,fdatasync", "--inject=fsync,fdatasync:error=EIO"]);
        command.arg(format!("--attach={process}"));
        let tracer = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut fault = Self { tracer };
        let is_held = eventually(HELD_WITHIN, "every thread is held", || {
            let has_given_up = fault.tracer.try_wait().ok()?.is_some();
            (has_given_up || is_traced(process)).then_some(!has_given_up)
        });
        is_held.then_some(fault)
    }
}

impl Drop for SyncFault {
    fn drop(&mut self) {
        // Whom it held goes on.
        self.tracer.kill().ok();
        self.tracer.wait().ok();
    }
}

/// Whether somebody traces each thread of a process.
fn is_traced(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    let mut statuses = threads
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("status")).unwrap_or_default());
    statuses.all(|status| !status.contains("TracerPid:\t0\n"))
}
