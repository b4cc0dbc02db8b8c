//! How fast artifacts go into a local store and come out of it: one large file and many small ones, beside reading, hashing and writing
//! the same bytes, each measured alone by one thread in the same round. What is uploaded is as durable as what the limit
//! writes; what is downloaded is verified. Also the second upload of what has not changed. Whatever is timed starts with nothing left to write
//! back and with memory that this machine has touched before, and no files are removed between it and its limit.

use anyhow::{Result, ensure};
use clap::Parser;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tidemill_artifacts::{Access, ArtifactStore, Cache, ScanOptions, StoreConfig, collect, scan};
use tidemill_benches::{Figure, Report, median};
use tidemill_protocol::artifact::ArtifactRef;

/// Uploads and downloads, and what the disk and the hash allow.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to work; a disk, not a RAM disk. Takes five times the bytes, or up to 8 GiB more.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Bytes of the large file.
    #[arg(long, default_value_t = 1_000_000_000)]
    large_bytes: usize,
    /// How many small files.
    #[arg(long, default_value_t = 20_000)]
    small_files: usize,
    /// Bytes of a small file.
    #[arg(long, default_value_t = 10_000)]
    small_bytes: usize,
    /// Limit and figure are measured in this many alternating rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Bytes copied at a time by the limit.
const BUFFER_BYTES: usize = 1 << 20;
/// The folders of earlier rounds are kept while all together have no more bytes than this.
const KEPT_BYTES_MAX: usize = 8 << 30;
/// What one round writes, in multiples of the artifact: the limit, two stores and the download.
const COPIES_PER_ROUND: usize = 4;

/// Seconds of one round.
#[derive(Debug, Default)]
struct Seconds {
    limit_flushed: Vec<f64>,
    limit: Vec<f64>,
    upload: Vec<f64>,
    again: Vec<f64>,
    outputs: Vec<f64>,
    download: Vec<f64>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir_in(&arguments.dir)?;
    let mut report = Report::new();
    let large = Files {
        name: format!("one file of {} MB", arguments.large_bytes / 1_000_000),
        folder: folder.path().join("large"),
        count: 1,
        each_bytes: arguments.large_bytes,
    };
    large.write()?;
    measure(&arguments, &large, &mut report).await?;
    fs::remove_dir_all(&large.folder)?;
    let small = Files {
        name: format!(
            "{} files of {} KB",
            arguments.small_files,
            arguments.small_bytes / 1_000
        ),
        folder: folder.path().join("small"),
        count: arguments.small_files,
        each_bytes: arguments.small_bytes,
    };
    small.write()?;
    measure(&arguments, &small, &mut report).await?;
    report.print(arguments.json);
    Ok(())
}

async fn measure(arguments: &Arguments, files: &Files, report: &mut Report) -> Result<()> {
    let mut seconds = Seconds::default();
    let mut megabytes = 0.0;
    // Some file systems look at every inode that was given up lately before they make a new one.
    let mut kept = Vec::new();
    for _ in 0..arguments.rounds {
        let folder = tempfile::tempdir_in(&arguments.dir)?;
        let (plain, flushed) = limit(files, &folder.path().join("limit"))?;
        seconds.limit.push(plain);
        seconds.limit_flushed.push(flushed);
        megabytes = round(files, folder.path(), &mut seconds).await?;
        if files.bytes() * COPIES_PER_ROUND * arguments.rounds <= KEPT_BYTES_MAX {
            kept.push(folder);
        }
    }
    let name = &files.name;
    let rate = |seconds: Vec<f64>| megabytes / median(seconds);
    let again = median(seconds.again);
    let first = median(seconds.upload.clone());
    let (limit, flushed) = (rate(seconds.limit), rate(seconds.limit_flushed));
    let figure = |what: &str, value| Figure::new(format!("{name}: {what}"), value, "MB/s");
    report.add(
        figure("upload", rate(seconds.upload))
            .against(flushed, "read + BLAKE3 + write + flush, each alone")
            .target("≥ 0.7 × limit"),
    );
    report.add(
        figure("outputs of a step", rate(seconds.outputs))
            .against(flushed, "read + BLAKE3 + write + flush, each alone"),
    );
    report.add(
        figure("download", rate(seconds.download))
            .against(limit, "read + BLAKE3 + write, each alone")
            .target("≥ 0.7 × limit"),
    );
    report.add(
        Figure::new(
            format!("{name}: second equal upload, times faster"),
            first / again,
            "×",
        )
        .target("≥ 20 ×"),
    );
    report.add(Figure::new(
        format!("{name}: second equal upload"),
        again * 1e3,
        "ms",
    ));
    Ok(())
}

/// One upload, one equal upload, one upload of the same as outputs, one download; gives the artifact's megabytes.
async fn round(files: &Files, folder: &Path, seconds: &mut Seconds) -> Result<f64> {
    let store = ArtifactStore::open(&StoreConfig::local(&folder.join("store"))?).await?;
    let options = ScanOptions::data().with_hash_cache(folder.join("hashes"));
    let mut stored = None;
    for times in [&mut seconds.upload, &mut seconds.again] {
        files.prepare()?;
        let start = Instant::now();
        stored = Some(store.upload(&scan(&files.folder, &options)?, &()).await?);
        times.push(start.elapsed().as_secs_f64());
    }
    let stored: ArtifactRef = stored.expect("two uploads were made");

    let cache = Cache::open(&folder.join("cache"), u64::MAX)?;
    files.prepare()?;
    let start = Instant::now();
    let laid = cache
        .materialize(&store, &stored, &folder.join("out"), Access::Copy)
        .await?;
    seconds.download.push(start.elapsed().as_secs_f64());
    ensure!(laid.bytes == stored.size_bytes, "a download lost bytes");

    let other = ArtifactStore::open(&StoreConfig::local(&folder.join("other"))?).await?;
    files.prepare()?;
    let start = Instant::now();
    let outputs = collect(&folder.join("out"), stored.kind)?;
    other.upload_moving(outputs, &()).await?;
    seconds.outputs.push(start.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    Ok(stored.size_bytes as f64 / 1e6)
}

/// Seconds for reading, hashing and writing the files, each alone: without and with the flush of what was written.
fn limit(files: &Files, target: &Path) -> Result<(f64, f64)> {
    let paths: Vec<PathBuf> = fs::read_dir(&files.folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    fs::create_dir(target)?;
    files.prepare()?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut read, mut hashed, mut written) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for path in &paths {
        let start = Instant::now();
        let mut input = File::open(path)?;
        read += start.elapsed();
        let mut hasher = blake3::Hasher::new();
        let start = Instant::now();
        let mut output = File::create_new(target.join(path.file_name().expect("a listed file has a name")))?;
        written += start.elapsed();
        loop {
            let start = Instant::now();
            let length = input.read(&mut buffer)?;
            read += start.elapsed();
            if length == 0 {
                break;
            }
            let start = Instant::now();
            hasher.update(&buffer[..length]);
            hashed += start.elapsed();
            let start = Instant::now();
            output.write_all(&buffer[..length])?;
            written += start.elapsed();
        }
    }
    let plain = read + hashed + written;
    let start = Instant::now();
    settle(target)?;
    let flushed = plain + start.elapsed();
    Ok((plain.as_secs_f64(), flushed.as_secs_f64()))
}

/// Writes back everything, so that no measurement pays for the one before it.
fn settle(folder: &Path) -> Result<()> {
    rustix::fs::syncfs(File::open(folder)?)?;
    Ok(())
}

/// The files that are measured with.
#[derive(Debug)]
struct Files {
    name: String,
    folder: PathBuf,
    count: usize,
    each_bytes: usize,
}

impl Files {
    fn bytes(&self) -> usize {
        self.count * self.each_bytes
    }

    fn write(&self) -> Result<()> {
        fs::create_dir(&self.folder)?;
        let mut content = vec![0; self.each_bytes];
        for number in 0..self.count {
            blake3::Hasher::new()
                .update(&number.to_le_bytes())
                .finalize_xof()
                .fill(&mut content);
            fs::write(self.folder.join(format!("file-{number:06}")), &content)?;
        }
        settle(&self.folder)
    }

    /// Makes the next measurement pay for itself alone: not for the write-back of the one before it, nor for memory that a hypervisor
    /// has not given to this machine yet or has taken back, which can make a written page ten times as dear. Pages of a file that was
    /// just removed are what the next file gets; memory that a process gave up is not.
    fn prepare(&self) -> Result<()> {
        settle(&self.folder)?;
        let piece = vec![1; BUFFER_BYTES];
        let mut file = tempfile::tempfile_in(&self.folder)?;
        for _ in 0..(self.bytes() / 2 * 3).div_ceil(BUFFER_BYTES) {
            file.write_all(&piece)?;
        }
        drop(file);
        settle(&self.folder)
    }
}
