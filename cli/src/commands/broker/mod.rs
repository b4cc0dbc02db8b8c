//! `tidemill broker …`: who may do what on RabbitMQ. Says it in RabbitMQ's own forms, and on request does it.

mod definitions;
mod passwords;

use crate::args::{BrokerCommand, BrokerSetupArgs};
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::session::Session;
use definitions::{User, definitions, script};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tidemill_protocol::name::Name;
use tidemill_transport::class::WorkerClass;
use tidemill_transport::rights::{self, Rights};
use tidemill_transport::topology::Topology;

/// Does what was asked.
pub(super) fn run(session: &mut Session, command: BrokerCommand) -> Result<Exit, Failure> {
    match command {
        BrokerCommand::Setup(args) => setup(session, args),
    }
}

fn setup(session: &mut Session, args: BrokerSetupArgs) -> Result<Exit, Failure> {
    let folder = match &args.passwords {
        Some(folder) => std::path::absolute(folder).context(|| "cannot tell the current folder")?,
        None => session.settings.state_dir.join("broker"),
    };
    let users = users(&session.settings.queue_prefix, args.workers, &folder)?;
    if args.apply {
        apply(&serde_json::to_vec(&definitions(&args.vhost, &users)?)?)?;
    }
    if session.printer.is_for_people() {
        if !args.apply {
            session.printer.line(script(&args.vhost, &users))?;
        }
        tell(session, &users, args.apply)?;
    } else if session.printer.is_quiet() {
        for user in &users {
            session.printer.line(&user.rights.user)?;
        }
    } else {
        session.printer.json(&definitions(&args.vhost, &users)?)?;
    }
    Ok(Exit::Good)
}

fn users(
    prefix: &str,
    workers: Vec<crate::args::ClassArg>,
    folder: &std::path::Path,
) -> Result<Vec<User>, Failure> {
    let topology = Topology::new(prefix).context(|| "the queues' prefix cannot be used")?;
    let mut classes: BTreeMap<WorkerClass, Vec<Name>> = BTreeMap::new();
    for worker in workers {
        classes.entry(worker.class).or_default().extend(worker.targets);
    }
    let with_password = |rights: Rights| {
        let file: PathBuf = folder.join(format!("{}.password", rights.user));
        let password = passwords::of(&file)?;
        Ok(User {
            rights,
            password,
            file,
        })
    };
    rights::all(&topology, &classes)
        .into_iter()
        .map(with_password)
        .collect()
}

/// Hands the definitions to the broker. They hold hashes, and go through standard input: nothing stands in an argument that others could see.
fn apply(definitions: &[u8]) -> Result<(), Failure> {
    let import = || -> std::io::Result<std::process::Output> {
        let mut child = Command::new("rabbitmqctl")
            .args(["--quiet", "import_definitions", "--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // Dropped at once, so that the reader sees the end.
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(definitions));
        let output = child.wait_with_output()?;
        written.transpose()?;
        Ok(output)
    };
    let help = "run it as RabbitMQ's administrator on its machine, or leave --apply out and do there what is printed";
    let output = import()
        .map_err(|error| Failure::because(Exit::Unreachable, "cannot run rabbitmqctl", &error).help(help))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| !line.trim().is_empty());
    Err(
        Failure::new(Exit::Failure, "rabbitmqctl did not take the definitions")
            .cause(said.unwrap_or("it did not say why"))
            .help(help),
    )
}

fn tell(session: &mut Session, users: &[User], is_applied: bool) -> Result<(), Failure> {
    for user in users.iter().filter(|_| is_applied) {
        let (name, file) = (&user.rights.user, user.file.display());
        session
            .printer
            .line(format_args!("{name}: its password is in {file}"))?;
    }
    session.printer.help(
        "put user and password into each daemon's queue_url (amqp://USER:PASSWORD@HOST/VHOST), and remove the user guest",
    );
    Ok(())
}
