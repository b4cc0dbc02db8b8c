//! The verbs, one file each: ask the client or start the parts, hand the answer to the printer. Here is only the list, and how a verb is started.

mod artifacts;
mod assets;
mod audit;
mod bench;
mod broker;
mod cache;
mod compare;
mod completions;
mod compute;
mod config;
mod datastore;
mod describing;
mod doctor;
mod drafts;
mod experiment;
mod explain;
mod following;
mod graph;
mod help;
mod init;
mod journal;
mod lineage;
mod login;
mod logs;
mod mailing;
mod metrics;
mod pipelines;
mod plan;
mod project;
mod publish;
mod queue;
mod remarks;
mod run;
mod runs;
mod schedule;
mod schema;
mod secret;
mod serve;
mod submit;
mod supervise;
mod token;
mod up;
mod validate;
mod version;
mod webhook;
mod worker;

use crate::args::{
    AssetCommand, BrokerCommand, Cli, Command, Global, JournalCommand, ScheduleCommand, WorkerCommand,
};
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::output::{self, Printer};
use crate::session::Session;
use crate::settings::{Environment, Given, Settings};
use crate::telemetry;
use std::path::{Path, PathBuf};
use tidemill_protocol::catalog::AssetKind;
use tidemill_worker::SystemClock;

/// Does what was typed.
pub(crate) fn run(cli: Cli) -> Exit {
    let Cli { global, command } = cli;
    // The first four are started by other parts many times and need neither settings nor a runtime.
    let command = match command {
        Command::Supervise(args) => return supervise::supervise(args),
        Command::Confine(args) => return supervise::confine(args),
        Command::Perform(args) => return supervise::perform(&args.file),
        Command::JournalProbe(args) => return supervise::probe_journal(&args.dir),
        command => command,
    };
    output::report_panics(verb(&command));
    let mut printer = Printer::early(global.verbose > 0);
    let outcome = session(&global, &command).and_then(|mut session| {
        let outcome = in_runtime(&mut session, command);
        printer = session.printer;
        outcome
    });
    printer.flush();
    match outcome {
        Ok(exit) => exit,
        Err(failure) if is_closed_pipe(&failure) => Exit::Good,
        Err(failure) => {
            printer.failure(&failure);
            failure.exit
        }
    }
}

/// The command's name, without anything that was typed after it.
const fn verb(command: &Command) -> &'static str {
    match command {
        Command::Run(_) => "run",
        Command::Up(_) => "up",
        Command::Submit(_) => "submit",
        Command::Publish(_) => "publish",
        Command::Pipelines(_) => "pipelines",
        Command::Drafts(_) => "drafts",
        Command::Schedule(_) => "schedule",
        Command::Init(_) => "init",
        Command::Validate(_) => "validate",
        Command::Plan(_) => "plan",
        Command::Graph(_) => "graph",
        Command::Schema => "schema",
        Command::Runs(_) => "runs",
        Command::Logs(_) => "logs",
        Command::Metrics(_) => "metrics",
        Command::Experiment(_) => "experiment",
        Command::Explain(_) => "explain",
        Command::Artifacts(_) => "artifacts",
        Command::Cache(_) => "cache",
        Command::Data(_) => "data",
        Command::Model(_) => "model",
        Command::Component(_) => "component",
        Command::Environment(_) => "environment",
        Command::Datastore(_) => "datastore",
        Command::Lineage(_) => "lineage",
        Command::Serve(_) => "serve",
        Command::Worker(_) => "worker",
        Command::Compute(_) => "compute",
        Command::Queue(_) => "queue",
        Command::Broker(_) => "broker",
        Command::Journal(_) => "journal",
        Command::Token(_) => "token",
        Command::Project(_) => "project",
        Command::Team(_) => "team",
        Command::Secret(_) => "secret",
        Command::Webhook(_) => "webhook",
        Command::Mailing(_) => "mailing",
        Command::Audit(_) => "audit",
        Command::Login(_) => "login",
        Command::Logout(_) => "logout",
        Command::Doctor(_) => "doctor",
        Command::Bench(_) => "bench",
        Command::Config(_) => "config",
        Command::Help(_) => "help",
        Command::Completions(_) => "completions",
        Command::Version => "version",
        Command::Supervise(_) | Command::Confine(_) | Command::Perform(_) | Command::JournalProbe(_) => {
            "a part"
        }
    }
}

/// Whoever reads our output has seen enough (`tidemill runs list | head -1`).
fn is_closed_pipe(failure: &Failure) -> bool {
    failure.what.starts_with("Broken pipe")
}

fn session(global: &Global, command: &Command) -> Result<Session, Failure> {
    let mut given = Given::from_global(global);
    add_arguments(&mut given, command);
    let environment = Environment::read();
    let folder = std::env::current_dir().context(|| "cannot tell the current folder")?;
    let settings = Settings::resolve(environment, &given, &project(&folder, command))?;
    let usual = match command {
        Command::Serve(_) | Command::Worker(WorkerCommand::Start(_)) => "info",
        _ => "error",
    };
    telemetry::start(&settings, usual)?;
    Ok(Session {
        printer: Printer::new(&settings),
        settings,
        clock: SystemClock::new(),
    })
}

/// The folder whose settings count: that of the pipeline file, so that a pipeline means the same from wherever it is started.
fn project(folder: &Path, command: &Command) -> PathBuf {
    let added: Option<PathBuf>;
    let file = match command {
        Command::Run(args) => Some(&args.file),
        Command::Submit(args) => Some(&args.file),
        Command::Publish(args) => args.file.as_ref(),
        Command::Schedule(ScheduleCommand::Create(args)) => args.file.as_ref(),
        Command::Plan(args) => Some(&args.file),
        Command::Validate(args) => args.files.first(),
        Command::Component(AssetCommand::Add(args)) | Command::Environment(AssetCommand::Add(args)) => {
            added = args.source.as_ref().map(PathBuf::from);
            added.as_ref()
        }
        _ => None,
    };
    let Some(file) = file else {
        return folder.to_path_buf();
    };
    let absolute = folder.join(file);
    absolute
        .parent()
        .map_or_else(|| folder.to_path_buf(), Path::to_path_buf)
}

fn add_arguments(given: &mut Given, command: &Command) {
    match command {
        Command::Run(args) => given.number("slots", "--slots", args.slots),
        Command::Up(args) => {
            given.number("slots", "--slots", args.slots);
            given.text(
                "listen",
                "--port",
                args.port.map(|port| format!("127.0.0.1:{port}")),
            );
            add_door(given, &args.door);
        }
        Command::Serve(args) => {
            given.text("listen", "--listen", args.listen.clone());
            given.text("archive", "--archive", args.archive.clone());
            given.path("signing_key", "--signing-key", args.signing_key.as_deref());
            given.path("secrets_key", "--secrets-key", args.secrets_key.as_deref());
            add_door(given, &args.door);
            add_cluster(given, &args.cluster);
        }
        Command::Journal(JournalCommand::Recover(args)) => {
            given.text("store_url", "--store-url", args.store_url.clone());
            given.path("signing_key", "--signing-key", args.signing_key.as_deref());
        }
        Command::Doctor(args) => add_cluster(given, &args.cluster),
        Command::Broker(BrokerCommand::Setup(args)) => {
            given.text("queue_prefix", "--queue-prefix", args.queue_prefix.clone());
        }
        Command::Worker(WorkerCommand::Start(args)) => {
            given.list("compute", "--compute", &args.compute);
            given.text("type", "--type", args.compute_type.clone());
            given.number("slots", "--slots", args.slots);
            given.text("worker_id", "--worker-id", args.worker_id.clone());
            given.text(
                "coordinator_key",
                "--coordinator-key",
                args.coordinator_key.clone(),
            );
            given.text("url", "--coordinator-url", args.coordinator_url.clone());
            given.path("join_token_file", "--join", args.join.as_deref());
            given.text("cache_size", "--cache-size", args.cache_size.clone());
            add_cluster(given, &args.cluster);
        }
        _ => {}
    }
}

fn add_door(given: &mut Given, door: &crate::args::DoorArgs) {
    given.path("tls_cert", "--tls-cert", door.tls_cert.as_deref());
    given.path("tls_key", "--tls-key", door.tls_key.as_deref());
}

fn add_cluster(given: &mut Given, cluster: &crate::args::ClusterArgs) {
    given.text("queue_url", "--queue-url", cluster.queue_url.clone());
    given.path("queue_ca", "--queue-ca", cluster.queue_ca.as_deref());
    given.text("queue_prefix", "--queue-prefix", cluster.queue_prefix.clone());
    given.text("store_url", "--store-url", cluster.store_url.clone());
}

fn in_runtime(session: &mut Session, command: Command) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context(|| "cannot start the runtime")?;
    let outcome = runtime.block_on(dispatch(session, command));
    // Blocking work that nobody waits for any more (a hash of a large file) must not hold up the exit.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(session: &mut Session, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => Box::pin(run::run(session, args)).await,
        Command::Up(_) => Box::pin(up::run(session)).await,
        Command::Submit(args) => Box::pin(submit::run(session, args)).await,
        Command::Publish(args) => Box::pin(publish::run(session, args)).await,
        Command::Pipelines(args) => Box::pin(pipelines::run(session, args)).await,
        Command::Drafts(args) => Box::pin(drafts::run(session, args)).await,
        Command::Schedule(args) => Box::pin(schedule::run(session, args)).await,
        Command::Init(args) => init::run(session, &args),
        Command::Validate(args) => Box::pin(validate::run(session, &args)).await,
        Command::Plan(args) => Box::pin(plan::run(session, args)).await,
        Command::Graph(args) => Box::pin(graph::run(session, args)).await,
        Command::Schema => schema::run(session),
        Command::Runs(args) => Box::pin(runs::run(session, args)).await,
        Command::Logs(args) => Box::pin(logs::run(session, args)).await,
        Command::Metrics(args) => Box::pin(metrics::run(session, args)).await,
        Command::Explain(args) => Box::pin(explain::run(session, args)).await,
        Command::Artifacts(args) => Box::pin(artifacts::run(session, args)).await,
        Command::Cache(args) => Box::pin(cache::run(session, args)).await,
        Command::Data(args) => Box::pin(assets::run(session, AssetKind::Data, args)).await,
        Command::Model(args) => Box::pin(assets::run(session, AssetKind::Model, args)).await,
        Command::Component(args) => Box::pin(assets::run(session, AssetKind::Component, args)).await,
        Command::Environment(args) => Box::pin(assets::run(session, AssetKind::Environment, args)).await,
        Command::Datastore(args) => Box::pin(datastore::run(session, args)).await,
        Command::Lineage(args) => Box::pin(lineage::run(session, args)).await,
        Command::Serve(args) => Box::pin(serve::run(session, args.standby)).await,
        Command::Worker(args) => Box::pin(worker::run(session, args)).await,
        Command::Queue(args) => Box::pin(queue::run(session, args)).await,
        Command::Broker(args) => broker::run(session, args),
        Command::Journal(args) => Box::pin(journal::run(session, args)).await,
        Command::Token(args) => Box::pin(token::run(session, args)).await,
        Command::Experiment(args) => Box::pin(experiment::run(session, args)).await,
        Command::Compute(args) => Box::pin(compute::run(session, args)).await,
        Command::Project(args) => Box::pin(project::run(session, args)).await,
        Command::Team(args) => Box::pin(project::team(session, args)).await,
        Command::Secret(args) => Box::pin(secret::run(session, args)).await,
        Command::Webhook(args) => Box::pin(webhook::run(session, args)).await,
        Command::Mailing(args) => Box::pin(mailing::run(session, args)).await,
        Command::Audit(args) => Box::pin(audit::run(session, args)).await,
        Command::Login(args) => Box::pin(login::login(session, args)).await,
        Command::Logout(args) => login::logout(session, args),
        Command::Doctor(_) => Box::pin(doctor::run(session)).await,
        Command::Bench(args) => Box::pin(bench::run(session, args)).await,
        Command::Config(args) => config::run(session, &args),
        Command::Help(args) => help::run(session, &args),
        Command::Completions(args) => completions::run(session, &args),
        Command::Version => version::run(session),
        Command::Supervise(_) | Command::Confine(_) | Command::Perform(_) | Command::JournalProbe(_) => {
            unreachable!("handled before there is a runtime")
        }
    }
}
