//! Addresses as they may be shown: without the password that stands in them.

use tidemill_transport::split_addresses;

/// `amqp://user:password@host` without the password; of several such addresses, without any of theirs.
pub(crate) fn without_password(text: &str) -> String {
    let addresses = split_addresses(text);
    let shown: Vec<String> = addresses.into_iter().map(one_without_password).collect();
    shown.join(",")
}

fn one_without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority = rest.find('/').unwrap_or(rest.len());
    let Some(at) = rest.get(..authority).and_then(|authority| authority.rfind('@')) else {
        return text.to_owned();
    };
    let (login, host) = rest.split_at(at);
    match login.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:***{host}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(
            without_password("amqp://me:secret@mq:5672/v"),
            "amqp://me:***@mq:5672/v"
        );
        assert_eq!(without_password("amqp://me:se@cret@mq"), "amqp://me:***@mq");
        assert_eq!(
            without_password("amqp://me:se,cret@one:5672/v, amqps://me:secret@two"),
            "amqp://me:***@one:5672/v,amqps://me:***@two"
        );
        for plain in ["file:///a:b@c", "http://host:80", "plain", "s3://bucket/a@b"] {
            assert_eq!(without_password(plain), plain);
        }
    }
}
