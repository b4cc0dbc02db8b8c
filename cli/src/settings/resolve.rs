//! The layers, laid over each other: each later one replaces single keys of the earlier ones.

use super::environment::{Environment, is_no_setting};
use super::files::{self, SettingsFile, store_options};
use super::keys::{KEYS, Key, Shape};
use super::layers::Layers;
use super::{Archive, DEFAULT_PORT, Origin, Setting, Settings, invalid, nearest};
use crate::args::{Color, Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tidemill_coordinator::enrolment::EnrolmentRule;
use tidemill_worker::Sandbox;

/// The settings that the command line gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    values: Vec<(&'static str, String, toml::Value)>,
    config: Option<PathBuf>,
    quiet: bool,
    no_headers: bool,
    verbose: u8,
}

impl Given {
    /// What the global options say.
    pub(crate) fn from_global(global: &Global) -> Self {
        let mut given = Self {
            config: global.config.clone(),
            quiet: global.quiet,
            no_headers: global.no_headers,
            verbose: global.verbose,
            ..Self::default()
        };
        let word = |value: clap::builder::PossibleValue| value.get_name().to_owned();
        given.text("url", "--url", global.url.clone());
        given.text(
            "state_dir",
            "--state-dir",
            global
                .state_dir
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
        );
        given.flag("utc", "--utc", global.utc);
        given.flag("no_input", "--no-input", global.no_input);
        given.path("api_ca", "--api-ca", global.api_ca.as_deref());
        given.flag(
            "insecure_plaintext",
            "--insecure-plaintext",
            global.insecure_plaintext,
        );
        let token_file = global.token_file.as_ref();
        given.text(
            "token_file",
            "--token-file",
            token_file.map(|path| path.to_string_lossy().into_owned()),
        );
        given.text(
            "output",
            "--output",
            global.output.and_then(|f| f.to_possible_value()).map(word),
        );
        given.text(
            "color",
            "--color",
            global.color.and_then(|c| c.to_possible_value()).map(word),
        );
        given
    }

    /// Adds a text, if there is one.
    pub(crate) fn text(&mut self, key: &'static str, flag: &str, value: Option<String>) {
        if let Some(value) = value {
            self.values
                .push((key, flag.to_owned(), toml::Value::String(value)));
        }
    }

    /// Adds a path, if there is one.
    pub(crate) fn path(&mut self, key: &'static str, flag: &str, value: Option<&Path>) {
        self.text(key, flag, value.map(|path| path.to_string_lossy().into_owned()));
    }

    /// Adds a number, if there is one.
    pub(crate) fn number(&mut self, key: &'static str, flag: &str, value: Option<u32>) {
        if let Some(value) = value {
            self.values
                .push((key, flag.to_owned(), toml::Value::Integer(value.into())));
        }
    }

    /// Adds a switch, if it is on.
    pub(crate) fn flag(&mut self, key: &'static str, flag: &str, value: bool) {
        if value {
            self.values
                .push((key, flag.to_owned(), toml::Value::Boolean(true)));
        }
    }

    /// Adds a list, unless it is empty.
    pub(crate) fn list(&mut self, key: &'static str, flag: &str, values: &[String]) {
        if !values.is_empty() {
            let values = values.iter().cloned().map(toml::Value::String).collect();
            self.values
                .push((key, flag.to_owned(), toml::Value::Array(values)));
        }
    }
}

/// Lays the layers over each other and reads the result.
pub(super) fn resolve(environment: Environment, given: &Given, project: &Path) -> Result<Settings, Failure> {
    let explicit = given
        .config
        .clone()
        .or_else(|| environment.get("TIDEMILL_CONFIG").map(PathBuf::from));
    let paths = files::find(&environment, project, explicit.as_deref());
    let files = paths
        .iter()
        .map(|path| files::read(path))
        .collect::<Result<Vec<_>, _>>()?;
    let mut layers = BTreeMap::new();
    for file in &files {
        add_file(&mut layers, file);
    }
    add_variables(&mut layers, &environment)?;
    for (key, flag, value) in &given.values {
        let origin = Origin::Argument(flag.clone());
        let value = value.clone();
        layers.insert(*key, Setting { value, origin });
    }
    let layers = Layers(layers);
    finish(environment, given, files, layers)
}

fn add_file(layers: &mut BTreeMap<&'static str, Setting>, file: &SettingsFile) {
    for key in KEYS {
        if let Some(value) = file.table.get(key.name) {
            let origin = Origin::File(file.path.clone());
            let value = value.clone();
            layers.insert(key.name, Setting { value, origin });
        }
    }
}

fn add_variables(
    layers: &mut BTreeMap<&'static str, Setting>,
    environment: &Environment,
) -> Result<(), Failure> {
    for (name, value) in environment.ours() {
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            if is_no_setting(name) {
                continue;
            }
            return Err(unknown_variable(name));
        };
        let origin = Origin::Variable(name.to_owned());
        let value = read_text(key, value, &origin)?;
        layers.insert(key.name, Setting { value, origin });
    }
    Ok(())
}

fn unknown_variable(name: &str) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("unknown variable ${name}"));
    let names: Vec<String> = KEYS.iter().map(Key::variable).collect();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => failure.help(format!("did you mean ${near}?")),
        None => failure.help(
            "`tidemill config show` lists every setting; a variable is TIDEMILL_ and its name in capitals",
        ),
    }
}

fn read_text(key: &Key, text: &str, origin: &Origin) -> Result<toml::Value, Failure> {
    match key.shape {
        Shape::Text => Ok(toml::Value::String(text.to_owned())),
        Shape::Number => text.trim().parse().map(toml::Value::Integer).map_err(|_| {
            Failure::new(
                Exit::Usage,
                format!(
                    "`{}` cannot be `{text}` (from {origin}): a whole number",
                    key.name
                ),
            )
        }),
        Shape::Flag => match text.trim() {
            "true" | "1" => Ok(toml::Value::Boolean(true)),
            "false" | "0" => Ok(toml::Value::Boolean(false)),
            _ => {
                let what = format!("`{}` cannot be `{text}` (from {origin}): true or false", key.name);
                Err(Failure::new(Exit::Usage, what))
            }
        },
        Shape::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(toml::Value::Array(
                items.map(|item| toml::Value::String(item.to_owned())).collect(),
            ))
        }
    }
}

/// How the journal is archived; none where nobody says so, because the default differs from command to command.
fn archive(layers: &Layers) -> Result<Option<Archive>, Failure> {
    let is_said = layers.0.contains_key("archive");
    is_said.then(|| layers.word("archive")).transpose()
}

fn finish(
    environment: Environment,
    given: &Given,
    files: Vec<SettingsFile>,
    layers: Layers,
) -> Result<Settings, Failure> {
    let slots = slots(&layers)?;
    let listen = layers.parsed(
        "listen",
        |text| text.parse().ok(),
        "an address and a port such as 127.0.0.1:7470",
    )?;
    let sandbox = layers.parsed("sandbox", Sandbox::parse, "`strict`, `basic` or `off`")?;
    let rule = layers.parsed("worker_enrolment", EnrolmentRule::parse, "required or optional")?;
    Ok(Settings {
        url: layers
            .text("url")?
            .map(|url| url.trim_end_matches('/').to_owned()),
        state_dir: state_dir(&environment, layers.text("state_dir")?)?,
        output: layers.word::<Format>("output")?,
        utc: layers.flag("utc")?,
        no_input: layers.flag("no_input")?,
        has_headers: !given.no_headers,
        color: layers.word::<Color>("color")?,
        quiet: given.quiet,
        verbose: given.verbose,
        log: layers.text("log")?,
        log_is_json: log_is_json(&layers)?,
        slots,
        listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))),
        token_file: layers.path("token_file")?,
        insecure_plaintext: layers.flag("insecure_plaintext")?,
        tls: layers.tls()?,
        api_ca: layers.path("api_ca")?,
        queue_url: layers.texts("queue_url")?,
        queue_ca: layers.path("queue_ca")?,
        queue_management_url: layers.text("queue_management_url")?,
        queue_prefix: layers
            .text("queue_prefix")?
            .unwrap_or_else(|| "tidemill".to_owned()),
        store_url: layers.text("store_url")?,
        store_options: store_options(&files),
        archive: archive(&layers)?,
        signing_key: layers.path("signing_key")?,
        secrets_key: layers.path("secrets_key")?,
        openlineage: layers.openlineage()?,
        compute: layers.list("compute")?,
        compute_type: layers.text("type")?.unwrap_or_else(|| "cpu".to_owned()),
        worker_id: layers.text("worker_id")?,
        coordinator_key: layers.text("coordinator_key")?,
        join_token_file: layers.path("join_token_file")?,
        worker_enrolment: rule.unwrap_or_default(),
        stop_grace: layers.stop_grace()?,
        environment_timeout: layers.environment_timeout()?,
        upload_deadline: layers.upload_deadline()?,
        sandbox: sandbox.unwrap_or_default(),
        sandbox_reach: layers.reach()?,
        run_as: layers.run_as()?,
        step_limits: layers.step_limits()?,
        preemption_notice: layers.path("preemption_notice")?,
        lease: layers.lease()?,
        cache_bytes_max: layers.size("cache_size")?.unwrap_or(20 << 30),
        fetch_allow: layers.destinations("fetch_allow")?,
        webhook_allow: layers.destinations("webhook_allow")?,
        datastore_allow: layers.destinations("datastore_allow")?,
        smtp: layers.smtp()?,
        tracking_url: layers.text("tracking_url")?,
        disk_reserve: layers.size("disk_reserve")?.unwrap_or(256 << 20),
        user: environment.user(),
        files,
        environment,
        origins: layers.0,
    })
}

/// Whether the log is JSON rather than text.
fn log_is_json(layers: &Layers) -> Result<bool, Failure> {
    let log_format = layers.text("log_format")?;
    if let Some(word) = log_format
        .as_deref()
        .filter(|word| !matches!(*word, "text" | "json"))
    {
        return Err(invalid(
            "log_format",
            &layers.0["log_format"],
            &format!("`text` or `json`, not `{word}`"),
        ));
    }
    Ok(log_format.as_deref() == Some("json"))
}

/// How many steps run at once: as many as there are cores when nobody says.
fn slots(layers: &Layers) -> Result<u32, Failure> {
    Ok(match layers.number("slots", 1, 4096)? {
        Some(slots) => u32::try_from(slots).expect("the range was checked"),
        None => std::thread::available_parallelism()
            .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
    })
}

fn state_dir(environment: &Environment, given: Option<String>) -> Result<PathBuf, Failure> {
    let path = match given {
        Some(path) => PathBuf::from(path),
        None => environment
            .base("XDG_STATE_HOME", ".local/state")
            .map(|base| base.join("tidemill"))
            .ok_or_else(|| {
                Failure::new(Exit::Usage, "there is no home folder to keep state in")
                    .help("name a folder with --state-dir or $TIDEMILL_STATE_DIR")
            })?,
    };
    Ok(std::path::absolute(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve_in(folder: &Path, variables: &[(&str, &str)], given: &Given) -> Result<Settings, Failure> {
        let mut all = vec![("HOME", "/home/nobody-at-all")];
        all.extend_from_slice(variables);
        resolve(Environment::of(&all), given, folder)
    }

    #[test]
    fn each_layer_replaces_single_keys_of_the_one_below() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("project");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(
            outer.path().join("tidemill.toml"),
            "slots = 3\nqueue_prefix = \"outer\"\n",
        )
        .unwrap();
        std::fs::write(inner.join("tidemill.toml"), "slots = 4\ncolor = \"never\"\n").unwrap();
        let mut given = Given::default();
        given.number("slots", "--slots", Some(6));
        let variables = [("TIDEMILL_SLOTS", "5"), ("TIDEMILL_COMPUTE", "a, b:gpu")];
        let settings = resolve_in(&inner, &variables, &given).unwrap();
        assert_eq!(settings.slots, 6);
        assert_eq!(settings.queue_prefix, "outer");
        assert_eq!(settings.color, Color::Never);
        assert_eq!(settings.compute, ["a", "b:gpu"]);
        assert_eq!(settings.origin("slots").unwrap().origin.to_string(), "--slots");
        assert_eq!(
            settings.origin("compute").unwrap().origin.to_string(),
            "$TIDEMILL_COMPUTE"
        );
        assert!(settings.origin("queue_url").is_none());
        let without = resolve_in(&inner, &[], &Given::default()).unwrap();
        assert_eq!(without.slots, 4, "the inner file is stronger");
    }

    #[test]
    fn the_addresses_of_a_broker_are_a_list_or_a_text_with_commas() {
        let folder = tempfile::tempdir().unwrap();
        let text = "queue_url = [\"amqp://a@one\", \"amqp://a@two\"]\n";
        std::fs::write(folder.path().join("tidemill.toml"), text).unwrap();
        let settings = resolve_in(folder.path(), &[], &Given::default()).unwrap();
        assert_eq!(settings.queue_url.as_deref(), Some("amqp://a@one,amqp://a@two"));
        let variables = [("TIDEMILL_QUEUE_URL", "amqp://a@one, amqp://a@two")];
        let settings = resolve_in(folder.path(), &variables, &Given::default()).unwrap();
        assert_eq!(settings.queue_url.as_deref(), Some("amqp://a@one, amqp://a@two"));
    }

    #[test]
    fn a_misspelt_key_or_variable_is_refused_with_a_suggestion() {
        let folder = tempfile::tempdir().unwrap();
        let failure = resolve_in(folder.path(), &[("TIDEMILL_SLOT", "1")], &Given::default()).unwrap_err();
        assert_eq!(failure.help, ["did you mean $TIDEMILL_SLOTS?"]);
        std::fs::write(folder.path().join("tidemill.toml"), "sltos = 3\n").unwrap();
        let failure = resolve_in(folder.path(), &[], &Given::default()).unwrap_err();
        assert_eq!(failure.help, ["did you mean `slots`?"]);
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn a_value_of_the_wrong_kind_names_its_origin() {
        let folder = tempfile::tempdir().unwrap();
        let failure =
            resolve_in(folder.path(), &[("TIDEMILL_SLOTS", "many")], &Given::default()).unwrap_err();
        assert!(failure.what.contains("$TIDEMILL_SLOTS"), "{}", failure.what);
        let failure =
            resolve_in(folder.path(), &[("TIDEMILL_COLOR", "pink")], &Given::default()).unwrap_err();
        assert!(failure.what.contains("auto, always, never"), "{}", failure.what);
    }

    #[test]
    fn lengths_of_time_are_taken_within_their_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            resolve_in(
                folder.path(),
                &[("TIDEMILL_UPLOAD_DEADLINE", text)],
                &Given::default(),
            )
        };
        let settings = of("36h").unwrap();
        assert_eq!(
            settings.upload_deadline,
            Some(std::time::Duration::from_hours(36))
        );
        for wrong in ["30s", "145h", "-2h", "tomorrow"] {
            let failure = of(wrong).unwrap_err();
            assert!(failure.what.contains("from 1m to 144h"), "{}", failure.what);
        }
    }

    #[test]
    fn variables_that_a_step_finds_are_no_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("TIDEMILL_INPUT_data", "/x"), ("TIDEMILL_RUN_ID", "0")];
        assert!(resolve_in(folder.path(), &variables, &Given::default()).is_ok());
    }
}
