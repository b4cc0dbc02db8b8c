//! What RabbitMQ's management API says of queues beside what AMQP does: how many messages are delivered and not acknowledged. All queues of the virtual host are
//! asked for at once, every few seconds in the background, never because somebody wants to see them. The figures are for people; nothing is decided by them.

use super::config::AmqpConfig;
use crate::broker::{BrokerError, Unsettled};
use lapin::uri::AMQPUri;
use reqwest::{Certificate, Client, StatusCode, Url, redirect};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often it is asked. RabbitMQ gathers its figures as often.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How long an answer may take, from the connection to the last byte.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// Longest answer: the figures of some 60,000 queues.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What is wrong with an address.
const FORM: &str = "the management API's URL is not of the form http://user:password@host:15672";

/// The way to the management API, and what it said last.
pub(super) struct Management {
    client: Client,
    queues: Url,
    user: String,
    password: String,
    /// Unacknowledged messages of each queue; none while it does not answer.
    said: watch::Sender<Option<BTreeMap<String, u64>>>,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
enum Silence {
    #[error("{0}")]
    Unreachable(String),
    #[error(
        "it refuses the broker's user: the user needs the tag monitoring, which `tidemill broker setup` gives"
    )]
    Refused,
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("its answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("its answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl From<reqwest::Error> for Silence {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        Self::Unreachable(text)
    }
}

/// One queue, as it answers.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    /// Absent until the queue has told its figures for the first time.
    messages_unacknowledged: Option<u64>,
}

impl Management {
    /// The way to it, when the configuration names one. User and password are those of the broker's URL where its own says nothing else.
    pub(super) fn of(config: &AmqpConfig, broker: &AMQPUri) -> Result<Option<Self>, BrokerError> {
        let Some(text) = &config.management_url else {
            return Ok(None);
        };
        // The parser's own messages may quote the URL.
        let refused = |what: &str| BrokerError::Refused(what.to_owned());
        let base: Url = text.parse().map_err(|_| refused(FORM))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(refused(FORM));
        }
        let (user, password) = credentials(&base, broker)?;
        let queues = queues_url(&base, &broker.vhost).ok_or_else(|| refused(FORM))?;
        let mut client = Client::builder()
            .timeout(ANSWER_WITHIN)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")));
        client = if base.scheme() == "http" {
            client.tls_certs_only([])
        } else {
            let authorities = config.authorities.as_deref().unwrap_or_default();
            let vouching = Certificate::from_pem_bundle(authorities.as_bytes());
            client.tls_certs_merge(vouching.map_err(|_| refused("its authorities cannot be read"))?)
        };
        let client = client.build();
        let client = client.map_err(|_| refused("no client for the management API can be set up"))?;
        Ok(Some(Self {
            client,
            queues,
            user,
            password,
            said: watch::Sender::new(None),
        }))
    }

    /// What it said of a queue.
    pub(super) fn unsettled(&self, queue: &str) -> Unsettled {
        let said = self.said.borrow();
        let count = said.as_ref().and_then(|queues| queues.get(queue));
        count.map_or(Unsettled::NoAnswer, |count| Unsettled::Count(*count))
    }

    /// Asks again and again until the bus is closed. That it does not answer is said once.
    pub(super) async fn ask(&self, closed: &CancellationToken) {
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_known = false;
        while closed.run_until_cancelled(ticks.tick()).await.is_some() {
            let Some(answer) = closed.run_until_cancelled(self.ask_once()).await else {
                return;
            };
            match &answer {
                Err(silence) if !is_known => {
                    tracing::warn!(%silence, "RabbitMQ's management API does not tell what is unacknowledged; asking again");
                    is_known = true;
                }
                Err(_) => {}
                Ok(_) => is_known = false,
            }
            self.said.send_replace(answer.ok());
        }
    }

    async fn ask_once(&self) -> Result<BTreeMap<String, u64>, Silence> {
        let request = self.client.get(self.queues.clone());
        let request = request.basic_auth(&self.user, Some(&self.password));
        let mut answer = request.send().await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Silence::Refused),
            other => return Err(Silence::Status(other)),
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(Silence::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        let rows: Vec<Row> = serde_json::from_slice(&body)?;
        let told = |row: Row| Some((row.name, row.messages_unacknowledged?));
        Ok(rows.into_iter().filter_map(told).collect())
    }
}

/// User and password: the URL's own, or the broker's.
fn credentials(base: &Url, broker: &AMQPUri) -> Result<(String, String), BrokerError> {
    let of_broker = &broker.authority.userinfo;
    let user = plain(base.username());
    match base.password() {
        Some(password) => Ok((user, plain(password))),
        None if user.is_empty() || user == of_broker.username => {
            Ok((of_broker.username.clone(), of_broker.password.clone()))
        }
        None => Err(BrokerError::Refused(
            "the management API's URL names another user than the broker's, and no password".to_owned(),
        )),
    }
}

/// A part of a URL without its escapes.
fn plain(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where it lists the queues of a virtual host. A path in front, as of a proxy, is kept.
fn queues_url(base: &Url, vhost: &str) -> Option<Url> {
    let mut url = base.clone();
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(["api", "queues", vhost]);
    url.set_query(Some(
        "columns=name,messages_ready,messages_unacknowledged,consumers",
    ));
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn management(url: &str, broker: &str) -> Result<Option<Management>, BrokerError> {
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
        let config = AmqpConfig {
            management_url: Some(url.to_owned()),
            ..AmqpConfig::new(broker, "test")
        };
        let (broker, _) = config.resolve()?;
        Management::of(&config, broker.first())
    }

    async fn api() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://mill@{}", listener.local_addr().unwrap());
        (listener, url)
    }

    /// Gives each of these answers once, then is gone; hands out what it was asked.
    async fn serve(listener: TcpListener, answers: Vec<String>) -> Vec<String> {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            asked.push(String::from_utf8(request).unwrap());
            // Whoever has read enough hangs up.
            drop(stream.write_all(answer.as_bytes()).await);
        }
        asked
    }

    fn answer(status: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    #[tokio::test]
    async fn the_figures_of_all_queues_come_with_one_question() {
        let rows = r#"[{"name":"a","messages_unacknowledged":3},{"name":"new"}]"#;
        let (listener, url) = api().await;
        let management = management(&url, "amqp://mill:s%3Acret@mq/a%2Fb")
            .unwrap()
            .unwrap();
        assert_eq!(
            management.unsettled("a"),
            Unsettled::NoAnswer,
            "nobody was asked yet"
        );
        let serving = serve(listener, vec![answer("200 OK", rows)]);
        let (asked, said) = tokio::join!(serving, management.ask_once());
        management.said.send_replace(said.ok());
        assert_eq!(management.unsettled("a"), Unsettled::Count(3));
        assert_eq!(management.unsettled("new"), Unsettled::NoAnswer);
        assert!(
            asked[0].starts_with("GET /api/queues/a%2Fb?columns=name,"),
            "{asked:?}"
        );
        // mill:s:cret, the broker's password.
        assert!(asked[0].contains("Basic bWlsbDpzOmNyZXQ="), "{asked:?}");
    }

    #[tokio::test]
    async fn what_is_no_good_answer_is_no_figure_and_says_nothing_secret() {
        let long = " ".repeat(ANSWER_BYTES_MAX + 1);
        let answers = vec![
            answer("401 Unauthorized", ""),
            answer("302 Found\r\nlocation: http://127.0.0.1:1/", ""),
            answer("200 OK", "{}"),
            answer("200 OK", &long),
        ];
        let (listener, url) = api().await;
        let management = management(&url, "amqp://mill:s3cret@mq").unwrap().unwrap();
        let asking = async {
            for expected in ["monitoring", "status 302", "cannot be read", "longer than"] {
                let silence = management.ask_once().await.unwrap_err();
                assert!(silence.to_string().contains(expected), "{silence}");
                assert!(!format!("{silence:?}").contains("s3cret"));
            }
        };
        tokio::join!(serve(listener, answers), asking);
        let gone = management.ask_once().await.unwrap_err();
        assert!(matches!(gone, Silence::Unreachable(_)), "{gone}");
        assert!(!gone.to_string().contains("s3cret"));
    }

    #[test]
    fn an_address_that_cannot_be_right_is_refused_without_its_password() {
        for (url, broker) in [
            ("ftp://mill:s3cret@mq", "amqp://mill:x@mq"),
            ("mill:s3cret", "amqp://mill:x@mq"),
            ("http://other@mq", "amqp://mill:s3cret@mq"),
        ] {
            let refused = management(url, broker).err().unwrap();
            assert!(!format!("{refused} {refused:?}").contains("s3cret"), "{refused}");
        }
        let own = management("https://eye:p%40ss@mq/rabbit/", "amqp://mill:x@mq");
        let own = own.unwrap().unwrap();
        assert_eq!((own.user.as_str(), own.password.as_str()), ("eye", "p@ss"));
        assert!(
            own.queues
                .as_str()
                .starts_with("https://mq/rabbit/api/queues/%2F?"),
            "{}",
            own.queues
        );
    }
}
