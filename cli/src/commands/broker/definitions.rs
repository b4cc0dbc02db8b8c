//! Users and rights in RabbitMQ's own forms: a file of definitions, and what one would type. Neither holds a password.

use super::passwords::Password;
use crate::failure::Failure;
use serde_json::{Value, json};
use std::path::PathBuf;
use tidemill_transport::rights::Rights;

/// A user to be.
#[derive(Debug)]
pub(super) struct User {
    pub(super) rights: Rights,
    pub(super) password: Password,
    /// Where the password is.
    pub(super) file: PathBuf,
}

/// What `rabbitmqctl import_definitions` takes.
pub(super) fn definitions(vhost: &str, users: &[User]) -> Result<Value, Failure> {
    let user = |user: &User| -> Result<Value, Failure> {
        Ok(json!({
            "name": user.rights.user,
            "password_hash": user.password.hash()?,
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": user.rights.tags,
        }))
    };
    let permission = |user: &User| {
        let Rights {
            user,
            configure,
            write,
            read,
            tags: _,
        } = &user.rights;
        json!({"user": user, "vhost": vhost, "configure": configure, "write": write, "read": read})
    };
    Ok(json!({
        "vhosts": [{"name": vhost}],
        "users": users.iter().map(user).collect::<Result<Vec<_>, _>>()?,
        "permissions": users.iter().map(permission).collect::<Vec<_>>(),
    }))
}

/// The same as lines for a shell.
pub(super) fn script(vhost: &str, users: &[User]) -> String {
    let is_there = vhost == "/";
    let vhost = quoted(vhost);
    let make = (!is_there).then(|| format!("rabbitmqctl add_vhost {vhost}"));
    let lines = users.iter().flat_map(|User { rights, file, .. }| {
        let user = quoted(&rights.user);
        let [configure, write, read] = [&rights.configure, &rights.write, &rights.read].map(|p| quoted(p));
        let tags = (!rights.tags.is_empty()).then(|| {
            let tags = quoted(rights.tags);
            format!("rabbitmqctl set_user_tags {user} {tags}")
        });
        [
            format!(
                "rabbitmqctl add_user {user} < {}",
                quoted(&file.to_string_lossy())
            ),
            format!("rabbitmqctl set_permissions --vhost {vhost} {user} {configure} {write} {read}"),
        ]
        .into_iter()
        .chain(tags)
    });
    make.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_would_type_says_nothing_to_a_shell_but_itself() {
        assert_eq!(quoted("a b$(c)'d"), r"'a b$(c)'\''d'");
    }
}
