//! From settings to the configurations that the parts take.

use crate::exit::Exit;
use crate::failure::{Context, Failure};
use crate::plaintext::is_readable_on_the_way;
use crate::settings::Settings;
use std::ffi::OsString;
use std::path::Path;
use tidemill_artifacts::{ArtifactStore, StoreConfig};
use tidemill_coordinator::CoordinatorConfig;
use tidemill_protocol::compute::{COMPUTE_TYPES, ComputeTarget};
use tidemill_protocol::name::Name;
use tidemill_worker::{RunAs, Sandbox, WorkerConfig, let_through, shut};

/// Variables of this process that its steps find too, where the settings say nothing else: a step sees the Python, the proxy and the language that
/// the person at the keyboard sees.
const INHERITED: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "LD_LIBRARY_PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
];

/// In which systemd names the folders of `RuntimeDirectory=`.
const RUNTIME_DIRECTORY: &str = "RUNTIME_DIRECTORY";

/// Where a store is, and what it is told beside that.
#[derive(Debug, Clone)]
pub(crate) struct StoreAddress(StoreConfig);

impl StoreAddress {
    /// The store that the settings name, or the one in the state folder.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self::at(settings, settings.store_url())
    }

    /// The store at this address, with what the settings and the environment say of stores of its kind.
    pub(crate) fn at(settings: &Settings, url: String) -> Self {
        let mut config = StoreConfig::from_environment(url, settings.environment.store_variables());
        config.options.extend(settings.store_options.clone());
        Self(config)
    }
}

/// Opens a store; a local one is made when it is not there.
pub(crate) async fn open_store(
    settings: &Settings,
    address: &StoreAddress,
) -> Result<ArtifactStore, Failure> {
    if settings.store_url.is_none() {
        let folder = settings.state_dir.join("store");
        std::fs::create_dir_all(&folder).context(|| format!("cannot make {}", folder.display()))?;
    }
    ArtifactStore::open(&address.0).await.map_err(|error| {
        let shown = crate::settings::without_password(&address.0.url);
        Failure::because(
            Exit::Unreachable,
            format!("cannot open the store at {shown}"),
            &error,
        )
        .code("store_unreachable")
    })
}

/// The coordinator's configuration.
pub(crate) fn coordinator_config(
    settings: &Settings,
    broker_url: &str,
) -> Result<CoordinatorConfig, Failure> {
    Ok(CoordinatorConfig {
        journal_probe: hidden_verb("journal-probe", None)?,
        broker_url: broker_url.to_owned(),
        lease: settings.lease,
        disk_reserve: settings.disk_reserve,
        enrolment: settings.worker_enrolment,
        secrets_key: settings.secrets_key.clone(),
        openlineage: settings.openlineage.clone(),
        webhook_allow: settings.webhook_allow.clone(),
        datastore_allow: settings.datastore_allow.clone(),
        smtp: settings.smtp.clone(),
        ..CoordinatorConfig::new(&settings.state_dir)
    })
}

/// A worker's configuration.
pub(crate) fn worker_config(
    settings: &Settings,
    targets: Vec<ComputeTarget>,
) -> Result<WorkerConfig, Failure> {
    let state_dir = settings.state_dir.join("worker");
    let mut supervisor = hidden_verb("supervise", Some(&state_dir.join("supervisor")))?;
    supervisor.extend(sandbox(settings)?);
    if settings.run_as == RunAs::Worker {
        shut(&settings.state_dir)
            .context(|| format!("cannot close {} to others", settings.state_dir.display()))?;
    } else if rustix::process::geteuid().is_root() {
        // The users of steps come to the worker's folder, and to nothing beside it.
        let_through(&settings.state_dir, &["worker"]).context(|| {
            format!(
                "cannot open {} to the users of steps",
                settings.state_dir.display()
            )
        })?;
    }
    let mut config = WorkerConfig {
        slots: settings.slots,
        cache_bytes_max: settings.cache_bytes_max,
        fetch_allow: settings.fetch_allow.clone(),
        datastore_allow: settings.datastore_allow.clone(),
        disk_reserve: settings.disk_reserve,
        stop_grace: settings.stop_grace,
        environment_build_max: settings.environment_timeout,
        preemption_notice: settings.preemption_notice.clone(),
        run_as: settings.run_as,
        tracking_url: tracking_url(settings)?,
        tracking_ca: settings.api_ca.clone(),
        ..WorkerConfig::new(targets, state_dir, supervisor)
    };
    if let Some(deadline) = settings.upload_deadline {
        config.upload_deadline = deadline;
    }
    if let Some(id) = &settings.worker_id {
        let id = id.parse();
        config.id =
            Some(id.map_err(|error| Failure::because(Exit::Usage, "`worker_id` is not a name", &error))?);
    }
    config.gpus_visible = settings
        .environment
        .get("CUDA_VISIBLE_DEVICES")
        .map(str::to_owned);
    // A service manager's folder in memory; the first, where there are several.
    if let Some(places) = settings.environment.get(RUNTIME_DIRECTORY) {
        let place = places.split(':').next().unwrap_or(places);
        config.keep_secrets_in(Path::new(place));
    }
    for name in INHERITED {
        if let Some(value) = settings.environment.get(name) {
            config.base_environment.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(config)
}

/// Where steps log to: where the settings say, or to the coordinator. Their tokens travel unencrypted to this machine only, unless the settings allow it.
fn tracking_url(settings: &Settings) -> Result<Option<String>, Failure> {
    let is_safe = |url: &str| settings.insecure_plaintext || !is_readable_on_the_way(url);
    match &settings.tracking_url {
        Some(url) if url == "off" => Ok(None),
        Some(url) if is_safe(url) => Ok(Some(url.clone())),
        Some(url) => {
            let what = format!("the tokens of steps would travel unencrypted to {url}");
            Err(Failure::new(Exit::Usage, what)
                .help("give `tracking_url` an https:// address, `off`, or allow it with `insecure_plaintext = true`"))
        }
        None => Ok(settings.url.clone().filter(|url| is_safe(url))),
    }
}

/// What the parent of the steps is told of the sandbox and of what steps may use.
fn sandbox(settings: &Settings) -> Result<Vec<OsString>, Failure> {
    let kind = settings.sandbox;
    kind.check().map_err(|error| {
        let what = format!("`sandbox = {:?}` cannot be had here", kind.as_str());
        Failure::because(Exit::Usage, what, &error).help(
            "use another kernel, or `sandbox = \"basic\"` for steps that you trust with this user's files",
        )
    })?;
    let mut told = vec!["--sandbox".into(), kind.as_str().into()];
    let limits = settings.step_limits;
    for (option, most) in [
        ("--processes", limits.processes),
        ("--open-files", limits.open_files),
        ("--file-bytes", limits.file_bytes),
    ] {
        told.extend([option.into(), most.to_string().into()]);
    }
    if kind == Sandbox::Strict {
        let reach = &settings.sandbox_reach;
        if let Some(path) = reach.leads_to(&settings.state_dir) {
            let what = format!(
                "steps in the strict sandbox would reach {} through {}",
                settings.state_dir.display(),
                path.display()
            );
            return Err(Failure::new(Exit::Usage, what).help(
                "put `state_dir` elsewhere, or name less in `sandbox_readable` and `sandbox_writable`",
            ));
        }
        let readable = reach.readable.iter().map(|path| ("--readable", path));
        let writable = reach.writable.iter().map(|path| ("--writable", path));
        for (option, path) in readable.chain(writable) {
            told.extend([option.into(), path.as_os_str().to_owned()]);
        }
    }
    Ok(told)
}

/// What this binary is started with to become one of its own child processes.
pub(crate) fn hidden_verb(verb: &str, dir: Option<&Path>) -> Result<Vec<OsString>, Failure> {
    let program = std::env::current_exe().context(|| "cannot tell where this program lies")?;
    let mut argv = vec![program.into_os_string(), verb.into()];
    argv.extend(dir.map(|dir| dir.as_os_str().to_owned()));
    Ok(argv)
}

/// What the worker of this process serves before any pipeline asks for more.
pub(super) fn local_target() -> ComputeTarget {
    let name = |text: &str| text.parse::<Name>().expect("a constant name is a name");
    ComputeTarget {
        name: name(COMPUTE_TYPES[0]),
        compute_type: name(COMPUTE_TYPES[0]),
    }
}
