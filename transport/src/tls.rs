//! What TLS said when a connection did not come about, for the bus and for clients of the API. Certificates are loaded elsewhere.

use std::error::Error;

/// The error of TLS inside another one; it lies deep below those of the parts that carried it.
#[must_use]
pub fn cause<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An I/O error does not count the error inside it as its source.
        let inside = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = inside
            .map(|inside| inside as &(dyn Error + 'static))
            .or_else(|| error.source());
    }
    None
}
