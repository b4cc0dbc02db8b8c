//! What is to be done about a schedule at a moment: which of its own moments have come, which of those are missed, and which is next. Pure.

use super::calendar::{Calendar, jitter};
use super::state::Schedule;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::{CatchUp, Moment};
use tidemill_protocol::time::{Millis, Timestamp};

/// How long after its moment a firing may come and still be in time: a coordinator that is started anew within it misses nothing.
pub(super) const LATE_MAX: Millis = Millis::from_secs(5 * 60);
/// Moments that are made up for at once.
const CATCH_UP_MAX: usize = 100;
/// Moments that are reckoned at once: of every minute, those of ten weeks.
const RECKONED_MAX: usize = 100_000;

/// Moments that passed and are not made up for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The last of them.
    pub last: Moment,
    /// How many there are.
    pub times: u64,
}

/// What is to be done about a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Moments that are missed, all before those of `fire`.
    pub missed: Option<Missed>,
    /// Moments at which it is to fire now, oldest first.
    pub fire: Vec<Moment>,
    /// When the next one comes, with its jitter; none when no more will come, or nobody knows when.
    pub next: Option<Timestamp>,
}

/// What is to be done at this moment about a schedule that goes by the clock. Whether a run of it still goes on is asked when it fires.
pub fn due(name: &Name, schedule: &Schedule, calendar: &Calendar, now: Timestamp) -> Due {
    let late = |nominal| jitter(name, nominal, schedule.spec.jitter);
    let mut came: Vec<Timestamp> = Vec::new();
    let mut from = schedule.clock_from();
    if schedule.pause.is_some() {
        // What passes meanwhile does not count.
        from = from.max(now);
    }
    let mut next = None;
    while came.len() < RECKONED_MAX {
        let Some(nominal) = calendar.after(from) else {
            break;
        };
        let at = nominal + late(nominal);
        if at > now {
            next = Some(at);
            break;
        }
        came.push(nominal);
        from = nominal;
    }
    let in_time = |nominal: &Timestamp| now.since(*nominal + late(*nominal)) <= LATE_MAX;
    let kept = match schedule.spec.catch_up {
        CatchUp::None => usize::from(came.last().is_some_and(in_time)),
        CatchUp::Last => came.len().min(1),
        CatchUp::All => came.len().min(CATCH_UP_MAX),
    };
    let fire = came.split_off(came.len() - kept);
    Due {
        missed: came.last().map(|last| Missed {
            last: Moment::of_clock(*last),
            times: came.len() as u64,
        }),
        fire: fire.into_iter().map(Moment::of_clock).collect(),
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedules::ScheduleFact;
    use crate::schedules::state::{Pause, Schedules};
    use std::collections::BTreeMap;
    use tidemill_protocol::schedule::{Cron, Overlap, ScheduleSpec, Trigger};

    const MINUTE: u64 = 60_000;
    const START: u64 = 1_700_000_040_000;

    fn cron(expression: &str) -> Trigger {
        Trigger::Cron(Cron {
            expression: expression.into(),
            time_zone: "UTC".into(),
            start_at: None,
            end_at: None,
        })
    }

    fn scheduled(expression: &str, catch_up: CatchUp, jitter: Millis) -> (Name, Schedule, Calendar) {
        let spec = ScheduleSpec {
            trigger: cron(expression),
            pipeline: "train".parse().unwrap(),
            version: None,
            parameters: BTreeMap::new(),
            display_name: None,
            experiment: None,
            project: None,
            tags: BTreeMap::new(),
            priority: 0,
            force_rerun: false,
            continue_on_step_failure: None,
            catch_up,
            overlap: Overlap::default(),
            jitter,
            description: String::new(),
        };
        let calendar = Calendar::of(&spec.trigger).unwrap().unwrap();
        let name: Name = "minutely".parse().unwrap();
        let mut schedules = Schedules::default();
        let fact = ScheduleFact::ScheduleSet {
            name: name.clone(),
            spec: Box::new(spec),
            by: "ada".into(),
        };
        schedules.apply(Timestamp(START + 1), &fact);
        let schedule = schedules.get(&name).unwrap().clone();
        (name, schedule, calendar)
    }

    fn minutes(count: u64) -> Timestamp {
        Timestamp(START + count * MINUTE)
    }

    fn moment(count: u64) -> Moment {
        Moment::of_clock(minutes(count))
    }

    #[test]
    fn a_moment_that_has_just_come_fires_whatever_the_policy() {
        for policy in [CatchUp::None, CatchUp::Last, CatchUp::All] {
            let (name, schedule, calendar) = scheduled("* * * * *", policy, Millis(0));
            let due = due(&name, &schedule, &calendar, minutes(1) + Millis(200));
            let expected = Due {
                missed: None,
                fire: vec![moment(1)],
                next: Some(minutes(2)),
            };
            assert_eq!(due, expected, "{policy:?}");
        }
    }

    #[test]
    fn what_passed_while_nobody_was_there_is_missed_or_made_up_for_as_the_policy_says() {
        let of = |policy| {
            let (name, schedule, calendar) = scheduled("* * * * *", policy, Millis(0));
            due(&name, &schedule, &calendar, minutes(200) + Millis(1))
        };
        let none = of(CatchUp::None);
        assert_eq!(none.fire, [moment(200)], "the newest is in time");
        let missed = Missed {
            last: moment(199),
            times: 199,
        };
        assert_eq!(none.missed, Some(missed));
        let all = of(CatchUp::All);
        assert_eq!((all.fire.len(), &all.fire[0]), (CATCH_UP_MAX, &moment(101)));
        assert_eq!(all.missed.unwrap().times, 100);
    }

    #[test]
    fn without_catching_up_a_moment_that_is_long_past_is_missed() {
        let of = |policy| {
            let (name, schedule, calendar) = scheduled("0 * * * *", policy, Millis(0));
            let first = calendar.after(Timestamp(START)).unwrap();
            let due = due(&name, &schedule, &calendar, first + Millis(10 * MINUTE));
            (first, due)
        };
        let (_, missed) = of(CatchUp::None);
        assert_eq!((missed.fire.len(), missed.missed.unwrap().times), (0, 1));
        let (first, last) = of(CatchUp::Last);
        assert_eq!(last.fire, [Moment::of_clock(first)]);
    }

    #[test]
    fn a_paused_schedule_says_when_it_would_be_next_and_fires_nothing() {
        let (name, mut schedule, calendar) = scheduled("* * * * *", CatchUp::All, Millis(0));
        schedule.pause = Some(Pause {
            at: Timestamp(START),
            by: "ada".into(),
            reason: String::new(),
        });
        let due = due(&name, &schedule, &calendar, minutes(5));
        assert_eq!((due.fire.len(), due.missed), (0, None));
        assert_eq!(due.next, Some(minutes(6)));
    }

    #[test]
    fn jitter_puts_a_moment_off_and_never_changes_its_name() {
        let within = Millis(30_000);
        let (name, schedule, calendar) = scheduled("* * * * *", CatchUp::None, within);
        let late = jitter(&name, minutes(1), within);
        let before = minutes(1) + Millis(late.0.saturating_sub(1));
        let too_early = due(&name, &schedule, &calendar, before);
        assert_eq!(
            (too_early.fire.len(), too_early.next),
            (0, Some(minutes(1) + late))
        );
        let in_time = due(&name, &schedule, &calendar, minutes(1) + late);
        assert_eq!(in_time.fire, [moment(1)]);
    }
}
