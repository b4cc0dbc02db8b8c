//! Keeps web pages out. Until there are tokens, whoever reaches the API may run code, and a page in a browser on this machine reaches loopback
//! addresses too: by a form, or by a name of its own that it lets point here. Both show in the headers that the browser sets.

use axum::http::{HeaderMap, header};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a request names this machine as its host, and no page of another site sent it.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap_or("?"))
    };
    let hosts = text(header::HOST).all(is_loopback);
    hosts
        && text(header::ORIGIN).all(|origin| {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some_and(is_loopback)
        })
}

/// Whether a host with or without a port names this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match in_brackets {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|a| a.is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost") || host.parse::<Ipv4Addr>().is_ok_and(|a| a.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for good in [
            "localhost",
            "LOCALHOST:7470",
            "127.0.0.1:7470",
            "127.9.9.9",
            "[::1]:7470",
            "[::1]",
        ] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example:7470",
            "10.0.0.1:7470",
            "[::2]:1",
            "?",
            "127.0.0.1.nip.io",
            "[127.0.0.1",
            "127.0.0.1]",
            "[[::1]]",
            "[localhost]",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_not_local_whatever_host_it_names() {
        let mut headers = HeaderMap::new();
        assert!(is_local(&headers), "calls in process have no host");
        headers.insert(header::HOST, "127.0.0.1:7470".parse().unwrap());
        assert!(is_local(&headers));
        headers.insert(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!is_local(&headers));
        headers.insert(header::ORIGIN, "null".parse().unwrap());
        assert!(!is_local(&headers), "a sandboxed page");
        headers.insert(header::ORIGIN, "http://localhost:7470".parse().unwrap());
        assert!(is_local(&headers));
    }
}
