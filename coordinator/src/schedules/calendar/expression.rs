//! A cron expression of five fields: read strictly, and asked for its next moment. The crate that reckons it follows Vixie's cron, also where clocks are set.

use super::{CalendarError, instant, moment};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use tidemill_protocol::time::Timestamp;

/// How many fields there are.
const FIELDS: usize = 5;
/// Longest expression in bytes.
const BYTES_MAX: usize = 256;

/// A cron expression.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    cron: Cron,
}

impl Expression {
    /// Reads an expression.
    pub(super) fn read(text: &str) -> Result<Self, CalendarError> {
        let refuse = |why: String| CalendarError::Expression {
            expression: text.chars().take(60).collect(),
            why,
        };
        let fields = text.split_whitespace().count();
        if fields != FIELDS || text.len() > BYTES_MAX {
            return Err(refuse(format!(
                "it has {fields} fields and not five: minute, hour, day of the month, month, day of the week"
            )));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { cron })
    }

    /// Its first moment after this one, by these clocks.
    pub(super) fn after(&self, from: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let from = instant(from)?.to_zoned(zone.clone());
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        moment(next.timestamp())
    }
}
