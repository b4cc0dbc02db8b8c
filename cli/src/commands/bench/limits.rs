//! What the machine itself can do: processes, durable writes, hashing. Each is measured for about half a second.

use super::Figure;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long each measurement goes on.
const LENGTH: Duration = Duration::from_millis(500);
/// What is written between two syncs.
const RECORD_BYTES: usize = 4096;
/// What is hashed at once.
const HASHED_MIB: u32 = 64;

/// The limits.
#[derive(Debug)]
pub(super) struct Limits {
    /// Processes started and waited for, on all cores.
    pub(super) processes: Figure,
    /// Durable writes one after the other.
    pub(super) syncs: Figure,
    /// BLAKE3 on all cores.
    pub(super) hash: Figure,
}

/// Measures them; writes into this folder.
pub(super) fn measure(folder: &Path) -> io::Result<Limits> {
    Ok(Limits {
        processes: Figure::limit("bare process starts", processes()?, "/s"),
        syncs: Figure::limit("durable writes of 4 KiB", syncs(folder)?, "/s"),
        hash: Figure::limit("BLAKE3", hash(), "MiB/s"),
    })
}

fn processes() -> io::Result<f64> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let counts = std::thread::scope(|scope| {
        let work = || {
            let mut count = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                Command::new("/bin/true").stdin(Stdio::null()).status()?;
                count += 1;
                if began.elapsed() >= LENGTH {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            Ok::<u32, io::Error>(count)
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the measuring thread does not panic"))
            .collect::<Vec<_>>()
    });
    let total = counts.into_iter().sum::<io::Result<u32>>()?;
    Ok(f64::from(total) / began.elapsed().as_secs_f64())
}

fn syncs(folder: &Path) -> io::Result<f64> {
    let mut file = File::create(folder.join("syncs"))?;
    let record = [7_u8; RECORD_BYTES];
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < LENGTH {
        file.write_all(&record)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn hash() -> f64 {
    let bytes = vec![7_u8; (HASHED_MIB as usize) << 20];
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < LENGTH {
        let mut hasher = blake3::Hasher::new();
        hasher.update_rayon(&bytes);
        std::hint::black_box(hasher.finalize());
        count += 1;
    }
    f64::from(count) * f64::from(HASHED_MIB) / began.elapsed().as_secs_f64()
}
