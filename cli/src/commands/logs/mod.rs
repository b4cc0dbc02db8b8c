//! `tidemill logs`: what steps wrote, whole or as it grows. Standard output goes to ours, standard error to ours; with several steps at once each
//! line names its step. What would drive the terminal is left out unless the bytes are wanted raw.

mod follow;

use crate::args::{LogsArgs, StreamChoice};
use crate::client::{Client, LogRequest};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::tone::{self, Tone};
use crate::session::Session;
use crate::subject::Subject;
use futures_util::{StreamExt, stream};
use tidemill_protocol::api::StepView;
use tidemill_protocol::terminal::TerminalFilter;
use tidemill_protocol::wire::LogStream;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, args: LogsArgs) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let outcome = print(session, &connection, &args).await;
    connection.close().await?;
    outcome
}

async fn print(session: &mut Session, connection: &Connection, args: &LogsArgs) -> Result<Exit, Failure> {
    let Subject { run, step, attempt } = &args.subject;
    if attempt.is_some() && args.attempt.is_some() {
        return Err(
            Failure::new(Exit::Usage, "the attempt is named twice").help("leave --attempt or the # out")
        );
    }
    if args.follow {
        connection.check_goes_on(run).await?;
    }
    match step {
        Some(step) => one(session, &connection.client, run, step, args).await,
        None if args.follow => follow::whole_run(session, &connection.client, run, args).await,
        None => every(session, &connection.client, args).await,
    }
}

/// The streams that a choice means.
fn streams(choice: StreamChoice) -> &'static [LogStream] {
    match choice {
        StreamChoice::Both => &[LogStream::Stdout, LogStream::Stderr],
        StreamChoice::Stdout => &[LogStream::Stdout],
        StreamChoice::Stderr => &[LogStream::Stderr],
    }
}

/// One step: its text, or its bytes as they are.
async fn one(
    session: &mut Session,
    client: &Client,
    run: &str,
    step: &str,
    args: &LogsArgs,
) -> Result<Exit, Failure> {
    let mut sources = Vec::new();
    for log in streams(args.stream) {
        let request = LogRequest {
            run,
            step,
            stream: *log,
            attempt: args.subject.attempt.or(args.attempt),
            follow: args.follow,
        };
        let log = *log;
        sources.push(
            client
                .logs(&request)
                .await?
                .map(move |bytes| (log, bytes))
                .boxed(),
        );
    }
    // Following, both streams come as they grow; otherwise one after the other.
    let mut pieces = if args.follow {
        stream::select_all(sources).boxed()
    } else {
        stream::iter(sources).flatten().boxed()
    };
    let mut filters = Filters::default();
    while let Some((log, bytes)) = pieces.next().await {
        let bytes = bytes?;
        if args.raw {
            put(session, log, &bytes)?;
        } else {
            put(session, log, filters.shown(log, &bytes).as_bytes())?;
        }
    }
    for log in streams(args.stream) {
        put(session, *log, filters.rest(*log).as_bytes())?;
    }
    Ok(Exit::Good)
}

fn put(session: &mut Session, log: LogStream, bytes: &[u8]) -> Result<(), Failure> {
    match log {
        LogStream::Stdout => session.printer.bytes(bytes),
        LogStream::Stderr => session.printer.error_bytes(bytes),
    }
}

/// What may be shown of a step's two streams, whose pieces come mixed.
#[derive(Default)]
struct Filters {
    stdout: TerminalFilter,
    stderr: TerminalFilter,
}

impl Filters {
    fn of(&mut self, log: LogStream) -> &mut TerminalFilter {
        match log {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        }
    }

    fn shown(&mut self, log: LogStream, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len());
        self.of(log).push(bytes, &mut text);
        text
    }

    fn rest(&mut self, log: LogStream) -> String {
        let mut text = String::new();
        self.of(log).finish(&mut text);
        text
    }
}

/// Every step of a run that has begun, one after the other, each below a heading.
async fn every(session: &mut Session, client: &Client, args: &LogsArgs) -> Result<Exit, Failure> {
    let run = client.run(&args.subject.run).await?;
    let id = run.summary.id.to_string();
    let begun: Vec<&StepView> = run
        .steps_list
        .iter()
        .filter(|step| !step.attempts.is_empty())
        .collect();
    if begun.is_empty() {
        session
            .printer
            .note("no step of this run has begun: whatever was reused was written by an earlier run");
    }
    for step in begun {
        let status = tone::of_step(step.status).paint(step.status);
        session.printer.note(format_args!(
            "{} {} {status}",
            Tone::Dim.paint("──"),
            Tone::Strong.paint(&step.path)
        ));
        one(session, client, &id, step.path.as_str(), args).await?;
    }
    Ok(Exit::Good)
}
