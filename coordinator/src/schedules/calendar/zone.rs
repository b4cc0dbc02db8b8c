//! Time zones by their names: those of the IANA, and those of Windows, which Azure ML's schedules use. The table of the latter says what CLDR says of each for the
//! world as a whole (`windowsZones`, territory 001).

use jiff::tz::TimeZone;

/// `WINDOWS NAME|IANA NAME`, one a line; lines that begin with `#` are remarks.
const WINDOWS_ZONES: &str = include_str!("windows_zones.txt");
/// Longest name that is shown.
const CHARS_SHOWN_MAX: usize = 60;

/// A name of no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time zone: give an IANA name such as Europe/Berlin, or a Windows name such as `W. Europe Standard Time`"
)]
pub struct ZoneError(String);

fn windows_zones() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = WINDOWS_ZONES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('|'))
}

/// The time zone with this name.
pub fn time_zone(name: &str) -> Result<TimeZone, ZoneError> {
    let unknown = || ZoneError(name.chars().take(CHARS_SHOWN_MAX).collect());
    let name = name.trim();
    let windows = windows_zones().find(|(windows, _)| windows.eq_ignore_ascii_case(name));
    let name = windows.map_or(name, |(_, iana)| iana);
    TimeZone::get(name).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_windows_name_means_a_zone_that_there_is() {
        for (windows, iana) in windows_zones() {
            let found = time_zone(windows).unwrap();
            assert_eq!(found, TimeZone::get(iana).unwrap(), "{windows}");
        }
        assert!(windows_zones().count() > 130);
    }

    #[test]
    fn a_name_of_nothing_is_refused() {
        for name in ["", "Mars/Olympus", "Pacific", "../../etc/passwd"] {
            assert!(time_zone(name).is_err(), "{name}");
        }
        assert!(time_zone("utc").is_ok());
    }
}
