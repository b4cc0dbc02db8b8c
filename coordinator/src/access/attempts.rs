//! Failed attempts to get in, counted for each address, so that whoever guesses is slowed down. The table is bounded: when it is full the address that was
//! quiet longest is forgotten. A good token is never slowed down, so nobody can be locked out by a neighbour.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use tidemill_protocol::time::Millis;

/// Failures that an address has free.
const FAILURES_FREE: u64 = 10;
/// Time after which one failure is forgiven.
const FORGIVEN_AFTER: Millis = Millis(6_000);
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 4_096;

/// The addresses from which somebody failed.
#[derive(Debug, Default)]
pub(crate) struct FailedAttempts {
    /// When all failures of an address will be forgiven.
    clean_at: BTreeMap<IpAddr, Millis>,
}

impl FailedAttempts {
    /// Notes a failure; when the address has had too many, how long it should wait.
    pub(crate) fn note(&mut self, from: IpAddr, now: Millis) -> Option<Millis> {
        let from = neighbourhood(from);
        if !self.clean_at.contains_key(&from) && self.clean_at.len() >= ADDRESSES_MAX {
            self.make_room(now);
        }
        let clean_at = self.clean_at.entry(from).or_insert(now);
        let debt = Millis(clean_at.0.max(now.0) - now.0);
        let allowed = Millis(FORGIVEN_AFTER.0 * (FAILURES_FREE - 1));
        if debt > allowed {
            return Some(Millis(debt.0 - allowed.0));
        }
        *clean_at = Millis(clean_at.0.max(now.0)) + FORGIVEN_AFTER;
        None
    }

    fn make_room(&mut self, now: Millis) {
        self.clean_at.retain(|_, clean_at| *clean_at > now);
        if self.clean_at.len() >= ADDRESSES_MAX {
            let quietest = self.clean_at.iter().min_by_key(|(_, clean_at)| **clean_at);
            if let Some(address) = quietest.map(|(address, _)| *address) {
                self.clean_at.remove(&address);
            }
        }
    }
}

/// Whoever has one address of version 6 has 2^64 of them.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn after_ten_failures_an_address_waits_and_others_do_not() {
        let mut attempts = FailedAttempts::default();
        for _ in 0..FAILURES_FREE {
            assert_eq!(attempts.note(address(1), Millis(0)), None);
        }
        let wait = attempts.note(address(1), Millis(0)).unwrap();
        assert_eq!(attempts.note(address(2), Millis(0)), None);
        assert!(attempts.note(address(1), Millis(wait.0 - 1)).is_some());
        assert_eq!(attempts.note(address(1), wait), None, "one was forgiven");
        assert!(attempts.note(address(1), wait).is_some(), "and only one");
    }

    #[test]
    fn a_house_of_version_6_counts_as_one() {
        let mut attempts = FailedAttempts::default();
        let house = |n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n));
        let slowed = (0..=10)
            .map(|n| attempts.note(house(n), Millis(0)))
            .last()
            .unwrap();
        assert!(slowed.is_some());
    }

    #[test]
    fn the_table_stays_small_and_forgets_the_quietest_first() {
        let mut attempts = FailedAttempts::default();
        for _ in 0..FAILURES_FREE {
            attempts.note(address(0), Millis(0));
        }
        for n in 1..20_000 {
            attempts.note(address(n), Millis(0));
        }
        assert!(attempts.clean_at.len() <= ADDRESSES_MAX);
        assert!(
            attempts.note(address(0), Millis(0)).is_some(),
            "the worst is remembered"
        );
    }
}
