//! The file of the key that seals secrets: made with the first secret, readable by its owner only, and never copied anywhere by the coordinator. A coordinator
//! without it does everything but keep and give secrets. The file is read each time, so that it can be put back without a restart.

use super::seal::{KEY_BYTES, SealingKey};
use super::state::Secrets;
use crate::config::CoordinatorConfig;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file's name in the state folder.
pub const KEY_FILE: &str = "secrets.key";

/// Why the key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not there.
    #[error("the key that opens the secrets is not at {}", .0.display())]
    Missing(PathBuf),
    /// It is there and of no use.
    #[error("cannot use the key of the secrets at {}", .path.display())]
    Unusable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where the key is.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    /// The file that the configuration names, or the one in the state folder.
    fn of(config: &CoordinatorConfig) -> Self {
        let own = || config.state_dir.join(KEY_FILE);
        Self(config.secrets_key.clone().unwrap_or_else(own))
    }

    /// The same at a start: the log says when there are secrets and none can be opened.
    pub(crate) fn looked_at(config: &CoordinatorConfig, secrets: &Secrets) -> Self {
        let file = Self::of(config);
        let count = secrets.all().len();
        if let (1.., Err(error)) = (count, file.load()) {
            tracing::warn!(secrets = count, %error, "steps that need secrets fail until the key file is back");
        }
        file
    }

    /// The key.
    pub(crate) fn load(&self) -> Result<SealingKey, KeyError> {
        match read(&self.0) {
            Ok(bytes) => Ok(SealingKey::from_bytes(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(KeyError::Missing(self.0.clone())),
            Err(source) => Err(self.unusable(source)),
        }
    }

    /// The key, which is made when it is not there. Only for the first secret: those that there are need the key that they were sealed with.
    pub(crate) fn load_or_make(&self) -> Result<SealingKey, KeyError> {
        match self.load() {
            Err(KeyError::Missing(_)) => {
                make(&self.0).map_err(|source| self.unusable(source))?;
                self.load()
            }
            loaded => loaded,
        }
    }

    fn unusable(&self, source: io::Error) -> KeyError {
        KeyError::Unusable {
            path: self.0.clone(),
            source,
        }
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
    let bytes = Zeroizing::new(fs::read(path)?);
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others can read it: `chmod 600` it",
        ));
    }
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
    key.map(Zeroizing::new)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it does not have 32 bytes"))
}

/// Makes a key. One that appeared meanwhile stays.
fn make(path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice()).map_err(io::Error::other)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", uuid::Uuid::now_v7()));
    let draft = folder.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(key.as_slice())?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs::remove_file(&draft)?;
    linked?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile(dir.path().join(KEY_FILE));
        assert!(matches!(file.load(), Err(KeyError::Missing(_))));
        file.load_or_make().unwrap();
        let before = fs::read(&file.0).unwrap();
        file.load_or_make().unwrap();
        make(&file.0).unwrap();
        assert_eq!(fs::read(&file.0).unwrap(), before);
        assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
        fs::set_permissions(&file.0, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(file.load(), Err(KeyError::Unusable { .. })));
    }
}
