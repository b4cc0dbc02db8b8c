//! Arguments of the verbs around datastores.

use super::{Caution, Pair};
use clap::{Args, Subcommand};
use tidemill_protocol::name::Name;

/// `tidemill datastore …`.
#[derive(Debug, Subcommand)]
pub(crate) enum DatastoreCommand {
    /// Say where a datastore is, also when it was elsewhere before
    #[command(after_help = "\
EXAMPLES
  tidemill datastore add share file:///mnt/share
  tidemill datastore add lake s3://lake/raw --option aws_region=eu-1 \\
      --secret aws_secret_access_key=lake-key
  tidemill datastore add blobs az://container --option account_name=ours

Credentials are names of secrets: set their values with `tidemill secret set`.
Pipelines write azureml://datastores/NAME/paths/PATH.")]
    Add(DatastoreAddArgs),
    /// List the datastores
    #[command(
        visible_alias = "ls",
        after_help = "EXAMPLES\n  tidemill datastore list\n  tidemill datastore list -o json"
    )]
    List,
    /// Show one datastore
    #[command(after_help = "EXAMPLES\n  tidemill datastore show lake")]
    Show(DatastoreArg),
    /// Ask whether it can be read from the coordinator's machine
    #[command(after_help = "EXAMPLES\n  tidemill datastore test lake")]
    Test(DatastoreArg),
    /// Remove a datastore; runs keep the address that they were given
    #[command(
        visible_alias = "rm",
        after_help = "EXAMPLES\n  tidemill datastore remove lake --yes"
    )]
    Remove(DatastoreRemoveArgs),
}

/// `tidemill datastore add`.
#[derive(Debug, Args)]
pub(crate) struct DatastoreAddArgs {
    /// What pipelines call it
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// Its root: file:///…, s3://…, az://…, abfss://…, gs://… or https://…
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// An option that is no secret; may be given several times
    #[arg(long = "option", value_name = "NAME=VALUE")]
    pub(crate) options: Vec<Pair>,
    /// An option whose value is in this secret; may be given several times
    #[arg(long = "secret", value_name = "NAME=SECRET")]
    pub(crate) secrets: Vec<Pair>,
    /// What people should know of it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) description: String,
}

/// One datastore.
#[derive(Debug, Args)]
pub(crate) struct DatastoreArg {
    /// The datastore
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
}

/// `tidemill datastore remove`.
#[derive(Debug, Args)]
pub(crate) struct DatastoreRemoveArgs {
    /// The datastore
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    #[command(flatten)]
    pub(crate) caution: Caution,
}
