//! What whole pipelines cost: planning and rerunning large unchanged ones, the first instruction after a cold start, and real work beside `make`.
//!
//! `cargo run --release -p tidemill-benches --bin pipelines -- --binary target/release/tidemill --python PYTHON_WITH_NUMPY`

#![expect(clippy::cast_precision_loss, reason = "counts in figures are far below 2^52")]

use anyhow::{Context, Result};
use clap::Parser;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tidemill_benches::limits::wall_seconds;
use tidemill_benches::product::{Product, fan, span_ms};
use tidemill_benches::{Figure, Report, median};

#[derive(Parser)]
struct Args {
    /// The release binary
    #[arg(long, default_value = "target/release/tidemill")]
    binary: PathBuf,
    /// A Python that can import numpy; without it the comparison with make is left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// How often each figure is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut report = Report::new();
    start_up(&args, &mut report)?;
    planning(&args, &mut report)?;
    for (count, target) in [(2_000, "≤ 0.25 s"), (10_000, "≤ 1.0 s")] {
        rerun(&args, count, target, &mut report)?;
    }
    if let Some(python) = &args.python {
        beside_make(&args, python, &mut report)?;
    }
    report.print(args.json);
    Ok(())
}

fn rounds(count: usize, mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    Ok(median((0..count).map(|_| measure()).collect::<Result<_>>()?))
}

fn start_up(args: &Args, report: &mut Report) -> Result<()> {
    let product = Product::new(&args.binary)?;
    let version = rounds(args.rounds * 3, || {
        Ok(wall_seconds(&mut product.command(&["version"])) * 1000.0)
    })?;
    let bare = rounds(args.rounds * 3, || {
        Ok(wall_seconds(&mut Command::new("/bin/true")) * 1000.0)
    })?;
    report.add(
        Figure::new("`tidemill version`", version, "ms")
            .against(bare, "`/bin/true`")
            .target("≤ 20 ms"),
    );
    let first = rounds(args.rounds, || {
        let product = Product::new(&args.binary)?;
        let stamp = product.folder().join("stamp").display().to_string();
        let file = product.write(
            "first.yml",
            &format!("type: pipeline\njobs:\n  first:\n    type: command\n    command: date +%s%N > {stamp}\n    compute: azureml:cpu\n"),
        )?;
        let begin = wall_nanoseconds()?;
        wall_seconds(&mut product.command(&["run", &file]));
        let stamped: u128 = std::fs::read_to_string(&stamp)?.trim().parse()?;
        Ok((stamped - begin) as f64 / 1e6)
    })?;
    report.add(
        Figure::new(
            "cold `tidemill run` to the first instruction of a step",
            first,
            "ms",
        )
        .target("≤ 100 ms"),
    );
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with what `date` says in another process"
)]
fn wall_nanoseconds() -> Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())
}

fn planning(args: &Args, report: &mut Report) -> Result<()> {
    let product = Product::new(&args.binary)?;
    let file = product.write("fan.yml", &fan(10_000))?;
    let seconds = rounds(args.rounds, || {
        Ok(wall_seconds(&mut product.command(&["validate", &file])))
    })?;
    report
        .add(Figure::new("validate a 10,000-step file (load, check, plan)", seconds, "s").target("≤ 0.5 s"));
    Ok(())
}

fn rerun(args: &Args, count: usize, target: &str, report: &mut Report) -> Result<()> {
    let product = Product::new(&args.binary)?;
    let file = product.write("fan.yml", &fan(count))?;
    product.json(&["run", &file])?;
    let mut inner = Vec::new();
    let seconds = rounds(args.rounds, || {
        let start = Instant::now();
        let run = product.json(&["run", &file])?;
        let seconds = start.elapsed().as_secs_f64();
        anyhow::ensure!(
            run["steps"]["reused"] == count,
            "every step is reused: {}",
            run["steps"]
        );
        inner.push(span_ms(&run, "submitted_at", "finished_at")? / 1000.0);
        Ok(seconds)
    })?;
    report.add(
        Figure::new(
            format!("rerun of {count} unchanged steps, whole command"),
            seconds,
            "s",
        )
        .target(target),
    );
    report.add(
        Figure::new(
            format!("rerun of {count} unchanged steps, submitted to finished"),
            median(inner),
            "s",
        )
        .target(target),
    );
    Ok(())
}

const WORK: &str = "\
import sys, numpy
label, inputs, output = sys.argv[1], sys.argv[2:-1], sys.argv[-1]
data = numpy.zeros(50 * 1024 * 1024 // 8)
for name in inputs:
    data = data + numpy.fromfile(name)
data += float(len(inputs)) + ord(label[-1])
data.tofile(output)
";

/// Eight steps in four layers of two; each reads both files of the layer before it and writes 50 MiB.
fn beside_make(args: &Args, python: &std::path::Path, report: &mut Report) -> Result<()> {
    let python = python.to_str().context("the path of Python is text")?;
    let product = Product::new(&args.binary)?;
    let script = product.write("work.py", WORK)?;
    std::fs::create_dir(product.folder().join("code"))?;
    std::fs::copy(&script, product.folder().join("code/work.py"))?;
    let makefile = product.write("Makefile", &makefile(python, &script))?;
    let file = product.write("layers.yml", &layers(python))?;
    let folder = product.folder().join("made");
    let make = || {
        let mut command = Command::new("make");
        command.arg("-j2").arg("-f").arg(&makefile).arg("-C").arg(&folder);
        command
    };
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir(&folder)?;
        limits.push(wall_seconds(&mut make()));
        std::fs::remove_dir_all(product.folder().join("state")).ok();
        ours.push(wall_seconds(
            &mut product.command(&["run", &file, "--slots", "2"]),
        ));
    }
    let figure = Figure::new(
        "eight steps that import numpy and hand on 50 MiB",
        median(ours),
        "s",
    );
    report.add(figure.against(median(limits), "make -j2").target("≤ 1.25"));
    let again = rounds(args.rounds, || {
        Ok(wall_seconds(
            &mut product.command(&["run", &file, "--slots", "2"]),
        ))
    })?;
    let limit = rounds(args.rounds, || Ok(wall_seconds(&mut make())))?;
    report.add(
        Figure::new("the same, unchanged", again, "s")
            .against(limit, "make -j2")
            .target("≤ 0.1 s"),
    );
    Ok(())
}

fn makefile(python: &str, script: &str) -> String {
    let mut text = "all: d3a d3b\n".to_owned();
    for layer in 0..4 {
        for side in ["a", "b"] {
            let inputs = if layer == 0 {
                String::new()
            } else {
                format!("d{0}a d{0}b", layer - 1)
            };
            writeln!(
                text,
                "d{layer}{side}: {inputs}\n\t{python} {script} d{layer}{side} {inputs} d{layer}{side}"
            )
            .expect("a string takes text");
        }
    }
    text
}

fn layers(python: &str) -> String {
    let mut text = "type: pipeline\nsettings:\n  default_compute: azureml:cpu\njobs:\n".to_owned();
    for layer in 0..4 {
        for side in ["a", "b"] {
            let inputs = if layer == 0 {
                ""
            } else {
                "${{inputs.a}} ${{inputs.b}}"
            };
            writeln!(text, "  d{layer}{side}:\n    type: command\n    code: ./code\n    command: {python} work.py d{layer}{side} {inputs} ${{{{outputs.data}}}}").expect("a string takes text");
            if layer > 0 {
                text.push_str("    inputs:\n");
                for input in ["a", "b"] {
                    writeln!(text, "      {input}:\n        type: uri_file\n        path: ${{{{parent.jobs.d{}{input}.outputs.data}}}}", layer - 1).expect("a string takes text");
                }
            }
            text.push_str("    outputs:\n      data:\n        type: uri_file\n");
        }
    }
    text
}
