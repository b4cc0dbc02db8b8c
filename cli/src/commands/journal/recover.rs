//! `tidemill journal recover` and `import`: a journal where there is none, from the archive in the store or from what `export` printed.

use crate::args::RecoverArgs;
use crate::embedded::{StoreAddress, lock_now, open_store};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::humane;
use crate::output::tone::Tone;
use crate::session::Session;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use tidemill_coordinator::archive::{
    ArchiveError, LeftResult, RecoverOptions, RecoveredState, recover_state,
};
use tidemill_coordinator::import_journal;
use tidemill_coordinator::journal::ImportError;
use tidemill_coordinator::secrets::KEY_FILE;

/// Results that were left which are named; the rest is counted.
const RESULTS_SHOWN: usize = 10;

/// Rebuilds the journal of the state folder.
pub(super) async fn run(session: &mut Session, args: RecoverArgs) -> Result<Exit, Failure> {
    if session.settings.store_url.is_none() {
        return Err(Failure::new(Exit::Usage, "a journal is recovered from a store")
            .help("name it with --store-url or $TIDEMILL_STORE_URL"));
    }
    let _lock = lock_now(&session.settings, "journal").await?;
    let store = open_store(&session.settings, &StoreAddress::of(&session.settings)).await?;
    let options = RecoverOptions {
        coordinator: args.coordinator,
        signing_key: session.settings.signing_key.clone(),
        force: args.force,
        accept_unsigned: args.accept_unsigned,
    };
    let folder = session.settings.state_dir.clone();
    let recovering = recover_state(&store, &folder, &options, &session.clock);
    let recovered = recovering.await.map_err(|error| explained(&error))?;
    session
        .printer
        .one(&recovered, |state| state.last.to_string(), |_, _| Ok(()))?;
    if session.printer.is_for_people() {
        tell(session, &recovered)?;
    }
    if !folder.join("coordinator.key").exists() && session.settings.signing_key.is_none() {
        session
            .printer
            .warn("there is no coordinator.key here: put the old one back, or the next start makes a new one, which every worker must be given");
    }
    let secrets_key = session.settings.secrets_key.clone();
    let secrets_key = secrets_key.unwrap_or_else(|| folder.join(KEY_FILE));
    if recovered.secrets > 0 && !secrets_key.exists() {
        session.printer.warn(format_args!(
            "{} cannot be opened without {}: put the old file there; until then steps that need them fail",
            humane::count(recovered.secrets as u64, "secret"),
            secrets_key.display()
        ));
    }
    Ok(Exit::Good)
}

fn tell(session: &mut Session, state: &RecoveredState) -> Result<(), Failure> {
    let printer = &mut session.printer;
    printer.line(format_args!(
        "{} recovered {} of coordinator {} from {}",
        Tone::Good.paint("✓"),
        humane::count(state.last + 1 - state.first, "event"),
        short(&state.coordinator),
        humane::count(state.segments, "segment"),
    ))?;
    if state.snapshot > 0 {
        printer.line(format_args!("  on a snapshot after event {}", state.snapshot))?;
    }
    printer.line(format_args!(
        "  {}, of which {} go on when the coordinator starts; the last epoch was {}",
        humane::count(state.runs as u64, "run"),
        state.runs_going_on,
        state.epoch,
    ))?;
    if !state.adopted_results.is_empty() {
        printer.line(format_args!(
            "  {} taken over that the archive did not know of",
            humane::count(state.adopted_results.len() as u64, "result"),
        ))?;
    }
    if state.left_results.is_empty() {
        return Ok(());
    }
    printer.line(format_args!(
        "  {} left in the store:",
        humane::count(state.left_results.len() as u64, "result"),
    ))?;
    for LeftResult { attempt, reason } in state.left_results.iter().take(RESULTS_SHOWN) {
        printer.line(format_args!(
            "    run {} step {} attempt {}: {reason}",
            attempt.run, attempt.step, attempt.attempt
        ))?;
    }
    Ok(())
}

fn short(key: &str) -> &str {
    key.get(..16).unwrap_or(key)
}

fn explained(error: &ArchiveError) -> Failure {
    let failed = |exit| Failure::because(exit, "the journal cannot be recovered", error);
    match error {
        ArchiveError::Exists(_) => failed(Exit::Conflict)
            .code("exists")
            .help("name another folder with --state-dir, or move that journal away first"),
        ArchiveError::Alive { .. } => failed(Exit::Conflict)
            .code("alive")
            .help("stop it first; what it does meanwhile would be lost")
            .help("or end it from here with --force: it stops when it finds the newer epoch"),
        ArchiveError::NoArchive(_) => failed(Exit::NotFound).code("not_found"),
        ArchiveError::Ambiguous(keys) => keys
            .iter()
            .fold(failed(Exit::Usage).code("ambiguous"), |failure, key| {
                failure.help(format!("say which: --coordinator {}", short(key)))
            }),
        ArchiveError::Unnamed(keys) => {
            let failure = failed(Exit::Usage).code("unnamed").help(
                "put coordinator.key of the lost coordinator back, or name it with --signing-key FILE",
            );
            keys.iter().fold(
                failure.help("or say whose it is, as its workers know it (`coordinator_key`); of all who may write to the store, anybody can have put an archive there"),
                |failure, key| failure.help(format!("found there: --coordinator {}", short(key))),
            )
        }
        ArchiveError::ShortKey(_) => failed(Exit::Usage)
            .code("short_key")
            .help("give at least 16 of its 64 digits"),
        ArchiveError::Keyless => failed(Exit::Usage)
            .code("keyless")
            .help("--force begins an epoch, which the coordinator signs: put its coordinator.key back, or name it with --signing-key FILE"),
        error if error.is_of_strangers() => take_away(failed(Exit::Failure)),
        ArchiveError::Store(_) | ArchiveError::Silent => failed(Exit::Unreachable),
        _ => failed(Exit::Failure).code("damaged"),
    }
}

/// What to do about objects that the coordinator has not put there.
pub(crate) fn take_away(failure: Failure) -> Failure {
    failure
        .code("unsigned")
        .help("somebody else may write to `journal/` in the store: take that right away, and keep the object for whoever looks into it, outside of the store")
        .help("then delete it there: what the coordinator has written before it is whole")
        .help("only an archive of a version that signed nothing yet is unsigned and right: `tidemill journal recover --accept-unsigned`")
}

/// Reads an export into the state folder.
pub(super) async fn import(session: &mut Session, file: PathBuf) -> Result<Exit, Failure> {
    let _lock = lock_now(&session.settings, "journal").await?;
    let opened = File::open(&file);
    let opened = opened.map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound {
            Exit::NotFound
        } else {
            Exit::Failure
        };
        Failure::because(exit, format!("cannot read {}", file.display()), &error)
    })?;
    let folder = session.settings.state_dir.clone();
    let imported =
        tokio::task::spawn_blocking(move || import_journal(&mut BufReader::new(opened), &folder)).await?;
    let (events, runs) = imported.map_err(|error| {
        let exit = if matches!(error, ImportError::Exists(_)) {
            Exit::Conflict
        } else {
            Exit::Failure
        };
        Failure::because(exit, format!("{} cannot be imported", file.display()), &error)
            .help("nothing was changed; an import needs a whole export and a state folder without a journal")
    })?;
    let view = serde_json::json!({"events": events, "runs": runs});
    session.printer.one(
        &view,
        |_| events.to_string(),
        |printer, _| {
            printer.line(format_args!(
                "{} imported {}: {}",
                Tone::Good.paint("✓"),
                humane::count(events, "event"),
                humane::count(runs as u64, "run"),
            ))
        },
    )?;
    Ok(Exit::Good)
}
