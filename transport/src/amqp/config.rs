//! How to reach RabbitMQ. The URL holds a password: it is parsed once, and never printed.

use super::addresses::Addresses;
use crate::broker::BrokerError;
use crate::class::WorkerClass;
use crate::topology::{PREFIX_DEFAULT, Topology};
use std::fmt;
use std::time::Duration;

/// What [`super::AmqpBroker`] needs to know.
#[derive(Clone)]
pub struct AmqpConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…` for TLS. Of a cluster's nodes several, separated by commas: they are tried in turn, from the first one on.
    pub url: String,
    /// Certificates in PEM form of authorities that may vouch for an `amqps://` broker beside the system's own. None by default.
    pub authorities: Option<String>,
    /// `http://user:password@host:15672` of the broker's management API, which knows what AMQP does not tell ([`crate::Broker::unsettled`]); without user or password
    /// those of `url`. None by default.
    pub management_url: Option<String>,
    /// Begins every name on the broker. Default `tidemill`.
    pub prefix: String,
    /// What operators see as the connections' name, such as `coordinator` or `worker/gpu-1`.
    pub name: String,
    /// How often both sides show a sign of life; a connection silent for twice as long is given up. Whole seconds, 2 to 300. Default 10 s.
    pub heartbeat: Duration,
    /// How long any one question to the broker may take. Default 10 s.
    pub call_timeout: Duration,
    /// How long a publish may take, waiting for a connection included. Default 30 s.
    pub publish_timeout: Duration,
    /// How long the broker may refuse messages (its memory or disk alarm) before the connections are made anew. Default 60 s.
    pub blocked_timeout: Duration,
    /// After how long without a delivery a consumer is made anew. A queue that is deleted and declared again at once can leave a
    /// broker that counts a consumer and a consumer that hears nothing, for ever (seen with quorum queues of RabbitMQ 3.10).
    /// Default 60 s.
    pub idle_renewal: Duration,
}

impl AmqpConfig {
    /// The defaults for a URL.
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            authorities: None,
            management_url: None,
            prefix: PREFIX_DEFAULT.to_owned(),
            name: name.into(),
            heartbeat: Duration::from_secs(10),
            call_timeout: Duration::from_secs(10),
            publish_timeout: Duration::from_secs(30),
            blocked_timeout: Duration::from_mins(1),
            idle_renewal: Duration::from_mins(1),
        }
    }

    /// The class of workers whose user the URL names, when it is one of those that `tidemill broker setup` makes.
    pub fn worker_class(&self) -> Result<Option<WorkerClass>, BrokerError> {
        let (addresses, topology) = self.resolve()?;
        Ok(topology.class_of_user(&addresses.first().authority.userinfo.username))
    }

    /// The parts that the configuration means, or what is wrong with it.
    pub(super) fn resolve(&self) -> Result<(Addresses, Topology), BrokerError> {
        let refused = |what: &str| BrokerError::Refused(what.to_owned());
        let heartbeat = u16::try_from(self.heartbeat.as_secs()).unwrap_or(u16::MAX);
        if !(2..=300).contains(&heartbeat) {
            return Err(refused("the heartbeat is not between 2 and 300 seconds"));
        }
        let addresses = Addresses::read(&self.url, heartbeat)?;
        let limits = [
            self.call_timeout,
            self.publish_timeout,
            self.blocked_timeout,
            self.idle_renewal,
        ];
        if limits.iter().any(Duration::is_zero) {
            return Err(refused("a time limit is zero"));
        }
        let topology =
            Topology::new(&self.prefix).map_err(|error| BrokerError::Refused(error.to_string()))?;
        Ok((addresses, topology))
    }
}

impl fmt::Debug for AmqpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpConfig")
            .field("prefix", &self.prefix)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let config = AmqpConfig::new("amqp://user:s3cret@host/%2f", "test");
        assert!(!format!("{config:?}").contains("s3cret"));
        let broken = AmqpConfig::new("ftp://user:s3cret@host", "test");
        let error = broken.resolve().err().unwrap();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[test]
    fn the_heartbeat_is_asked_for() {
        let mut config = AmqpConfig::new("amqps://host", "test");
        config.heartbeat = Duration::from_secs(7);
        assert_eq!(config.resolve().unwrap().0.first().query.heartbeat, Some(7));
        config.heartbeat = Duration::from_millis(100);
        assert!(config.resolve().is_err());
    }
}
