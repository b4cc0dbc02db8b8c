//! The checks themselves. Each answers a finding; none of them fails.

use super::{Finding, Verdict};
use crate::client::Client;
use crate::embedded::{Embedded, StoreAddress, connect, open_store};
use crate::failure::Failure;
use crate::output::humane;
use crate::settings::Settings;
use crate::settings::without_password;
use crate::state;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Free space below which a machine will soon be in trouble.
const FREE_BYTES_MIN: u64 = 2 << 30;

/// What can be seen without asking anybody else.
pub(super) fn of_this_machine(settings: &Settings) -> Vec<Finding> {
    let version = format!(
        "tidemill {} on {} {}",
        super::super::version::VERSION,
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    vec![
        Finding::new(
            "version",
            Verdict::Good,
            format!("{version}, {}", humane::count(cores as u64, "core")),
        ),
        settings_files(settings),
        state_folder(settings),
        free_space(settings),
        shell(settings),
        python(settings),
        gpus(settings),
    ]
}

/// What others answer.
pub(super) async fn of_connections(settings: &Settings) -> Vec<Finding> {
    vec![
        store(settings).await,
        queue(settings).await,
        coordinator(settings).await,
    ]
}

fn settings_files(settings: &Settings) -> Finding {
    let names: Vec<String> = settings
        .files
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    let what = if names.is_empty() {
        "no files: defaults, variables and arguments only".to_owned()
    } else {
        names.join(", ")
    };
    Finding::new("settings", Verdict::Good, what)
}

fn state_folder(settings: &Settings) -> Finding {
    let folder = &settings.state_dir;
    let shown = folder.display();
    if !folder.exists() {
        return Finding::new("state", Verdict::Good, format!("{shown} (not made yet)"));
    }
    let writable = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        let began = Instant::now();
        file.write_all(b"tidemill")?;
        file.as_file().sync_data()?;
        Ok(began.elapsed())
    });
    match writable {
        Err(error) => Finding::new("state", Verdict::Bad, format!("cannot write to {shown}: {error}"))
            .help("name another folder with --state-dir or $TIDEMILL_STATE_DIR"),
        Ok(took) => {
            let user = state::occupant(folder).map_or_else(String::new, |who| {
                format!(", in use by `tidemill {}` ({})", who.verb, who.pid)
            });
            let micros = took.as_micros();
            Finding::new(
                "state",
                Verdict::Good,
                format!(
                    "{shown}{user}, a durable write takes {}.{} ms",
                    micros / 1000,
                    micros % 1000 / 100
                ),
            )
        }
    }
}

fn free_space(settings: &Settings) -> Finding {
    let existing = settings
        .state_dir
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Err(error) => Finding::new(
            "disk",
            Verdict::Note,
            format!("cannot tell the free space of {}: {error}", existing.display()),
        ),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let what = format!("{} free at {}", humane::bytes(free), existing.display());
            if free < FREE_BYTES_MIN {
                Finding::new("disk", Verdict::Bad, what)
                    .help("make room, or keep state elsewhere with --state-dir")
            } else {
                Finding::new("disk", Verdict::Good, what)
            }
        }
    }
}

fn shell(settings: &Settings) -> Finding {
    match find(settings, "bash") {
        Some(path) => Finding::new("shell", Verdict::Good, path.display().to_string()),
        None => Finding::new(
            "shell",
            Verdict::Note,
            "no bash: commands with shell syntax run with sh",
        ),
    }
}

fn python(settings: &Settings) -> Finding {
    let Some(python) = find(settings, "python3").or_else(|| find(settings, "python")) else {
        return Finding::new(
            "python",
            Verdict::Note,
            "no python3: steps that ask for a Python environment will fail",
        )
        .help("install Python 3.9 or newer with its venv module");
    };
    let version =
        output(&python, &["--version"]).unwrap_or_else(|| "a Python that does not start".to_owned());
    let builder = match find(settings, "uv") {
        Some(uv) => output(&uv, &["--version"]).unwrap_or_else(|| "uv".to_owned()),
        None if output(&python, &["-c", "import venv, ensurepip"]).is_some() => "venv and pip".to_owned(),
        None => {
            return Finding::new(
                "python",
                Verdict::Note,
                format!("{version}, but neither uv nor the venv module"),
            )
            .help("install uv, or on Debian `apt install python3-venv`");
        }
    };
    Finding::new(
        "python",
        Verdict::Good,
        format!("{version}; environments are built with {builder}"),
    )
}

fn gpus(settings: &Settings) -> Finding {
    let listed = find(settings, "nvidia-smi")
        .and_then(|smi| output(&smi, &["--query-gpu=name", "--format=csv,noheader"]));
    match listed {
        Some(names) => Finding::new("gpu", Verdict::Good, names.lines().collect::<Vec<_>>().join(", ")),
        None => Finding::new("gpu", Verdict::Good, "none"),
    }
}

async fn store(settings: &Settings) -> Finding {
    if settings.store_url.is_none() && !settings.state_dir.exists() {
        return Finding::new(
            "store",
            Verdict::Good,
            "a folder in the state folder (not made yet)",
        );
    }
    match open_store(settings, &StoreAddress::of(settings)).await {
        Ok(store) => {
            let finding = Finding::new(
                "store",
                Verdict::Good,
                format!("{} honours create-only writes", store.url()),
            );
            match rule_of_a_bucket(store.url()) {
                Some(help) => finding.help(help),
                None => finding,
            }
        }
        Err(failure) => bad("store", &failure),
    }
}

/// What a bucket should have beside us, where parts of uploads that were never ended stay and are paid for.
fn rule_of_a_bucket(url: &str) -> Option<&'static str> {
    match url.split_once("://")?.0 {
        "s3" | "s3a" => Some(
            "have you given the bucket a lifecycle rule with AbortIncompleteMultipartUpload? Without one, parts of uploads that were cut off stay until the next `tidemill artifacts sweep`",
        ),
        "gs" => Some(
            "have you given the bucket a lifecycle rule with AbortIncompleteMultipartUpload? Without one, parts of uploads that were cut off stay for ever",
        ),
        _ => None,
    }
}

async fn queue(settings: &Settings) -> Finding {
    let Some(url) = &settings.queue_url else {
        return Finding::new("queue", Verdict::Good, "in this process (no queue_url is set)");
    };
    let shown = without_password(url);
    let broker = match connect(settings, url, "doctor").await {
        Ok(broker) => broker,
        Err(failure) => return bad("queue", &failure),
    };
    let finding = match broker.wait_up(CONNECT_PATIENCE).await {
        Ok(()) => Finding::new("queue", Verdict::Good, format!("{shown} answers")),
        Err(error) => Finding::new("queue", Verdict::Bad, format!("{shown}: {error}"))
            .help("is RabbitMQ running there, and are user, password and virtual host right?"),
    };
    tidemill_transport::Broker::close(&*broker).await;
    finding
}

async fn coordinator(settings: &Settings) -> Finding {
    let client = match Embedded::elsewhere(settings) {
        Ok(Some(client)) => client,
        Ok(None) => {
            return Finding::new(
                "coordinator",
                Verdict::Good,
                "none runs on this machine; `tidemill run` needs none",
            );
        }
        Err(failure) => return bad("coordinator", &failure),
    };
    ask(&client)
        .await
        .unwrap_or_else(|failure| bad("coordinator", &failure))
}

async fn ask(client: &Client) -> Result<Finding, Failure> {
    let view = client.coordinator().await?;
    let what = format!(
        "version {}, epoch {}, store {}, queues {}",
        view.version, view.epoch, view.store_url, view.broker_url
    );
    if view.version == super::super::version::VERSION {
        return Ok(Finding::new("coordinator", Verdict::Good, what));
    }
    Ok(Finding::new("coordinator", Verdict::Note, what).help("its version is not that of this program"))
}

fn bad(check: &'static str, failure: &Failure) -> Finding {
    let said = std::iter::once(&failure.what).chain(&failure.causes);
    let what = said.map(String::as_str).collect::<Vec<_>>().join(": ");
    let finding = Finding::new(check, Verdict::Bad, what);
    match failure.help.first() {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// The program of this name on the path.
fn find(settings: &Settings, name: &str) -> Option<PathBuf> {
    let path = settings.environment.get("PATH")?;
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The first lines that a program prints, if it ends well.
fn output(program: &Path, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_bucket_that_keeps_parts_is_reminded_of_its_rule() {
        assert!(rule_of_a_bucket("s3://bucket/prefix").is_some_and(|help| help.contains("sweep")));
        assert!(rule_of_a_bucket("gs://bucket").is_some_and(|help| help.contains("for ever")));
        for other in ["az://container", "file:///srv/store", "memory:///"] {
            assert_eq!(rule_of_a_bucket(other), None, "{other}");
        }
    }
}
