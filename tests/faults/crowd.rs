//! Rows 60 and 61 against a real process: a crowd of connections that say nothing, too little or no more, each made anew as soon as it is closed, while somebody
//! asks whether the service is well.

use crate::trial::{Trial, fast, slow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::{Sandbox, Up, eventually};

pub(crate) const TRIALS: &[Trial] = &[
    fast(
        "a_thousand_slow_connections_to_a_real_server_leave_health_answering_within_a_second",
        || crowd(1_000),
    ),
    slow(
        "ten_thousand_slow_connections_leave_health_answering_within_a_second",
        || crowd(10_000),
    ),
];

/// How long the crowd may take to gather on a busy machine.
const GATHER_DEADLINE: Duration = Duration::from_mins(3);
/// How often health is asked for.
const QUESTIONS: usize = 50;
/// How long the longest answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Files that either process needs beside its connections.
const OTHER_FILES: u64 = 1_000;

#[expect(clippy::print_stdout, reason = "the figures of the campaign")]
fn crowd(size: usize) {
    allow_files(size as u64 + OTHER_FILES);
    let sandbox = Sandbox::new();
    // It inherits the files that we may open.
    let up = Up::start(&sandbox, "up.log");
    let address: SocketAddr = up
        .url()
        .replace("http://", "")
        .parse()
        .expect("an address with a port");
    let crowd = Crowd::gather(address, size);
    eventually(GATHER_DEADLINE, "the crowd is there", || {
        (crowd.open() == size).then_some(())
    });
    let mut held = 0;
    let answers = (0..QUESTIONS).map(|_| {
        held = held.max(open_files(up.daemon().pid()));
        let asked = Instant::now();
        assert!(health(address).ends_with("ok\n"));
        asked.elapsed()
    });
    let mut answers: Vec<Duration> = answers.collect();
    answers.sort_unstable();
    let (median, longest) = (answers[QUESTIONS / 2], answers[QUESTIONS - 1]);
    println!(
        "figures: {size} connections, {} made anew: the server had {held} files open; health answered in {median:.1?} (median), {longest:.1?} (longest of {QUESTIONS})",
        crowd.again()
    );
    assert!(longest < ANSWER_WITHIN, "{answers:?}");
    drop(crowd);
    up.ok(["runs", "list"]);
}

/// Lets this process, and those that it starts, open so many files.
fn allow_files(files: u64) {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_some_and(|current| current < files) {
        let wanted = Rlimit {
            current: Some(files),
            maximum: now.maximum,
        };
        setrlimit(Resource::Nofile, wanted)
            .expect("the machine lets a process open so many files: see `ulimit -Hn`");
    }
}

fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

fn health(address: SocketAddr) -> String {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    ask().expect("it answers")
}

/// What a connection does.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Nothing.
    Silent,
    /// It sends a byte of its first request now and then.
    Slow,
    /// It asked once and stays.
    Idle,
}

impl Manner {
    const fn greeting(self) -> &'static [u8] {
        match self {
            Self::Silent => b"",
            Self::Slow => b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
            Self::Idle => b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
        }
    }
}

/// Many connections, kept up by a thread until this is dropped.
struct Crowd {
    open: Arc<AtomicUsize>,
    again: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Crowd {
    fn gather(address: SocketAddr, size: usize) -> Self {
        let (open, again, stop) = (Arc::default(), Arc::default(), Arc::default());
        let counters: (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicBool>) =
            (Arc::clone(&open), Arc::clone(&again), Arc::clone(&stop));
        let keeper = std::thread::spawn(move || {
            let (open, again, stop) = counters;
            let mut members: Vec<Option<TcpStream>> = (0..size).map(|_| None).collect();
            let mut is_first = true;
            while !stop.load(Ordering::Relaxed) {
                for (number, member) in members.iter_mut().enumerate() {
                    let manner = [Manner::Silent, Manner::Slow, Manner::Idle][number % 3];
                    if stop.load(Ordering::Relaxed)
                        || member.as_mut().is_some_and(|stream| goes_on(stream, manner))
                    {
                        continue;
                    }
                    *member = join(address, manner);
                    again.fetch_add(usize::from(!is_first), Ordering::Relaxed);
                }
                is_first = false;
                open.store(members.iter().flatten().count(), Ordering::Relaxed);
            }
        });
        Self {
            open,
            again,
            stop,
            keeper: Some(keeper),
        }
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many connections had to be made anew.
    fn again(&self) -> usize {
        self.again.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}

fn join(address: SocketAddr, manner: Manner) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_nonblocking(true).ok()?;
    stream.write_all(manner.greeting()).ok()?;
    Some(stream)
}

/// Whether the other side has kept a connection; does what its manner is.
fn goes_on(stream: &mut TcpStream, manner: Manner) -> bool {
    let is_later = |error: &std::io::Error| error.kind() == ErrorKind::WouldBlock;
    let is_kept = match stream.read(&mut [0; 512]) {
        Ok(count) => count > 0,
        Err(error) => is_later(&error),
    };
    let is_sent = match manner {
        Manner::Silent | Manner::Idle => true,
        Manner::Slow => stream.write(b"x").is_ok_and(|count| count == 1),
    };
    is_kept && is_sent
}
