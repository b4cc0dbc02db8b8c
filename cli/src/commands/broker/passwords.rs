//! Passwords of RabbitMQ's users: drawn once, kept each in a file that only its owner can read, taken over by the next setup.

use crate::exit::Exit;
use crate::failure::{Context, Failure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Random bytes of a password. Its text needs no escapes in a URL.
const PASSWORD_BYTES: usize = 32;
const SALT_BYTES: usize = 4;

/// A password. Not shown by `Debug`.
#[derive(Clone)]
pub(super) struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// As RabbitMQ keeps it: salt, then SHA-256 of salt and password.
    pub(super) fn hash(&self) -> Result<String, Failure> {
        Ok(self.hash_with(random::<SALT_BYTES>()?))
    }

    fn hash_with(&self, salt: [u8; SALT_BYTES]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(salt);
        hasher.update(self.0.as_bytes());
        let mut bytes = salt.to_vec();
        bytes.extend_from_slice(&hasher.finalize());
        STANDARD.encode(bytes)
    }
}

/// The password in a file, drawn when there is none.
pub(super) fn of(file: &Path) -> Result<Password, Failure> {
    match fs::read_to_string(file) {
        Ok(text) if !text.trim().is_empty() => Ok(Password(text.trim().to_owned())),
        Ok(_) => Err(
            Failure::new(Exit::Usage, format!("there is no password in {}", file.display()))
                .help("remove the file, and another password is drawn"),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => draw(file),
        Err(error) => {
            let what = format!("cannot read the password in {}", file.display());
            Err(Failure::because(Exit::Failure, what, &error))
        }
    }
}

fn draw(file: &Path) -> Result<Password, Failure> {
    let password = Password(URL_SAFE_NO_PAD.encode(random::<PASSWORD_BYTES>()?));
    let folder = file.parent().unwrap_or(file);
    let keep = || {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(file)?;
        writeln!(file, "{}", password.0)?;
        file.sync_all()
    };
    keep().context(|| format!("cannot write {}", file.display()))?;
    Ok(password)
}

fn random<const COUNT: usize>() -> Result<[u8; COUNT], Failure> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).context(|| "the system gives no random bytes")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_password_is_drawn_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broker/user.password");
        let first = of(&file).unwrap();
        assert_eq!(first.0, of(&file).unwrap().0);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{first:?}").contains(&first.0));
        let other = of(&folder.path().join("broker/other.password")).unwrap();
        assert_ne!(first.0, other.0);
    }

    #[test]
    fn the_hash_is_the_one_of_rabbitmqs_own_description() {
        // https://www.rabbitmq.com/docs/passwords: password "test12", salt 90 8D C6 0A.
        let hash = Password("test12".to_owned()).hash_with([0x90, 0x8d, 0xc6, 0x0a]);
        assert_eq!(hash, "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
    }

    #[test]
    fn an_empty_file_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty");
        fs::write(&file, "\n").unwrap();
        assert!(of(&file).is_err());
    }
}
