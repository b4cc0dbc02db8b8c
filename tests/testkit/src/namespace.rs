//! Machines with a network of their own: network namespaces at a bridge of this machine, whose links can be made silent. Whoever sends into a silent link is
//! told nothing, unlike by a refused connection. Needs root and a kernel that can drop what is sent; where it cannot be had, `open` says why.

use crate::{Relay, processes, wrapped};
use rustix::process::Signal;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

/// Where `ip` keeps namespaces that have names.
const NAMESPACES: &str = "/run/netns";
/// Where the locks of bridges are: who holds one is alive, and what is there without one was left by a test that was killed.
const LOCKS: &str = "/run/lock";
/// So many tests may have a bridge at once. Each has a net of its own within 198.18.0.0/15, which nobody else uses (RFC 2544).
const BRIDGES: u8 = 100;
/// So many namespaces fit at one bridge.
const NAMESPACES_MAX: u8 = 8;
/// The bridge's own last byte.
const OUTSIDE: u8 = 254;
/// The link's name inside.
const INSIDE: &str = "eth0";

/// A network namespace. It ends with the value, and with it whoever still runs there.
#[derive(Debug)]
pub struct Namespace {
    number: u8,
    /// Ways out of it to servers of this machine.
    doors: Vec<Relay>,
    bridge: Arc<Bridge>,
}

/// What namespaces hang on.
#[derive(Debug)]
struct Bridge {
    place: u8,
    /// Released by the kernel when the process ends, however it ends.
    _lock: File,
}

impl Namespace {
    /// One alone, beside this machine.
    ///
    /// # Errors
    /// Why this machine cannot have one.
    pub fn open() -> Result<Self, String> {
        let [one] = Self::open_all()?;
        Ok(one)
    }

    /// Some that reach each other and this machine.
    ///
    /// # Errors
    /// Why this machine cannot have them.
    ///
    /// # Panics
    /// When there are to be more than eight.
    pub fn open_all<const COUNT: usize>() -> Result<[Self; COUNT], String> {
        let count = u8::try_from(COUNT).expect("they are few");
        assert!(count <= NAMESPACES_MAX, "they are few");
        let bridge = Arc::new(Bridge::open()?);
        let all: Vec<Self> = (1..=count)
            .map(|number| Self {
                number,
                doors: Vec::new(),
                bridge: Arc::clone(&bridge),
            })
            .collect();
        for one in &all {
            one.build(count)?;
            // Asked before anything depends on it.
            one.silence()?;
            one.mend();
        }
        Ok(all.try_into().expect("their number is right"))
    }

    /// Neighbours are told each other's address once and for all: asking for it would be answered by an error when the link is silent.
    fn build(&self, count: u8) -> Result<(), String> {
        let (name, port, bridge) = (self.name(), self.port(), self.bridge.name());
        let (place, number) = (self.bridge.place, self.number);
        let ours = hardware(place, number);
        ip(&format!("netns add {name}"))?;
        ip(&format!(
            "link add {port} type veth peer name {INSIDE} netns {name} address {ours}"
        ))?;
        ip(&format!("link set {port} master {bridge} up"))?;
        ip(&format!("-n {name} link set lo up"))?;
        ip(&format!(
            "-n {name} address add {}/24 dev {INSIDE}",
            self.address()
        ))?;
        ip(&format!("-n {name} link set {INSIDE} up"))?;
        let neighbours = (1..=count).chain([OUTSIDE]).filter(|other| *other != number);
        for other in neighbours {
            let (address, hardware) = (address(place, other), hardware(place, other));
            ip(&format!(
                "-n {name} neighbour replace {address} lladdr {hardware} dev {INSIDE} nud permanent"
            ))?;
        }
        ip(&format!(
            "neighbour replace {} lladdr {ours} dev {bridge} nud permanent",
            self.address()
        ))
    }

    fn name(&self) -> String {
        name(self.bridge.place, self.number)
    }

    /// The end of its link at the bridge.
    fn port(&self) -> String {
        port(self.bridge.place, self.number)
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        address(self.bridge.place, self.number)
    }

    pub(crate) fn file(&self) -> PathBuf {
        Path::new(NAMESPACES).join(self.name())
    }

    /// The same command, started within.
    pub fn within(&self, command: &Command) -> Command {
        enter(&self.file(), command)
    }

    /// Does something in a thread that is within.
    ///
    /// # Panics
    /// When no thread can be, or what it does panics.
    pub(crate) fn beside<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        let file = File::open(self.file()).expect("the namespace is there");
        let within = thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("a thread can enter a network namespace");
            act()
        });
        within.join().expect("it does what it should")
    }

    /// A way from within, through the link, to a server that listens on this machine's loopback alone. It ends with the namespace.
    ///
    /// # Panics
    /// When no port is free.
    pub fn door(&mut self, port: u16) -> SocketAddr {
        let outside = address(self.bridge.place, OUTSIDE);
        let door = Relay::between((outside, 0).into(), (Ipv4Addr::LOCALHOST, port).into());
        let address = SocketAddr::from((outside, door.port()));
        self.doors.push(door);
        address
    }

    /// A way from a port of this machine's loopback to the same port of the loopback within, which no silence of the link touches: whoever sits at that machine.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn console(&self, port: u16) -> Relay {
        let file = File::open(self.file()).expect("the namespace is there");
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Relay::into_namespace(loopback, loopback, file)
    }

    /// Nothing passes its link, either way, until [`Self::mend`], and nobody is told.
    ///
    /// # Errors
    /// When the kernel cannot do it.
    pub fn silence(&self) -> Result<(), String> {
        self.deafen()?;
        let name = self.name();
        tc(&format!("-n {name} qdisc replace dev {INSIDE} root blackhole"))
    }

    /// Nothing comes in, while what is sent from within still arrives, until [`Self::mend`].
    ///
    /// # Errors
    /// When the kernel cannot do it.
    pub fn deafen(&self) -> Result<(), String> {
        let port = self.port();
        tc(&format!("qdisc replace dev {port} root blackhole"))
    }

    /// Everything passes again.
    pub fn mend(&self) {
        let (name, port) = (self.name(), self.port());
        // One of the two may not have been silent.
        tc(&format!("qdisc delete dev {port} root")).ok();
        tc(&format!("-n {name} qdisc delete dev {INSIDE} root")).ok();
    }
}

/// The same command, started in the network namespace that this file stands for.
pub(crate) fn enter(file: &Path, command: &Command) -> Command {
    let entry = format!("--net={}", file.display());
    wrapped::through("nsenter", &[&entry, "--"], command)
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.doors.clear();
        remove(self.bridge.place, self.number);
    }
}

impl Bridge {
    /// A new one, after those were swept that nobody holds any more.
    fn open() -> Result<Self, String> {
        let mut free = None;
        for place in 0..BRIDGES {
            if free.is_some() && !is_there(&bridge(place)) {
                continue;
            }
            let file = Path::new(LOCKS).join(format!("tidemill-test-network-{place}"));
            let lock = File::create(&file)
                .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
            if lock.try_lock().is_err() {
                continue;
            }
            sweep(place);
            free.get_or_insert((place, lock));
        }
        let (place, lock) = free.ok_or("every place for a network is taken")?;
        let made = Self { place, _lock: lock };
        let (name, hardware) = (made.name(), hardware(place, OUTSIDE));
        let outside = address(place, OUTSIDE);
        ip(&format!("link add name {name} address {hardware} type bridge"))?;
        ip(&format!("address add {outside}/24 dev {name}"))?;
        ip(&format!("link set {name} up"))?;
        Ok(made)
    }

    fn name(&self) -> String {
        bridge(self.place)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        sweep(self.place);
    }
}

/// Takes away everything of one place.
fn sweep(place: u8) {
    for number in 1..=NAMESPACES_MAX {
        remove(place, number);
    }
    if is_there(&bridge(place)) {
        ip(&format!("link delete {}", bridge(place))).ok();
    }
}

fn remove(place: u8, number: u8) {
    let (name, port) = (name(place, number), port(place, number));
    if Path::new(NAMESPACES).join(&name).exists() {
        let pids = output("ip", &format!("netns pids {name}")).unwrap_or_default();
        for pid in pids.lines().filter_map(|line| line.trim().parse().ok()) {
            processes::signal(pid, Signal::KILL);
        }
        ip(&format!("netns delete {name}")).ok();
    }
    if is_there(&port) {
        ip(&format!("link delete {port}")).ok();
    }
}

fn name(place: u8, number: u8) -> String {
    format!("tidemill-test-{place}-{number}")
}

fn bridge(place: u8) -> String {
    format!("tmtest{place}")
}

fn port(place: u8, number: u8) -> String {
    format!("tmtest{place}p{number}")
}

fn address(place: u8, number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, place, number)
}

fn hardware(place: u8, number: u8) -> String {
    format!("02:74:6d:00:{place:02x}:{number:02x}")
}

fn is_there(link: &str) -> bool {
    fs::exists(Path::new("/sys/class/net").join(link)).unwrap_or(false)
}

fn ip(words: &str) -> Result<(), String> {
    output("ip", words).map(drop)
}

fn tc(words: &str) -> Result<(), String> {
    output("tc", words).map(drop)
}

fn output(program: &str, words: &str) -> Result<String, String> {
    let command = Command::new(program).args(words.split(' ')).output();
    let output = command.map_err(|error| format!("{program} cannot be started: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{program} {words}: {}", said.trim()))
    }
}
