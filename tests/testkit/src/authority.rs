//! A certificate authority of a test's own, and the certificates that it signs for servers on the loopback.

use crate::Sandbox;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Whether the time of a certificate is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    /// It is.
    Now,
    /// It was over long ago.
    Over,
}

/// An authority that nobody trusts until told to.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// A new one with a key of its own.
    ///
    /// # Panics
    /// When the machine has no random numbers.
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(parameters, key);
        Self {
            issuer: issuer.expect("an authority may sign itself"),
        }
    }

    /// Writes its certificate, as operators hand it around, into this file of the sandbox.
    pub fn write(&self, sandbox: &Sandbox, name: &str) -> PathBuf {
        sandbox.write(name, &self.issuer.pem())
    }

    /// Writes a certificate for a server on the loopback, signed by it, and its key, over those that were there.
    ///
    /// # Panics
    /// When they cannot be made or written.
    pub fn write_server(&self, sandbox: &Sandbox, certificate: &str, key: &str) -> (PathBuf, PathBuf) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let parameters = CertificateParams::new(names).expect("the names are names");
        let secret = KeyPair::generate().expect("a key can be made");
        let signed = parameters
            .signed_by(&secret, &self.issuer)
            .expect("an authority may sign");
        let key = sandbox.write(key, &secret.serialize_pem());
        let rights = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&key, rights).expect("the file is ours");
        (sandbox.write(certificate, &signed.pem()), key)
    }

    /// What a server on the loopback needs to be trusted by those who trust the authority.
    pub(crate) fn acceptor(&self, validity: Validity) -> TlsAcceptor {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut parameters = CertificateParams::new(names).expect("the names are names");
        if validity == Validity::Over {
            parameters.not_before = rcgen::date_time_ymd(2001, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .expect("an authority may sign");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key has a form");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.expect("the key fits the certificate")))
    }
}
