//! Every setting there is: its name in files, its variable, its default and its meaning. The reference page, `config show` and the
//! messages about unknown keys are made from this one list.

/// How a setting's text is read when it comes from the environment or an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Text as it is.
    Text,
    /// A whole number.
    Number,
    /// Texts separated by commas.
    List,
    /// `true` or `false`.
    Flag,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Its name in `tidemill.toml`; its variable is `TIDEMILL_` and this in capitals.
    pub(crate) name: &'static str,
    /// How it is read.
    pub(crate) shape: Shape,
    /// What it is when nobody says, for people; empty when it then plays no part.
    pub(crate) default: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
}

impl Key {
    /// The name of its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("TIDEMILL_{}", self.name.to_uppercase())
    }
}

const fn key(name: &'static str, shape: Shape, default: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        shape,
        default,
        meaning,
    }
}

/// All settings.
pub(crate) const KEYS: &[Key] = &[
    key(
        "url",
        Shape::Text,
        "the coordinator of this machine",
        "where the coordinator's API is",
    ),
    key(
        "token_file",
        Shape::Text,
        "that of `tidemill login`",
        "a file with the token for the coordinator",
    ),
    key(
        "state_dir",
        Shape::Text,
        "the user's state folder",
        "where runs, artifacts and caches are kept",
    ),
    key(
        "output",
        Shape::Text,
        "table",
        "how data is printed: table, wide, json, yaml, jsonl, csv or name",
    ),
    key(
        "utc",
        Shape::Flag,
        "false",
        "show times in UTC, not in the zone of this machine",
    ),
    key("no_input", Shape::Flag, "false", "never ask anything"),
    key(
        "color",
        Shape::Text,
        "auto",
        "when to colour: auto, always or never",
    ),
    key(
        "log",
        Shape::Text,
        "warn",
        "what the log tells, as a filter such as `info` or `tidemill_worker=debug`",
    ),
    key(
        "log_format",
        Shape::Text,
        "text",
        "how the log is written: text or json",
    ),
    key(
        "slots",
        Shape::Number,
        "the number of cores",
        "how many steps run at once on this machine",
    ),
    key("listen", Shape::Text, "127.0.0.1:7470", "where the API listens"),
    key(
        "insecure_plaintext",
        Shape::Flag,
        "false",
        "let tokens and passwords travel unencrypted: serve other machines so, show tokens to http:// addresses, use an amqp:// RabbitMQ elsewhere",
    ),
    key(
        "tls_cert",
        Shape::Text,
        "",
        "a file with the certificate (PEM, the chain after it) with which the API is served over TLS",
    ),
    key(
        "tls_key",
        Shape::Text,
        "",
        "the file with its key (PEM), which nobody but its owner may read",
    ),
    key(
        "api_ca",
        Shape::Text,
        "the system's authorities",
        "a file of certificates (PEM) that vouch for an https:// coordinator too",
    ),
    key(
        "queue_url",
        Shape::Text,
        "",
        "the RabbitMQ of the cluster, as amqp://user:password@host:5672/vhost or amqps://…; of one with several nodes an address for each, in a list or separated by commas, which are tried in turn",
    ),
    key(
        "queue_ca",
        Shape::Text,
        "the system's authorities",
        "a file of certificates (PEM) that vouch for an amqps:// RabbitMQ too",
    ),
    key(
        "queue_management_url",
        Shape::Text,
        "",
        "the management API of that RabbitMQ, as http://host:15672 or https://…, which a coordinator asks what is unacknowledged; user and password are those of queue_url unless it names its own",
    ),
    key(
        "queue_prefix",
        Shape::Text,
        "tidemill",
        "what the names of queues start with",
    ),
    key(
        "store_url",
        Shape::Text,
        "a folder in state_dir",
        "the object store in which artifacts are",
    ),
    key(
        "archive",
        Shape::Text,
        "async with a store_url, sync of a standby",
        "whether a coordinator copies its journal to the store: off, async (within seconds) or sync (before it answers)",
    ),
    key(
        "signing_key",
        Shape::Text,
        "coordinator.key in state_dir",
        "the file of the secret key with which a coordinator signs tasks",
    ),
    key(
        "secrets_key",
        Shape::Text,
        "secrets.key in state_dir",
        "the file of the key with which a coordinator seals and opens secrets",
    ),
    key(
        "lease",
        Shape::Text,
        "1m",
        "how long the coordinator waits for a silent worker before its steps go elsewhere: 10s to 1d",
    ),
    key(
        "compute",
        Shape::List,
        "",
        "the compute targets that the worker serves, each NAME or NAME:TYPE",
    ),
    key(
        "type",
        Shape::Text,
        "cpu",
        "the type of compute targets that name none",
    ),
    key(
        "worker_id",
        Shape::Text,
        "made from the host's name",
        "the worker's name",
    ),
    key(
        "coordinator_key",
        Shape::Text,
        "",
        "the coordinator's public key, in hexadecimal or as @FILE",
    ),
    key(
        "join_token_file",
        Shape::Text,
        "",
        "a file with the token by which the worker joins, at its first start",
    ),
    key(
        "worker_enrolment",
        Shape::Text,
        "required once there is a token or an enrolled worker",
        "whether a coordinator believes workers without a key of their own: required (it does not) or optional (until a worker of that name is enrolled)",
    ),
    key(
        "cache_size",
        Shape::Text,
        "20GiB",
        "largest size of the worker's cache of inputs",
    ),
    key(
        "fetch_allow",
        Shape::List,
        "",
        "places beside the public internet from which workers fetch inputs that are http addresses: networks such as 10.0.0.0/8, addresses, names of hosts",
    ),
    key(
        "tracking_url",
        Shape::Text,
        "the coordinator's `url`, where nobody on the way can read along",
        "where steps log to tracking: the address of the coordinator's API as steps reach it; `off` for nowhere",
    ),
    key(
        "openlineage_url",
        Shape::Text,
        "",
        "a service to which a coordinator tells by OpenLineage events what its runs read and made, such as http://marquez:5000",
    ),
    key(
        "openlineage_namespace",
        Shape::Text,
        "tidemill",
        "the namespace of jobs and data in those events",
    ),
    key(
        "webhook_allow",
        Shape::List,
        "",
        "places beside the public internet that webhooks may be told at: networks such as 10.0.0.0/8, addresses, names of hosts",
    ),
    key(
        "datastore_allow",
        Shape::List,
        "",
        "places beside the public internet where datastores may be that coordinators and workers ask: networks such as 10.0.0.0/8, addresses, names of hosts",
    ),
    key(
        "smtp_host",
        Shape::Text,
        "",
        "the mail server through which a coordinator's mailings go",
    ),
    key(
        "smtp_port",
        Shape::Number,
        "587 for starttls, 465 for tls, 25 for none",
        "the mail server's port",
    ),
    key(
        "smtp_tls",
        Shape::Text,
        "starttls",
        "how mail is kept from being read on its way to the server: starttls (and nothing is sent where the server cannot), tls or none (on this machine only, unless `smtp_insecure_plaintext` says otherwise)",
    ),
    key(
        "smtp_insecure_plaintext",
        Shape::Flag,
        "false",
        "let mail, and the password of the mail server, cross the network in the open",
    ),
    key(
        "smtp_ca",
        Shape::Text,
        "",
        "a file of certificates that vouch for the mail server beside the system's own",
    ),
    key(
        "smtp_user",
        Shape::Text,
        "",
        "who the coordinator is at the mail server",
    ),
    key(
        "smtp_password_file",
        Shape::Text,
        "",
        "a file with that user's password",
    ),
    key(
        "smtp_password_secret",
        Shape::Text,
        "",
        "the coordinator's secret with that user's password, instead of a file",
    ),
    key(
        "smtp_from",
        Shape::Text,
        "",
        "the address from which mail comes, such as tidemill@example.org",
    ),
    key(
        "disk_reserve",
        Shape::Text,
        "256MiB",
        "what stays free on the disk of state_dir: with less, a coordinator accepts no new runs and a worker takes no new tasks; 0 for nothing",
    ),
    key(
        "stop_grace",
        Shape::Number,
        "10",
        "seconds that a stopped step has between SIGTERM and SIGKILL, to save what it has",
    ),
    key(
        "upload_deadline",
        Shape::Text,
        "24h",
        "how long the outputs of a step that ended well wait for a store that does not take them, before the step is made again: 1m to 144h",
    ),
    key(
        "environment_timeout",
        Shape::Text,
        "1h",
        "how long the building of a Python environment may take on this worker, from 10s to 1d; then it is ended",
    ),
    key(
        "sandbox",
        Shape::Text,
        "basic",
        "how far steps are shut in: strict (their own files and the system's only, by Landlock), basic (no program gains privileges, no core files) or off",
    ),
    key(
        "sandbox_readable",
        Shape::List,
        "",
        "absolute paths that steps in the strict sandbox may read beside the system and their own files",
    ),
    key(
        "sandbox_writable",
        Shape::List,
        "",
        "absolute paths that steps in the strict sandbox may write",
    ),
    key(
        "step_user",
        Shape::Text,
        "off",
        "as whom the steps of a worker that is root run: off (as root), auto (each attempt as a user of its own, where the system has users for that) or FIRST-LAST (as users with these numbers, or the worker does not start)",
    ),
    key(
        "step_processes",
        Shape::Number,
        "4096",
        "processes and threads that a step may have at once, where control groups can be had; 0 for no limit",
    ),
    key(
        "step_open_files",
        Shape::Number,
        "",
        "files that a process of a step may have open [default: as many as the worker]",
    ),
    key(
        "step_file_size",
        Shape::Text,
        "",
        "the largest file that a step may write, such as 200GiB [default: no limit]",
    ),
    key(
        "preemption_notice",
        Shape::Text,
        "",
        "a file whose appearance says that this machine is about to be taken away: the worker's steps stop and go elsewhere",
    ),
];

/// Keys of a file that are not settings of the program but say what names in pipelines mean; the language reads them.
pub(crate) const WORKSPACE_KEYS: &[&str] = &[
    "environments",
    "computes",
    "datastores",
    "data",
    "components",
    "default_compute",
];

/// The table whose entries go to the object store as they are (endpoint, region and the like).
pub(crate) const STORE_OPTIONS: &str = "store_options";
