//! Which signed requests came lately, so that none counts twice. Pure, bounded for each worker and in all: a worker that asks too often keeps nobody else out.

use std::collections::{BTreeSet, HashMap};
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::proof::RequestProof;
use tidemill_protocol::time::Timestamp;

/// Requests of one worker that are remembered at once; it may not make more within the time for which they are.
const REQUESTS_MAX: usize = 4_096;
/// Workers whose requests are remembered at once.
const WORKERS_MAX: usize = 8_192;

/// The requests of all workers.
#[derive(Debug, Default)]
pub(super) struct Replays {
    workers: HashMap<WorkerId, BTreeSet<(Timestamp, u64)>>,
}

impl Replays {
    /// Notes a request; false when it came before, or there is no room to know. What is older than `oldest` is forgotten.
    pub(super) fn note(&mut self, proof: &RequestProof, oldest: Timestamp) -> bool {
        if !self.workers.contains_key(&proof.worker) && self.workers.len() >= WORKERS_MAX {
            self.forget_idle(oldest);
            if self.workers.len() >= WORKERS_MAX {
                return false;
            }
        }
        let seen = self.workers.entry(proof.worker.clone()).or_default();
        *seen = seen.split_off(&(oldest, 0));
        seen.len() < REQUESTS_MAX && seen.insert((proof.at, proof.nonce))
    }

    fn forget_idle(&mut self, oldest: Timestamp) {
        self.workers
            .retain(|_, seen| seen.last().is_some_and(|(at, _)| *at >= oldest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::proof::RequestText;
    use tidemill_protocol::wire::SignerKey;

    fn proof(worker: &str, at: u64, nonce: u64) -> RequestProof {
        let key = SignerKey::from_seed(&[1; 32]);
        let text = RequestText {
            coordinator: &key.trusted(),
            method: "GET",
            path: "/",
            body: b"",
        };
        RequestProof::sign(&key, worker.parse().unwrap(), Timestamp(at), nonce, &text)
    }

    #[test]
    fn a_request_counts_once_and_a_worker_that_asks_too_often_waits() {
        let mut replays = Replays::default();
        assert!(replays.note(&proof("a", 100, 1), Timestamp(50)));
        assert!(!replays.note(&proof("a", 100, 1), Timestamp(50)));
        assert!(replays.note(&proof("a", 100, 2), Timestamp(50)));
        assert!(replays.note(&proof("b", 100, 1), Timestamp(50)));
        let more = (3..5_000).filter(|nonce| replays.note(&proof("a", 100, *nonce), Timestamp(50)));
        assert_eq!(more.count(), REQUESTS_MAX - 2);
        assert!(!replays.note(&proof("a", 101, 1), Timestamp(100)));
        assert!(
            replays.note(&proof("b", 101, 1), Timestamp(100)),
            "others are not kept out"
        );
        assert!(replays.note(&proof("a", 200, 1), Timestamp(150)));
    }
}
