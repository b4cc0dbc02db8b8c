//! The way by which a request came. Whoever serves the API says so; a request that nobody vouches for is served nothing that is not open to all.

use std::net::SocketAddr;

/// That nobody on the way can read a request, whatever its way: it came over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverTls;

/// The way by which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// A call inside the process that owns the state folder.
    InProcess,
    /// A port, from this address.
    Port(SocketAddr),
    /// The port that is there for steps of this machine only, from this address.
    Steps(SocketAddr),
}
