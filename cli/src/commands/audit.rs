//! `tidemill audit`: who changed what and who was refused; whether the log is whole; and a copy of it.

use crate::args::{AuditArgs, AuditCommand};
use crate::client::AuditFilter;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::humane::{self, Since};
use crate::output::tone::Tone;
use crate::session::Session;
use crate::views;
use futures_util::StreamExt;
use std::path::{Path, PathBuf};
use tidemill_coordinator::audit::{self, AUDIT_DIR, Verified};
use tidemill_protocol::time::Millis;
use tokio::io::AsyncWriteExt;

/// How far back a list goes when nobody says.
const SINCE_USUAL: Since = Since::Ago(Millis::from_secs(24 * 3600));

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: AuditArgs) -> Result<Exit, Failure> {
    match &args.command {
        None => list(session, &args).await,
        Some(AuditCommand::Verify { file }) => verify(session, file.clone()).await,
        Some(AuditCommand::Export { file }) => export(session, file).await,
    }
}

async fn list(session: &mut Session, args: &AuditArgs) -> Result<Exit, Failure> {
    let since = args.since.unwrap_or(SINCE_USUAL);
    let filter = AuditFilter {
        since: Some(since.seen_from(session.now())),
        who: args.who.clone(),
        decision: args.decision.clone(),
    };
    let connection = Connection::open(session).await?;
    let found = connection.client.audit(&filter).await;
    connection.close().await?;
    let columns = views::audit::columns();
    session
        .printer
        .list(&found?, &columns, |entry| entry.sequence.to_string())?;
    Ok(Exit::Good)
}

async fn export(session: &mut Session, file: &Path) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let written = write(&connection, file).await;
    connection.close().await?;
    let bytes = written?;
    session.printer.note(format_args!(
        "{} in {}; `tidemill audit verify {}` checks it",
        humane::bytes(bytes),
        file.display(),
        file.display()
    ));
    Ok(Exit::Good)
}

async fn write(connection: &Connection, file: &Path) -> Result<u64, Failure> {
    let mut lines = connection.client.audit_export().await?;
    let cannot = || format!("cannot write {}", file.display());
    let mut options = tokio::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(file).await;
    let mut out = opened.context(cannot)?;
    let mut written = 0;
    while let Some(piece) = lines.next().await {
        let piece = piece?;
        out.write_all(&piece).await.context(cannot)?;
        written += piece.len() as u64;
    }
    out.sync_all().await.context(cannot)?;
    Ok(written)
}

/// Needs no coordinator, and disturbs none.
async fn verify(session: &mut Session, file: Option<PathBuf>) -> Result<Exit, Failure> {
    let dir = session.settings.state_dir.join(AUDIT_DIR);
    if file.is_none() && !dir.is_dir() {
        return Err(Failure::new(
            Exit::NotFound,
            format!("there is no audit log at {}", dir.display()),
        )
        .help(
            "name the folder of another coordinator with --state-dir, or a file that `audit export` wrote",
        ));
    }
    if let Some(file) = file.as_deref().filter(|file| !file.is_file()) {
        return Err(
            Failure::new(Exit::NotFound, format!("there is no file {}", file.display()))
                .code("not_found")
                .help("`tidemill audit export FILE` writes one"),
        );
    }
    let verified = tokio::task::spawn_blocking(move || match file {
        Some(file) => audit::verify_file(&file),
        None => audit::verify(&dir),
    });
    let Verified { first, last, hash } = verified.await?.map_err(|error| {
        Failure::because(Exit::Failure, "the audit log is not whole", &error)
            .code("audit_damaged")
            .help("keep the folder as it is: it is evidence; compare it with what was exported before")
    })?;
    let entries = (last + 1).saturating_sub(first);
    session.printer.line(format_args!(
        "{} the audit log is whole: {}, up to {last}, whose hash is {hash}",
        Tone::Good.paint("✓"),
        if entries == 1 {
            "1 entry".to_owned()
        } else {
            format!("{} entries", humane::thousands(entries))
        },
    ))?;
    Ok(Exit::Good)
}
