//! Serving the API on a port: who may be served where (`listen`), how long a connection may say nothing (`activity`, `watched`) and how many there may be
//! (`room`). The numbers are in `limits`; what is encrypted begins in `greeting` with the certificate of `tls`.

mod activity;
mod greeting;
mod limits;
mod listen;
mod room;
mod tls;
mod watched;

pub use limits::Limits;
pub use listen::{Api, ServeConfig, ServeError, serve};
pub use tls::{Certificates, TlsError};
