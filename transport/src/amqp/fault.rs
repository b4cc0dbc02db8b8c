//! What lapin's errors mean to us: one match, so that the difference between "later", "never" and "not there" is drawn in one place.

use crate::broker::BrokerError;
use crate::tls;
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

/// What went wrong, by what there is to do about it.
#[derive(Debug)]
pub(super) enum Fault {
    /// The queue or exchange does not exist.
    Missing,
    /// Time does not mend it.
    Refused(String),
    /// The connection or channel is broken.
    Broken(String),
}

/// How the reason begins when the broker's certificate was refused.
pub(super) const UNTRUSTED: &str = "the broker's certificate is not trusted";

/// Why TLS refused the broker's certificate, if it did.
fn untrusted(error: &lapin::Error) -> Option<String> {
    let ErrorKind::IOError(io) = error.kind() else {
        return None;
    };
    match tls::cause(&**io)? {
        rustls::Error::InvalidCertificate(why) => Some(format!("{UNTRUSTED}: {why}")),
        _ => None,
    }
}

impl From<lapin::Error> for Fault {
    fn from(error: lapin::Error) -> Self {
        let ErrorKind::ProtocolError(protocol) = error.kind() else {
            return Self::Broken(untrusted(&error).unwrap_or_else(|| error.to_string()));
        };
        match protocol.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => Self::Missing,
            AMQPErrorKind::Soft(
                AMQPSoftError::ACCESSREFUSED
                | AMQPSoftError::PRECONDITIONFAILED
                | AMQPSoftError::RESOURCELOCKED,
            ) => Self::Refused(protocol.get_message().to_string()),
            _ => Self::Broken(protocol.get_message().to_string()),
        }
    }
}

impl From<Fault> for BrokerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::Unroutable,
            Fault::Refused(why) => Self::Refused(why),
            Fault::Broken(why) => Self::Disconnected(why),
        }
    }
}
