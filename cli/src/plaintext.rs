//! Secrets in the clear: a token or a password goes to another machine over a connection that is not encrypted only where somebody said so by name. Whom the API
//! serves in the clear is the coordinator's own question (`commands/up/listen`).

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::{Settings, without_password};
use std::net::IpAddr;
use tidemill_transport::split_addresses;

/// What is typed by whoever wants it nevertheless.
const WANTED: &str = "or say that everybody on the way may read it: --insecure-plaintext";

/// Whether what is sent to this address could be read on the way: it is not encrypted, and goes to another machine.
pub(crate) fn is_readable_on_the_way(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    if !["http", "amqp"]
        .iter()
        .any(|plain| scheme.eq_ignore_ascii_case(plain))
    {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => place,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    // Whoever connects to no address in particular, or to no host, reaches this machine.
    let is_near = host.is_empty()
        || host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback() || address.is_unspecified());
    !is_near
}

/// Refuses to send a token to this coordinator if others could read it.
pub(crate) fn check_token_to(url: &str, wanted: bool) -> Result<(), Failure> {
    if wanted || !is_readable_on_the_way(url) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format!("{url} is not encrypted: whoever sits between could read the token"),
    )
    .code("plaintext")
    .help("use the coordinator's https:// address")
    .help(WANTED))
}

/// Refuses to send a password and signed tasks to this RabbitMQ, at any of its addresses, if others could read them.
pub(crate) fn check_queue(settings: &Settings, url: &str) -> Result<(), Failure> {
    let addresses = split_addresses(url);
    let readable = addresses
        .into_iter()
        .find(|address| is_readable_on_the_way(address));
    let Some(readable) = readable.filter(|_| !settings.insecure_plaintext) else {
        return Ok(());
    };
    let shown = without_password(readable);
    Err(Failure::new(
        Exit::Usage,
        format!(
            "{shown} is not encrypted: whoever sits between could read the password and all that is queued"
        ),
    )
    .code("plaintext")
    .help("write the address as amqps://host:5671")
    .help(WANTED)
    .help("or, for a service, set `insecure_plaintext = true` or $TIDEMILL_INSECURE_PLAINTEXT"))
}

/// Refuses to send a password to this management API if others could read it.
pub(crate) fn check_management(settings: &Settings, url: &str) -> Result<(), Failure> {
    if settings.insecure_plaintext || !is_readable_on_the_way(url) {
        return Ok(());
    }
    let shown = without_password(url);
    Err(Failure::new(
        Exit::Usage,
        format!(
            "{shown} (queue_management_url) is not encrypted: whoever sits between could read the password"
        ),
    )
    .code("plaintext")
    .help("write the address as https://host:15671")
    .help(WANTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_may_travel_in_the_clear_on_this_machine_only() {
        for good in [
            "https://a.example",
            "http://127.0.0.1:7470",
            "http://localhost",
            "http://[::1]:1/x",
            "http://[::ffff:127.0.0.1]:1",
            "amqps://guest:guest@mq:5671",
            "amqp://guest:guest@127.0.0.1:5672/%2f",
            "amqp://guest:gu%40est@localhost",
            "amqp:///vhost",
        ] {
            assert!(!is_readable_on_the_way(good), "{good}");
        }
        for bad in [
            "http://a.example:7470",
            "HTTP://a.example",
            "http://10.0.0.1",
            "http://localhost.a.example",
            "http://localhost@a.example",
            "http://127.0.0.1.nip.io:80",
            "amqp://guest:guest@mq:5672",
            "amqp://localhost:guest@mq",
            "AMQP://[2001:db8::1]:5672",
        ] {
            assert!(is_readable_on_the_way(bad), "{bad}");
        }
    }
}
