//! Who this worker is: its name, and the key that it draws for itself and with which it signs what it says. Both are made at the first start and kept in the state
//! folder, where only its owner can read them. That the coordinator knows the key is the command line's business.

use crate::config::WorkerConfig;
use crate::error::StartError;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::wire::SignerKey;

/// The file of the secret key.
const KEY_FILE: &str = "worker.key";
/// The file of the name.
const NAME_FILE: &str = "worker-id";

/// Who a worker is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name.
    pub id: WorkerId,
    /// Its own key.
    pub key: SignerKey,
}

impl Identity {
    /// The identity of the worker with this configuration; what is missing of it is made.
    pub fn open(config: &WorkerConfig) -> Result<Self, StartError> {
        let dir = &config.state_dir;
        fs::create_dir_all(dir).map_err(StartError::state(dir))?;
        let mode = fs::metadata(dir)
            .map_err(StartError::state(dir))?
            .permissions()
            .mode();
        // Steps that run as users of their own go through it, also while this daemon starts.
        if mode & 0o066 != 0 || mode & 0o700 != 0o700 {
            fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(StartError::state(dir))?;
        }
        let path = dir.join(KEY_FILE);
        Ok(Self {
            id: worker_id(config)?,
            key: load_or_draw(&path).map_err(StartError::state(path))?,
        })
    }
}

fn load_or_draw(path: &Path) -> io::Result<SignerKey> {
    match load(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => draw(path),
        loaded => loaded,
    }
}

fn load(path: &Path) -> io::Result<SignerKey> {
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others can read the worker's key: `chmod 600` it",
        ));
    }
    let seed: [u8; 32] = fs::read(path)?.try_into().map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the worker's key does not have 32 bytes",
        )
    })?;
    Ok(SignerKey::from_seed(&seed))
}

fn draw(path: &Path) -> io::Result<SignerKey> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(&seed)?;
    file.sync_all()?;
    // Never over a key that another process has drawn at the same moment: that one counts.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    load(path)
}

/// The configured name, or the one of earlier starts, or a new one made of the host's name.
fn worker_id(config: &WorkerConfig) -> Result<WorkerId, StartError> {
    let path = config.state_dir.join(NAME_FILE);
    let kept = || {
        let text = fs::read_to_string(&path).ok()?;
        text.trim().parse().ok()
    };
    let Some(id) = config.id.clone().or_else(kept) else {
        let id = new_name(&config.name_prefix)?;
        fs::write(&path, id.as_str()).map_err(StartError::state(path))?;
        return Ok(id);
    };
    if !id.as_str().starts_with(&config.name_prefix) {
        let prefix = &config.name_prefix;
        return Err(StartError::Config(format!(
            "RabbitMQ lets only workers hear the coordinator whose names begin with `{prefix}`, as in `{prefix}{id}`: this one is named `{id}`"
        )));
    }
    Ok(id)
}

fn new_name(prefix: &str) -> Result<WorkerId, StartError> {
    let host: String = sysinfo::System::host_name()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(60)
        .collect();
    let random = uuid::Uuid::now_v7().simple().to_string();
    let (_, end) = random.split_at(random.len() - 8);
    let name = format!("{}-{end}", host.trim_matches('-'));
    let name = format!("{prefix}{}", name.trim_start_matches('-'));
    name.parse()
        .map_err(|error| StartError::Config(format!("cannot make a name for this worker: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(dir: &Path) -> WorkerConfig {
        WorkerConfig::new(vec![], dir.join("worker"), vec![])
    }

    #[test]
    fn name_and_key_are_made_once_and_only_their_owner_can_read_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::open(&config(dir.path())).unwrap();
        let second = Identity::open(&config(dir.path())).unwrap();
        assert_eq!(first.id, second.id);
        assert_eq!(first.key.trusted(), second.key.trusted());
        let path = dir.path().join("worker").join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let left = fs::read_dir(dir.path().join("worker")).unwrap().count();
        assert_eq!(left, 2, "no draft is left");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let refused = Identity::open(&config(dir.path()));
        assert!(refused.is_err(), "others could have read it");
    }
}
