//! Following a whole run: events say which steps begin, each gets its followers, and their lines come out one by one, each with its step's name.

use super::streams;
use crate::args::{LogsArgs, StreamChoice};
use crate::client::{ByteStream, Client, LogRequest, Seen};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::tone::{self, Tone};
use crate::session::Session;
use futures_util::StreamExt;
use std::sync::Arc;
use tidemill_protocol::api::EventView;
use tidemill_protocol::status::StepStatus;
use tidemill_protocol::terminal;
use tidemill_protocol::wire::LogStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Lines that wait to be printed; a slow terminal slows the followers down, not the steps.
const LINES_MAX: usize = 1024;
/// Logs that are read at once, each over a connection of its own; more wait. A step has two.
const LOGS_MAX: usize = 128;
/// Longest line; a longer one is cut in pieces.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// A line of one step.
struct Line {
    step: String,
    stream: LogStream,
    text: Vec<u8>,
}

/// Follows every step of a run until the run ends.
pub(super) async fn whole_run(
    session: &mut Session,
    client: &Client,
    run: &str,
    args: &LogsArgs,
) -> Result<Exit, Failure> {
    let view = client.run(run).await?;
    let id = view.summary.id.to_string();
    let width = view
        .steps_list
        .iter()
        .map(|step| step.path.as_str().len())
        .max()
        .unwrap_or(0)
        .min(32);
    let mut events = client.run_events(&id, 0);
    let (sender, mut lines) = mpsc::channel(LINES_MAX);
    let mut followers = Followers {
        tasks: JoinSet::new(),
        room: Arc::new(Semaphore::new(LOGS_MAX)),
        client: client.clone(),
        choice: args.stream,
        sender,
    };
    loop {
        let next = events.next();
        tokio::pin!(next);
        let seen = loop {
            tokio::select! {
                Some(line) = lines.recv() => print(session, &line, width, args.raw)?,
                seen = &mut next => break seen?,
            }
        };
        match seen {
            None => break,
            Some(Seen::Event(event)) => {
                followers.begin(&event);
                tell(session, &event, width);
            }
            Some(Seen::Lost(failure)) => session
                .printer
                .note(format_args!("{}; asking again", failure.what)),
        }
    }
    let Followers {
        mut tasks, sender, ..
    } = followers;
    // The run has ended; what its steps wrote last is still on its way.
    drop(sender);
    while let Some(line) = lines.recv().await {
        print(session, &line, width, args.raw)?;
    }
    while let Some(done) = tasks.join_next().await {
        if let Ok(Err(failure)) = done {
            session.printer.warn(&failure.what);
        }
    }
    Ok(Exit::Good)
}

/// Those who read the logs of attempts.
struct Followers {
    tasks: JoinSet<Result<(), Failure>>,
    room: Arc<Semaphore>,
    client: Client,
    choice: StreamChoice,
    sender: mpsc::Sender<Line>,
}

impl Followers {
    /// Follows the attempt that this event begins, if it begins one.
    fn begin(&mut self, event: &EventView) {
        let (Some(step), Some(StepStatus::Running)) = (&event.step, event.step_status) else {
            return;
        };
        for stream in streams(self.choice) {
            let (client, sender, room) = (self.client.clone(), self.sender.clone(), Arc::clone(&self.room));
            let (run, step) = (event.run.to_string(), step.to_string());
            let (stream, attempt) = (*stream, event.attempt);
            self.tasks.spawn(async move {
                let _place = room.acquire().await;
                let request = LogRequest {
                    run: &run,
                    step: &step,
                    stream,
                    attempt,
                    follow: true,
                };
                let bytes = client.logs(&request).await?;
                split(bytes, &step, stream, &sender).await
            });
        }
    }
}

/// Cuts bytes into lines.
async fn split(
    mut bytes: ByteStream,
    step: &str,
    stream: LogStream,
    sender: &mpsc::Sender<Line>,
) -> Result<(), Failure> {
    let mut pending = Vec::new();
    let send = |text: Vec<u8>| async {
        let line = Line {
            step: step.to_owned(),
            stream,
            text,
        };
        // Nobody prints any more: the command is ending.
        drop(sender.send(line).await);
    };
    while let Some(chunk) = bytes.next().await {
        for byte in chunk? {
            if byte == b'\n' || pending.len() >= LINE_BYTES_MAX {
                send(std::mem::take(&mut pending)).await;
            }
            if byte != b'\n' {
                pending.push(byte);
            }
        }
    }
    if !pending.is_empty() {
        send(pending).await;
    }
    Ok(())
}

fn print(session: &mut Session, line: &Line, width: usize, raw: bool) -> Result<(), Failure> {
    let text = if raw {
        String::from_utf8_lossy(&line.text).into_owned()
    } else {
        shown(&line.text)
    };
    let name = format!("{:<width$} │", line.step);
    let name = Tone::Dim.paint(name);
    match line.stream {
        LogStream::Stdout => session.printer.line(format_args!("{name} {text}")),
        LogStream::Stderr => {
            session.printer.talk(format_args!("{name} {text}\n"));
            Ok(())
        }
    }
}

/// What may be shown of a line beside its step's name: of a line that was written over itself, what it came to.
fn shown(line: &[u8]) -> String {
    let text = terminal::shown(line);
    let last = text
        .trim_end_matches('\r')
        .rsplit('\r')
        .next()
        .unwrap_or_default();
    if last.contains('\u{1b}') {
        // Colours end with their line: the next one is of another step.
        return format!("{last}\u{1b}[0m");
    }
    last.to_owned()
}

fn tell(session: &mut Session, event: &EventView, width: usize) {
    let (Some(step), Some(status)) = (&event.step, event.step_status) else {
        return;
    };
    if status.is_terminal() {
        let status = tone::of_step(status).paint(status);
        session.printer.note(format_args!(
            "{} {status}",
            Tone::Dim.paint(format_args!("{step:<width$} │"))
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cannot_write_over_the_name_of_its_step() {
        assert_eq!(shown(b"10%\r 50%\r100%\r"), "100%");
        assert_eq!(shown(b"a\x1b[1;1Hb\rother \xe2\x94\x82 c"), "other │ c");
        assert_eq!(shown(b"\x1b[31mred"), "\u{1b}[31mred\u{1b}[0m");
        assert_eq!(shown(b"plain"), "plain");
    }
}
