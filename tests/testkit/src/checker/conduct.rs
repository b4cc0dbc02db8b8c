//! Three more questions about evidence: whether the daemons kept within their bounds, whether processes ended in time, and whether the audit log tells what
//! clients saw. Pure, as `judge` is.

use super::Evidence;
use crate::Vitals;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tidemill_engine::Fact;
use tidemill_protocol::api::{AuditDecision, AuditEntry};

/// In which time 99 of 100 questions for a sign of life are answered.
const SOON: Duration = Duration::from_secs(1);
/// More memory than any daemon takes with the small workloads of the campaign.
const MEMORY_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// More files than any daemon needs; a trial that opens connections by the hundred lowers the limit of the process itself.
const OPEN_FILES_MAX: usize = 1_000;
/// More than any daemon keeps in its folder, with what a trial fills it with.
const DISK_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// More messages than ever wait in one queue: a window of tasks each written again after some restarts, and the reports of some hundred attempts.
const QUEUED_MAX: u64 = 1_000;
/// How long a process may live after the end of its attempt, or after its worker was told to stop it: a worker's usual grace, and five seconds.
const OVERDUE_MAX: Duration = Duration::from_secs(10 + 5);
/// The route of submissions, and that by which a run is ended.
const SUBMIT: &str = "/api/v1/runs";
const CANCEL: &str = "/api/v1/runs/{run}/cancel";

/// What of the daemons went beyond its bound, in words.
pub(super) fn unbounded(vitals: &Vitals) -> Vec<String> {
    let Vitals {
        answers,
        peak_bytes,
        open_files,
        disk_bytes,
        queued,
        ..
    } = vitals;
    let late = answers.iter().filter(|took| **took > SOON).count();
    let mut told = Vec::new();
    if late > answers.len() / 100 {
        let longest = answers.iter().max().copied().unwrap_or_default();
        told.push(format!(
            "{late} of {} signs of life came late, one after {longest:?}",
            answers.len()
        ));
    }
    if *peak_bytes > MEMORY_BYTES_MAX {
        told.push(format!("a daemon took {peak_bytes} bytes of memory"));
    }
    if *open_files > OPEN_FILES_MAX {
        told.push(format!("a daemon had {open_files} files open"));
    }
    if *disk_bytes > DISK_BYTES_MAX {
        told.push(format!("a daemon kept {disk_bytes} bytes in its folder"));
    }
    if *queued > QUEUED_MAX {
        told.push(format!("{queued} messages waited in one queue"));
    }
    told
}

/// Who lived, or lay unburied, for longer than they may, in words.
pub(super) fn overdue(vitals: &Vitals) -> impl Iterator<Item = String> {
    let overdue = vitals.overdue.iter().filter(|seen| seen.after > OVERDUE_MAX);
    overdue.map(|seen| format!("{}, {:?} later", seen.what, seen.after))
}

/// Where the audit log and what clients saw part, in words.
pub(super) fn unaudited(evidence: &Evidence) -> Vec<String> {
    let mut told = Vec::new();
    let of_route =
        |entry: &&AuditEntry, route| entry.method == "POST" && entry.route.as_deref() == Some(route);
    let run_of = |entry: &AuditEntry| entry.ids.get("run").cloned().unwrap_or_default();
    let submissions: Vec<&AuditEntry> = evidence
        .audit
        .iter()
        .filter(|entry| of_route(entry, SUBMIT))
        .collect();
    let with = |decision| submissions.iter().filter(move |entry| entry.decision == decision);

    // The outcome of a change is not waited for: a crash may take it, and leaves what was announced.
    let concluded = submissions.iter().filter(|entry| entry.of.is_some()).count();
    let open = with(AuditDecision::Admitted).count().saturating_sub(concluded);
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for entry in with(AuditDecision::Accepted) {
        *accepted.entry(run_of(entry)).or_default() += 1;
    }
    // Nobody here sends a submission again under one key.
    for (run, times) in accepted.iter().filter(|(_, times)| **times > 1) {
        told.push(format!("run {run} was accepted {times} times in the audit log"));
    }
    let missing = evidence
        .promises
        .iter()
        .filter(|promise| !accepted.contains_key(&promise.run.to_string()));
    let missing: Vec<String> = missing.map(|promise| promise.run.to_string()).collect();
    if missing.len() > open {
        told.push(format!(
            "{} runs were accepted and {open} submissions have no outcome: {}",
            missing.len(),
            missing.join(", ")
        ));
    }
    let journaled: BTreeSet<String> = evidence
        .events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::RunSubmitted { run, .. } => Some(run.to_string()),
            _ => None,
        })
        .collect();
    for run in accepted.keys().filter(|run| !journaled.contains(*run)) {
        told.push(format!(
            "run {run} is accepted in the audit log and not in the journal"
        ));
    }
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for entry in evidence.audit.iter().filter(|entry| of_route(entry, CANCEL)) {
        if entry.decision == AuditDecision::Refused {
            *refused.entry(run_of(entry)).or_default() += 1;
        }
    }
    for run in &evidence.refusals {
        if refused.get(&run.to_string()) != Some(&1) {
            told.push(format!(
                "the refusal to end run {run} is not there, or more than once"
            ));
        }
    }
    told
}
