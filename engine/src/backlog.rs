//! The backlog: steps that could run, per compute target, in the order in which they are to be released: priority, then fair share between groups
//! (the group with the fewest attempts in flight on this target goes first), then age. How many may be released is not here (`fleet`).

use crate::place::{GroupId, Place};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::time::Timestamp;

/// Where a step stands in a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) priority: i32,
    pub(crate) group: GroupId,
    pub(crate) since: Timestamp,
    pub(crate) place: Place,
}

/// The backlog of one compute target, and how much of it is released.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lane {
    /// By falling priority; none is empty.
    levels: BTreeMap<std::cmp::Reverse<i32>, Level>,
    /// Attempts in flight per group; none is 0.
    in_flight: BTreeMap<GroupId, u32>,
    pub(crate) queued: u64,
    pub(crate) dispatched: u32,
    pub(crate) running: u32,
    /// Moments of dispatch of what no worker has claimed.
    unclaimed: BTreeSet<(Timestamp, Place)>,
}

/// Steps of equal priority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Level {
    /// None is empty.
    queues: BTreeMap<GroupId, BTreeSet<(Timestamp, Place)>>,
    turns: BTreeSet<Turn>,
}

/// A group's claim to be served next: fewest in flight first, then the oldest step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    in_flight: u32,
    oldest: (Timestamp, Place),
    group: GroupId,
}

impl Lane {
    pub(crate) fn push(&mut self, ticket: Ticket) {
        let in_flight = self.in_flight_of(ticket.group);
        let level = self.levels.entry(std::cmp::Reverse(ticket.priority)).or_default();
        level.change(ticket.group, in_flight, |queue| {
            queue.insert((ticket.since, ticket.place));
        });
        self.queued += 1;
    }

    pub(crate) fn remove(&mut self, ticket: Ticket) {
        let in_flight = self.in_flight_of(ticket.group);
        let priority = std::cmp::Reverse(ticket.priority);
        let level = self
            .levels
            .get_mut(&priority)
            .expect("a ticket is in the level of its priority");
        level.change(ticket.group, in_flight, |queue| {
            queue.remove(&(ticket.since, ticket.place));
        });
        if level.queues.is_empty() {
            self.levels.remove(&priority);
        }
        self.queued -= 1;
    }

    /// An attempt whose task is out and that nobody has claimed.
    pub(crate) fn add_dispatched(&mut self, group: GroupId, at: Timestamp, place: Place) {
        self.dispatched += 1;
        self.unclaimed.insert((at, place));
        self.set_in_flight(group, self.in_flight_of(group) + 1);
    }

    pub(crate) fn remove_dispatched(&mut self, group: GroupId, at: Timestamp, place: Place) {
        self.dispatched -= 1;
        self.unclaimed.remove(&(at, place));
        self.set_in_flight(group, self.in_flight_of(group) - 1);
    }

    /// An attempt passes from the queue to a worker.
    pub(crate) fn claim(&mut self, dispatched_at: Timestamp, place: Place) {
        self.unclaimed.remove(&(dispatched_at, place));
        self.dispatched -= 1;
        self.running += 1;
    }

    /// An attempt that a worker makes.
    pub(crate) fn add_running(&mut self, group: GroupId) {
        self.running += 1;
        self.set_in_flight(group, self.in_flight_of(group) + 1);
    }

    pub(crate) fn remove_running(&mut self, group: GroupId) {
        self.running -= 1;
        self.set_in_flight(group, self.in_flight_of(group) - 1);
    }

    fn in_flight_of(&self, group: GroupId) -> u32 {
        self.in_flight.get(&group).copied().unwrap_or(0)
    }

    fn set_in_flight(&mut self, group: GroupId, count: u32) {
        let before = self.in_flight_of(group);
        for level in self.levels.values_mut() {
            level.recount(group, before, count);
        }
        if count == 0 {
            self.in_flight.remove(&group);
        } else {
            self.in_flight.insert(group, count);
        }
    }

    /// The steps in the order in which they are to be released, each counted as released before the next is chosen. Lazy: costs by what is taken.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Place> + '_ {
        self.levels.values().flat_map(Level::in_order)
    }

    /// Since when the longest waiting step waits, in backlog or queue. Looks at every group.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let queues = self.levels.values().flat_map(|level| level.queues.values());
        let queued = queues.filter_map(BTreeSet::first);
        queued
            .chain(self.unclaimed.first())
            .map(|(since, _)| *since)
            .min()
    }

    /// How many steps go before this one if nothing else happens; counts up to `limit`.
    pub(crate) fn place_of(&self, place: Place, limit: usize) -> usize {
        self.in_order()
            .take(limit)
            .position(|other| other == place)
            .unwrap_or(limit)
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.queued == 0 && self.dispatched == 0 && self.running == 0
    }
}

impl Level {
    fn change(
        &mut self,
        group: GroupId,
        in_flight: u32,
        change: impl FnOnce(&mut BTreeSet<(Timestamp, Place)>),
    ) {
        let queue = self.queues.entry(group).or_default();
        let before = queue.first().copied();
        change(queue);
        let after = queue.first().copied();
        if after.is_none() {
            self.queues.remove(&group);
        }
        if before != after {
            if let Some(oldest) = before {
                self.turns.remove(&Turn {
                    in_flight,
                    oldest,
                    group,
                });
            }
            if let Some(oldest) = after {
                self.turns.insert(Turn {
                    in_flight,
                    oldest,
                    group,
                });
            }
        }
    }

    fn recount(&mut self, group: GroupId, before: u32, after: u32) {
        if let Some(oldest) = self.queues.get(&group).and_then(BTreeSet::first).copied() {
            self.turns.remove(&Turn {
                in_flight: before,
                oldest,
                group,
            });
            self.turns.insert(Turn {
                in_flight: after,
                oldest,
                group,
            });
        }
    }

    fn in_order(&self) -> impl Iterator<Item = Place> + '_ {
        let mut fresh = self.turns.iter().copied().peekable();
        // Groups that were served in this look, with what they would be served next.
        let mut served: BTreeMap<Turn, _> = BTreeMap::new();
        std::iter::from_fn(move || {
            let again = match (fresh.peek(), served.keys().next()) {
                (Some(first), Some(second)) => second < first,
                (None, Some(_)) => true,
                (Some(_), None) => false,
                (None, None) => return None,
            };
            let (turn, mut rest) = if again {
                served.pop_first()?
            } else {
                let turn = fresh.next()?;
                let mut rest = self.queues.get(&turn.group)?.iter().copied();
                rest.next();
                (turn, rest)
            };
            if let Some(oldest) = rest.next() {
                served.insert(
                    Turn {
                        in_flight: turn.in_flight + 1,
                        oldest,
                        group: turn.group,
                    },
                    rest,
                );
            }
            Some(turn.oldest.1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{GroupId, Lane, Place, Ticket, Timestamp};
    use crate::place::RunNumber;
    use tidemill_protocol::ids::StepIndex;

    fn place(group: u32, step: u32) -> Place {
        Place {
            run: RunNumber(group),
            step: StepIndex(step),
        }
    }

    fn ticket(group: u32, step: u32, priority: i32) -> Ticket {
        let since = Timestamp(u64::from(step));
        Ticket {
            priority,
            group: GroupId(group),
            since,
            place: place(group, step),
        }
    }

    #[test]
    fn priority_goes_before_fairness_and_fairness_before_age() {
        let mut lane = Lane::default();
        for step in 0..3 {
            lane.push(ticket(1, step, 0));
        }
        lane.push(ticket(2, 7, 0));
        lane.push(ticket(2, 8, 0));
        lane.push(ticket(3, 9, 1));
        let order: Vec<Place> = lane.in_order().collect();
        let expected = [
            place(3, 9),
            place(1, 0),
            place(2, 7),
            place(1, 1),
            place(2, 8),
            place(1, 2),
        ];
        assert_eq!(order, expected);
        assert_eq!(lane.place_of(place(2, 8), 100), 4);
        assert_eq!(lane.place_of(place(2, 8), 2), 2, "no further than asked");
    }

    #[test]
    fn a_group_with_much_in_flight_waits_for_the_others() {
        let mut lane = Lane::default();
        lane.push(ticket(1, 0, 0));
        lane.push(ticket(2, 5, 0));
        for step in 10..13 {
            lane.add_dispatched(GroupId(1), Timestamp(0), place(1, step));
        }
        assert_eq!(lane.in_order().next(), Some(place(2, 5)));
        for step in 10..13 {
            lane.remove_dispatched(GroupId(1), Timestamp(0), place(1, step));
        }
        assert_eq!(lane.in_order().next(), Some(place(1, 0)));
    }

    #[test]
    fn a_lane_that_was_emptied_is_as_it_was_before() {
        let mut lane = Lane::default();
        lane.push(ticket(1, 0, 0));
        lane.push(ticket(1, 1, 4));
        lane.add_dispatched(GroupId(1), Timestamp(3), place(1, 2));
        assert_eq!(lane.oldest(), Some(Timestamp(0)));
        lane.remove(ticket(1, 0, 0));
        lane.remove(ticket(1, 1, 4));
        assert_eq!(lane.oldest(), Some(Timestamp(3)), "what nobody claimed waits too");
        lane.claim(Timestamp(3), place(1, 2));
        assert_eq!((lane.oldest(), lane.is_unused()), (None, false));
        lane.remove_running(GroupId(1));
        assert_eq!(lane, Lane::default());
    }
}
