//! The addresses of one broker: a RabbitMQ of several nodes has one for each, which are tried in turn. What a text of several means is said here and nowhere else.

use crate::broker::BrokerError;
use lapin::uri::{AMQPScheme, AMQPUri};

/// Most addresses of one broker.
const ADDRESSES_MAX: usize = 16;
/// What an address begins with. A comma before anything else belongs to the address that it stands in.
const SCHEMES: [&str; 2] = ["amqp://", "amqps://"];

/// The addresses in a text that holds one or several of them, separated by commas.
pub fn split_addresses(text: &str) -> Vec<&str> {
    let begins = |rest: &str| SCHEMES.iter().any(|scheme| begins_with(rest, scheme));
    let mut addresses = Vec::new();
    let mut begun = 0;
    for (at, _) in text.match_indices(',') {
        let (Some(before), Some(rest)) = (text.get(begun..at), text.get(at + 1..)) else {
            continue;
        };
        if begins(rest.trim_start()) {
            addresses.push(before.trim());
            begun = at + 1;
        }
    }
    addresses.extend(text.get(begun..).map(str::trim));
    addresses
}

fn begins_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len())
        .is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
}

/// The addresses of one broker, at least one. They differ in where they lead, and in nothing that anybody on the bus would notice.
#[derive(Clone)]
pub(super) struct Addresses {
    first: AMQPUri,
    more: Vec<AMQPUri>,
}

impl Addresses {
    /// Reads them.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] for one that is none, for too many, and for such as cannot be of one broker. No message quotes an address: it holds a password.
    pub(super) fn read(text: &str, heartbeat: u16) -> Result<Self, BrokerError> {
        let refused = BrokerError::Refused;
        let texts = split_addresses(text);
        if texts.len() > ADDRESSES_MAX {
            return Err(refused(format!("there are more than {ADDRESSES_MAX} addresses")));
        }
        let mut read = Vec::with_capacity(texts.len());
        for text in texts {
            let uri: Result<AMQPUri, _> = text.parse();
            let mut uri = uri.map_err(|_| {
                refused("the URL is not of the form amqp://user:password@host:port/vhost".to_owned())
            })?;
            uri.query.heartbeat = Some(heartbeat);
            read.push(uri);
        }
        let mut read = read.into_iter();
        let Some(first) = read.next() else {
            return Err(refused("there is no address".to_owned()));
        };
        let more: Vec<AMQPUri> = read.collect();
        let is_of_the_same = |uri: &AMQPUri| {
            let (one, other) = (&first.authority.userinfo, &uri.authority.userinfo);
            one.username == other.username && first.vhost == uri.vhost && is_tls(&first) == is_tls(uri)
        };
        if more.iter().all(is_of_the_same) {
            Ok(Self { first, more })
        } else {
            let what = "the addresses are not of one broker: they have the same user, the same virtual host, and all or none begin with amqps://";
            Err(refused(what.to_owned()))
        }
    }

    /// The one that stands for all of them where they are alike.
    pub(super) const fn first(&self) -> &AMQPUri {
        &self.first
    }

    /// The one whose turn it is.
    pub(super) fn of_turn(&self, turn: usize) -> &AMQPUri {
        let place = turn % (self.more.len() + 1);
        let others = place.checked_sub(1).and_then(|place| self.more.get(place));
        others.unwrap_or(&self.first)
    }

    /// Where that one leads, to be shown; none where there is only one.
    pub(super) fn shown(&self, turn: usize) -> Option<String> {
        let authority = &self.of_turn(turn).authority;
        (!self.more.is_empty()).then(|| format!("{}:{}", authority.host, authority.port))
    }
}

fn is_tls(uri: &AMQPUri) -> bool {
    uri.scheme == AMQPScheme::AMQPS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Addresses, BrokerError> {
        Addresses::read(text, 10)
    }

    #[test]
    fn a_comma_separates_addresses_only_before_another_one() {
        let one = "amqp://me:a,b@mq/v,w";
        assert_eq!(split_addresses(one), [one]);
        let several = "amqp://me:a,b@one/v, AMQPS://me@two ,amqp://three";
        assert_eq!(
            split_addresses(several),
            ["amqp://me:a,b@one/v", "AMQPS://me@two", "amqp://three"]
        );
    }

    #[test]
    fn each_has_its_turn_and_then_the_first_again() {
        let addresses = read("amqp://me:x@one,amqp://me:x@two:7,amqp://me:y@three").unwrap();
        let hosts: Vec<_> = (0..5)
            .map(|turn| addresses.of_turn(turn).authority.host.clone())
            .collect();
        assert_eq!(hosts, ["one", "two", "three", "one", "two"]);
        assert_eq!(addresses.shown(1).as_deref(), Some("two:7"));
        assert_eq!(read("amqp://me:x@one").unwrap().shown(0), None);
    }

    #[test]
    fn addresses_that_cannot_be_of_one_broker_are_refused_and_no_password_is_told() {
        let many = vec!["amqp://me:s3cret@host"; ADDRESSES_MAX + 1].join(",");
        for bad in [
            "amqp://me:s3cret@one,amqp://you:s3cret@two",
            "amqp://me:s3cret@one/a,amqp://me:s3cret@two/b",
            "amqp://me:s3cret@one,amqps://me:s3cret@two",
            "amqp://me:s3cret@one,amqp://me:s3cret@two:port",
            &many,
        ] {
            let refused = read(bad).err().map(|error| format!("{error} {error:?}"));
            assert!(refused.is_some_and(|text| !text.contains("s3cret")), "{bad}");
        }
    }
}
