//! RabbitMQ nodes of one test's own, which may be killed, stopped, reset and asked things: the node that all tests share is left alone.
//! Ports are kept over restarts, so that clients find it again. Three nodes that are one cluster are in `trio`.

use crate::ports::free_ports;
use crate::sandbox::finish;
use crate::{Daemon, Output, eventually, processes};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
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
        }
    }

    /// The name by which other nodes know it.
    pub fn node(&self) -> String {
        format!("tidemill{}@localhost", self.port)
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port)
    }

    /// Where it keeps everything: its messages, its log, its settings.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it speaks AMQP now.
    pub fn answers(&self) -> bool {
        greets(self.port)
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
            greets(self.port).then_some(())
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

    fn command(&self, program: &str) -> Command {
        let path = Path::new(PROGRAMS).join(program);
        let folder = &self.folder;
        let mut command = Command::new(&path);
        command
            .env("HOME", self.house.folder.path())
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_PORT", self.house.mapper_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none")
            .current_dir(folder);
        command
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

fn greets(port: u16) -> bool {
    let answer = || -> std::io::Result<u8> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(GREETING)?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok(first[0])
    };
    answer().is_ok_and(|first| first == 1)
}
