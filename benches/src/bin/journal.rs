//! How fast the journal makes events durable, in batches of 1, 64 and 1,000, beside what the disk allows: the same bytes appended to a plain file
//! with one `fdatasync` a batch, measured in turn with it. Also how long a journal takes to open.

use anyhow::Result;
use clap::Parser;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tidemill_benches::{Figure, Report, median};
use tidemill_coordinator::journal::{Batch, Claim, EventLog, SledLog};

/// Durable appends a second, and the disk's limit.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to write; a disk, not a RAM disk.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Bytes of an event: what a claimed or finished attempt takes.
    #[arg(long, default_value_t = 220)]
    event_bytes: usize,
    /// Seconds that each measurement takes.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Journal and limit are measured in this many alternating rounds, because a shared disk's speed drifts.
const ROUNDS: usize = 5;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir_in(&arguments.dir)?;
    let mut report = Report::new();
    let mut log = SledLog::open(Claim::take(&folder.path().join("journal"))?)?.0;
    for size in [1_u32, 64, 1_000] {
        let event = vec![0x5a; arguments.event_bytes];
        let mut batch = Batch::default();
        (0..size).for_each(|_| batch.push(&event));
        let bytes = vec![0x5a; event.len() * size as usize];
        let span = Duration::from_secs_f64(arguments.seconds / 2.0);
        let (mut ours, mut limits) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            limits.push(plain_file(folder.path(), &bytes, span)?);
            ours.push(rate(span, || Ok(log.append(&batch).map(drop)?))?);
        }
        let (ours, limit) = (median(ours), median(limits));
        let events = f64::from(size);
        let figure = Figure::new(
            format!("durable appends, batch {size}"),
            ours * events,
            "events/s",
        )
        .against(limit * events, "plain file, fdatasync");
        report.add(match size {
            1 => figure.target("≥ 0.8 × limit"),
            1_000 => figure.target("≥ 100,000 events/s"),
            _ => figure,
        });
    }
    let last = log.last();
    drop(log);
    let begun = Instant::now();
    let log = SledLog::open(Claim::take(&folder.path().join("journal"))?)?.0;
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(log.last(), last, "every event came back");
    report.add(Figure::new(
        format!("opening and checking {last} events"),
        took,
        "s",
    ));
    let begun = Instant::now();
    drop(SledLog::open(Claim::take(&folder.path().join("fresh"))?)?);
    report.add(Figure::new(
        "making a new journal",
        begun.elapsed().as_secs_f64() * 1e3,
        "ms",
    ));
    let begun = Instant::now();
    drop(SledLog::open(Claim::take(&folder.path().join("fresh"))?)?);
    report.add(Figure::new(
        "opening an empty journal",
        begun.elapsed().as_secs_f64() * 1e3,
        "ms",
    ));
    report.print(arguments.json);
    Ok(())
}

/// Batches a second.
fn rate(span: Duration, mut append: impl FnMut() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    let mut count = 0.0;
    while begun.elapsed() < span {
        append()?;
        count += 1.0;
    }
    Ok(count / begun.elapsed().as_secs_f64())
}

fn plain_file(folder: &Path, bytes: &[u8], span: Duration) -> Result<f64> {
    let path = folder.join("plain");
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    rate(span, || {
        file.write_all(bytes)?;
        Ok(file.sync_data()?)
    })
}
