//! Where a cluster's artifacts are: a folder, or a real S3 server of this test's own (SeaweedFS, which `scripts/install-store-emulators` brings).

use crate::ports::free_ports;
use crate::{Daemon, Sandbox, Wire, eventually, repository};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The bucket that every server has.
const BUCKET: &str = "tidemill";
/// How long a server may take until it has made its bucket.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// What the parts of the server listen on.
const LISTENERS: [&str; 8] = [
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
];

/// Where artifacts are.
#[derive(Debug)]
pub enum Store {
    /// In a folder of the sandbox.
    Folder,
    /// In a bucket.
    S3(S3Server),
}

impl Store {
    /// As `--store-url` takes it.
    pub fn url(&self, sandbox: &Sandbox) -> String {
        match self {
            Self::Folder => format!("file://{}", sandbox.path().join("store").display()),
            Self::S3(_) => format!("s3://{BUCKET}/artifacts"),
        }
    }

    /// Variables that hold address and credentials.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Folder => Vec::new(),
            Self::S3(server) => vec![
                ("AWS_ENDPOINT", server.endpoint()),
                ("AWS_ALLOW_HTTP", "true".into()),
                ("AWS_REGION", "us-east-1".into()),
                ("AWS_ACCESS_KEY_ID", "any".into()),
                ("AWS_SECRET_ACCESS_KEY", "any".into()),
            ],
        }
    }
}

/// An S3 server of one's own, with an empty bucket.
#[derive(Debug)]
pub struct S3Server {
    port: u16,
    _daemon: Daemon,
    // After the daemon: its files go when it is gone.
    _folder: TempDir,
}

impl S3Server {
    /// Starts one and waits until its bucket exists.
    ///
    /// # Panics
    /// When it is not installed or does not come up.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary files can be made");
        let ports: [u16; LISTENERS.len()] = free_ports();
        let mut command = Command::new(tool("venv/bin/weed"));
        command
            .args([
                "-logtostderr=true",
                "server",
                "-s3",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-dir=.",
            ])
            .args(["-master.volumeSizeLimitMB=64", "-volume.max=20"])
            // What else it would serve, on ports that two of them could not share.
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args(
                LISTENERS
                    .iter()
                    .zip(ports)
                    .map(|(name, port)| format!("-{name}={port}")),
            )
            .current_dir(folder.path());
        let log = folder.path().join("server.log");
        let server = Self {
            port: ports[0],
            _daemon: Daemon::start("the S3 server", &mut command, &log),
            _folder: folder,
        };
        server.make_bucket();
        server
    }

    /// Another way to it, for somebody whose way is to fail alone.
    pub fn wire(&self) -> Wire {
        Wire::to(self.port)
    }

    /// Puts a network of the test's own before it: from now on its address leads through that.
    pub fn put_behind_a_wire(&mut self) -> Wire {
        let wire = self.wire();
        self.port = wire.address().port();
        wire
    }

    /// Its port on the loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The keys of everything in the bucket below the prefix of [`Store::url`], and of uploads that were begun and not ended.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        let listing = "
for page in client.get_paginator('list_objects_v2').paginate(Bucket=BUCKET, Prefix='artifacts/'):
    for found in page.get('Contents', []):
        print(found['Key'].removeprefix('artifacts/'))
for upload in client.list_multipart_uploads(Bucket=BUCKET).get('Uploads', []):
    print('uploads/' + upload['Key'])
";
        let listed = self.ask(listing).expect("the bucket can be listed");
        listed.lines().map(str::to_owned).collect()
    }

    fn make_bucket(&self) {
        eventually(START_DEADLINE, "the S3 server makes a bucket", || {
            self.ask("client.create_bucket(Bucket=BUCKET)")
        });
    }

    /// Asks the server with somebody else's client; what was printed, if it went well.
    fn ask(&self, script: &str) -> Option<String> {
        let script = format!(
            "import boto3\nBUCKET = '{BUCKET}'\n\
             client = boto3.client('s3', endpoint_url='{}', region_name='us-east-1', aws_access_key_id='any', aws_secret_access_key='any')\n\
             {script}",
            self.endpoint()
        );
        let output = Command::new(tool("venv/bin/python"))
            .args(["-c", &script])
            .output()
            .ok()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(printed)
    }
}

fn tool(name: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the test tools are is a setting of the test run"
    )]
    let tools = std::env::var_os("TIDEMILL_TEST_TOOLS")
        .map_or_else(|| repository().join("target/test-tools"), PathBuf::from);
    let path = tools.join(name);
    assert!(
        path.exists(),
        "{} is missing: run scripts/install-store-emulators",
        path.display()
    );
    path
}
