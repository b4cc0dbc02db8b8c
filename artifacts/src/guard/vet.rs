//! Which addresses may be asked. A name is resolved here, every address that it has is looked at, and the connection goes to those and to nothing that
//! the name may resolve to a moment later. Redirects are not followed here, and no proxy stands between.

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt::Debug;
use std::io;
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
    names: Arc<dyn Names>,
}

/// Who knows the addresses of names.
#[async_trait]
trait Names: Debug + Send + Sync {
    /// Every address that a name has now.
    async fn addresses(&self, host: &str) -> io::Result<Vec<SocketAddr>>;
}

/// The system's own resolver.
#[derive(Debug)]
struct System;

#[async_trait]
impl Names for System {
    async fn addresses(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.collect())
    }
}

impl Guard {
    /// One who lets pass what leads to these places.
    pub fn new(open: Destinations) -> Self {
        Self::asking(open, Arc::new(System))
    }

    fn asking(open: Destinations, names: Arc<dyn Names>) -> Self {
        let open = Arc::new(open);
        Self { open, names }
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
        let looking = self.names.addresses(host);
        let found = tokio::time::timeout(RESOLVE_WITHIN, looking).await??;
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
    use super::super::refusal;
    use super::*;
    use std::net::Ipv4Addr;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);
    /// Stands for a public server: a test may not leave this machine.
    const OPENED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

    /// A resolver that gives other answers with time; the last one is for ever.
    #[derive(Debug)]
    struct Fickle {
        answers: Vec<Vec<Ipv4Addr>>,
        asked: Mutex<usize>,
    }

    #[async_trait]
    impl Names for Fickle {
        async fn addresses(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
            let mut asked = self.asked.lock().unwrap();
            let answer = &self.answers[(*asked).min(self.answers.len() - 1)];
            *asked += 1;
            Ok(answer.iter().map(|address| (*address, 0).into()).collect())
        }
    }

    fn fickle(answers: &[&[Ipv4Addr]]) -> (Guard, Arc<Fickle>) {
        let names = Arc::new(Fickle {
            answers: answers.iter().map(|answer| answer.to_vec()).collect(),
            asked: Mutex::new(0),
        });
        let open = Destinations::with(&[OPENED.to_string()]).unwrap();
        (Guard::asking(open, names.clone()), names)
    }

    /// A server of the opened address and, on the same port, one that nobody may reach.
    async fn servers() -> (TcpListener, std::net::TcpListener) {
        loop {
            let open = TcpListener::bind((OPENED, 0)).await.unwrap();
            let port = open.local_addr().unwrap().port();
            if let Ok(hidden) = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                hidden.set_nonblocking(true).unwrap();
                return (open, hidden);
            }
        }
    }

    /// Answers one request, and hangs up: the next one needs a connection of its own.
    async fn answer_once(server: &TcpListener) {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0, "somebody asks");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    }

    fn nobody_came(hidden: &std::net::TcpListener) {
        let came = hidden.accept().map(|(_, from)| from);
        assert_eq!(came.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_a_moment_later_is_looked_at_again_and_nothing_private_is_connected_to()
     {
        let (server, hidden) = servers().await;
        let port = server.local_addr().unwrap().port();
        let (guard, names) = fickle(&[&[OPENED], &[Ipv4Addr::LOCALHOST]]);
        let client = guard.client(CONNECT_WITHIN).unwrap();
        let url = format!("http://rebinding.example:{port}/");
        let (first, ()) = tokio::join!(client.get(&url).send(), answer_once(&server));
        assert_eq!(first.unwrap().status(), 200);
        assert_eq!(
            *names.asked.lock().unwrap(),
            1,
            "what was looked at is what is connected to"
        );
        for _ in 0..3 {
            let refused = client.get(&url).send().await.unwrap_err();
            let why = refusal(&refused);
            assert!(matches!(why, Some(Forbidden::Place { .. })), "{refused:?}");
        }
        nobody_came(&hidden);
        let (guard, _) = fickle(&[&[PUBLIC], &[Ipv4Addr::LOCALHOST]]);
        let found = guard.resolve_and_vet("rebinding.example").await.unwrap();
        assert_eq!(found, [(PUBLIC, 0).into()]);
        assert!(guard.resolve_and_vet("rebinding.example").await.is_err());
    }

    #[tokio::test]
    async fn a_name_with_one_public_and_one_private_address_is_not_asked_at_all() {
        let (server, hidden) = servers().await;
        let port = server.local_addr().unwrap().port();
        for answer in [
            [OPENED, Ipv4Addr::LOCALHOST],
            [Ipv4Addr::LOCALHOST, OPENED],
            [PUBLIC, Ipv4Addr::LOCALHOST],
        ] {
            let (guard, _) = fickle(&[&answer]);
            let client = guard.client(CONNECT_WITHIN).unwrap();
            let url = format!("http://two-faced.example:{port}/");
            let refused = client.get(&url).send().await.unwrap_err();
            let why = refusal(&refused);
            let place = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
            let led = why.and_then(|why| match why {
                Forbidden::Place { address, .. } => Some(address),
                _ => None,
            });
            assert_eq!(led, place, "{refused:?}");
        }
        nobody_came(&hidden);
        let server = server.into_std().unwrap();
        nobody_came(&server);
    }

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
