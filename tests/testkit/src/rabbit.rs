//! RabbitMQ nodes of one test's own, which may be killed, stopped, reset and asked things: the node that all tests share is left alone.
//! Ports are kept over restarts, so that clients find it again. A node may have a network of its own. Three nodes that are one cluster are in `trio`.

use crate::ports::free_ports;
use crate::sandbox::finish;
use crate::{Daemon, Namespace, Output, depths, eventually, processes};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Where Debian keeps the server's own programs; the ones on the path insist on a user of their own.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
/// How long a node may take to answer on a busy machine: ten seconds on an idle one.
const START_DEADLINE: Duration = Duration::from_mins(3);
/// How long its tools may take.
const TOOL_DEADLINE: Duration = Duration::from_mins(2);
/// One scheduler that does not spin.
const QUIET: &str = "+S 1:1 +sbwt none";
/// How long one look at a node may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);
/// What a client says first, and how the answer to it starts.
const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";

/// What nodes of one test share: a folder with their cookie, and the process that knows their ports.
#[derive(Debug)]
pub(crate) struct House {
    mapper_port: u16,
    _mapper: Daemon,
    // After the mapper: its log goes when it is gone.
    folder: TempDir,
}

impl House {
    pub(crate) fn open() -> Arc<Self> {
        let folder = tempfile::Builder::new().prefix("tidemill-rabbit-").tempdir();
        let folder = folder.expect("temporary files can be made");
        let [mapper_port] = free_ports();
        let mut command = Command::new("epmd");
        command.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
        let mut mapper = Daemon::start("epmd", &mut command, &folder.path().join("epmd.log"));
        eventually(START_DEADLINE, "the mapper of ports answers", || {
            assert!(mapper.is_running(), "epmd ended: {}", mapper.log());
            TcpStream::connect((Ipv4Addr::LOCALHOST, mapper_port)).ok()
        });
        Arc::new(Self {
            mapper_port,
            _mapper: mapper,
            folder,
        })
    }
}

/// A running node. Everything of it ends with the value.
#[derive(Debug)]
pub struct Rabbit {
    folder: PathBuf,
    port: u16,
    distribution_port: u16,
    management_port: Option<u16>,
    server: Option<Daemon>,
    house: Arc<House>,
    apart: Option<Apart>,
}

/// What a node has to itself in a network of its own.
#[derive(Debug)]
struct Apart {
    /// The process that knows its ports there.
    _mapper: Daemon,
    namespace: Namespace,
}

impl Rabbit {
    /// Starts one with lines for its configuration file, and waits until it speaks AMQP.
    ///
    /// # Panics
    /// When RabbitMQ is not installed or does not come up.
    pub fn start(configuration: &str) -> Self {
        let mut rabbit = Self::prepare(&House::open(), configuration);
        rabbit.restart();
        rabbit
    }

    /// The same with its management API.
    ///
    /// # Panics
    /// When RabbitMQ is not installed, lacks the plugin or does not come up.
    pub fn start_managed() -> Self {
        let [port] = free_ports();
        let configuration = format!("management.tcp.port = {port}\nmanagement.tcp.ip = 127.0.0.1\n");
        let mut rabbit = Self::prepare(&House::open(), &configuration);
        fs::write(rabbit.folder.join("plugins"), "[rabbitmq_management].").expect("a file can be written");
        rabbit.management_port = Some(port);
        rabbit.restart();
        rabbit
    }

    /// Where its management API is, with its user and no password.
    ///
    /// # Panics
    /// When it has none.
    pub fn management_url(&self) -> String {
        let port = self
            .management_port
            .expect("it was started with a management API");
        format!("http://guest@127.0.0.1:{port}")
    }

    /// One that does not run yet.
    pub(crate) fn prepare(house: &Arc<House>, configuration: &str) -> Self {
        let [port, distribution_port] = free_ports();
        let folder = house.folder.path().join(format!("node-{port}"));
        fs::create_dir(&folder).expect("a folder can be made");
        fs::write(folder.join("rabbitmq.conf"), configuration).expect("a file can be written");
        fs::write(folder.join("plugins"), "[].").expect("a file can be written");
        Self {
            folder,
            port,
            distribution_port,
            management_port: None,
            server: None,
            house: Arc::clone(house),
            apart: None,
        }
    }

    /// The same in a network of its own. Other nodes there take it for lost after eight seconds of silence, and anybody may be `guest`.
    pub(crate) fn prepare_apart(house: &Arc<House>, configuration: &str, namespace: Namespace) -> Self {
        let mut rabbit = Self::prepare(house, &format!("{configuration}loopback_users = none\n"));
        // In place of the machine's own, which keeps nodes on the loopback.
        fs::write(rabbit.folder.join("env.conf"), "").expect("a file can be written");
        let mut command = Command::new("epmd");
        command.args(["-port", &house.mapper_port.to_string()]);
        let log = rabbit.folder.join("epmd.log");
        rabbit.apart = Some(Apart {
            _mapper: Daemon::start("epmd", &mut namespace.within(&command), &log),
            namespace,
        });
        rabbit
    }

    /// Its own network.
    ///
    /// # Panics
    /// When it has none.
    pub fn namespace(&self) -> &Namespace {
        let apart = self.apart.as_ref().expect("it has a network of its own");
        &apart.namespace
    }

    fn address(&self) -> Ipv4Addr {
        let apart = self.apart.as_ref();
        apart.map_or(Ipv4Addr::LOCALHOST, |apart| apart.namespace.address())
    }

    /// The name by which other nodes know it.
    pub fn node(&self) -> String {
        match &self.apart {
            None => format!("tidemill{}@localhost", self.port),
            Some(apart) => format!("tidemill{}@{}", self.port, apart.namespace.address()),
        }
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}:{}", self.address(), self.port)
    }

    /// Where it keeps everything: its messages, its log, its settings.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it speaks AMQP now, to somebody beside it.
    ///
    /// # Panics
    /// When nobody can be beside it.
    pub fn answers(&self) -> bool {
        let address = SocketAddr::from((self.address(), self.port));
        match &self.apart {
            None => greets(address),
            Some(apart) => apart.namespace.beside(move || greets(address)),
        }
    }

    /// `kill -9` to the node and all that belongs to it.
    pub fn kill(&mut self) {
        self.server = None;
        end_all(&self.folder);
    }

    /// Starts it (again), with what it had on its disk, and waits until it speaks AMQP.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = self.command("rabbitmq-server");
        let log = self.folder.join("output.log");
        self.server = Some(Daemon::start("rabbitmq", &mut command, &log));
        eventually(START_DEADLINE, "RabbitMQ answers", || {
            let alive = self.server.as_mut().is_some_and(Daemon::is_running);
            assert!(alive, "RabbitMQ ended");
            self.answers().then_some(())
        });
    }

    /// Runs `rabbitmqctl` against it to its good end.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn ctl<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let mut command = self.command("rabbitmqctl");
        command.arg("--quiet").args(arguments);
        finish(&mut command, TOOL_DEADLINE).expect_code(0).stdout
    }

    /// Runs `rabbitmqctl` where it may fail.
    pub fn try_ctl<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let mut command = self.command("rabbitmqctl");
        command.arg("--quiet").args(arguments);
        finish(&mut command, TOOL_DEADLINE)
    }

    /// Messages of each queue: ready, then unacknowledged.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn queues(&self) -> Vec<(String, u64, u64)> {
        let listed = self.ctl(["list_queues", "name", "messages_ready", "messages_unacknowledged"]);
        let rows = listed.lines().filter_map(|line| {
            let mut columns = line.split('\t');
            let name = columns.next()?.to_owned();
            Some((name, columns.next()?.parse().ok()?, columns.next()?.parse().ok()?))
        });
        rows.collect()
    }

    /// All that the node has written about what it does.
    ///
    /// # Panics
    /// When it has written nothing.
    pub fn log(&self) -> String {
        let files = fs::read_dir(self.folder.join("log")).expect("the node has a folder for that");
        let texts = files.flatten().filter_map(|file| fs::read(file.path()).ok());
        let log: String = texts
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect();
        assert!(!log.is_empty(), "the node says nothing");
        log
    }

    /// Messages of a queue that consumers hold; none when it is not there.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn unacknowledged(&self, queue: &str) -> Option<u64> {
        let mut queues = self.queues().into_iter();
        queues
            .find(|(name, ..)| name == queue)
            .map(|(.., unacknowledged)| unacknowledged)
    }

    /// How many consumers a queue has; none when it is not there, or the node does not answer.
    pub fn consumers(&self, queue: &str) -> Option<u64> {
        depths::ask(&self.url(), queue).map(|counted| counted.consumers)
    }

    fn command(&self, program: &str) -> Command {
        let path = Path::new(PROGRAMS).join(program);
        let folder = &self.folder;
        let mut command = Command::new(&path);
        command
            .env("HOME", self.house.folder.path())
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_NODE_IP_ADDRESS", self.address().to_string())
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_PORT", self.house.mapper_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", QUIET)
            .current_dir(folder);
        let Some(apart) = &self.apart else {
            return command;
        };
        command
            .env("RABBITMQ_USE_LONGNAME", "true")
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("env.conf"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!("{QUIET} -kernel net_ticktime 8"),
            );
        apart.namespace.within(&command)
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        self.kill();
    }
}

fn end_all(folder: &Path) {
    // Until nothing is left: its parts start each other.
    loop {
        let left = processes::that_name(folder);
        if left.is_empty() {
            return;
        }
        for pid in left {
            processes::signal(pid, Signal::KILL);
        }
        std::thread::yield_now();
    }
}

fn greets(address: SocketAddr) -> bool {
    let answer = || -> std::io::Result<u8> {
        let mut stream = TcpStream::connect_timeout(&address, LOOK_DEADLINE)?;
        stream.set_read_timeout(Some(LOOK_DEADLINE))?;
        stream.write_all(GREETING)?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok(first[0])
    };
    answer().is_ok_and(|first| first == 1)
}
