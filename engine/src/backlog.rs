//! The backlog: steps that could run, per compute target, in the order in which they are to be released: fair share between projects (the project with the fewest
//! attempts in flight on this target goes first), within a project priority, then fair share between groups, then age. How many may be released is not here (`fleet`,
//! `quota`).

use crate::place::{GroupId, Place};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;
use tidemill_protocol::name::Name;
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
    /// None is empty.
    shares: BTreeMap<Name, Share>,
    /// The projects with steps that could run, the next one first.
    turns: BTreeMap<Head, Name>,
    pub(crate) queued: u64,
    pub(crate) dispatched: u32,
    pub(crate) running: u32,
    /// Moments of dispatch of what no worker has claimed.
    unclaimed: BTreeSet<(Timestamp, Place)>,
}

/// A project's claim to be served next: fewest in flight first, then its own next step by priority and age. No two are equal, because the step stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    in_flight: u32,
    priority: Reverse<i32>,
    oldest: (Timestamp, Place),
}

/// What one project has in a backlog and in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Share {
    /// By falling priority; none is empty.
    levels: BTreeMap<Reverse<i32>, Level>,
    /// Attempts in flight per group; none is 0.
    groups: BTreeMap<GroupId, u32>,
    /// Attempts in flight of all groups.
    in_flight: u32,
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
    pub(crate) fn push(&mut self, project: &Name, ticket: Ticket) {
        self.change(project, |share| share.push(ticket));
        self.queued += 1;
    }

    pub(crate) fn remove(&mut self, project: &Name, ticket: Ticket) {
        self.change(project, |share| share.remove(ticket));
        self.queued -= 1;
    }

    /// An attempt whose task is out and that nobody has claimed.
    pub(crate) fn add_dispatched(&mut self, project: &Name, group: GroupId, at: Timestamp, place: Place) {
        self.dispatched += 1;
        self.unclaimed.insert((at, place));
        self.change(project, |share| share.begin(group));
    }

    pub(crate) fn remove_dispatched(&mut self, project: &Name, group: GroupId, at: Timestamp, place: Place) {
        self.dispatched -= 1;
        self.unclaimed.remove(&(at, place));
        self.change(project, |share| share.end(group));
    }

    /// An attempt passes from the queue to a worker.
    pub(crate) fn claim(&mut self, dispatched_at: Timestamp, place: Place) {
        self.unclaimed.remove(&(dispatched_at, place));
        self.dispatched -= 1;
        self.running += 1;
    }

    /// An attempt that a worker makes.
    pub(crate) fn add_running(&mut self, project: &Name, group: GroupId) {
        self.running += 1;
        self.change(project, |share| share.begin(group));
    }

    pub(crate) fn remove_running(&mut self, project: &Name, group: GroupId) {
        self.running -= 1;
        self.change(project, |share| share.end(group));
    }

    /// Changes what a project has here, and puts it where it belongs among the others.
    fn change(&mut self, project: &Name, change: impl FnOnce(&mut Share)) {
        if !self.shares.contains_key(project) {
            self.shares.insert(project.clone(), Share::default());
        }
        let share = self.shares.get_mut(project).expect("it was just put there");
        let before = share.head();
        change(share);
        let after = share.head();
        if *share == Share::default() {
            self.shares.remove(project);
        }
        if before != after {
            if let Some(before) = before {
                self.turns.remove(&before);
            }
            if let Some(after) = after {
                self.turns.insert(after, project.clone());
            }
        }
    }

    /// Attempts of a project in flight here.
    pub(crate) fn in_flight_of(&self, project: &Name) -> u32 {
        self.shares.get(project).map_or(0, |share| share.in_flight)
    }

    /// The steps in the order in which they are to be released, each counted as released before the next is chosen. Lazy: costs by what is taken.
    pub(crate) fn order(&self) -> Order<'_> {
        Order {
            lane: self,
            fresh: self.turns.iter().peekable(),
            served: BTreeMap::new(),
        }
    }

    /// Since when the longest waiting step waits, in backlog or queue. Looks at every group.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let levels = self.shares.values().flat_map(|share| share.levels.values());
        let queues = levels.flat_map(|level| level.queues.values());
        let queued = queues.filter_map(BTreeSet::first);
        queued
            .chain(self.unclaimed.first())
            .map(|(since, _)| *since)
            .min()
    }

    /// How many steps go before this one if nothing else happens; counts up to `limit`. Quotas are not looked at.
    pub(crate) fn place_of(&self, place: Place, limit: usize) -> usize {
        let mut order = self.order();
        for ahead in 0..limit {
            match order.next(|_| true) {
                Some((_, other)) if other == place => return ahead,
                Some(_) => {}
                None => return limit,
            }
        }
        limit
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.queued == 0 && self.dispatched == 0 && self.running == 0
    }
}

/// What a project would be served next, from its second step on.
type Rest<'a> = Box<dyn Iterator<Item = (Reverse<i32>, (Timestamp, Place))> + 'a>;

/// A look at a lane's steps in their order.
pub(crate) struct Order<'a> {
    lane: &'a Lane,
    fresh: Peekable<btree_map::Iter<'a, Head, Name>>,
    /// Projects that were served in this look, with what they would be served next.
    served: BTreeMap<Head, (&'a Name, Rest<'a>)>,
}

impl<'a> Order<'a> {
    /// The next step of a project that is open, with its project. One that is not is passed over for the rest of the look.
    pub(crate) fn next(&mut self, is_open: impl Fn(&Name) -> bool) -> Option<(&'a Name, Place)> {
        loop {
            let again = match (self.fresh.peek(), self.served.keys().next()) {
                (Some((first, _)), Some(second)) => second < *first,
                (None, Some(_)) => true,
                (Some(_), None) => false,
                (None, None) => return None,
            };
            let (head, project, rest) = if again {
                let (head, (project, rest)) = self.served.pop_first()?;
                (head, project, Some(rest))
            } else {
                let (head, project) = self.fresh.next()?;
                (*head, project, None)
            };
            if !is_open(project) {
                continue;
            }
            let mut rest = match rest {
                Some(rest) => rest,
                None => self.lane.shares.get(project)?.rest(),
            };
            if let Some((priority, oldest)) = rest.next() {
                let next = Head {
                    in_flight: head.in_flight + 1,
                    priority,
                    oldest,
                };
                self.served.insert(next, (project, rest));
            }
            return Some((project, head.oldest.1));
        }
    }
}

impl Share {
    fn push(&mut self, ticket: Ticket) {
        let in_flight = self.in_flight_of(ticket.group);
        let level = self.levels.entry(Reverse(ticket.priority)).or_default();
        level.change(ticket.group, in_flight, |queue| {
            queue.insert((ticket.since, ticket.place));
        });
    }

    fn remove(&mut self, ticket: Ticket) {
        let in_flight = self.in_flight_of(ticket.group);
        let priority = Reverse(ticket.priority);
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
    }

    fn begin(&mut self, group: GroupId) {
        self.in_flight += 1;
        self.set_in_flight(group, self.in_flight_of(group) + 1);
    }

    fn end(&mut self, group: GroupId) {
        self.in_flight -= 1;
        self.set_in_flight(group, self.in_flight_of(group) - 1);
    }

    fn in_flight_of(&self, group: GroupId) -> u32 {
        self.groups.get(&group).copied().unwrap_or(0)
    }

    fn set_in_flight(&mut self, group: GroupId, count: u32) {
        let before = self.in_flight_of(group);
        for level in self.levels.values_mut() {
            level.recount(group, before, count);
        }
        if count == 0 {
            self.groups.remove(&group);
        } else {
            self.groups.insert(group, count);
        }
    }

    /// Its claim to be served next; none when nothing of it could run.
    fn head(&self) -> Option<Head> {
        let (priority, level) = self.levels.first_key_value()?;
        Some(Head {
            in_flight: self.in_flight,
            priority: *priority,
            oldest: level.turns.first()?.oldest,
        })
    }

    /// Its steps in order, from the second on.
    fn rest(&self) -> Rest<'_> {
        let levels = self.levels.iter();
        let steps =
            levels.flat_map(|(priority, level)| level.in_order().map(move |oldest| (*priority, oldest)));
        Box::new(steps.skip(1))
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

    /// Its steps in order, each counted as released before the next is chosen.
    fn in_order(&self) -> impl Iterator<Item = (Timestamp, Place)> + '_ {
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
            Some(turn.oldest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{GroupId, Lane, Name, Place, Ticket, Timestamp};
    use crate::place::RunNumber;
    use tidemill_protocol::ids::StepIndex;

    fn project(name: &str) -> Name {
        name.parse().expect("a name")
    }

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

    fn all(lane: &Lane) -> Vec<Place> {
        let mut order = lane.order();
        std::iter::from_fn(|| order.next(|_| true).map(|(_, place)| place)).collect()
    }

    #[test]
    fn within_a_project_priority_goes_before_fairness_and_fairness_before_age() {
        let (mut lane, one) = (Lane::default(), project("one"));
        for step in 0..3 {
            lane.push(&one, ticket(1, step, 0));
        }
        lane.push(&one, ticket(2, 7, 0));
        lane.push(&one, ticket(2, 8, 0));
        lane.push(&one, ticket(3, 9, 1));
        let expected = [
            place(3, 9),
            place(1, 0),
            place(2, 7),
            place(1, 1),
            place(2, 8),
            place(1, 2),
        ];
        assert_eq!(all(&lane), expected);
        assert_eq!(lane.place_of(place(2, 8), 100), 4);
        assert_eq!(lane.place_of(place(2, 8), 2), 2, "no further than asked");
    }

    #[test]
    fn projects_share_before_priority_counts() {
        let (mut lane, one, two) = (Lane::default(), project("one"), project("two"));
        for step in 0..3 {
            lane.push(&one, ticket(1, step, 9));
        }
        lane.push(&two, ticket(2, 7, 0));
        lane.push(&two, ticket(2, 8, 0));
        let taken_in_turns = [place(1, 0), place(2, 7), place(1, 1), place(2, 8), place(1, 2)];
        assert_eq!(all(&lane), taken_in_turns);
        lane.add_running(&one, GroupId(1));
        lane.add_running(&one, GroupId(1));
        let two_catches_up = [place(2, 7), place(2, 8), place(1, 0), place(1, 1), place(1, 2)];
        assert_eq!(all(&lane), two_catches_up);
        assert_eq!((lane.in_flight_of(&one), lane.in_flight_of(&two)), (2, 0));
    }

    #[test]
    fn a_project_that_is_not_open_is_passed_over_and_holds_nobody_up() {
        let (mut lane, one, two) = (Lane::default(), project("one"), project("two"));
        for step in 0..3 {
            lane.push(&one, ticket(1, step, 0));
        }
        lane.push(&two, ticket(2, 7, 0));
        let mut order = lane.order();
        let mut taken = 0;
        let mut places = Vec::new();
        while let Some((project, place)) = order.next(|project| *project == two || taken < 1) {
            taken += u32::from(*project == one);
            places.push(place);
        }
        assert_eq!(places, [place(1, 0), place(2, 7)]);
    }

    #[test]
    fn a_group_with_much_in_flight_waits_for_the_others() {
        let (mut lane, one) = (Lane::default(), project("one"));
        lane.push(&one, ticket(1, 0, 0));
        lane.push(&one, ticket(2, 5, 0));
        for step in 10..13 {
            lane.add_dispatched(&one, GroupId(1), Timestamp(0), place(1, step));
        }
        assert_eq!(all(&lane).first(), Some(&place(2, 5)));
        for step in 10..13 {
            lane.remove_dispatched(&one, GroupId(1), Timestamp(0), place(1, step));
        }
        assert_eq!(all(&lane).first(), Some(&place(1, 0)));
    }

    #[test]
    fn a_lane_that_was_emptied_is_as_it_was_before() {
        let (mut lane, one) = (Lane::default(), project("one"));
        lane.push(&one, ticket(1, 0, 0));
        lane.push(&one, ticket(1, 1, 4));
        lane.add_dispatched(&one, GroupId(1), Timestamp(3), place(1, 2));
        assert_eq!(lane.oldest(), Some(Timestamp(0)));
        lane.remove(&one, ticket(1, 0, 0));
        lane.remove(&one, ticket(1, 1, 4));
        assert_eq!(lane.oldest(), Some(Timestamp(3)), "what nobody claimed waits too");
        lane.claim(Timestamp(3), place(1, 2));
        assert_eq!((lane.oldest(), lane.is_unused()), (None, false));
        lane.remove_running(&one, GroupId(1));
        assert_eq!(lane, Lane::default());
    }
}
