//! Joining: a worker that starts with a join token becomes known to the coordinator by its own key, once. What it was told then (the coordinator's key, the
//! store's address) is kept in its state folder and serves each later start.

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::plaintext::check_token_to;
use crate::session::Session;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::api::EnrolRequest;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::proof::sign_enrolment;
use tidemill_protocol::wire::TrustedKey;
use tidemill_worker::Identity;

/// The variable that holds a join token.
const JOIN_TOKEN_VARIABLE: &str = "TIDEMILL_JOIN_TOKEN";
/// The file of what a worker was told when it joined.
const FILE: &str = "enrolment.json";

/// What a worker was told when it joined.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Enrolment {
    /// By which token it has joined.
    token: TokenId,
    /// As whom.
    worker: WorkerId,
    /// With which key.
    key: TrustedKey,
    /// The coordinator's public key.
    pub(super) coordinator_key: String,
    /// The store that it uses.
    pub(super) store_url: String,
}

impl Enrolment {
    fn is_of(&self, identity: &Identity) -> bool {
        self.worker == identity.id && self.key == identity.key.trusted()
    }
}

/// Joins, if there is a token by which it has not yet; answers what is known from the last time it has.
pub(super) async fn join(
    session: &mut Session,
    dir: &Path,
    identity: &Identity,
) -> Result<Option<Enrolment>, Failure> {
    let path = dir.join(FILE);
    let kept = read(&path)?.filter(|kept| kept.is_of(identity));
    let Some(text) = token(&session.settings, kept.is_some())? else {
        return Ok(kept);
    };
    let id = id_of(&text)?;
    if let Some(kept) = kept.filter(|kept| kept.token == id) {
        return Ok(Some(kept));
    }
    let settings = &session.settings;
    let Some(url) = &settings.url else {
        return Err(
            Failure::new(Exit::Usage, "a worker joins at a coordinator's address")
                .help("name it with --coordinator-url URL or $TIDEMILL_URL"),
        );
    };
    check_token_to(url, settings.insecure_plaintext)?;
    let ca = settings.api_ca.as_deref();
    let client = Client::http(url, settings.url_origin(), Some(&text), ca)?;
    let request = EnrolRequest {
        key: identity.key.trusted(),
        proof: sign_enrolment(&identity.key, &id, &identity.id),
    };
    let enrolled = client.enrol(&identity.id, &request).await?;
    let enrolment = Enrolment {
        token: id,
        worker: enrolled.worker,
        key: identity.key.trusted(),
        coordinator_key: enrolled.coordinator.public_key,
        store_url: enrolled.coordinator.store_url,
    };
    write(&path, &enrolment).context(|| format!("cannot write {}", path.display()))?;
    let text = format!("joined {url} as worker {}", identity.id);
    session.printer.line(text)?;
    Ok(Some(enrolment))
}

/// The join token that was given. A file that is gone is no matter for a worker that has joined.
fn token(settings: &Settings, has_joined: bool) -> Result<Option<String>, Failure> {
    let Some(file) = &settings.join_token_file else {
        let given = settings.environment.get(JOIN_TOKEN_VARIABLE);
        return Ok(given.map(|token| token.trim().to_owned()));
    };
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if has_joined && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let what = format!("cannot read the join token in {}", file.display());
            Err(Failure::because(Exit::Usage, what, &error))
        }
    }
}

fn id_of(text: &str) -> Result<TokenId, Failure> {
    let id = text.strip_prefix("tmj_").and_then(|rest| rest.split_once('_'));
    let id = id.and_then(|(id, _)| id.parse().ok());
    id.ok_or_else(|| {
        Failure::new(Exit::Usage, "this is not a join token: it begins with tmj_")
            .help("ask an admin for one: `tidemill worker token create`")
    })
}

fn read(path: &Path) -> Result<Option<Enrolment>, Failure> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.context(|| format!("cannot read {}", path.display()))?,
    };
    let kept = serde_json::from_str(&text);
    kept.map(Some)
        .context(|| format!("{} is damaged; remove it and join again", path.display()))
}

fn write(path: &Path, enrolment: &Enrolment) -> std::io::Result<()> {
    let draft = path.with_extension("json.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(serde_json::to_string_pretty(enrolment)?.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}
