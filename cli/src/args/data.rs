//! Arguments of the verbs around artifacts, reuse and the journal.

use super::{Caution, length};
use crate::subject::Subject;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidemill_protocol::time::Millis;

/// `tidemill artifacts …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ArtifactsCommand {
    /// List the outputs of a run
    #[command(visible_alias = "ls")]
    #[command(
        after_help = "EXAMPLES\n  tidemill artifacts list\n  tidemill artifacts list last/train -o json"
    )]
    List(ArtifactsListArgs),
    /// Fetch an output into a file or folder
    #[command(after_help = "\
EXAMPLES
  tidemill artifacts get last/train/model
  tidemill artifacts get last/train/model --to ./model
  tidemill artifacts get last/train/model/weights.bin --to w.bin")]
    Get(ArtifactsGetArgs),
    /// Print a file of an output
    #[command(after_help = "\
EXAMPLES
  tidemill artifacts cat last/evaluate/report
  tidemill artifacts cat last/evaluate/report/metrics.json | jq")]
    Cat(ArtifactArg),
    /// Compare two outputs file by file
    #[command(after_help = "EXAMPLES\n  tidemill artifacts diff 0198c3/prep/data last/prep/data")]
    Diff(ArtifactsDiffArgs),
    /// Delete from the store what nothing names any more
    #[command(after_help = "\
Kept is what runs, attempts under way and the catalog name, what is young, and
the journal's archive. `tidemill runs delete` forgets runs.

EXAMPLES
  tidemill artifacts sweep --dry-run
  tidemill artifacts sweep --older-than 30d --yes")]
    Sweep(ArtifactsSweepArgs),
}

/// `tidemill artifacts sweep`.
#[derive(Debug, Args)]
pub(crate) struct ArtifactsSweepArgs {
    /// Keep what is younger than this, at least 1h
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = length)]
    pub(crate) older_than: Millis,
    /// Sweep although other coordinators have kept records in this store
    #[arg(long)]
    pub(crate) ignore_others: bool,
    /// Sweep although the coordinator was started less than six hours ago
    #[arg(long)]
    pub(crate) ignore_restart: bool,
    #[command(flatten)]
    pub(crate) caution: Caution,
}

/// `tidemill artifacts list`.
#[derive(Debug, Args)]
pub(crate) struct ArtifactsListArgs {
    /// A run, or one step of it
    #[arg(value_name = "RUN[/STEP]", default_value = "last")]
    pub(crate) subject: Subject,
}

/// `tidemill artifacts get`.
#[derive(Debug, Args)]
pub(crate) struct ArtifactsGetArgs {
    /// The output, or one path inside it
    #[arg(value_name = "RUN/STEP/OUTPUT[/PATH]")]
    pub(crate) artifact: String,
    /// Where to write it [default: the output's name in this folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// One output, or a path inside it.
#[derive(Debug, Args)]
pub(crate) struct ArtifactArg {
    /// The output, or one path inside it
    #[arg(value_name = "RUN/STEP/OUTPUT[/PATH]")]
    pub(crate) artifact: String,
}

/// `tidemill artifacts diff`.
#[derive(Debug, Args)]
pub(crate) struct ArtifactsDiffArgs {
    /// The first output
    #[arg(value_name = "RUN/STEP/OUTPUT")]
    pub(crate) left: String,
    /// The second output
    #[arg(value_name = "RUN/STEP/OUTPUT")]
    pub(crate) right: String,
}

/// `tidemill cache …`.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Show a step's key part by part, beside that of the newest earlier run
    #[command(
        after_help = "EXAMPLES\n  tidemill cache explain last/train\n  tidemill cache explain last/train -o json"
    )]
    Explain(StepArg),
}

/// One step of a run.
#[derive(Debug, Args)]
pub(crate) struct StepArg {
    /// The step
    #[arg(value_name = "RUN/STEP")]
    pub(crate) step: Subject,
}

/// `tidemill journal …`.
#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Read the whole journal and check every record; changes nothing
    #[command(
        after_help = "EXAMPLES\n  tidemill journal verify\n  tidemill journal verify --state-dir /var/lib/tidemill"
    )]
    Verify,
    /// Print every event as one JSON value a line
    #[command(
        after_help = "EXAMPLES\n  tidemill journal export > events.jsonl\n  tidemill journal export | tail -n 20"
    )]
    Export,
    /// Keep what is whole of a damaged journal and put the rest aside
    #[command(
        after_help = "What follows the damage is lost to the coordinator; the damaged files stay beside the journal, in damaged-N.\n\n\
                      EXAMPLES\n  tidemill journal repair --accept-loss"
    )]
    Repair {
        /// Yes, give up the events after the damage
        #[arg(long)]
        accept_loss: bool,
    },
    /// Make a journal of what `export` printed
    #[command(after_help = "EXAMPLES\n  tidemill journal import events.jsonl --state-dir /var/lib/tm-2")]
    Import {
        /// What `tidemill journal export` printed
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Rebuild a lost journal from its archive in the store
    #[command(
        after_help = "Events after the last archived one are lost. Results that the store has beyond it are\ntaken over; those that cannot be are listed, with the reason. Only what the coordinator's\nkey has signed is believed: put coordinator.key back first, or say whose archive it is.\n\n\
                      EXAMPLES\n  tidemill journal recover --store-url s3://ml/tidemill\n  \
                      tidemill journal recover --store-url s3://ml/tm --coordinator 5e562ef01b7d03c4"
    )]
    Recover(RecoverArgs),
}

/// `tidemill journal recover`.
#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The store that holds the archive
    #[arg(long, value_name = "URL")]
    pub(crate) store_url: Option<String>,
    /// The coordinator's public key, or at least 16 digits of it, as its
    /// workers know it [default: that of the signing key]
    #[arg(long, value_name = "KEY")]
    pub(crate) coordinator: Option<String>,
    /// The secret key of that coordinator [default: coordinator.key in the
    /// state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_key: Option<PathBuf>,
    /// Also when that coordinator lives: it ends when it finds out. Takes the
    /// signing key
    #[arg(long)]
    pub(crate) force: bool,
    /// Yes, believe what nobody has signed: an archive of a version that signed
    /// nothing yet, in a store to which nobody else could write
    #[arg(long)]
    pub(crate) accept_unsigned: bool,
}
