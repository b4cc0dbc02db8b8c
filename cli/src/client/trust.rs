//! Whether a coordinator that speaks TLS is the one that it says it is: the authorities that were named, and what to say when nobody vouches for it.

use crate::exit::Exit;
use crate::failure::Failure;
use std::path::Path;
use tidemill_transport::tls;

/// Longest file of authorities that is read.
const AUTHORITIES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The certificates in a file, for the client.
pub(super) fn certificates(file: Option<&Path>) -> Result<Vec<reqwest::Certificate>, Failure> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let read = || {
        if std::fs::metadata(file)?.len() > AUTHORITIES_BYTES_MAX {
            return Err(std::io::Error::other("it is larger than 4 MiB"));
        }
        std::fs::read(file)
    };
    let bytes = read().map_err(|error| {
        let what = format!("cannot read the certificates of api_ca from {}", file.display());
        Failure::because(Exit::Usage, what, &error)
    })?;
    match reqwest::Certificate::from_pem_bundle(&bytes) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("there is no certificate in {}", file.display()),
        )
        .help("api_ca takes certificates in PEM form: text between BEGIN CERTIFICATE and END CERTIFICATE")),
    }
}

/// What to say of a request that TLS let fail; none when it was something else.
pub(super) fn advise(error: &reqwest::Error, url: &str, authorities: Option<&Path>) -> Option<Failure> {
    match tls::cause(error)? {
        rustls::Error::InvalidCertificate(why) => {
            let what = format!("the certificate of the coordinator at {url} is not trusted");
            let failure = Failure::new(Exit::Unreachable, what)
                .cause(why.to_string())
                .code("untrusted");
            Some(match authorities {
                None => failure
                    .help("name the authority that signed it with --api-ca FILE or $TIDEMILL_API_CA"),
                Some(file) => failure.help(format!(
                    "is the authority that signed it in {}, and is the host in the address one that the certificate names?",
                    file.display()
                )),
            })
        }
        other => {
            let what = format!("no TLS connection to {url} came about");
            Some(
                Failure::new(Exit::Unreachable, what)
                    .cause(other.to_string())
                    .code("unreachable")
                    .help("where the port speaks no TLS, write the address with http://"),
            )
        }
    }
}
