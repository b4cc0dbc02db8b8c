//! When a trigger names a moment: pure reckoning with clocks of a time zone. One rule for both kinds where clocks are set: a time of day that they skip is the first
//! moment after the gap, and one that they show twice is the first of the two. Lengths of minutes and hours, and fields of an expression that say "every", know no such thing:
//! they go on as real time does.

mod expression;
mod recurrence;
mod zone;

pub use zone::{ZoneError, time_zone};

use expression::Expression;
use jiff::tz::TimeZone;
use recurrence::Steps;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::schedule::Trigger;
use tidemill_protocol::time::{Millis, Timestamp};

/// Why a trigger cannot be reckoned with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The expression is none.
    #[error("`{expression}` is no cron expression: {why}")]
    Expression {
        /// What was written.
        expression: String,
        /// What is wrong with it.
        why: String,
    },
    /// The time zone is not known.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// A number is out of its bounds.
    #[error("{field} must be {rule}")]
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// Its bounds.
        rule: &'static str,
    },
    /// A field that says nothing for this frequency.
    #[error("{field} is of {of}, not of this frequency")]
    Unfitting {
        /// The field.
        field: &'static str,
        /// What it is of.
        of: &'static str,
    },
    /// It ends before it begins.
    #[error("the end is not after the start")]
    EndsBeforeStart,
}

/// A trigger, ready to be reckoned with.
#[derive(Debug, Clone)]
pub struct Calendar {
    rule: Rule,
    zone: TimeZone,
    start_at: Option<Timestamp>,
    end_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
enum Rule {
    Expression(Box<Expression>),
    Steps(Box<Steps>),
}

impl Calendar {
    /// Reads a trigger; none for one that goes by what happens and not by the clock. A recurrence without a start is counted from 1970.
    pub fn of(trigger: &Trigger) -> Result<Option<Self>, CalendarError> {
        let (zone, start_at, end_at) = match trigger {
            Trigger::NewVersion(_) | Trigger::RunEnded(_) | Trigger::FilesChanged(_) => return Ok(None),
            Trigger::Cron(cron) => (&cron.time_zone, cron.start_at, cron.end_at),
            Trigger::Recurrence(every) => (&every.time_zone, every.start_at, every.end_at),
        };
        if let (Some(start), Some(end)) = (start_at, end_at)
            && end <= start
        {
            return Err(CalendarError::EndsBeforeStart);
        }
        let zone = time_zone(zone)?;
        let rule = match trigger {
            Trigger::Cron(cron) => Rule::Expression(Box::new(Expression::read(&cron.expression)?)),
            Trigger::Recurrence(every) => Rule::Steps(Box::new(Steps::read(every, &zone)?)),
            Trigger::NewVersion(_) | Trigger::RunEnded(_) | Trigger::FilesChanged(_) => return Ok(None),
        };
        Ok(Some(Self {
            rule,
            zone,
            start_at,
            end_at,
        }))
    }

    /// The first moment after this one; none when there is none any more, or none within a century.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let from = self
            .start_at
            .map_or(moment, |start| moment.max(Timestamp(start.0.saturating_sub(1))));
        let next = match &self.rule {
            Rule::Expression(expression) => expression.after(from, &self.zone),
            Rule::Steps(steps) => steps.after(from, &self.zone),
        };
        next.filter(|next| self.end_at.is_none_or(|end| *next <= end))
    }
}

/// How late this moment of this schedule is: less than `within`, and always the same.
pub fn jitter(schedule: &Name, nominal: Timestamp, within: Millis) -> Millis {
    if within == Millis(0) {
        return Millis(0);
    }
    let text = format!("tidemill/jitter/{schedule}/{}", nominal.0);
    let digest = Digest::of(text.as_bytes());
    let bytes = digest.as_bytes().first_chunk().copied().unwrap_or_default();
    Millis(u64::from_le_bytes(bytes) % within.0)
}

/// A moment as the time library has it; none out of its range.
fn instant(moment: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(moment.0).ok()?).ok()
}

/// The other way; none before 1970.
fn moment(instant: jiff::Timestamp) -> Option<Timestamp> {
    u64::try_from(instant.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::schedule::{Cron, Frequency, Recurrence, WeekDay};

    fn at(text: &str) -> Timestamp {
        moment(text.parse().unwrap()).unwrap()
    }

    fn shown(calendar: &Calendar, from: &str, count: usize) -> Vec<String> {
        let mut moments = Vec::new();
        let mut from = at(from);
        while moments.len() < count
            && let Some(next) = calendar.after(from)
        {
            let zoned = instant(next).unwrap().to_zoned(calendar.zone.clone());
            moments.push(zoned.strftime("%m-%d %H:%M%:z").to_string());
            from = next;
        }
        moments
    }

    fn cron(expression: &str, zone: &str) -> Calendar {
        let trigger = Trigger::Cron(Cron {
            expression: expression.into(),
            time_zone: zone.into(),
            start_at: None,
            end_at: None,
        });
        Calendar::of(&trigger).unwrap().unwrap()
    }

    fn every(frequency: Frequency, interval: u32, start: &str) -> Recurrence {
        Recurrence {
            start_at: Some(at(start)),
            ..Recurrence::every(interval, frequency, "Europe/Berlin".into())
        }
    }

    fn steps(recurrence: Recurrence) -> Calendar {
        Calendar::of(&Trigger::Recurrence(recurrence)).unwrap().unwrap()
    }

    #[test]
    fn a_time_of_day_that_the_clocks_skip_is_the_first_moment_after_the_gap() {
        let nightly = cron("30 2 * * *", "Europe/Berlin");
        let expected = ["03-29 02:30+01:00", "03-30 03:00+02:00", "03-31 02:30+02:00"];
        assert_eq!(shown(&nightly, "2025-03-28T12:00:00Z", 3), expected);
        let mut daily = every(Frequency::Day, 1, "2025-01-01T00:00:00Z");
        daily.hours = vec![2];
        daily.minutes = vec![15, 30];
        let expected = [
            "03-29 02:15+01:00",
            "03-29 02:30+01:00",
            "03-30 03:00+02:00",
            "03-31 02:15+02:00",
        ];
        assert_eq!(shown(&steps(daily), "2025-03-28T12:00:00Z", 4), expected);
    }

    #[test]
    fn a_time_of_day_that_the_clocks_show_twice_comes_once_and_an_interval_goes_on() {
        let nightly = cron("30 2 * * *", "Europe/Berlin");
        let expected = ["10-26 02:30+02:00", "10-27 02:30+01:00"];
        assert_eq!(shown(&nightly, "2025-10-25T12:00:00Z", 2), expected);
        let mut daily = every(Frequency::Day, 1, "2025-01-01T00:00:00Z");
        daily.hours = vec![2];
        daily.minutes = vec![30];
        assert_eq!(shown(&steps(daily), "2025-10-25T12:00:00Z", 2), expected);
        let half_hourly = cron("*/30 * * * *", "Europe/Berlin");
        let expected = [
            "10-26 02:00+02:00",
            "10-26 02:30+02:00",
            "10-26 02:00+01:00",
            "10-26 02:30+01:00",
            "10-26 03:00+01:00",
        ];
        assert_eq!(shown(&half_hourly, "2025-10-25T23:59:00Z", 5), expected);
        let hourly = steps(every(Frequency::Hour, 1, "2025-01-01T00:00:00Z"));
        let expected = ["10-26 02:00+02:00", "10-26 02:00+01:00", "10-26 03:00+01:00"];
        assert_eq!(shown(&hourly, "2025-10-25T23:59:00Z", 3), expected);
    }

    #[test]
    fn weeks_begin_on_monday_and_are_counted_from_that_of_the_start() {
        let mut fortnightly = every(Frequency::Week, 2, "2025-06-05T08:00:00Z");
        fortnightly.week_days = vec![WeekDay::Thursday, WeekDay::Monday];
        fortnightly.hours = vec![9];
        let expected = [
            "06-05 09:00+02:00",
            "06-16 09:00+02:00",
            "06-19 09:00+02:00",
            "06-30 09:00+02:00",
        ];
        // The start is at ten by its own clocks, so nine of that day has passed.
        assert_eq!(
            shown(&steps(fortnightly.clone()), "2025-01-01T00:00:00Z", 3),
            expected[1..]
        );
        fortnightly.start_at = Some(at("2025-06-05T00:00:00Z"));
        assert_eq!(shown(&steps(fortnightly), "2025-01-01T00:00:00Z", 4), expected);
    }

    #[test]
    fn a_month_without_the_day_has_no_firing() {
        let monthly = steps(every(Frequency::Month, 1, "2025-01-31T11:00:00Z"));
        let expected = ["01-31 12:00+01:00", "03-31 12:00+02:00", "05-31 12:00+02:00"];
        assert_eq!(shown(&monthly, "2025-01-01T00:00:00Z", 3), expected);
    }

    #[test]
    fn minutes_and_days_without_a_pattern_are_counted_from_the_start() {
        let minutes = steps(every(Frequency::Minute, 7, "2025-01-01T00:03:00Z"));
        let expected = ["01-01 01:03+01:00", "01-01 01:10+01:00"];
        assert_eq!(shown(&minutes, "2024-12-01T00:00:00Z", 2), expected);
        let days = steps(every(Frequency::Day, 3, "2025-03-28T06:30:00Z"));
        let expected = ["03-28 07:30+01:00", "03-31 07:30+02:00", "04-03 07:30+02:00"];
        assert_eq!(shown(&days, "2025-01-01T00:00:00Z", 3), expected);
    }

    #[test]
    fn start_and_end_bound_it_and_what_never_comes_is_none() {
        let trigger = |start_at, end_at| {
            Trigger::Cron(Cron {
                expression: "0 * * * *".into(),
                time_zone: "UTC".into(),
                start_at,
                end_at,
            })
        };
        let (start, end) = (at("2025-01-01T10:00:00Z"), at("2025-01-01T11:00:00Z"));
        let calendar = Calendar::of(&trigger(Some(start), Some(end))).unwrap().unwrap();
        let expected = ["01-01 10:00+00:00", "01-01 11:00+00:00"];
        assert_eq!(shown(&calendar, "2024-01-01T00:00:00Z", 9), expected);
        let backwards = Calendar::of(&trigger(Some(end), Some(start)));
        assert_eq!(backwards.unwrap_err(), CalendarError::EndsBeforeStart);
        assert_eq!(cron("0 0 30 2 *", "UTC").after(start), None);
    }

    #[test]
    fn days_of_month_and_of_week_are_either_as_in_cron() {
        let either = cron("0 12 13 * 5", "UTC");
        let expected = ["06-06 12:00+00:00", "06-13 12:00+00:00", "06-20 12:00+00:00"];
        assert_eq!(shown(&either, "2025-06-01T00:00:00Z", 3), expected);
    }

    #[test]
    fn what_is_no_expression_of_five_fields_is_refused_with_what_is_wrong() {
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "61 * * * *",
            "* 25 * * *",
            "a b c d e",
            "*/0 * * * *",
        ] {
            assert!(
                matches!(Expression::read(bad), Err(CalendarError::Expression { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_same_moment_of_the_same_schedule_is_always_as_late() {
        let (name, other): (Name, Name) = ("nightly".parse().unwrap(), "hourly".parse().unwrap());
        let within = Millis(60_000);
        let late = jitter(&name, Timestamp(5), within);
        assert_eq!(late, jitter(&name, Timestamp(5), within));
        assert!(late < within);
        assert_ne!(late, jitter(&other, Timestamp(5), within));
        assert_eq!(jitter(&name, Timestamp(5), Millis(0)), Millis(0));
    }
}
