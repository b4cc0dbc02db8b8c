//! Starts object stores in processes of their own, on free ports and in temporary folders, and stops them with everything they started.
//! `scripts/install-store-emulators` brings them; without them the tests fail and say so.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidemill_artifacts::StoreConfig;

/// How long a store may take to listen, and then to make its first bucket.
const START_MAX: Duration = Duration::from_mins(1);
/// The account and key that every Azurite has.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running store with one empty bucket or container called `tidemill`.
#[derive(Debug)]
pub(crate) struct Emulator {
    child: Child,
    _folder: TempDir,
    port: u16,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        kill_process_group(group, Signal::KILL).expect("the store runs until here");
        self.child.wait().expect("the store ends");
    }
}

impl Emulator {
    pub(crate) fn azurite() -> (Self, StoreConfig) {
        let [port] = free_ports();
        let mut command = Command::new(tool("npm/node_modules/.bin/azurite-blob"));
        command.args([
            "--silent",
            "--disableTelemetry",
            "--skipApiVersionCheck",
            "--inMemoryPersistence",
        ]);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        let emulator = Self::start(command, port);
        let endpoint = format!("http://127.0.0.1:{port}/{AZURITE_ACCOUNT}");
        Self::prepare(&format!(
            "from azure.storage.blob import BlobServiceClient\n\
             BlobServiceClient('{endpoint}', credential='{AZURITE_KEY}').create_container('tidemill')"
        ));
        let options = [
            ("azure_storage_account_name", AZURITE_ACCOUNT),
            ("azure_storage_account_key", AZURITE_KEY),
            ("azure_storage_endpoint", &endpoint),
            ("azure_allow_http", "true"),
        ];
        (emulator, config("az://tidemill/some/prefix", &options))
    }

    pub(crate) fn moto() -> (Self, StoreConfig) {
        let [port] = free_ports();
        let mut command = Command::new(tool("venv/bin/moto_server"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        Self::s3(command, port)
    }

    pub(crate) fn seaweedfs() -> (Self, StoreConfig) {
        let [
            s3,
            master,
            master_grpc,
            volume,
            volume_grpc,
            filer,
            filer_grpc,
            s3_grpc,
        ] = free_ports();
        let mut command = Command::new(tool("venv/bin/weed"));
        command.args([
            "-logtostderr=false",
            "server",
            "-s3",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-dir=.",
        ]);
        command.args(["-master.volumeSizeLimitMB=64", "-volume.max=20"]);
        // What else it would serve, on ports that two of them could not share.
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
        for (name, port) in [
            ("s3.port", s3),
            ("s3.port.grpc", s3_grpc),
            ("master.port", master),
            ("master.port.grpc", master_grpc),
            ("volume.port", volume),
            ("volume.port.grpc", volume_grpc),
            ("filer.port", filer),
            ("filer.port.grpc", filer_grpc),
        ] {
            command.arg(format!("-{name}={port}"));
        }
        Self::s3(command, s3)
    }

    fn s3(command: Command, port: u16) -> (Self, StoreConfig) {
        let emulator = Self::start(command, port);
        let endpoint = format!("http://127.0.0.1:{port}");
        Self::prepare(&format!(
            "import boto3\n\
             boto3.client('s3', endpoint_url='{endpoint}', region_name='us-east-1', aws_access_key_id='any',\n\
                          aws_secret_access_key='any').create_bucket(Bucket='tidemill')"
        ));
        let options = [
            ("aws_access_key_id", "any"),
            ("aws_secret_access_key", "any"),
            ("aws_region", "us-east-1"),
            ("aws_endpoint", &endpoint),
            ("aws_allow_http", "true"),
        ];
        (emulator, config("s3://tidemill/some/prefix", &options))
    }

    fn start(mut command: Command, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut emulator = Self {
            child,
            _folder: folder,
            port,
        };
        emulator.wait_until_it_listens();
        emulator
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + START_MAX;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while TcpStream::connect(address).is_err() {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "the store ended while starting"
            );
            assert!(
                Instant::now() < deadline,
                "the store does not listen on {address}"
            );
            thread::yield_now();
        }
    }

    /// Makes the bucket with the store's own client, trying until the store's parts have found each other.
    fn prepare(script: &str) {
        let deadline = Instant::now() + START_MAX;
        loop {
            let output = Command::new(tool("venv/bin/python"))
                .args(["-c", script])
                .output()
                .unwrap();
            if output.status.success() {
                return;
            }
            let problem = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "the store makes no bucket: {problem}");
        }
    }
}

fn config(url: &str, options: &[(&str, &str)]) -> StoreConfig {
    let options = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    StoreConfig {
        url: url.to_owned(),
        options: options.collect::<BTreeMap<_, _>>(),
    }
}

fn tool(name: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the test tools are is a setting of the test run"
    )]
    let tools = std::env::var_os("TIDEMILL_TEST_TOOLS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-tools"),
        PathBuf::from,
    );
    let path = tools.join(name);
    assert!(
        path.exists(),
        "{} is missing: run scripts/install-store-emulators",
        path.display()
    );
    path
}

/// Ports that were free a moment ago, all different.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
