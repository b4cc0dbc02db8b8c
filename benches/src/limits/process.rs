//! How fast this machine starts processes and waits for them.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Processes a second that `threads` threads start with `posix_spawn` (the standard library's way for plain commands) and wait for, during `span`.
pub fn spawn_rate(threads: usize, span: Duration) -> f64 {
    let start = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            thread::spawn(move || {
                let mut done = 0_u32;
                while start.elapsed() < span {
                    let status = Command::new("/bin/true")
                        .stdin(Stdio::null())
                        .stdout(Stdio::null())
                        .status();
                    assert!(
                        status.is_ok_and(|status| status.success()),
                        "/bin/true can be started"
                    );
                    done += 1;
                }
                done
            })
        })
        .collect();
    let done: u32 = workers
        .into_iter()
        .map(|worker| worker.join().expect("a spawning thread does not panic"))
        .sum();
    f64::from(done) / start.elapsed().as_secs_f64()
}

/// Seconds that a command takes from start to end. Its output is thrown away.
///
/// # Panics
/// When it cannot be started or ends badly: a figure of a broken command would be worthless.
pub fn wall_seconds(command: &mut Command) -> f64 {
    let start = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the measured command can be started");
    let seconds = start.elapsed().as_secs_f64();
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    seconds
}
