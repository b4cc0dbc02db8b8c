//! How soon and within how much memory a hostile pipeline file is refused. Each is read in a process of its own, whose peak memory the system keeps.
//!
//! `cargo run --release -p tidemill-benches --bin hostile`

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tidemill_benches::{Figure, Report, median, peak_resident_bytes};
use tidemill_language::{PlanRequest, Workspace, load, plan};

/// Longest a file may be read, and the most memory that it may take.
const TARGET: &str = "≤ 500 ms, ≤ 64 MiB";

#[derive(Parser)]
struct Args {
    /// How often each is measured; the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Reads this file and says what it took: what the program starts itself for
    #[arg(long, hide = true)]
    read: Option<std::path::PathBuf>,
}

/// What reading took.
#[derive(Serialize, Deserialize)]
struct Taken {
    milliseconds: f64,
    peak_mib: f64,
    is_refused: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(file) = &args.read {
        return read(file);
    }
    let folder = tempfile::tempdir()?;
    let mut report = Report::new();
    for (what, text) in cases() {
        let file = folder.path().join("hostile.yml");
        std::fs::write(&file, text)?;
        measure(&args, what, &file, &mut report)?;
    }
    let sparse = folder.path().join("large.yml");
    std::fs::File::create(&sparse)?.set_len(100 << 20)?;
    measure(&args, "a file of 100 MB", &sparse, &mut report)?;
    report.print(args.json);
    Ok(())
}

fn measure(args: &Args, what: &str, file: &Path, report: &mut Report) -> Result<()> {
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        let own = std::env::current_exe()?;
        let output = Command::new(own).arg("--read").arg(file).output()?;
        let taken: Taken = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{what}: {}", String::from_utf8_lossy(&output.stderr)))?;
        if !taken.is_refused {
            bail!("{what} was not refused");
        }
        times.push(taken.milliseconds);
        peaks.push(taken.peak_mib);
    }
    report.add(Figure::new(format!("{what}: until it is refused"), median(times), "ms").target(TARGET));
    report.add(
        Figure::new(
            format!("{what}: peak memory of the process"),
            median(peaks),
            "MiB",
        )
        .target(TARGET),
    );
    Ok(())
}

/// Loads and, if that goes well, plans, as validating does; then says what it took.
#[expect(clippy::print_stdout, reason = "its answer to the process that started it")]
fn read(file: &Path) -> Result<()> {
    let start = Instant::now();
    let is_refused = match load(file, &Workspace::default()) {
        Err(problems) => !problems.render(false, 100).is_empty(),
        Ok(loaded) => plan(&loaded.outline(), &PlanRequest::default()).is_err(),
    };
    let taken = Taken {
        milliseconds: start.elapsed().as_secs_f64() * 1000.0,
        peak_mib: peak_mib(peak_resident_bytes("self")),
        is_refused,
    };
    println!("{}", serde_json::to_string(&taken)?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "memory in bytes is far below 2^52")]
fn peak_mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn cases() -> Vec<(&'static str, String)> {
    let mut bomb = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for i in 1..12 {
        let list = vec![format!("*a{}", i - 1); 9].join(",");
        writeln!(bomb, "a{i}: &a{i} [{list}]").expect("a text takes all");
    }
    let steps = |n: usize, step: &dyn Fn(usize) -> String| {
        let all: Vec<String> = (0..n).map(step).collect();
        format!("type: pipeline\njobs:\n{}\n", all.join("\n"))
    };
    let keys = |n: usize| {
        let all: Vec<String> = (0..n).map(|i| format!("k{i}: 1")).collect();
        all.join("\n")
    };
    let before = |i: usize, n: usize| (i + n - 1) % n;
    vec![
        ("a billion laughs", bomb),
        ("a long text aliased 10,000 times", format!("a: &a {}\nb:\n{}", "x".repeat(900_000), "- *a\n".repeat(10_000))),
        ("20,000 brackets", "[".repeat(20_000) + &"]".repeat(20_000)),
        ("duplicate keys", format!("{}\na: 1\na: 1\n", keys(50_000))),
        ("a list of 500,000", format!("a: [{}]", "1,".repeat(500_000))),
        ("10,001 steps", steps(10_001, &|i| format!(" s{i}: {{command: x}}"))),
        ("a circle of 8,000 steps", steps(8_000, &|i| format!(" s{i}: {{command: x, depends_on: [s{}]}}", before(i, 8_000)))),
        ("a step that waits for itself", steps(1, &|_| " s: {command: x, depends_on: [s]}".to_owned())),
        ("8,000 steps with two slips each", steps(8_000, &|i| format!("  step{i}: {{command: x, depends_on: [stepp{i}, stqp{i}]}}"))),
        ("50,000 wrong references in a command", format!("type: pipeline\njobs: {{a: {{command: 'eval x; {}'}}}}", "${{inputs.wrong}} ".repeat(50_000))),
        ("text with a direction override", "jobs: {a\u{202E}b: {command: x}}".to_owned()),
        ("a path out of a datastore", "type: pipeline\ninputs: {x: {type: uri_folder, path: 'azureml://datastores/lake/paths/../../etc'}}\njobs: {a: {command: x}}\n".to_owned()),
    ]
}
