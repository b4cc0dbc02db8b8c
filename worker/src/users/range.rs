//! As whom steps run, as an operator says it, and whether that can be had here. Pure but for the kernel's map of the users that this process may become.

use std::fs;
use std::ops::RangeInclusive;

/// Below are the users of people and of the system.
const FIRST_MIN: u32 = 1_000;
/// The largest number that the system does not use for `nobody at all`.
const LAST_MAX: u32 = u32::MAX - 2;
/// Numbers that mean `nobody` in 16 bits.
const NOBODY: RangeInclusive<u32> = 65_534..=65_535;
/// The ranges that `auto` takes, the first that this process may become: one that no usual system gives away, and for containers that have no more than 65,536
/// users, one below those that systemd gives away.
const AUTO: [UserRange; 2] = [
    UserRange {
        first: 1_900_000_000,
        last: 1_900_065_535,
    },
    UserRange {
        first: 60_578,
        last: 61_183,
    },
];

/// User ids for steps, and group ids of the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRange {
    /// The first, at least 1,000.
    pub first: u32,
    /// The last, not before the first.
    pub last: u32,
}

/// As whom a worker's steps run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunAs {
    /// As the worker's own user.
    #[default]
    Worker,
    /// Each attempt as a user of its own, where the worker is root and the system has users for that; else as the worker's.
    Auto,
    /// Each attempt as a user of its own out of these; a worker that cannot do that does not start.
    Users(UserRange),
}

impl UserRange {
    /// How many there are.
    pub(crate) const fn len(self) -> u32 {
        self.last - self.first + 1
    }

    /// The range of this text, as `FIRST-LAST`.
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| text.parse::<u32>().ok()).flatten()
        };
        let range = Self {
            first: number(first.trim())?,
            last: number(last.trim())?,
        };
        let is_ordered = range.first >= FIRST_MIN && range.first <= range.last && range.last <= LAST_MAX;
        let is_somebody = range.last < *NOBODY.start() || *NOBODY.end() < range.first;
        (is_ordered && is_somebody).then_some(range)
    }

    /// Whether this process may become each of them.
    fn is_mapped(self) -> bool {
        ["/proc/self/uid_map", "/proc/self/gid_map"].iter().all(|map| {
            let map = fs::read_to_string(map).unwrap_or_default();
            map.lines().any(|line| self.is_in(line))
        })
    }

    /// Whether a line of such a map (first number inside, first outside, how many) holds all of them.
    fn is_in(self, line: &str) -> bool {
        let numbers: Vec<u64> = line
            .split_ascii_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        let [first, _, count] = numbers.as_slice() else {
            return false;
        };
        *first <= u64::from(self.first) && u64::from(self.last) < first + count
    }
}

impl RunAs {
    /// What this word means: `off`, `auto` or `FIRST-LAST`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "off" => Some(Self::Worker),
            "auto" => Some(Self::Auto),
            range => UserRange::parse(range).map(Self::Users),
        }
    }

    /// The users to take, or why there are none; `Ok(None)` where none are wanted.
    pub(crate) fn users(self, is_root: bool, slots: u32) -> Result<Option<UserRange>, String> {
        let candidates: &[UserRange] = match &self {
            Self::Worker => return Ok(None),
            Self::Auto => &AUTO,
            Self::Users(range) => std::slice::from_ref(range),
        };
        if !is_root {
            return Err("only a worker that is root can give steps users of their own".to_owned());
        }
        let usable = candidates
            .iter()
            .find(|range| range.len() >= slots && range.is_mapped());
        usable.copied().map(Some).ok_or_else(|| match self {
            Self::Users(range) if range.len() < slots => {
                format!(
                    "{} users are fewer than the {slots} slots of this worker",
                    range.len()
                )
            }
            _ => "this process may not become those users: its user namespace has no such numbers".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u32, last: u32) -> UserRange {
        UserRange { first, last }
    }

    #[test]
    fn a_word_or_a_range_says_as_whom_steps_run() {
        assert_eq!(RunAs::parse("off"), Some(RunAs::Worker));
        assert_eq!(RunAs::parse("auto"), Some(RunAs::Auto));
        assert_eq!(
            RunAs::parse("70000-70999"),
            Some(RunAs::Users(range(70_000, 70_999)))
        );
        for bad in [
            "on",
            "",
            "0-100",
            "999-2000",
            "70000",
            "70999-70000",
            "-1-5",
            "70000-+70001",
            "65000-66000",
            "70000-4294967295",
        ] {
            assert_eq!(RunAs::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn users_are_taken_only_by_root_and_only_where_each_slot_has_one() {
        assert_eq!(RunAs::Worker.users(true, 4), Ok(None));
        let few = RunAs::Users(range(70_000, 70_002));
        assert!(few.users(false, 2).unwrap_err().contains("root"));
        assert!(few.users(true, 4).unwrap_err().contains("fewer"));
        assert!(RunAs::Auto.users(false, 1).is_err());
    }

    #[test]
    fn a_namespaces_map_says_which_users_there_are() {
        assert!(range(70_000, 70_009).is_in("         0          0 4294967295"));
        assert!(!range(70_000, 70_009).is_in("0 100000 65536"));
        assert!(range(60_578, 61_183).is_in("0 100000 65536"));
        assert!(!range(60_578, 61_183).is_in(""));
    }
}
