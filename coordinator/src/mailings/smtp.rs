//! The way to the mail server: where it is, how it is spoken to, and who we are there, as the settings say. One connection for each letter; what is done when it is not
//! taken stands in `sending.rs`.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tidemill_protocol::mailing::EmailAddress;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// How long the server may take for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long one letter may take, all in all: less than clients wait for the answer to a test.
const LETTER_WITHIN: Duration = Duration::from_secs(45);
/// Largest file of the settings in bytes: a password, or certificates.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from being read.
    pub security: SmtpSecurity,
    /// Who we are there; nobody in particular when absent.
    pub login: Option<SmtpLogin>,
    /// A file of certificates that vouch for it beside the system's own.
    pub ca: Option<PathBuf>,
    /// From whom letters come.
    pub from: EmailAddress,
}

/// How the connection to the mail server is kept from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// It begins in the open and turns to TLS before anything is said; a server that cannot is not used.
    StartTls,
    /// It is TLS from its first byte on.
    Tls,
    /// It stays in the open.
    Plaintext,
}

/// Who we are at the mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpLogin {
    /// The name.
    pub user: String,
    /// Where its password is.
    pub password: SmtpPassword,
}

/// Where a password is. It is read for each letter, so a new one needs no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmtpPassword {
    /// In a file; an end of line does not count.
    File(PathBuf),
    /// In the coordinator's secrets.
    Secret(Name),
}

/// A letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// One line: names, steps and words of ours, none of which can hold the end of a line.
    pub(crate) subject: String,
    /// For readers of text.
    pub(crate) text: String,
    /// The same for others.
    pub(crate) html: String,
}

/// Why a letter is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// The server will not take it for this person, now or later.
    #[error("the mail server refuses it: {0}")]
    Refused(String),
    /// The server answered that it cannot take it now.
    #[error("the mail server does not take it now: {0}")]
    NotNow(String),
    /// No server, or one that does not let us in.
    #[error("the mail server cannot be used: {0}")]
    Server(String),
    /// A file of the settings cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Who brings letters to the server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Mailer {
    config: Arc<SmtpConfig>,
}

impl Mailer {
    pub(crate) fn new(config: SmtpConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }

    /// Where the password is that the server wants, if it wants one.
    pub(super) fn password(&self) -> Option<&SmtpPassword> {
        self.config.login.as_ref().map(|login| &login.password)
    }

    /// Brings a letter to the server for one person; answers the server's code.
    pub(super) async fn post(
        &self,
        (id, now, letter): (&str, Timestamp, &Letter),
        to: &EmailAddress,
        password: Option<&str>,
    ) -> Result<u16, PostError> {
        let message = self.message((id, now, letter), to)?;
        let transport = self.transport(password).await?;
        let sending = tokio::time::timeout(LETTER_WITHIN, transport.send(message));
        match sending.await {
            Ok(Ok(response)) => Ok(u16::from(response.code())),
            Ok(Err(error)) => Err(failed(&error)),
            Err(_) => Err(PostError::Server("it did not answer in time".into())),
        }
    }

    fn message(
        &self,
        (id, now, letter): (&str, Timestamp, &Letter),
        to: &EmailAddress,
    ) -> Result<Message, PostError> {
        let refused = |error: &dyn std::fmt::Display| PostError::Refused(error.to_string());
        let mailbox = |address: &EmailAddress| {
            let parsed = address.as_str().parse::<Address>();
            parsed.map(|address| Mailbox::new(None, address))
        };
        let from = mailbox(&self.config.from).map_err(|error| refused(&error))?;
        let to = mailbox(to).map_err(|error| refused(&error))?;
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now.0);
        // So that nobody's absence note answers.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .from(from)
            .to(to)
            .date(now)
            .message_id(Some(format!("<{id}@{}>", self.config.from.domain())))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .subject(letter.subject.clone());
        let body = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
        message.multipart(body).map_err(|error| refused(&error))
    }

    async fn transport(
        &self,
        password: Option<&str>,
    ) -> Result<AsyncSmtpTransport<Tokio1Executor>, PostError> {
        let config = &self.config;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.as_str())
            .port(config.port)
            .timeout(Some(ANSWER_WITHIN))
            .tls(self.tls().await?);
        if let (Some(login), Some(password)) = (&config.login, password) {
            builder = builder.credentials(Credentials::new(login.user.clone(), password.to_owned()));
        }
        Ok(builder.build())
    }

    async fn tls(&self) -> Result<Tls, PostError> {
        let config = &self.config;
        if config.security == SmtpSecurity::Plaintext {
            return Ok(Tls::None);
        }
        let unusable = |error: lettre::transport::smtp::Error| PostError::Server(error.to_string());
        let mut parameters = TlsParameters::builder(config.host.clone());
        if let Some(path) = &config.ca {
            let certificate = Certificate::from_pem(&read(path).await?).map_err(unusable)?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = parameters.build().map_err(unusable)?;
        Ok(match config.security {
            SmtpSecurity::StartTls => Tls::Required(parameters),
            _ => Tls::Wrapper(parameters),
        })
    }
}

/// The bytes of a small file of the settings.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, PostError> {
    let file_failed = |source| PostError::File {
        path: path.to_owned(),
        source,
    };
    let length = tokio::fs::metadata(path).await.map_err(file_failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(file_failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    tokio::fs::read(path).await.map_err(file_failed)
}

/// What a failure means: the codes 550 to 559 are about the letter or the person, everything else about the server.
fn failed(error: &lettre::transport::smtp::Error) -> PostError {
    let why = error.to_string();
    match error.status().map(u16::from) {
        Some(550..=559) => PostError::Refused(why),
        Some(400..=499) => PostError::NotNow(why),
        _ => PostError::Server(why),
    }
}
