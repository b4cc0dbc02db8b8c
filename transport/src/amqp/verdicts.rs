//! When a confirm can be believed. Pure bookkeeping: no channel, no time.
//!
//! On the wire, the return of an unroutable message precedes its confirm. lapin queues returns as they arrive and gives the oldest one
//! to whichever confirm comes next. So a message's own return may come with an earlier confirm than its own, or with a later one:
//!
//! - A confirm without a return found the queue empty: every return until then went to an earlier confirm. The message is decided as
//!   soon as everything that had landed before has been looked at, which is what a marker tells.
//! - A confirm with somebody else's return may have left the message's own in the queue. The message stays in doubt until a confirm without a
//!   return comes for a message that was sent after this one was confirmed, or until nothing is in flight. A confirm that is merely *seen* later
//!   says nothing: it may have been given out earlier.

use std::collections::BTreeSet;
use std::mem;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// A queue has it.
    Taken,
    /// The broker could not take it.
    NotTaken,
    /// No queue wanted it.
    Returned,
}

#[derive(Debug, Default)]
pub(super) struct Verdicts {
    in_flight: usize,
    last_sent: u64,
    /// Decided once the next marker is seen.
    clear: Vec<(u64, Fate)>,
    /// Decided once the present marker is seen.
    marked: Option<Vec<(u64, Fate)>>,
    doubtful: Vec<Doubtful>,
    /// Messages whose return came with another's confirm.
    returned: BTreeSet<u64>,
}

/// A message whose own return may still be on its way.
#[derive(Debug)]
struct Doubtful {
    number: u64,
    fate: Fate,
    /// The last message that had been sent when its confirm was seen.
    sent_before: u64,
}

impl Verdicts {
    /// A message was sent. Numbers rise.
    pub(super) fn sent(&mut self, number: u64) {
        self.in_flight += 1;
        self.last_sent = number;
    }

    /// A message was confirmed, and with its confirm came the return of some message.
    pub(super) fn confirmed(&mut self, number: u64, fate: Fate, returned: Option<u64>) {
        self.in_flight -= 1;
        match returned {
            None => {
                self.clear.push((number, fate));
                self.settle(|doubtful| doubtful.sent_before < number);
            }
            Some(own) if own == number => self.clear.push((number, Fate::Returned)),
            Some(other) => {
                self.returned.insert(other);
                self.doubtful.push(Doubtful {
                    number,
                    fate,
                    sent_before: self.last_sent,
                });
            }
        }
        if self.in_flight == 0 {
            self.settle(|_| true);
        }
    }

    fn settle(&mut self, is_settled: impl Fn(&Doubtful) -> bool) {
        let settled = self.doubtful.extract_if(.., |doubtful| is_settled(doubtful));
        self.clear
            .extend(settled.map(|doubtful| (doubtful.number, doubtful.fate)));
    }

    /// Whether to put in a marker, behind everything that has landed until now. There is never more than one.
    pub(super) fn want_marker(&mut self) -> bool {
        if self.marked.is_some() || self.clear.is_empty() {
            return false;
        }
        self.marked = Some(mem::take(&mut self.clear));
        true
    }

    /// The marker was seen: these are decided.
    pub(super) fn marker_seen(&mut self) -> Vec<(u64, Fate)> {
        let mut decided = self.marked.take().unwrap_or_default();
        for (number, fate) in &mut decided {
            if self.returned.remove(number) {
                *fate = Fate::Returned;
            }
        }
        decided
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What is decided after these confirms, with everything looked at.
    fn decide(in_flight: usize, confirms: &[(u64, Option<u64>)]) -> BTreeMap<u64, Fate> {
        let mut verdicts = Verdicts::default();
        (1..=in_flight).for_each(|number| verdicts.sent(number as u64));
        for (number, returned) in confirms {
            verdicts.confirmed(*number, Fate::Taken, *returned);
        }
        seen(&mut verdicts)
    }

    fn seen(verdicts: &mut Verdicts) -> BTreeMap<u64, Fate> {
        let mut decided = BTreeMap::new();
        while verdicts.want_marker() {
            decided.extend(verdicts.marker_seen());
        }
        decided
    }

    #[test]
    fn a_return_that_came_with_an_earlier_confirm_finds_its_message() {
        let decided = decide(2, &[(1, Some(2)), (2, None)]);
        assert_eq!(decided, BTreeMap::from([(1, Fate::Taken), (2, Fate::Returned)]));
    }

    #[test]
    fn a_message_in_doubt_waits_for_its_own_return() {
        assert_eq!(decide(9, &[(7, Some(5))]), BTreeMap::new());
        let mut verdicts = Verdicts::default();
        (1..=7).for_each(|number| verdicts.sent(number));
        verdicts.confirmed(7, Fate::Taken, Some(5));
        verdicts.sent(8);
        verdicts.confirmed(5, Fate::Taken, Some(7));
        verdicts.sent(9);
        verdicts.confirmed(9, Fate::Taken, None);
        assert_eq!(
            seen(&mut verdicts),
            BTreeMap::from([(5, Fate::Returned), (7, Fate::Returned), (9, Fate::Taken)])
        );
    }

    #[test]
    fn a_confirm_that_is_seen_later_but_may_be_older_settles_no_doubt() {
        // 2 was confirmed before 1 and found nothing; the return of 1 is still to come, with the confirm of 3.
        let confirms = [(1, Some(3)), (2, None)];
        assert_eq!(decide(3, &confirms), BTreeMap::from([(2, Fate::Taken)]));
        let decided = decide(3, &[(1, Some(3)), (2, None), (3, Some(1))]);
        assert_eq!(
            decided,
            BTreeMap::from([(1, Fate::Returned), (2, Fate::Taken), (3, Fate::Returned)])
        );
    }

    #[test]
    fn when_nothing_is_in_flight_nothing_is_in_doubt() {
        let decided = decide(2, &[(1, Some(2)), (2, Some(1))]);
        assert_eq!(
            decided,
            BTreeMap::from([(1, Fate::Returned), (2, Fate::Returned)])
        );
    }

    #[test]
    fn a_confirm_is_not_believed_before_the_marker() {
        let mut verdicts = Verdicts::default();
        verdicts.sent(1);
        verdicts.sent(2);
        verdicts.confirmed(2, Fate::Taken, None);
        assert!(verdicts.want_marker());
        // The confirm that took the return of 2 landed before, and is looked at before the marker is.
        verdicts.confirmed(1, Fate::Taken, Some(2));
        assert!(!verdicts.want_marker(), "one marker at a time");
        assert_eq!(verdicts.marker_seen(), [(2, Fate::Returned)]);
        assert!(verdicts.want_marker());
        assert_eq!(verdicts.marker_seen(), [(1, Fate::Taken)]);
        assert!(!verdicts.want_marker());
    }
}
