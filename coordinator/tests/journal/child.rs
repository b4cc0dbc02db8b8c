//! The child process: opens the journal named by its last argument and says by its exit how that went.

use super::event;
use std::path::Path;
use std::process::Command;
use tidemill_coordinator::journal::{Claim, EventLog, SledLog};

/// How the opening of a damaged journal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It opened and holds events 1 to this one, each as it was written.
    Whole(u64),
    /// It was refused, or sled panicked, as it does in the probe.
    Refused,
}

const NAME: &str = "child::a_child_opens_the_journal_that_its_last_argument_names";

#[test]
fn a_child_opens_the_journal_that_its_last_argument_names() {
    let Some(dir) = std::env::args()
        .next_back()
        .filter(|last| Path::new(last).join("HEAD").exists())
    else {
        return;
    };
    let (log, _) = SledLog::open(Claim::take(Path::new(&dir)).unwrap()).expect("the journal is whole");
    let events = log.reader().read(1, usize::MAX).expect("its events can be read");
    assert_eq!(events.len() as u64, log.last());
    assert!(events.iter().all(|(sequence, bytes)| *bytes == event(*sequence)));
    println!("\nlast={}", log.last());
}

/// Opens the journal in a child.
pub(crate) fn open_in_child(dir: &Path) -> Outcome {
    let output = Command::new("timeout")
        .arg("20")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", NAME])
        .arg(dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text
        .lines()
        .find_map(|line| line.strip_prefix("last=")?.parse().ok());
    match (output.status.success(), last) {
        (true, Some(last)) => Outcome::Whole(last),
        (true, None) => panic!("the child did not look: {text}"),
        (false, _) => Outcome::Refused,
    }
}
