//! Which addresses may be asked. A name is resolved here, every address that it has is looked at, and the connection goes to those and to nothing that
//! the name may resolve to a moment later. Redirects are not followed here, and no proxy stands between.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::destination::{AddressClass, Destinations};
use url::{Host, Url};

/// How long a name may take to resolve.
const RESOLVE_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Why an address is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Forbidden {
    /// It is no address.
    #[error("it is no address of a server")]
    NoUrl,
    /// Only these two are spoken.
    #[error("`{0}:` is not asked, only http: and https: are")]
    Scheme(String),
    /// The host is, or resolves to, a place that is not open.
    #[error("{host} leads to {address}, {class}")]
    Place {
        /// The host in the address.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What that is.
        class: AddressClass,
    },
    /// A server wants to go on in the clear.
    #[error("it redirects from https to http")]
    Downgrade,
    /// A server sends us around.
    #[error("it redirects more than {0} times")]
    Redirects(usize),
}

/// Who decides which addresses may be asked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Guard {
    open: Arc<Destinations>,
}

impl Guard {
    /// One who lets pass what leads to these places.
    pub fn new(open: Destinations) -> Self {
        Self { open: Arc::new(open) }
    }

    /// Reads an address and refuses what needs no resolving to be refused.
    pub fn admit(&self, text: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(text).map_err(|_| Forbidden::NoUrl)?;
        self.check(&url)?;
        Ok(url)
    }

    /// The same for an address that was read. Numbers in any spelling are addresses by now.
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden::Scheme(url.scheme().to_owned()));
        }
        match url.host().ok_or(Forbidden::NoUrl)? {
            // The client asks the resolver below.
            Host::Domain(_) => Ok(()),
            Host::Ipv4(address) => self.vet(&address.to_string(), address.into()),
            Host::Ipv6(address) => self.vet(&address.to_string(), address.into()),
        }
    }

    /// A client that resolves names through this guard. It follows no redirect: each has to be [checked](Self::check) first.
    pub fn client(&self, pause_max: Duration) -> reqwest::Result<reqwest::Client> {
        self.builder().read_timeout(pause_max).build()
    }

    /// A client for the protocol of an object store. How long a request may take is judged elsewhere: it may have much to move.
    pub(super) fn client_of_store(
        &self,
        in_the_clear: bool,
        of_anybody: bool,
    ) -> reqwest::Result<reqwest::Client> {
        self.builder()
            .https_only(!in_the_clear)
            .danger_accept_invalid_certs(of_anybody)
            .build()
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        crate::tls::install();
        reqwest::Client::builder()
            .dns_resolver(Arc::new(self.clone()))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_WITHIN)
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")))
    }

    fn vet(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        self.open.check(host, address).map_err(|class| Forbidden::Place {
            host: host.to_owned(),
            address,
            class,
        })
    }

    async fn resolve_and_vet(
        &self,
        host: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let looking = tokio::net::lookup_host((host, 0));
        let found: Vec<SocketAddr> = tokio::time::timeout(RESOLVE_WITHIN, looking).await??.collect();
        for address in &found {
            self.vet(host, address.ip())?;
        }
        Ok(found)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.resolve_and_vet(name.as_str()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_spelling_are_seen_through_before_anything_is_asked() {
        let guard = Guard::new(Destinations::default());
        for bad in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://user@10.0.0.1:8080/",
            "http://93.184.216.34@127.0.0.1/",
        ] {
            assert!(matches!(guard.admit(bad), Err(Forbidden::Place { .. })), "{bad}");
        }
        for other in ["file:///etc/passwd", "gopher://a/", "ftp://a/", "data:,x"] {
            assert!(matches!(guard.admit(other), Err(Forbidden::Scheme(_))), "{other}");
        }
        assert_eq!(guard.admit("/etc/passwd"), Err(Forbidden::NoUrl));
        assert!(guard.admit("https://93.184.216.34/x").is_ok());
    }
}
