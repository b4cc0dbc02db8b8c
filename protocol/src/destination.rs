//! Where an address that somebody gave us may lead: what kind of place an IP address is, and which places an operator opened beside the public internet.
//! Pure: who resolves names and connects is in `tidemill-artifacts`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Most places that an operator may open.
pub const PLACES_MAX: usize = 256;
/// Longest name of a host.
const HOST_BYTES_MAX: usize = 253;

/// What kind of place an IP address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressClass {
    /// Somewhere on the public internet.
    Public,
    /// The machine itself.
    ThisMachine,
    /// A private network.
    Private,
    /// The same wire; clouds answer there for secrets of their machines.
    LinkLocal,
    /// The inner network of a provider.
    Shared,
    /// A group of machines.
    Multicast,
    /// Set aside for documents, tests, tunnels or the future.
    Reserved,
    /// Where a cloud answers for a machine at an address that looks public.
    Metadata,
}

use AddressClass::{LinkLocal, Metadata, Multicast, Private, Public, Reserved, Shared, ThisMachine};

impl AddressClass {
    /// The words for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Public => "public",
            ThisMachine => "this machine itself",
            Private => "a private network",
            LinkLocal => "a link-local address",
            Shared => "a provider's inner network",
            Multicast => "a multicast address",
            Reserved => "a reserved address",
            Metadata => "a cloud's own service",
        }
    }

    /// The class of an address. One of version 6 that stands for one of version 4 has the class of that one.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => match embedded(address) {
                Some(inner) => of_v4(inner),
                None => of_v6(address),
            },
        }
    }
}

/// Networks of version 4 that are not public; the first that fits counts.
const V4: &[(Ipv4Addr, u8, AddressClass)] = &[
    (Ipv4Addr::new(168, 63, 129, 16), 32, Metadata),
    (Ipv4Addr::UNSPECIFIED, 8, ThisMachine),
    (Ipv4Addr::new(127, 0, 0, 0), 8, ThisMachine),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private),
    (Ipv4Addr::new(169, 254, 0, 0), 16, LinkLocal),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Shared),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Multicast),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Reserved),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Reserved),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Reserved),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Reserved),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reserved),
];

/// Networks of version 6 that are not public, inside the one that is.
const V6: &[(Ipv6Addr, u8, AddressClass)] = &[
    (Ipv6Addr::LOCALHOST, 128, ThisMachine),
    (Ipv6Addr::UNSPECIFIED, 128, ThisMachine),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, LinkLocal),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Multicast),
    // Teredo, benchmarks, ORCHID and the like; documents.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Reserved),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Reserved),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Reserved),
];

fn of_v4(address: Ipv4Addr) -> AddressClass {
    let found = V4
        .iter()
        .find(|(network, length, _)| contains((*network).into(), *length, address.into()));
    found.map_or(Public, |(_, _, class)| *class)
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    let found = V6
        .iter()
        .find(|(network, length, _)| contains((*network).into(), *length, address.into()));
    match found {
        Some((_, _, class)) => *class,
        // Only 2000::/3 is given out.
        None if address.segments()[0] & 0xe000 == 0x2000 => Public,
        None => Reserved,
    }
}

/// The address of version 4 that one of version 6 stands for: mapped, compatible, translated (`64:ff9b::/96`) and 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        // With nothing in front these are no addresses of version 4, but `::` and `::1`.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

/// Whether a network, so many bits of an address, holds another address of its version.
fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let (network, address, bits) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        _ => return false,
    };
    let rest = u32::from(bits - length.min(bits));
    network.checked_shr(rest).unwrap_or(0) == address.checked_shr(rest).unwrap_or(0)
}

/// A place that an operator opened.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Every address of a network.
    Network(IpAddr, u8),
    /// Whatever a host of this name resolves to.
    Host(String),
}

/// A text that names no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a place is a network such as 10.0.0.0/8, an address, or the full name of a host; there are at most 256"
)]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        if let Ok(address) = address.parse::<IpAddr>() {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let length = length.map_or(Ok(bits), str::parse).map_err(|_| PlaceError)?;
            return (length <= bits)
                .then_some(Self::Network(address, length))
                .ok_or(PlaceError);
        }
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let fits = (1..=HOST_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_host);
        // What looks like a number is a mistyped address, not a name.
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        (fits && !is_number)
            .then(|| Self::Host(text.to_ascii_lowercase()))
            .ok_or(PlaceError)
    }
}

/// The places that are open: the public internet, and what an operator added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destinations(Vec<Place>);

impl Destinations {
    /// The public internet and these places, each a network (`10.0.0.0/8`), an address or the name of a host.
    pub fn with<T: AsRef<str>>(places: &[T]) -> Result<Self, PlaceError> {
        if places.len() > PLACES_MAX {
            return Err(PlaceError);
        }
        let places: Result<_, _> = places.iter().map(|text| text.as_ref().trim().parse()).collect();
        places.map(Self)
    }

    /// Whether a host that has this address may be asked; what kind of place it is when it may not.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), AddressClass> {
        let class = AddressClass::of(address);
        let host = host.trim_end_matches('.');
        let canonical = match address {
            IpAddr::V6(inner) => embedded(inner).map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        let is_open = self.0.iter().any(|place| match place {
            Place::Network(network, length) => {
                contains(*network, *length, canonical) || contains(*network, *length, address)
            }
            Place::Host(name) => name.eq_ignore_ascii_case(host),
        });
        if is_open || class == Public {
            Ok(())
        } else {
            Err(class)
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> AddressClass {
        AddressClass::of(text.parse().unwrap())
    }

    #[test]
    fn only_what_is_given_out_on_the_internet_is_public() {
        for (text, expected) in [
            ("93.184.216.34", Public),
            ("2606:2800:220:1::1", Public),
            ("127.0.0.1", ThisMachine),
            ("127.255.255.254", ThisMachine),
            ("0.0.0.0", ThisMachine),
            ("::1", ThisMachine),
            ("::", ThisMachine),
            ("10.1.2.3", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("172.32.0.1", Public),
            ("192.168.1.1", Private),
            ("fd00:ec2::254", Private),
            ("fec0::1", Private),
            ("169.254.169.254", LinkLocal),
            ("fe80::1", LinkLocal),
            ("100.64.0.1", Shared),
            ("100.100.100.200", Shared),
            ("100.128.0.1", Public),
            ("224.0.0.1", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Reserved),
            ("192.0.0.192", Reserved),
            ("198.19.0.1", Reserved),
            ("2001:db8::1", Reserved),
            ("100::1", Reserved),
            ("4000::1", Reserved),
            ("168.63.129.16", Metadata),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_of_version_6_that_stands_for_one_of_version_4_is_judged_as_that_one() {
        for (text, expected) in [
            ("::ffff:127.0.0.1", ThisMachine),
            ("::ffff:10.0.0.1", Private),
            ("::ffff:169.254.169.254", LinkLocal),
            ("::ffff:93.184.216.34", Public),
            ("::127.0.0.1", ThisMachine),
            ("64:ff9b::7f00:1", ThisMachine),
            ("64:ff9b::a9fe:a9fe", LinkLocal),
            ("2002:7f00:1::", ThisMachine),
            ("2001:0:7f00:1::", Reserved),
        ] {
            assert_eq!(class(text), expected, "{text}");
        }
    }

    #[test]
    fn an_operator_opens_networks_addresses_and_hosts_and_nothing_else_by_that() {
        let open =
            Destinations::with(&["10.0.0.0/8", "192.168.1.7", "Files.Example.org", "fd00::/8"]).unwrap();
        let check = |host: &str, address: &str| open.check(host, address.parse().unwrap()).is_ok();
        assert!(check("any", "10.255.0.1") && check("any", "::ffff:10.0.0.1"));
        assert!(check("any", "192.168.1.7") && !check("any", "192.168.1.8"));
        assert!(check("files.example.org.", "127.0.0.1") && !check("files.example.org.evil", "127.0.0.1"));
        assert!(check("any", "fd12::1") && !check("any", "fe80::1"));
        assert!(check("any", "93.184.216.34") && !check("any", "127.0.0.1"));
        assert!(
            Destinations::default()
                .check("localhost", "127.0.0.1".parse().unwrap())
                .is_err()
        );
        let everything = Destinations::with(&["0.0.0.0/0"]).unwrap();
        assert!(everything.check("any", "127.0.0.1".parse().unwrap()).is_ok());
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "10.0.0",
            "a/8",
            "*.example.org",
            "http://a",
            "fd00::/129",
        ] {
            assert_eq!(Destinations::with(&[bad]), Err(PlaceError), "{bad}");
        }
        assert!(Destinations::with(&vec!["a.example"; PLACES_MAX + 1]).is_err());
    }
}
