//! The cryptography of TLS, for every client of this crate.

/// Chooses it for this process, unless that was done already.
pub(crate) fn install() {
    // An error means that a provider is installed already, by us or by main: both are fine.
    drop(rustls::crypto::ring::default_provider().install_default());
}
