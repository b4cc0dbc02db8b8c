//! `tidemill journal …`: looking at the journal of this machine's coordinator while that is not running. Only a repair that
//! somebody asked for changes it. What makes a journal where there is none is in `recover`.

mod recover;

pub(super) use recover::take_away;

use crate::args::JournalCommand;
use crate::embedded;
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::humane;
use crate::output::tone::Tone;
use crate::session::Session;
use std::ffi::OsString;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use tidemill_coordinator::journal::{self, Claim, JournalError, Verification};

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: JournalCommand) -> Result<Exit, Failure> {
    let folder = session.settings.state_dir.join("journal");
    let command = match command {
        JournalCommand::Recover(args) => return recover::run(session, args).await,
        JournalCommand::Import { file } => return recover::import(session, file).await,
        command => command,
    };
    if !folder.is_dir() {
        return Err(Failure::new(
            Exit::NotFound,
            format!("there is no journal at {}", folder.display()),
        )
        .help("name the folder of another coordinator with --state-dir"));
    }
    // A journal is looked at while nobody writes to it.
    let _lock = embedded::lock_now(&session.settings, "journal").await?;
    let program = embedded::hidden_verb("journal-probe", None)?;
    let closed = format!("the journal at {} does not open", folder.display());
    let readable = match probe(&folder, &program).await {
        // Only what is damaged is repaired: a journal whose disk is full is whole.
        Err(JournalError::Damaged { .. }) if matches!(command, JournalCommand::Repair { .. }) => false,
        probed => {
            probed.context(|| closed)?;
            true
        }
    };
    match command {
        JournalCommand::Verify => verify(session, folder).await,
        JournalCommand::Export => export(folder).await,
        JournalCommand::Repair { accept_loss } => repair(session, folder, readable, accept_loss).await,
        JournalCommand::Recover(_) | JournalCommand::Import { .. } => unreachable!("they need no journal"),
    }
}

async fn repair(
    session: &mut Session,
    folder: PathBuf,
    readable: bool,
    accept_loss: bool,
) -> Result<Exit, Failure> {
    let looked_at = folder.clone();
    let whole = readable && tokio::task::spawn_blocking(move || journal::verify(&looked_at).is_ok()).await?;
    if whole {
        session
            .printer
            .line("the journal is whole: nothing was changed")?;
        return Ok(Exit::Good);
    }
    if !accept_loss {
        return Err(Failure::new(
            Exit::Usage,
            "a repair gives up the events after the damage; nothing was changed",
        )
        .help("say that this is wanted: tidemill journal repair --accept-loss"));
    }
    let shown = folder.clone();
    let repaired = tokio::task::spawn_blocking(move || journal::repair(&folder, readable)).await?;
    let repaired = repaired.context(|| format!("the journal at {} cannot be repaired", shown.display()))?;
    let lost = repaired
        .expected
        .map_or(0, |expected| expected.saturating_sub(repaired.last));
    session.printer.line(format_args!(
        "kept {}; {} given up; the damaged files are in {}",
        humane::count(repaired.last, "event"),
        humane::count(lost, "event"),
        repaired.set_aside.display(),
    ))?;
    Ok(Exit::Good)
}

/// A damaged database may panic or hang: a child process opens it first.
async fn probe(folder: &Path, program: &[OsString]) -> Result<(), JournalError> {
    let claim = Claim::take(folder)?;
    journal::probe_in_child(&claim, program).await
}

async fn verify(session: &mut Session, folder: PathBuf) -> Result<Exit, Failure> {
    let shown = folder.clone();
    let found = tokio::task::spawn_blocking(move || journal::verify(&folder)).await?;
    let found = found.context(|| format!("the journal at {} is not whole", shown.display()))?;
    if session.printer.is_for_people() {
        tell(session, &found)?;
    } else {
        let view = serde_json::json!({
            "is_whole": true, "first": found.first, "last": found.last, "records": found.records, "bytes": found.bytes,
            "torn_tail": found.torn.is_some(),
            "snapshots": found.snapshots.iter().map(|s| serde_json::json!({"sequence": s.sequence, "is_whole": s.whole})).collect::<Vec<_>>(),
        });
        session
            .printer
            .one(&view, |_| found.last.to_string(), |_, _| Ok(()))?;
    }
    Ok(Exit::Good)
}

fn tell(session: &mut Session, found: &Verification) -> Result<(), Failure> {
    let printer = &mut session.printer;
    let events = (found.last + 1).saturating_sub(found.first);
    printer.line(format_args!(
        "{} the journal is whole: {}, {} in {}",
        Tone::Good.paint("✓"),
        humane::count(events, "event"),
        humane::bytes(found.bytes),
        humane::count(found.records, "record"),
    ))?;
    if found.torn.is_some() {
        printer.line("  its last, unfinished batch will be cut at the next start: nobody was told of it")?;
    }
    for snapshot in &found.snapshots {
        let state = if snapshot.whole {
            "whole"
        } else {
            "damaged: the start will replay instead"
        };
        printer.line(format_args!(
            "  snapshot after event {}: {state}",
            snapshot.sequence
        ))?;
    }
    Ok(())
}

async fn export(folder: PathBuf) -> Result<Exit, Failure> {
    let done = tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::new(io::stdout().lock());
        journal::export(&folder, &mut out)?;
        Ok::<_, Failure>(io::Write::flush(&mut out)?)
    });
    done.await??;
    Ok(Exit::Good)
}
