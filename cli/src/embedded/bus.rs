//! The way to a cluster's RabbitMQ: its address and whom to trust become a connection that is made in the background. What the connection does is
//! `tidemill-transport`'s.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::plaintext::{check_management, check_queue};
use crate::settings::{Settings, without_password};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidemill_transport::{AmqpBroker, AmqpConfig, split_addresses};

/// Largest file of certificates that is read: the system's own are smaller.
const AUTHORITIES_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long the first look at a broker's certificate may take before it goes on in the background.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// What a certificate in PEM form begins with.
const PEM_MARK: &str = "-----BEGIN CERTIFICATE-----";

/// Begins to connect.
fn amqp(
    settings: &Settings,
    url: &str,
    name: &str,
    management_url: Option<&str>,
) -> Result<Arc<AmqpBroker>, Failure> {
    check_queue(settings, url)?;
    if let Some(url) = management_url {
        check_management(settings, url)?;
    }
    let config = AmqpConfig {
        authorities: authorities(settings, url)?,
        management_url: management_url.map(str::to_owned),
        prefix: settings.queue_prefix.clone(),
        ..AmqpConfig::new(url, name)
    };
    AmqpBroker::start(config)
        .map_err(|error| Failure::because(Exit::Usage, "cannot use this queue_url", &error))
}

/// Begins to connect, for a daemon: it waits for a broker that is away, but not for one that nobody vouches for.
pub(crate) async fn connect(settings: &Settings, url: &str, name: &str) -> Result<Arc<AmqpBroker>, Failure> {
    trusted(settings, url, amqp(settings, url, name, None)?).await
}

/// The same for a coordinator, which also asks the broker's management API where the settings name it.
pub(crate) async fn connect_coordinator(settings: &Settings, url: &str) -> Result<Arc<AmqpBroker>, Failure> {
    let management_url = settings.queue_management_url.as_deref();
    trusted(settings, url, amqp(settings, url, "coordinator", management_url)?).await
}

async fn trusted(
    settings: &Settings,
    url: &str,
    broker: Arc<AmqpBroker>,
) -> Result<Arc<AmqpBroker>, Failure> {
    if is_tls(url)
        && let Err(error) = broker.check_trust(FIRST_LOOK).await
    {
        let what = format!("the RabbitMQ at {} cannot be trusted", without_password(url));
        return Err(Failure::because(Exit::Unreachable, what, &error)
            .code("untrusted")
            .help(trust_help(settings)));
    }
    Ok(broker)
}

/// What to do about a certificate that is not trusted.
fn trust_help(settings: &Settings) -> String {
    match &settings.queue_ca {
        None => "name the authority that signed its certificate with --queue-ca FILE or $TIDEMILL_QUEUE_CA"
            .to_owned(),
        Some(file) => format!(
            "is the authority that signed its certificate in {}, and is the host in the URL one that the certificate names?",
            file.display()
        ),
    }
}

/// Whether every address begins an encrypted connection.
fn is_tls(url: &str) -> bool {
    split_addresses(url)
        .iter()
        .all(|address| address.starts_with("amqps:"))
}

/// The certificates of `queue_ca`.
fn authorities(settings: &Settings, url: &str) -> Result<Option<String>, Failure> {
    let Some(file) = &settings.queue_ca else {
        return Ok(None);
    };
    if !is_tls(url) {
        // Whoever names an authority believes that the connection is encrypted.
        let what = format!("queue_ca is set, but {} is not encrypted", without_password(url));
        return Err(Failure::new(Exit::Usage, what).help("write the address as amqps://host:5671"));
    }
    let text = read(file).map_err(|error| {
        let what = format!("cannot read the certificates of queue_ca from {}", file.display());
        Failure::because(Exit::Usage, what, &error)
    })?;
    if !text.contains(PEM_MARK) {
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no certificate in {}", file.display()),
        )
        .help(
            "queue_ca takes certificates in PEM form: text between BEGIN CERTIFICATE and END CERTIFICATE",
        ));
    }
    Ok(Some(text))
}

fn read(file: &Path) -> std::io::Result<String> {
    if std::fs::metadata(file)?.len() > AUTHORITIES_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 4 MiB"));
    }
    std::fs::read_to_string(file)
}
