//! The product as its users have it: the release binary, run as a process, and pipeline files made for measuring.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon may take to end once it was told to, and how often it is asked whether it has.
const STOP_WITHIN: Duration = Duration::from_secs(10);
const STOP_POLL: Duration = Duration::from_millis(20);

/// A binary and a private state folder.
#[derive(Debug)]
pub struct Product {
    binary: PathBuf,
    folder: tempfile::TempDir,
}

/// A daemon that ends with this value: asked to first, made to when it does not.
#[derive(Debug)]
pub struct Daemon(Child);

impl Daemon {
    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_WITHIN {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::park_timeout(STOP_POLL);
        }
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Product {
    /// The product in this binary, with nothing remembered.
    pub fn new(binary: &Path) -> Result<Self> {
        let binary = binary.canonicalize().with_context(|| {
            format!(
                "no binary at {}: build it with `cargo build --release`",
                binary.display()
            )
        })?;
        Ok(Self {
            binary,
            folder: tempfile::tempdir()?,
        })
    }

    /// The private folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with these words, its state in the private folder and no other configuration.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).stdin(Stdio::null());
        command
            .env("TIDEMILL_STATE_DIR", self.folder().join("state"))
            .env("XDG_CONFIG_HOME", self.folder().join("config"));
        command
            .env("XDG_CACHE_HOME", self.folder().join("cache"))
            .env("NO_COLOR", "1");
        command
    }

    /// Runs it to its end and reads what it printed as JSON.
    pub fn json(&self, words: &[&str]) -> Result<Value> {
        let output = self.command(words).args(["-o", "json"]).output()?;
        if !output.status.success() {
            bail!("{words:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("{words:?} printed no JSON"))
    }

    /// Starts it and leaves it running; its log goes to a file of that name in the private folder.
    pub fn daemon(&self, name: &str, words: &[&str]) -> Result<Daemon> {
        self.start(name, self.command(words))
    }

    /// Starts another program in the same way.
    pub fn start(&self, name: &str, mut command: Command) -> Result<Daemon> {
        let log = std::fs::File::create(self.folder().join(format!("{name}.log")))?;
        Ok(Daemon(command.stdout(log.try_clone()?).stderr(log).spawn()?))
    }

    /// Writes a pipeline file into the private folder.
    pub fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder().join(name);
        std::fs::write(&path, text)?;
        Ok(path
            .to_str()
            .context("the temporary folder's name is text")?
            .to_owned())
    }

    /// Asks until the command succeeds.
    pub fn wait_for(&self, words: &[&str], longest: Duration) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < longest {
            if self
                .command(words)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?
                .success()
            {
                return Ok(());
            }
            std::thread::yield_now();
        }
        bail!("{words:?} did not succeed within {longest:?}")
    }
}

/// A pipeline of independent steps `/bin/true step N`, all different. Two words, because with a single one `/bin/true` loads its locale to see whether that
/// word is `--help`, which costs a third of it and which the bare programs do not pay.
pub fn fan(count: usize) -> String {
    fan_from(0, count)
}

/// The same with other numbers, `first` and on, so that no step equals one of another fan.
pub fn fan_from(first: usize, count: usize) -> String {
    let mut text = head("fan");
    for index in first..first + count {
        step(&mut text, index, None);
    }
    text
}

/// Steps of one component that takes a number, each with its own, `first` and on; and the component, for a file of this name beside the pipeline.
pub fn fan_of_component(first: usize, count: usize) -> (String, (&'static str, &'static str)) {
    let mut text = head("fan");
    for index in first..first + count {
        writeln!(
            text,
            "  s{index}:\n    type: command\n    component: ./noop.yml\n    inputs:\n      n: {index}"
        )
        .expect("a string takes text");
    }
    let component = "name: noop\nversion: 1\ntype: command\ninputs:\n  n:\n    type: integer\ncommand: /bin/true step ${{inputs.n}}\n";
    (text, ("noop.yml", component))
}

/// The same steps as of [`fan`], each after the one before it.
pub fn chain(count: usize) -> String {
    let mut text = head("chain");
    for index in 0..count {
        step(&mut text, index, index.checked_sub(1));
    }
    text
}

fn head(name: &str) -> String {
    format!(
        "type: pipeline\ndisplay_name: {name}\nexperiment_name: bench\nsettings:\n  default_compute: azureml:cpu\njobs:\n"
    )
}

fn step(text: &mut String, index: usize, after: Option<usize>) {
    writeln!(
        text,
        "  s{index}:\n    type: command\n    command: /bin/true step {index}"
    )
    .expect("a string takes text");
    if let Some(after) = after {
        writeln!(text, "    depends_on: [s{after}]").expect("a string takes text");
    }
}

/// Milliseconds between two moments of a run's JSON.
pub fn span_ms(run: &Value, from: &str, to: &str) -> Result<f64> {
    let moment = |name: &str| {
        run[name]
            .as_f64()
            .with_context(|| format!("the run has no {name}"))
    };
    Ok(moment(to)? - moment(from)?)
}

/// Steps over which a latency is taken: a run's times are whole milliseconds.
const LATENCY_STEPS: usize = 10;

/// The milliseconds from the end of a step to the end of the tenth after it, divided by ten, for each step of a chain that has a tenth after it.
pub fn step_latencies(run: &Value) -> Result<Vec<f64>> {
    let steps = run["steps_list"].as_array().context("a run has steps")?;
    let mut ends: Vec<f64> = steps
        .iter()
        .filter_map(|step| step["finished_at"].as_f64())
        .collect();
    ends.sort_by(f64::total_cmp);
    let spans = ends
        .windows(LATENCY_STEPS + 1)
        .map(|ends| (ends[LATENCY_STEPS] - ends[0]) / 10.0);
    Ok(spans.collect())
}
