//! Arguments of the verbs that concern RabbitMQ itself.

use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidemill_protocol::name::Name;
use tidemill_transport::class::WorkerClass;

/// `tidemill broker …`.
#[derive(Debug, Subcommand)]
pub(crate) enum BrokerCommand {
    /// Write RabbitMQ's users and their rights
    #[command(after_help = "\
One user for the coordinator, and one for each class of workers. A class's user
may take its targets' tasks and report; it can publish no task, read no other
class and change nothing. Its workers' names begin with the class, as in
`gpu.box-1`; names that are not given are made so.

Passwords are drawn once and kept in files that only you can read; they are not
printed, and another setup takes them over. Without --apply nothing is changed:
what to type is printed, or with `-o json` a file of definitions.

EXAMPLES
  tidemill broker setup --worker cpu --worker gpu=gpu-a100,gpu-v100
  tidemill broker setup --vhost tidemill --worker cpu --apply
  tidemill broker setup --worker cpu -o json > definitions.json")]
    Setup(BrokerSetupArgs),
}

/// `tidemill broker setup`.
#[derive(Debug, Args)]
pub(crate) struct BrokerSetupArgs {
    /// A class of workers and the compute targets it serves [default: the one of
    /// the same name]; may be given several times
    #[arg(long = "worker", value_name = "CLASS[=TARGET,…]", required = true)]
    pub(crate) workers: Vec<ClassArg>,
    /// The virtual host; made when it is missing
    #[arg(long, value_name = "NAME", default_value = "/")]
    pub(crate) vhost: String,
    /// Where passwords are kept [default: `broker` in the state folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) passwords: Option<PathBuf>,
    /// What the names of queues start with [default: tidemill]
    #[arg(long, value_name = "NAME")]
    pub(crate) queue_prefix: Option<String>,
    /// Do it, with the rabbitmqctl of this machine
    #[arg(long)]
    pub(crate) apply: bool,
}

/// `CLASS` or `CLASS=TARGET,TARGET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassArg {
    pub(crate) class: WorkerClass,
    pub(crate) targets: Vec<Name>,
}

impl std::str::FromStr for ClassArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (class, targets) = text.split_once('=').unwrap_or((text, text));
        let targets: Result<_, _> = targets.split(',').map(str::parse).collect();
        Ok(Self {
            class: class.parse().map_err(|error| format!("{error}"))?,
            targets: targets.map_err(|error| format!("{error}"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_without_targets_serves_the_target_of_its_name() {
        let short: ClassArg = "gpu".parse().unwrap();
        assert_eq!(short, "gpu=gpu".parse().unwrap());
        let long: ClassArg = "gpu=a,b".parse().unwrap();
        assert_eq!(long.targets.len(), 2);
        for bad in ["", "=a", "gpu=", "gpu=a,", "g.p=a", "gpu=a b"] {
            assert!(bad.parse::<ClassArg>().is_err(), "{bad:?} was accepted");
        }
    }
}
