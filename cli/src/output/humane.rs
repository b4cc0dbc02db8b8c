//! Lengths, sizes and moments as people write them. Machines get milliseconds, bytes and RFC 3339 elsewhere.

use jiff::tz::TimeZone;
use std::str::FromStr;
use std::sync::OnceLock;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::{Millis, Timestamp};

/// How many digits of an id people see: enough to tell runs of one day apart, and to type.
const SHORT_ID_DIGITS: usize = 13;

/// How many digits and dashes a whole id has.
const RUN_ID_DIGITS: usize = 36;

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// Whether moments are shown in UTC. Set once, before anything is shown.
static IN_UTC: OnceLock<()> = OnceLock::new();

/// From now on, moments are shown in UTC.
pub(crate) fn show_utc() {
    IN_UTC.get_or_init(|| ());
}

/// A length of time: `45ms`, `1.2s`, `3m 05s`, `2h 10m`, `4d 3h`.
pub(crate) fn duration(length: Millis) -> String {
    let ms = length.0;
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms}ms"),
        1..60 => format!("{seconds}.{}s", ms % 1000 / 100),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A size: `512 B`, `1.5 KiB`, `20 GiB`.
pub(crate) fn bytes(size: u64) -> String {
    let mut unit = 0;
    let mut tenths = u128::from(size) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if unit == 0 || whole >= 100 || tenth == 0 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenth} {}", UNITS[unit])
    }
}

/// Reads a size leniently: `20GiB`, `20 gb`, `512k`, `1000`. Units count in powers of 1024, as people mean them for memory and caches.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    number.checked_mul(1024_u64.checked_pow(power)?)
}

/// Reads a length of time: `90s`, `30m`, `12h`, `30d`, `52w`.
pub(crate) fn parse_length(text: &str) -> Option<Millis> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds: u64 = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(seconds)?.checked_mul(1_000).map(Millis)
}

/// From when on something is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before now.
    Ago(Millis),
    /// This moment.
    At(Timestamp),
}

impl Since {
    /// The moment that is meant.
    pub(crate) fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(length) => Timestamp(now.0.saturating_sub(length.0)),
            Self::At(moment) => moment,
        }
    }
}

impl FromStr for Since {
    type Err = String;

    /// `2h`, `2026-11-01` (where this machine is) or RFC 3339.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(length) = parse_length(text) {
            return Ok(Self::Ago(length));
        }
        let moment = text.parse::<jiff::Timestamp>().ok().or_else(|| {
            let day: jiff::civil::Date = text.parse().ok()?;
            Some(day.to_zoned(TimeZone::system()).ok()?.timestamp())
        });
        let ms = moment.and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
        ms.map(|ms| Self::At(Timestamp(ms))).ok_or_else(|| {
            "write it as 90s, 2h or 7d before now, as 2026-11-01, or as 2026-11-01T08:00:00Z".to_owned()
        })
    }
}

/// A moment as seen from another: `just now`, `12s ago`, `3m ago`, `2h ago`, then the date.
pub(crate) fn ago(moment: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(moment).0 / 1000;
    match seconds {
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86_400 => format!("{}h ago", seconds / 3600),
        _ => local(moment),
    }
}

/// A moment in the local time zone, or in UTC where that is wanted, to the minute.
pub(crate) fn local(moment: Timestamp) -> String {
    let text = i64::try_from(moment.0)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|instant| match IN_UTC.get() {
            None => instant
                .to_zoned(TimeZone::system())
                .strftime("%Y-%m-%d %H:%M")
                .to_string(),
            Some(()) => instant.strftime("%Y-%m-%d %H:%MZ").to_string(),
        });
    text.unwrap_or_else(|| "?".to_owned())
}

/// The beginning of a run's id. A version 7 UUID starts with its time, so its first digits alone do not tell two runs of a minute apart; thirteen do.
pub(crate) fn short_run(run: &RunId) -> String {
    let mut text = run.to_string();
    text.truncate(SHORT_ID_DIGITS);
    text
}

/// A sentence with every run's id cut to what people need.
pub(crate) fn short_runs(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split(' ') {
        let (id, rest) = word
            .split_once('/')
            .map_or((word, None), |(id, rest)| (id, Some(rest)));
        let run = (id.len() == RUN_ID_DIGITS).then(|| id.parse().ok()).flatten();
        words.push(match (run, rest) {
            (Some(run), Some(rest)) => format!("{}/{rest}", short_run(&run)),
            (Some(run), None) => short_run(&run),
            (None, _) => word.to_owned(),
        });
    }
    words.join(" ")
}

/// `1 step`, `2 steps`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", thousands(number)),
    }
}

/// `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_say_them() {
        let texts = [
            (0, "0ms"),
            (45, "45ms"),
            (1234, "1.2s"),
            (59_999, "59.9s"),
            (185_000, "3m 05s"),
        ];
        for (ms, text) in texts {
            assert_eq!(duration(Millis(ms)), text);
        }
        assert_eq!(duration(Millis::from_secs(7800)), "2h 10m");
        assert_eq!(duration(Millis::from_secs(86_400 * 4 + 3600 * 3)), "4d 3h");
    }

    #[test]
    fn sizes_read_as_people_say_them_and_are_read_back() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (20 << 30, "20 GiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
        assert_eq!(parse_bytes("20GiB"), Some(20 << 30));
        assert_eq!(parse_bytes(" 512 k "), Some(512 << 10));
        assert_eq!(parse_bytes("1000"), Some(1000));
        for bad in ["", "GiB", "1 lightyear", "99999999999999999999", "-1"] {
            assert_eq!(parse_bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_in_sentences_are_cut_and_nothing_else_is() {
        let whole = "same work as 01a2093e-6b7a-7672-8971-0e15ee7a01df/prepare in 01a2093e-6b7a-7672-8971-0e15ee7a01df";
        assert_eq!(
            short_runs(whole),
            "same work as 01a2093e-6b7a/prepare in 01a2093e-6b7a"
        );
        assert_eq!(short_runs("code: a/b.py changed"), "code: a/b.py changed");
    }

    #[test]
    fn the_past_is_named_by_a_length_a_day_or_a_moment() {
        let now = Timestamp(10_000_000);
        let seen = |text: &str| text.parse::<Since>().unwrap().seen_from(now);
        assert_eq!(seen("2h"), Timestamp(10_000_000 - 7_200_000));
        assert_eq!(seen("52w"), Timestamp(0), "before time there is nothing");
        assert_eq!(seen("1970-01-01T00:00:07Z"), Timestamp(7000));
        assert_eq!(seen("1970-01-01T01:00:07+01:00"), Timestamp(7000));
        assert!(matches!("2026-11-01".parse(), Ok(Since::At(_))));
        for bad in ["", "yesterday", "2026-13-01", "1969-01-01T00:00:00Z", "-2h"] {
            assert!(bad.parse::<Since>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "step"), "1 step");
        assert_eq!(count(1000, "step"), "1,000 steps");
    }

    #[test]
    fn moments_are_told_from_now() {
        let now = Timestamp(10_000_000_000);
        let text = |seconds_ago: u64| ago(Timestamp(now.0 - seconds_ago * 1000), now);
        assert_eq!(text(1), "just now");
        assert_eq!(text(59), "59s ago");
        assert_eq!(text(7200), "2h ago");
        assert_eq!(
            ago(Timestamp(now.0 + 5), now),
            "just now",
            "clocks differ a little"
        );
    }
}
