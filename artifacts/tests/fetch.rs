//! Fetching from addresses that somebody else chose, against small servers on this machine: only what the operator opened is asked, whatever names and servers
//! say, and what comes is bounded.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidemill_artifacts::{FetchError, FetchLimits, Fetched, Fetcher, Forbidden};
use tidemill_protocol::destination::{AddressClass, Destinations};
use tidemill_protocol::digest::Digest;

/// A server that answers every request alike, and what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers with what this makes of the path.
    fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
                noted.lock().unwrap().push(head);
                // Whoever has enough hangs up.
                drop(stream.write_all(&answer(&path)));
            }
        });
        Self { address, asked }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn good(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\netag: \"v1\"\r\nlast-modified: Mon, 30 Nov 2026 04:00:00 GMT\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn to(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

/// A fetcher with these places open, and a folder to fetch into.
struct Place {
    dir: tempfile::TempDir,
    fetcher: Fetcher,
}

impl Place {
    fn with(open: &[&str], limits: FetchLimits) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            fetcher: Fetcher::new(Destinations::with(open).unwrap(), limits),
        }
    }

    fn open(open: &[&str]) -> Self {
        Self::with(open, FetchLimits::default())
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("file")
    }

    async fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        self.fetcher.fetch(url, &self.file()).await
    }

    /// Why it is not fetched; nothing is left of it.
    async fn refused(&self, url: &str) -> Forbidden {
        let error = self.fetch(url).await.expect_err("it is refused");
        assert!(!error.is_retryable(), "{error}");
        assert!(!self.file().exists());
        match error {
            FetchError::Forbidden { why, .. } => why,
            other => panic!("{url}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_file_is_fetched_with_what_the_server_calls_its_version() {
    let server = Server::start(|_| good(b"rows"));
    let place = Place::open(&["127.0.0.0/8"]);
    let fetched = place.fetch(&server.url("127.0.0.1", "/a.csv?x=1")).await.unwrap();
    assert_eq!(std::fs::read(place.file()).unwrap(), b"rows");
    assert_eq!((fetched.digest, fetched.size_bytes), (Digest::of(b"rows"), 4));
    assert_eq!(fetched.etag.as_deref(), Some("\"v1\""));
    assert_eq!(
        fetched.last_modified.as_deref(),
        Some("Mon, 30 Nov 2026 04:00:00 GMT")
    );
}

#[tokio::test]
async fn this_machine_is_not_asked_unless_it_was_opened_however_it_is_spelled() {
    let server = Server::start(|_| good(b"secret"));
    let place = Place::open(&[]);
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
    ] {
        let why = place.refused(&server.url(host, "/")).await;
        assert!(
            matches!(
                why,
                Forbidden::Place {
                    class: AddressClass::ThisMachine,
                    ..
                }
            ),
            "{host}: {why}"
        );
    }
    assert_eq!(server.asked(), Vec::<String>::new(), "not a byte was sent");
    let opened = Place::open(&["localhost"]);
    opened.fetch(&server.url("localhost", "/")).await.unwrap();
    std::fs::remove_file(opened.file()).unwrap();
    let why = opened.refused(&server.url("127.0.0.1", "/")).await;
    assert!(
        matches!(why, Forbidden::Place { .. }),
        "only the name was opened: {why}"
    );
}

#[tokio::test]
async fn each_redirect_is_looked_at_like_the_first_address() {
    let place = Place::open(&["localhost"]);
    let hidden = Server::start(|_| good(b"secret"));
    for target in [
        hidden.url("127.0.0.1", "/"),
        hidden.url("[::ffff:127.0.0.1]", "/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
    ] {
        let server = Server::start(move |path| if path == "/" { to("/next") } else { to(&target) });
        let why = place.refused(&server.url("localhost", "/")).await;
        assert!(matches!(why, Forbidden::Place { .. }), "{why}");
    }
    let to_file = Server::start(|_| to("file:///etc/passwd"));
    let why = place.refused(&to_file.url("localhost", "/")).await;
    assert_eq!(why, Forbidden::Scheme("file".into()));
    assert_eq!(hidden.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn five_redirects_are_followed_and_not_a_sixth() {
    let server = Server::start(|path| match path.trim_start_matches('/').parse::<u32>() {
        Ok(0) => good(b"at last"),
        Ok(more) => to(&format!("/{}", more - 1)),
        Err(_) => to(path),
    });
    let place = Place::open(&["127.0.0.1"]);
    let why = place.refused(&server.url("127.0.0.1", "/6")).await;
    assert_eq!(why, Forbidden::Redirects(5));
    let why = place.refused(&server.url("127.0.0.1", "/round")).await;
    assert_eq!(why, Forbidden::Redirects(5));
    place.fetch(&server.url("127.0.0.1", "/5")).await.unwrap();
}

#[tokio::test]
async fn a_login_stays_with_the_host_that_it_was_for() {
    let other = Server::start(|_| good(b"rows"));
    let next = other.url("localhost", "/");
    let with_login = next.replace("http://", "http://eve:evil@");
    let server = Server::start(move |_| to(&with_login));
    let place = Place::open(&["127.0.0.1", "localhost"]);
    let url = server
        .url("127.0.0.1", "/")
        .replace("http://", "http://me:secret@");
    place.fetch(&url).await.unwrap();
    let has_login = |head: &String| head.to_ascii_lowercase().contains("authorization:");
    assert!(server.asked().iter().all(has_login));
    assert_eq!(other.asked().len(), 1);
    assert!(!other.asked().iter().any(has_login), "{:?}", other.asked());
}

#[tokio::test]
async fn a_file_that_is_too_large_is_given_up_announced_or_not_and_leaves_nothing() {
    let limits = FetchLimits {
        bytes_max: 1_000,
        ..FetchLimits::default()
    };
    let place = Place::with(&["127.0.0.1"], limits);
    let announced = Server::start(|_| good(&[0; 1_001]));
    let endless = Server::start(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        answer.resize(10_000_000, b'x');
        answer
    });
    for server in [announced, endless] {
        let error = place.fetch(&server.url("127.0.0.1", "/")).await.unwrap_err();
        assert!(
            matches!(error, FetchError::TooLarge { bytes_max: 1_000, .. }),
            "{error}"
        );
        assert!(!error.is_retryable() && !place.file().exists());
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_or_almost_nothing_is_not_waited_for() {
    let limits = FetchLimits {
        pause_max: Duration::from_millis(100),
        ..FetchLimits::default()
    };
    let place = Place::with(&["127.0.0.1"], limits);
    // It accepts, and that is all.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/", listener.local_addr().unwrap());
    let error = place.fetch(&silent).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Network { .. }) && error.is_retryable(),
        "{error}"
    );
    assert!(error.to_string().contains("does not answer in time"), "{error}");

    let limits = FetchLimits {
        slow_within: Duration::ZERO,
        bytes_per_second_min: u64::MAX,
        ..FetchLimits::default()
    };
    let slow = Server::start(|_| good(b"drop by drop"));
    let place = Place::with(&["127.0.0.1"], limits);
    let error = place.fetch(&slow.url("127.0.0.1", "/")).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooSlow { .. }) && error.is_retryable(),
        "{error}"
    );
    assert!(!place.file().exists());
}

#[tokio::test]
async fn what_a_server_refuses_or_breaks_off_is_an_error_without_the_secrets_of_the_address() {
    let place = Place::open(&["127.0.0.1"]);
    for (status, retryable) in [
        ("404 Not Found", false),
        ("503 Busy", true),
        ("429 Slow", true),
        ("206 Part", false),
    ] {
        let server = Server::start(move |_| {
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
        });
        let url = server
            .url("127.0.0.1", "/f?sig=secret")
            .replace("http://", "http://me:secret@");
        let error = place.fetch(&url).await.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let broken = Server::start(|_| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nhalf".to_vec()
    });
    let error = place
        .fetch(&broken.url("127.0.0.1", "/f?sig=secret"))
        .await
        .unwrap_err();
    assert!(
        error.is_retryable() && !error.to_string().contains("secret"),
        "{error}"
    );
    assert!(!place.file().exists());
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = place
        .fetch(&format!("http://{gone}/?sig=secret"))
        .await
        .unwrap_err();
    assert!(
        error.is_retryable() && !error.to_string().contains("secret"),
        "{error}"
    );
}
