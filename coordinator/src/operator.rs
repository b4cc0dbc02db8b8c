//! The operator's secret: drawn at each start and kept in the state folder where only its owner can read it. Whoever can read that folder can read the signing
//! key too, so the API trusts them; this is how commands on the same machine get in once there are tokens.

use crate::access::Secret;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file's name in the state folder.
pub const OPERATOR_FILE: &str = "operator.token";

/// Draws a new secret and writes it down; the one of an earlier start is good no more.
pub(crate) fn renew(state_dir: &Path) -> io::Result<Secret> {
    let secret = Secret::draw()?;
    let draft = state_dir.join("operator.token.new");
    // Never written through a file that somebody else may have opened.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{}", secret.reveal())?;
    fs::rename(&draft, state_dir.join(OPERATOR_FILE))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn each_start_has_a_secret_of_its_own_that_only_the_owner_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(OPERATOR_FILE);
        let first = renew(dir.path()).unwrap();
        let second = renew(dir.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), second.reveal());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
