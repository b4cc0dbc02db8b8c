//! The coordinator's secret key: made once, kept in the state folder where only its owner can read it.

use crate::config::CoordinatorConfig;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tidemill_protocol::wire::SignerKey;

/// The name of its file in the state folder.
pub(crate) const FILE: &str = "coordinator.key";

/// The key that the configuration names, or the one in the state folder, which is made when it is not there.
pub(crate) fn key_of(config: &CoordinatorConfig) -> io::Result<SignerKey> {
    match &config.signing_key {
        Some(path) => load(path),
        None => load_or_create(&config.state_dir),
    }
}

/// The file of the key.
pub(crate) fn path_of(config: &CoordinatorConfig) -> PathBuf {
    let own = || config.state_dir.join(FILE);
    config.signing_key.clone().unwrap_or_else(own)
}

/// Reads the key in `state_dir`, or makes one.
fn load_or_create(state_dir: &Path) -> io::Result<SignerKey> {
    let path = state_dir.join(FILE);
    match load(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(state_dir, &path),
        loaded => loaded,
    }
}

/// Reads the key in this file, which only its owner may read.
pub(crate) fn load(path: &Path) -> io::Result<SignerKey> {
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others can read the signing key: `chmod 600` it",
        ));
    }
    let seed: [u8; 32] = fs::read(path)?.try_into().map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the signing key does not have 32 bytes",
        )
    })?;
    Ok(SignerKey::from_seed(&seed))
}

fn create(state_dir: &Path, path: &Path) -> io::Result<SignerKey> {
    let mut seed = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let draft = state_dir.join("coordinator.key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(&seed)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    fs::File::open(state_dir)?.sync_all()?;
    Ok(SignerKey::from_seed(&seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let key = load_or_create(dir.path()).unwrap().trusted();
        let path = dir.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_create(dir.path()).unwrap().trusted(), key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load_or_create(dir.path()).is_err(), "others could have read it");
    }
}
