//! What tidemill makes of the machine: a pipeline of many steps without work, in a state folder of its own, run twice.

use crate::args::Submission;
use crate::client::Client;
use crate::embedded::{Embedded, lock_now};
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::loading::{self, Destination};
use crate::session::Session;
use crate::shutdown::Interrupts;
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;
use tidemill_protocol::api::{RunView, SubmitRequest};

/// What came out.
#[derive(Debug)]
pub(super) struct Ours {
    /// Steps a second, each a process.
    pub(super) steps_per_second: f64,
    /// Steps a second when nothing has changed.
    pub(super) reused_per_second: f64,
    /// From the start of the parts to the end of the first step.
    pub(super) first_step_ms: f64,
}

/// Runs the pipelines; nothing when somebody lost patience. Everything that was started has ended when this returns.
pub(super) async fn measure(
    session: &mut Session,
    interrupts: &Interrupts,
    folder: &Path,
    steps: u32,
) -> Result<Option<Ours>, Failure> {
    let settings = session.settings.apart(folder.join("state"));
    let one = write(folder, "one.yml", 1)?;
    let many = write(folder, "many.yml", steps)?;
    let began = Instant::now();
    let lock = lock_now(&settings, "bench").await?;
    let embedded = Embedded::start_locked(&settings, session.clock, lock).await?;
    let measuring = async {
        let first = request(session, &embedded, &one).await?;
        to_its_end(embedded.client(), &first).await?;
        let first_step_ms = began.elapsed().as_secs_f64() * 1000.0;
        let many = request(session, &embedded, &many).await?;
        Ok(Some(Ours {
            first_step_ms,
            steps_per_second: timed(embedded.client(), &many, steps).await?,
            reused_per_second: timed(embedded.client(), &many, steps).await?,
        }))
    };
    let outcome = tokio::select! {
        outcome = measuring => outcome,
        () = interrupts.first().cancelled() => Ok(None),
    };
    embedded.stop().await?;
    outcome
}

async fn timed(client: &Client, request: &SubmitRequest, steps: u32) -> Result<f64, Failure> {
    let began = Instant::now();
    to_its_end(client, request).await?;
    Ok(f64::from(steps) / began.elapsed().as_secs_f64())
}

async fn request(session: &mut Session, embedded: &Embedded, file: &Path) -> Result<SubmitRequest, Failure> {
    let draft = loading::read(session, file)?;
    let loaded = loading::complete(session, draft, None).await?;
    let spec = loading::bring(session, loaded, Destination::Store(embedded.store())).await?;
    let parameters = std::collections::BTreeMap::new();
    Ok(loading::request(
        session,
        spec,
        parameters,
        &Submission::default(),
    ))
}

async fn to_its_end(client: &Client, request: &SubmitRequest) -> Result<RunView, Failure> {
    let id = client.submit(request).await?.id.to_string();
    let mut events = client.run_events(&id, 0);
    while events.next().await?.is_some() {}
    let run = client.run(&id).await?;
    if run.summary.status.is_good() {
        return Ok(run);
    }
    Err(Failure::new(
        Exit::RunFailed,
        format!("the measuring run ended {}", run.summary.status),
    ))
}

fn write(folder: &Path, name: &str, steps: u32) -> Result<std::path::PathBuf, Failure> {
    let mut text =
        String::from("type: pipeline\ndisplay_name: bench\nsettings:\n  default_compute: local\njobs:\n");
    for step in 0..steps {
        // Each command differs: equal ones would share one result.
        let line = writeln!(
            text,
            "  s{step}:\n    type: command\n    command: /bin/true {name} {step}"
        );
        line.expect("writing to a string cannot fail");
    }
    let path = folder.join(name);
    std::fs::write(&path, text).context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
