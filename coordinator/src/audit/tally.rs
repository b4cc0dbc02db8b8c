//! What comes in masses is counted: after the first few refusals (or uploads) of a kind within a minute, the rest become one line. So a flood costs neither the
//! disk nor the log's readers much. Pure: the time is handed in.

use std::collections::HashMap;
use tidemill_protocol::api::{AuditDecision, AuditEntry};
use tidemill_protocol::time::Millis;

/// How long entries of a kind are counted before the sum is written.
const WINDOW: Millis = Millis::from_secs(60);
/// Refusals of a kind that are written out in each window.
const REFUSALS_FREE: u64 = 10;
/// Uploads of a kind that are written out in each window.
const UPLOADS_FREE: u64 = 1;
/// Kinds that are told apart at once.
const KINDS_MAX: usize = 1_024;
/// The address of all kinds for which there is no room.
const ELSEWHERE: &str = "many addresses";

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    kinds: HashMap<Kind, Tally>,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    from: String,
    who: String,
    status: Option<u16>,
    /// Only of what was accepted: guesses go through all routes.
    route: Option<String>,
}

#[derive(Debug)]
struct Tally {
    since: Millis,
    seen: u64,
    free: u64,
    last: AuditEntry,
}

impl Tallies {
    /// Counts an entry; hands it back when it is one of those that are written out.
    pub(super) fn note(&mut self, mut entry: AuditEntry, now: Millis) -> Option<AuditEntry> {
        let mut kind = kind(&entry);
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&kind) {
            ELSEWHERE.clone_into(&mut entry.from);
            ELSEWHERE.clone_into(&mut kind.from);
            "somebody".clone_into(&mut kind.who);
            kind.route = None;
        }
        let free = if entry.decision == AuditDecision::Accepted {
            UPLOADS_FREE
        } else {
            REFUSALS_FREE
        };
        let tally = self.kinds.entry(kind).or_insert_with(|| Tally {
            since: now,
            seen: 0,
            free,
            last: entry.clone(),
        });
        tally.seen += 1;
        if tally.seen <= tally.free {
            return Some(entry);
        }
        tally.last = entry;
        None
    }

    /// The sums of what was counted for long enough; of everything when nothing more will come.
    pub(super) fn due(&mut self, now: Option<Millis>) -> Vec<AuditEntry> {
        let is_due = |tally: &Tally| now.is_none_or(|now| now.0.saturating_sub(tally.since.0) >= WINDOW.0);
        let due = self.kinds.extract_if(|_, tally| is_due(tally));
        let sums = due.filter_map(|(_, tally)| {
            let more = tally.seen.saturating_sub(tally.free);
            (more > 0).then(|| AuditEntry {
                count: Some(more),
                ids: std::collections::BTreeMap::new(),
                request_id: None,
                ..tally.last
            })
        });
        let mut sums: Vec<AuditEntry> = sums.collect();
        sums.sort_by_key(|entry| entry.at);
        sums
    }
}

fn kind(entry: &AuditEntry) -> Kind {
    let is_upload = entry.decision == AuditDecision::Accepted;
    Kind {
        from: entry.from.clone(),
        who: entry.who.clone(),
        status: entry.status,
        route: entry.route.clone().filter(|_| is_upload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::digest::Digest;
    use tidemill_protocol::time::Timestamp;

    fn refusal(from: usize) -> AuditEntry {
        AuditEntry {
            sequence: 0,
            at: Timestamp(1),
            decision: AuditDecision::Refused,
            of: None,
            who: "nobody".into(),
            token: None,
            scope: None,
            from: format!("10.0.0.{from}"),
            method: "GET".into(),
            route: None,
            ids: std::collections::BTreeMap::new(),
            status: Some(401),
            why: None,
            request_id: None,
            count: None,
            previous: Digest::from_bytes([0; 32]),
        }
    }

    #[test]
    fn a_flood_is_some_lines_and_a_sum() {
        let mut tallies = Tallies::default();
        let written = (0..1_000)
            .filter_map(|_| tallies.note(refusal(1), Millis(5)))
            .count();
        assert_eq!(written as u64, REFUSALS_FREE);
        assert!(tallies.note(refusal(2), Millis(5)).is_some(), "another address");
        assert!(tallies.due(Some(Millis(5))).is_empty());
        let due = tallies.due(Some(Millis(5) + WINDOW));
        let counts: Vec<_> = due
            .iter()
            .map(|entry| (entry.from.as_str(), entry.count))
            .collect();
        assert_eq!(counts, [("10.0.0.1", Some(1_000 - REFUSALS_FREE))]);
        assert!(tallies.note(refusal(1), Millis(70_000)).is_some(), "a new window");
    }

    #[test]
    fn a_flood_from_everywhere_is_counted_together_and_none_is_lost() {
        let mut tallies = Tallies::default();
        let sent = 5_000;
        let written = (0..sent)
            .filter_map(|n| tallies.note(refusal(n), Millis(5)))
            .count();
        assert!(tallies.kinds.len() <= KINDS_MAX + 1);
        let summed: u64 = tallies.due(None).iter().filter_map(|entry| entry.count).sum();
        assert_eq!(written as u64 + summed, sent as u64);
        assert!(written < 2 * KINDS_MAX);
    }
}
