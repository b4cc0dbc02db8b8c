//! Every so many minutes, hours, days, weeks or months: the first moment after another, without walking there from the start.

use super::{CalendarError, instant, moment};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp as Instant};
use tidemill_protocol::schedule::{Frequency, Recurrence, WeekDay};
use tidemill_protocol::time::Timestamp;

/// Days that are looked at before it is said that there is no such day: a century.
const DAYS_LOOKED_AT_MAX: usize = 36_600;
/// Most minutes, hours, days, weeks or months between two firings.
const INTERVAL_MAX: u32 = 9_999;
/// Milliseconds of a minute.
const MINUTE: u64 = 60_000;

/// A recurrence that was read.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    frequency: Frequency,
    interval: u32,
    /// When it was counted from.
    anchor: Timestamp,
    /// The day of that, by its clocks.
    anchor_day: Date,
    /// At which times of a day, in order.
    times: Vec<Time>,
    week_days: Vec<Weekday>,
    month_days: Vec<i8>,
}

impl Steps {
    /// Reads a recurrence.
    pub(super) fn read(every: &Recurrence, zone: &TimeZone) -> Result<Self, CalendarError> {
        check(every)?;
        let anchor = every.start_at.unwrap_or_default();
        let start = instant(anchor)
            .unwrap_or(Instant::UNIX_EPOCH)
            .to_zoned(zone.clone());
        let week_days: Vec<Weekday> = every.week_days.iter().map(|day| weekday(*day)).collect();
        let month_days: Vec<i8> = every
            .month_days
            .iter()
            .filter_map(|day| i8::try_from(*day).ok())
            .collect();
        Ok(Self {
            frequency: every.frequency,
            interval: every.interval,
            anchor,
            anchor_day: start.date(),
            times: times(every, start.time()),
            week_days: if week_days.is_empty() {
                vec![start.weekday()]
            } else {
                week_days
            },
            month_days: if month_days.is_empty() {
                vec![start.day()]
            } else {
                month_days
            },
        })
    }

    /// The first moment after this one, by these clocks.
    pub(super) fn after(&self, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let length = match self.frequency {
            Frequency::Minute => MINUTE * u64::from(self.interval),
            Frequency::Hour => 60 * MINUTE * u64::from(self.interval),
            Frequency::Day | Frequency::Week | Frequency::Month => return self.day_after(from, zone),
        };
        if from < self.anchor {
            return Some(self.anchor);
        }
        let passed = (from.0 - self.anchor.0) / length;
        Some(Timestamp(
            self.anchor.0.checked_add((passed + 1).checked_mul(length)?)?,
        ))
    }

    fn day_after(&self, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // A day before, because the clocks may be set.
        let seen_from = instant(from)?.to_zoned(zone.clone()).date();
        let mut day = seen_from.yesterday().ok()?.max(self.anchor_day);
        for _ in 0..DAYS_LOOKED_AT_MAX {
            if self.falls_on(day) {
                let moments = self.times.iter().filter_map(|time| by_clock(day, *time, zone));
                if let Some(next) = moments.filter(|next| *next > from).min() {
                    return Some(next);
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    fn falls_on(&self, day: Date) -> bool {
        let interval = i64::from(self.interval);
        match self.frequency {
            Frequency::Minute | Frequency::Hour => false,
            Frequency::Day => days_between(self.anchor_day, day) % interval == 0,
            Frequency::Week => {
                let weeks = days_between(monday(self.anchor_day), monday(day)) / 7;
                weeks % interval == 0 && self.week_days.contains(&day.weekday())
            }
            Frequency::Month => {
                let months = |day: Date| i64::from(day.year()) * 12 + i64::from(day.month());
                (months(day) - months(self.anchor_day)) % interval == 0
                    && self.month_days.contains(&day.day())
            }
        }
    }
}

fn check(every: &Recurrence) -> Result<(), CalendarError> {
    let bounds = |field, rule| Err(CalendarError::OutOfBounds { field, rule });
    if !(1..=INTERVAL_MAX).contains(&every.interval) {
        return bounds("the interval", "1 to 9,999");
    }
    if every.hours.iter().any(|hour| *hour > 23) {
        return bounds("an hour", "0 to 23");
    }
    if every.minutes.iter().any(|minute| *minute > 59) {
        return bounds("a minute", "0 to 59");
    }
    if every.month_days.iter().any(|day| !(1..=31).contains(day)) {
        return bounds("a day of the month", "1 to 31");
    }
    let unfitting = |field, of| Err(CalendarError::Unfitting { field, of });
    let is_of_days = !matches!(every.frequency, Frequency::Minute | Frequency::Hour);
    let has_times = !every.hours.is_empty() || !every.minutes.is_empty();
    if !is_of_days && has_times {
        return unfitting("hours and minutes", "days, weeks and months");
    }
    if every.frequency != Frequency::Week && !every.week_days.is_empty() {
        return unfitting("week_days", "weeks");
    }
    if every.frequency != Frequency::Month && !every.month_days.is_empty() {
        return unfitting("month_days", "months");
    }
    Ok(())
}

/// At which times of a day it fires, in order.
fn times(every: &Recurrence, start: Time) -> Vec<Time> {
    if every.hours.is_empty() && every.minutes.is_empty() {
        return vec![start];
    }
    let number = |numbers: &[u8], other: i8| -> Vec<i8> {
        if numbers.is_empty() {
            return vec![other];
        }
        let numbers = numbers.iter();
        numbers.filter_map(|number| i8::try_from(*number).ok()).collect()
    };
    let hours = number(&every.hours, start.hour());
    let minutes = number(&every.minutes, 0);
    let all = hours
        .iter()
        .flat_map(|hour| minutes.iter().map(|minute| (*hour, *minute)));
    let mut times: Vec<Time> = all
        .filter_map(|(hour, minute)| Time::new(hour, minute, 0, 0).ok())
        .collect();
    times.sort_unstable();
    times.dedup();
    times
}

/// The moment at which the clocks show this; where they skip it, the first moment after the gap.
fn by_clock(day: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_zoned(day.to_datetime(time));
    let found = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            ambiguous.earlier().ok()?.timestamp()
        }
        AmbiguousOffset::Gap { .. } => {
            // Read with the offset after the gap, it is a moment before it.
            let before = ambiguous.earlier().ok()?.timestamp();
            zone.following(before).next()?.timestamp()
        }
    };
    moment(found)
}

fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span: Span| i64::from(span.get_days()))
}

fn monday(day: Date) -> Date {
    let since = i64::from(day.weekday().to_monday_zero_offset());
    day.checked_sub(Span::new().days(since)).unwrap_or(day)
}

const fn weekday(day: WeekDay) -> Weekday {
    match day {
        WeekDay::Monday => Weekday::Monday,
        WeekDay::Tuesday => Weekday::Tuesday,
        WeekDay::Wednesday => Weekday::Wednesday,
        WeekDay::Thursday => Weekday::Thursday,
        WeekDay::Friday => Weekday::Friday,
        WeekDay::Saturday => Weekday::Saturday,
        WeekDay::Sunday => Weekday::Sunday,
    }
}
