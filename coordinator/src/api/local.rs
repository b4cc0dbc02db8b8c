//! Keeps web pages out. Until there are tokens, whoever reaches the API may run code, and a page in a browser on this machine reaches loopback
//! addresses too: by a form, or by a name of its own that it lets point here. Both show in the headers that the browser sets. Another program's page on this machine,
//! a notebook's for instance, is another site like any: only a page of this very address is let through.

use axum::http::{HeaderMap, HeaderName, Method, header};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The header in which a browser says how the page that asks is related to whom it asks; no page can set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request says of whence it comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whence<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    /// Whether it came over TLS.
    pub(super) is_tls: bool,
}

/// Whether a request names this machine as its host, and no page of another address sent it.
pub(super) fn is_local(whence: Whence<'_>) -> bool {
    let text = |name| {
        let values = whence.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap_or("?"))
    };
    let changes = !matches!(*whence.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let is_own = |origin: &str| {
        let scheme = if whence.is_tls { "https" } else { "http" };
        let host = text(header::HOST).next();
        let parts = origin.split_once("://").zip(host);
        parts.is_some_and(|((own, authority), host)| own == scheme && authority.eq_ignore_ascii_case(host))
    };
    text(header::HOST).all(is_loopback)
        && text(header::ORIGIN).all(is_own)
        && !(changes && text(SEC_FETCH_SITE).any(|site| !matches!(site, "same-origin" | "none")))
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

    /// Whether a request to `127.0.0.1:7470` with these headers beside is local.
    fn passes(method: &Method, is_tls: bool, shown: &[(HeaderName, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:7470".parse().unwrap());
        for (name, value) in shown {
            headers.append(name, value.parse().unwrap());
        }
        is_local(Whence {
            method,
            headers: &headers,
            is_tls,
        })
    }

    #[test]
    fn a_page_is_local_at_this_very_address_only() {
        let origin = |text| passes(&Method::POST, false, &[(header::ORIGIN, text)]);
        assert!(origin("http://127.0.0.1:7470"));
        for other in [
            "https://evil.example",
            "http://127.0.0.1:8888",
            "http://localhost:7470",
            "http://127.0.0.1",
            "https://127.0.0.1:7470",
            "HTTP://127.0.0.1:7470",
            "127.0.0.1:7470",
            "null",
            "",
        ] {
            assert!(!origin(other), "{other}");
        }
        let two = [
            (header::ORIGIN, "http://127.0.0.1:7470"),
            (header::ORIGIN, "null"),
        ];
        assert!(!passes(&Method::POST, false, &two));
        assert!(passes(
            &Method::POST,
            true,
            &[(header::ORIGIN, "https://127.0.0.1:7470")]
        ));
        assert!(!passes(
            &Method::POST,
            true,
            &[(header::ORIGIN, "http://127.0.0.1:7470")]
        ));
    }

    #[test]
    fn programs_send_no_origin_and_pass_but_an_origin_without_a_host_does_not() {
        assert!(passes(&Method::POST, false, &[]));
        let mut headers = HeaderMap::new();
        let local = |headers: &HeaderMap| {
            is_local(Whence {
                method: &Method::POST,
                headers,
                is_tls: false,
            })
        };
        assert!(local(&headers), "calls in process have no host");
        headers.insert(header::ORIGIN, "http://127.0.0.1:7470".parse().unwrap());
        assert!(!local(&headers));
    }

    #[test]
    fn what_a_browser_calls_another_site_changes_nothing_even_where_it_sends_no_origin() {
        for (site, may_change) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("unheard-of", false),
        ] {
            let shown = [(SEC_FETCH_SITE, site)];
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert_eq!(passes(&method, false, &shown), may_change, "{method} {site}");
            }
            assert!(
                passes(&Method::GET, false, &shown),
                "a link to a page is followed"
            );
        }
    }
}
