//! The certificate of a port, from two files that may be renewed while it is served: connections that come after a renewal see the new one, and a pair that is
//! no use leaves the old one in place.

use crate::blocking::blocking;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, ServerConfig};

/// Longest file that is read: long chains have some kilobytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The rights that group and others may not have on a key.
const FOREIGN_RIGHTS: u32 = 0o077;

/// The certificate of a port and its key.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    served: Mutex<Arc<ServerConfig>>,
    /// The files that were looked at last, used or not. Held while they are read: two looks at once could end with the older one's certificate.
    seen: Mutex<[Option<Stamp>; 2]>,
}

/// By what a file is known that was written anew, moved there or given other rights; none of a file that cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    changed: (i64, i64),
    length: u64,
    inode: u64,
}

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others than its owner can read the key.
    #[error("others can read the key in {} (mode {mode:o})", .file.display())]
    OpenKey {
        /// The file.
        file: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("there is no {what} in {} in PEM form", .file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// What should be there.
        what: &'static str,
    },
    /// They cannot be used together, or at all.
    #[error("the certificate in {} and the key in {} cannot be used", .certificate.display(), .key.display())]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why not.
        source: Error,
    },
}

impl Certificates {
    /// Reads both files.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let seen = [stamp(&certificate), stamp(&key)];
        let config = read(&certificate, &key)?;
        Ok(Self(Arc::new(Inner {
            certificate,
            key,
            served: Mutex::new(config),
            seen: Mutex::new(seen),
        })))
    }

    /// Reads both files again if one of them is another than before; answers whether what they hold is served from now on. After a failure the old
    /// certificate is served on, and it is not tried again before a file changes.
    pub fn renew(&self) -> Result<bool, TlsError> {
        let Inner { certificate, key, .. } = &*self.0;
        let mut seen = lock(&self.0.seen);
        let now = [stamp(certificate), stamp(key)];
        if std::mem::replace(&mut *seen, now) == now {
            return Ok(false);
        }
        let config = read(certificate, key)?;
        *lock(&self.0.served) = config;
        Ok(true)
    }

    /// The same, away from the async threads; what came of it goes to the log.
    pub async fn renew_and_tell(&self) {
        let certificates = self.clone();
        let file = self.0.certificate.display();
        match blocking(move || certificates.renew()).await {
            Ok(true) => tracing::info!(%file, "a renewed certificate is served from now on"),
            Ok(false) => {}
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "the renewed certificate is no use: the old one is served on");
            }
        }
    }

    /// Looks for renewed files for ever.
    pub(super) async fn keep_fresh(&self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.renew_and_tell().await;
        }
    }

    /// What shakes hands now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&lock(&self.0.served)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unreadable(file: &Path) -> impl FnOnce(io::Error) -> TlsError {
    let file = file.to_owned();
    move |source| TlsError::Unreadable { file, source }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some(Stamp {
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        length: metadata.len(),
        inode: metadata.ino(),
    })
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let missing = |file: &Path, what| TlsError::Missing {
        file: file.to_owned(),
        what,
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&text(certificate, open(certificate)?)?).collect();
    let chain = chain.unwrap_or_default();
    if chain.is_empty() {
        return Err(missing(certificate, "certificate"));
    }
    let secret = PrivateKeyDer::from_pem_slice(&secret_text(key)?).map_err(|_| missing(key, "key"))?;
    let unfit = |source| TlsError::Unfit {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn open(file: &Path) -> Result<File, TlsError> {
    File::open(file).map_err(unreadable(file))
}

/// What is in the file of a key that only its owner can read.
fn secret_text(file: &Path) -> Result<Vec<u8>, TlsError> {
    let opened = open(file)?;
    let mode = opened.metadata().map_err(unreadable(file))?.mode() & 0o777;
    if mode & FOREIGN_RIGHTS != 0 {
        return Err(TlsError::OpenKey {
            file: file.to_owned(),
            mode,
        });
    }
    text(file, opened)
}

fn text(file: &Path, opened: File) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = opened.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(unreadable(file))?;
    Ok(bytes)
}
