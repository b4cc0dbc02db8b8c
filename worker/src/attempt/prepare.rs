//! From a task to what the supervisor is to start: environment, inputs, command, variables.

use super::checkpoint;
use super::command::{Invocation, find_program, invocation};
use super::job::{Attempt, Progress};
use super::members::{Members, members};
use super::stage::stage;
use super::tracking::{self, Server};
use super::variables::{text, value_variables, variables};
use crate::supervisor::message::{OwnFiles, Start};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::plan::StepKind;
use tidemill_protocol::wire::Phase;

impl Attempt {
    /// Prepares everything up to the start of the process.
    pub(super) async fn prepare(&self, progress: &mut Progress) -> Result<Start, Failure> {
        self.check_kind()?;
        let work = &self.task.template.work;
        progress.usage.notes.clone_from(&self.grant.notes);
        let stderr = self.folder.stderr();
        let ready = Box::pin(self.tools.environments.prepare(&work.environment, &stderr));
        let ready = self.phase(Phase::Environment, ready).await;
        progress.environment =
            ready.map_err(|why| Failure::with_message(FailureReason::EnvironmentFailed, why))?;
        progress
            .usage
            .notes
            .extend(progress.environment.notes.iter().cloned());
        // Boxed, because few steps need any.
        let given = Box::pin(self.input_secrets()).await?;
        let staging = Box::pin(stage(&self.task, &self.folder, &self.tools.sources, &given));
        let staged = self.phase(Phase::Staging, staging).await?;
        progress.usage.notes.extend(staged.notes);
        let bringing = checkpoint::bring(
            &self.task,
            &self.folder,
            &self.tools.sources,
            &mut progress.usage.notes,
        );
        let checkpoint = Box::pin(bringing).await?;
        progress.shared = staged.shared;

        let base = &self.tools.config.base_environment;
        let mut environment = variables(
            base,
            &self.task,
            &self.grant,
            &progress.environment,
            &self.folder,
            &self.tools.listings,
        );
        let given = value_variables(&staged.values);
        if !given.is_empty() {
            environment.insert("TIDEMILL_PARAMS_FILE".into(), text(&self.folder.parameters()));
            environment.extend(given);
        }
        let server = self.tracking_server(&mut progress.usage.notes);
        tracking::add(&mut environment, &self.task, &server);
        if let Some(checkpoint) = &checkpoint {
            environment.insert("TIDEMILL_CHECKPOINT".into(), text(checkpoint));
        }
        if self.user().is_some() {
            self.be_at_home(&mut environment);
        }
        let start_failed = |why| Failure::with_message(FailureReason::StartFailed, why);
        let search_path = environment.get("PATH").cloned().unwrap_or_default();
        let invocation = match &work.kind {
            StepKind::Command(command) => invocation(command, &staged.values, &search_path, &self.folder),
            StepKind::Builtin(builtin) => self.told(builtin, &staged.values),
            StepKind::Other { .. } | StepKind::Unknown => Err("nobody executes it".to_owned()),
        };
        let invocation = invocation.map_err(start_failed)?;
        let resources = &self.task.template.rules.resources;
        let members = members(resources.instance_count, work.distribution.as_ref()).map_err(start_failed)?;
        progress.usage.notes.extend(members.notes.iter().cloned());
        let invocation =
            launched(invocation, &members, &search_path, &mut environment).map_err(start_failed)?;
        let own = self.own_files(checkpoint.as_deref(), progress);
        Ok(self.assemble(invocation, environment, members, own))
    }

    /// Where the process logs to, with the certificates that vouch for it in a file of the attempt's: what the worker reads itself may be closed to the step.
    fn tracking_server(&self, notes: &mut Vec<String>) -> Server {
        let config = &self.tools.config;
        let url = config.tracking_url.clone();
        let authority = config
            .tracking_ca
            .as_ref()
            .filter(|_| tracking::needs_authority(&self.task, url.as_deref()));
        let copied = authority.and_then(|from| {
            let to = self.folder.tracking_authority();
            match std::fs::read(from).and_then(|bytes| std::fs::write(&to, bytes)) {
                Ok(()) => Some(text(&to)),
                Err(error) => {
                    notes.push(format!(
                        "the step cannot check the certificate of the tracking server: {}: {error}",
                        from.display()
                    ));
                    None
                }
            }
        });
        Server {
            url,
            authority: copied,
        }
    }

    /// The worker's own home is closed to another user, whose name nobody knows: programs that ask for either find these.
    fn be_at_home(&self, environment: &mut BTreeMap<String, String>) {
        let home = text(&self.folder.temporary());
        let own = [("HOME", home.as_str()), ("USER", "step"), ("LOGNAME", "step")];
        let authors = &self.task.template.work.environment_variables;
        for (name, value) in own.into_iter().filter(|(name, _)| !authors.contains_key(*name)) {
            environment.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Refuses what cannot be executed before anything is brought for it.
    fn check_kind(&self) -> Result<(), Failure> {
        match &self.task.template.work.kind {
            StepKind::Command(_) | StepKind::Builtin(_) => Ok(()),
            StepKind::Other { name, .. } => Err(Failure::with_message(
                FailureReason::ExecutorMissing,
                format!("steps of type `{name}` cannot be executed by this version"),
            )),
            StepKind::Unknown => Err(Failure::with_message(
                FailureReason::ExecutorMissing,
                "the step is of a type that this version does not know",
            )),
        }
    }

    fn assemble(
        &self,
        invocation: Invocation,
        environment: BTreeMap<String, String>,
        members: Members,
        own: OwnFiles,
    ) -> Start {
        let grace = self.tools.config.stop_grace.as_millis();
        Start {
            key: self.key.clone(),
            program: invocation.program,
            arguments: invocation.arguments,
            environment: environment.into_iter().collect(),
            secrets: Vec::new(),
            members: members.variables,
            folder: text(&self.folder.work()),
            stdout: text(&self.folder.stdout()),
            stderr: text(&self.folder.stderr()),
            time_limit_ms: self.task.template.rules.timeout.map(|limit| limit.0),
            grace_ms: u64::try_from(grace).unwrap_or(u64::MAX),
            memory_bytes: self.grant.memory_reserved,
            log_bytes_max: self.tools.config.log_bytes_max,
            own,
            user: self.user(),
        }
    }

    /// What the processes may reach of the worker's folders when they are shut in. Of their own folder not the record, which is the worker's.
    fn own_files(&self, checkpoint: Option<&Path>, progress: &Progress) -> OwnFiles {
        let folder = &self.folder;
        let mut readable = vec![
            folder.inputs(),
            folder.parameters(),
            folder.tracking_authority(),
            folder.script(),
        ];
        readable.extend(progress.environment.folders.iter().cloned());
        readable.push(self.tools.listings.clone());
        if matches!(self.task.template.work.kind, StepKind::Builtin(_)) {
            readable.extend(self.own_program().map(PathBuf::from));
        }
        // Scripts open /dev/stdout and /dev/stderr, which lead to these files.
        let mut writable = vec![
            folder.work(),
            folder.temporary(),
            folder.outputs(),
            folder.stdout(),
            folder.stderr(),
        ];
        writable.extend(checkpoint.map(Path::to_owned));
        let texts = |paths: Vec<PathBuf>| paths.iter().map(|path| text(path)).collect();
        OwnFiles {
            readable: texts(readable),
            writable: texts(writable),
            home: text(&folder.temporary()),
        }
    }
}

/// Puts an MPI launcher before the command where one is wanted.
fn launched(
    invocation: Invocation,
    members: &Members,
    search_path: &str,
    environment: &mut BTreeMap<String, String>,
) -> Result<Invocation, String> {
    let Some(ranks) = members.launcher_ranks else {
        return Ok(invocation);
    };
    let nowhere = Path::new("/");
    let program = ["mpirun", "mpiexec"]
        .into_iter()
        .find_map(|name| find_program(name, search_path, nowhere))
        .ok_or("the step is distributed by MPI and this worker has no mpirun in PATH")?;
    // The launcher is Open MPI's on most machines; other launchers ignore these.
    for name in [
        "OMPI_ALLOW_RUN_AS_ROOT",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
        "OMPI_MCA_rmaps_base_oversubscribe",
    ] {
        environment.insert(name.into(), "1".into());
    }
    let mut arguments = vec![
        "mpirun".to_owned(),
        "-n".to_owned(),
        ranks.to_string(),
        invocation.program,
    ];
    arguments.extend(invocation.arguments.into_iter().skip(1));
    Ok(Invocation { program, arguments })
}
