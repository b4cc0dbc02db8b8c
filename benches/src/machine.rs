//! What the figures were measured on.

use std::fs;

/// One line about processors, memory and kernel.
pub fn machine() -> String {
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} × {cpu}, {memory}, Linux {}", kernel.trim())
}

/// Resident memory of a process (`self` or a pid) in bytes; 0 when it is gone.
pub fn resident_bytes(pid: &str) -> u64 {
    status_bytes(pid, "VmRSS")
}

/// The most resident memory that a process ever had, in bytes; 0 when it is gone.
pub fn peak_resident_bytes(pid: &str) -> u64 {
    status_bytes(pid, "VmHWM")
}

fn status_bytes(pid: &str, name: &str) -> u64 {
    let text = field(&format!("/proc/{pid}/status"), name).unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}
