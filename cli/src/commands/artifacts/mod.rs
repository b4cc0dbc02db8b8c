//! `tidemill artifacts …`: list the outputs of a run, print one, fetch one, compare two; and sweep the store.

mod fetch;
mod locate;
mod sweep;

pub(super) use fetch::fetch;
pub(super) use locate::Found;

use crate::args::ArtifactsCommand;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::Column;
use crate::output::tone::Tone;
use crate::output::{Printer, humane};
use crate::session::Session;
use futures_util::StreamExt;
use locate::locate;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tidemill_protocol::api::ArtifactView;
use tidemill_protocol::artifact::{ArtifactKind, Tree, TreeEntry};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: ArtifactsCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = dispatch(session, &connection.client, command).await;
    connection.close().await?;
    outcome
}

async fn dispatch(
    session: &mut Session,
    client: &Client,
    command: ArtifactsCommand,
) -> Result<Exit, Failure> {
    match command {
        ArtifactsCommand::List(args) => list(session, client, args.subject.whole_step()?).await?,
        ArtifactsCommand::Get(args) => {
            let found = locate(client, &args.artifact).await?;
            let to = args.to.unwrap_or_else(|| PathBuf::from(found.name()));
            fetch(session, client, &found, &to, args.force).await?;
            let size = humane::bytes(found.size_bytes());
            session.printer.note(format_args!("{} ({size})", to.display()));
        }
        ArtifactsCommand::Cat(args) => {
            let found = locate(client, &args.artifact).await?;
            cat(session, client, &found).await?;
        }
        ArtifactsCommand::Sweep(args) => return sweep::sweep(session, client, &args).await,
        ArtifactsCommand::Diff(args) => {
            let left = tree_of(client, &args.left).await?;
            let right = tree_of(client, &args.right).await?;
            diff(session, &left, &right)?;
        }
    }
    Ok(Exit::Good)
}

async fn list(
    session: &mut Session,
    client: &Client,
    (run, step): (&str, Option<&str>),
) -> Result<(), Failure> {
    let mut artifacts = client.artifacts(run).await?;
    artifacts.retain(|artifact| step.is_none_or(|step| artifact.step.as_str() == step));
    if artifacts.is_empty() && session.printer.is_for_people() {
        session.printer.note("no outputs");
        return Ok(());
    }
    let columns = [
        Column::new("STEP", |artifact: &ArtifactView| artifact.step.to_string()).fixed(),
        Column::new("OUTPUT", |artifact: &ArtifactView| artifact.output.to_string()).fixed(),
        Column::new("KIND", |artifact: &ArtifactView| {
            kind(artifact.artifact.kind).to_owned()
        }),
        Column::new("FILES", |artifact: &ArtifactView| {
            humane::thousands(artifact.artifact.files)
        })
        .number(),
        Column::new("SIZE", |artifact: &ArtifactView| {
            humane::bytes(artifact.artifact.size_bytes)
        })
        .number(),
        Column::toned("", |artifact: &ArtifactView| {
            (
                if artifact.reused {
                    "reused".to_owned()
                } else {
                    String::new()
                },
                Tone::Reused,
            )
        }),
        Column::toned("DIGEST", |artifact: &ArtifactView| {
            (artifact.artifact.digest.short(), Tone::Dim)
        })
        .fixed(),
        Column::new("WHOLE DIGEST", |artifact: &ArtifactView| {
            artifact.artifact.digest.to_string()
        })
        .wide()
        .fixed(),
    ];
    session.printer.list(&artifacts, &columns, |artifact| {
        format!("{}/{}/{}", artifact.run, artifact.step, artifact.output)
    })
}

const fn kind(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Blob => "file",
        ArtifactKind::Tree => "folder",
    }
}

/// Prints a file; of a folder, the list of its files (or the only one).
async fn cat(session: &mut Session, client: &Client, found: &Found) -> Result<(), Failure> {
    let digest = match found {
        Found::File { digest, .. } => digest,
        Found::Folder { tree, .. } => match tree.entries.as_slice() {
            [only] => &only.digest,
            entries => {
                let columns = [
                    Column::new("PATH", |entry: &TreeEntry| entry.path.to_string()).fixed(),
                    Column::new("SIZE", |entry: &TreeEntry| humane::bytes(entry.size_bytes)).number(),
                ];
                return session
                    .printer
                    .list(entries, &columns, |entry| entry.path.to_string());
            }
        },
    };
    let mut bytes = client.blob(digest).await?;
    while let Some(piece) = bytes.next().await {
        session.printer.bytes(&piece?)?;
    }
    Ok(())
}

async fn tree_of(client: &Client, name: &str) -> Result<Tree, Failure> {
    Ok(locate(client, name).await?.into_tree())
}

#[derive(Debug, Serialize)]
struct Difference {
    change: &'static str,
    path: String,
    left_bytes: Option<u64>,
    right_bytes: Option<u64>,
}

fn diff(session: &mut Session, left: &Tree, right: &Tree) -> Result<(), Failure> {
    let found = tidemill_artifacts::diff(left, right);
    let one = |change, entry: &TreeEntry, left_bytes, right_bytes| Difference {
        change,
        path: entry.path.to_string(),
        left_bytes,
        right_bytes,
    };
    let mut differences: Vec<Difference> = Vec::new();
    differences.extend(
        found
            .added
            .iter()
            .map(|e| one("added", e, None, Some(e.size_bytes))),
    );
    differences.extend(
        found
            .removed
            .iter()
            .map(|e| one("removed", e, Some(e.size_bytes), None)),
    );
    differences.extend(
        found
            .changed
            .iter()
            .map(|(l, r)| one("changed", r, Some(l.size_bytes), Some(r.size_bytes))),
    );
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    if differences.is_empty() && session.printer.is_for_people() {
        return session.printer.line("the outputs do not differ");
    }
    let tone = |change: &str| match change {
        "added" => Tone::Good,
        "removed" => Tone::Bad,
        _ => Tone::Warn,
    };
    let size = |bytes: Option<u64>| bytes.map(humane::bytes).unwrap_or_default();
    let columns = [
        Column::toned("CHANGE", move |d: &Difference| {
            (d.change.to_owned(), tone(d.change))
        })
        .fixed(),
        Column::new("PATH", |d: &Difference| d.path.clone()).fixed(),
        Column::new("LEFT", move |d: &Difference| size(d.left_bytes)).number(),
        Column::new("RIGHT", move |d: &Difference| size(d.right_bytes)).number(),
    ];
    session
        .printer
        .list(&differences, &columns, |difference| difference.path.clone())
}

/// Refuses to write over something, unless told to.
fn check_free(printer: &mut Printer, to: &Path, force: bool) -> Result<(), Failure> {
    if !to.exists() {
        return Ok(());
    }
    if force {
        printer.note(format_args!("overwriting {}", to.display()));
        return Ok(());
    }
    Err(Failure::new(Exit::Conflict, format!("{} exists", to.display()))
        .help("name another place with --to, or overwrite with --force"))
}
