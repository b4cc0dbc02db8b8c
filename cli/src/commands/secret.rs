//! `tidemill secret …`: set, list and remove the secrets that steps are given. A value is read from the terminal or standard input, and is never printed.

use crate::args::{SecretCommand, SecretSetArgs};
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::hidden;
use crate::session::Session;
use crate::views;
use tidemill_protocol::name::Name;
use tidemill_protocol::secret::{SECRET_BYTES, SecretValue};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: SecretCommand) -> Result<Exit, Failure> {
    // Before anything is opened: whoever types slowly keeps nobody out of the state folder.
    let value = match &command {
        SecretCommand::Set(args) => Some(value(session, args).await?),
        SecretCommand::List | SecretCommand::Remove(_) => None,
    };
    let connection = Connection::open(session).await?;
    let client = &connection.client;
    let outcome = match (command, value) {
        (SecretCommand::Set(args), Some(value)) => set(session, client, &args.name, &value).await,
        (SecretCommand::Remove(args), _) => remove(session, client, &args.names).await,
        _ => list(session, client).await,
    };
    connection.close().await?;
    outcome
}

/// The value: typed without being shown, or piped in. One line end at its end is not part of it, unless that is said.
async fn value(session: &mut Session, args: &SecretSetArgs) -> Result<SecretValue, Failure> {
    let bytes_max = *SECRET_BYTES.end() as u64 + 2;
    let mut bytes = if hidden::can_ask() {
        if session.settings.no_input {
            return Err(Failure::new(Exit::Usage, "nobody can be asked for the value")
                .help("tidemill secret set NAME < value.txt"));
        }
        let question = format!("Value of {}", args.name);
        hidden::ask(session, &question, bytes_max).await?.into_bytes()
    } else {
        hidden::from_stdin(bytes_max).context(|| "cannot read the value")?
    };
    if !args.exact {
        for end in [b"\n".as_slice(), b"\r".as_slice()] {
            let length = bytes.strip_suffix(end).map_or(bytes.len(), <[u8]>::len);
            bytes.truncate(length);
        }
    }
    SecretValue::new(bytes).map_err(|length| {
        Failure::new(Exit::Usage, length.to_string())
            .help("shorter values cannot be told from other text in logs; longer ones belong in the store")
    })
}

async fn set(
    session: &mut Session,
    client: &Client,
    name: &Name,
    value: &SecretValue,
) -> Result<Exit, Failure> {
    let view = client
        .set_secret(name, value.reveal().to_vec(), &session.settings.user)
        .await?;
    session.printer.one(
        &view,
        |view| view.name.to_string(),
        |printer, view| printer.line(format_args!("set {} (version {})", view.name, view.version)),
    )?;
    Ok(Exit::Good)
}

async fn list(session: &mut Session, client: &Client) -> Result<Exit, Failure> {
    let secrets = client.secrets().await?;
    if secrets.is_empty() && session.printer.is_for_people() {
        session.printer.note("there are no secrets");
        session.printer.help("set one with `tidemill secret set NAME`");
        return Ok(Exit::Good);
    }
    let columns = views::secrets::columns(session.now());
    session
        .printer
        .list(&secrets, &columns, |secret| secret.name.to_string())?;
    Ok(Exit::Good)
}

async fn remove(session: &mut Session, client: &Client, names: &[Name]) -> Result<Exit, Failure> {
    for name in names {
        client.remove_secret(name, &session.settings.user).await?;
        session.printer.one(
            &serde_json::json!({ "removed": name }),
            |_| name.to_string(),
            |printer, _| printer.line(format_args!("removed {name}")),
        )?;
    }
    Ok(Exit::Good)
}
