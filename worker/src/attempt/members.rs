//! Several processes of one step: how many there are and by which variables they find each other. All of them run on this worker.

use serde_json::json;
use std::net::TcpListener;
use tidemill_protocol::plan::{Distribution, DistributionKind};

/// Most processes of one step.
const MEMBERS_MAX: u32 = 256;
const HOST: &str = "127.0.0.1";

/// The processes of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Variables that each process has for itself; one entry for each process.
    pub variables: Vec<Vec<(String, String)>>,
    /// How many ranks an MPI launcher is to start, when one is to be put before the command.
    pub launcher_ranks: Option<u32>,
    /// What could not be honoured to the letter.
    pub notes: Vec<String>,
}

/// Works out the processes of a step, or says why it cannot run here.
pub(crate) fn members(instances: u32, distribution: Option<&Distribution>) -> Result<Members, String> {
    let instances = instances.max(1);
    let mut notes = Vec::new();
    let Some(distribution) = distribution else {
        if instances > 1 {
            notes.push(format!(
                "{instances} instances were asked for without a distribution: the command ran once"
            ));
        }
        return Ok(Members {
            variables: vec![Vec::new()],
            launcher_ranks: None,
            notes,
        });
    };
    let per_instance = distribution.processes_per_instance.max(1);
    let ranks = instances.saturating_mul(per_instance);
    let servers = distribution.parameter_servers;
    let workers = distribution.workers.max(1);
    if ranks.max(workers.saturating_add(servers)) > MEMBERS_MAX {
        return Err(format!("a step may have at most {MEMBERS_MAX} processes"));
    }
    if instances > 1 {
        notes.push(format!(
            "{instances} instances were asked for: all of them ran on this worker"
        ));
    }
    let (variables, launcher_ranks) = match distribution.kind {
        DistributionKind::Pytorch => (pytorch(instances, per_instance)?, None),
        DistributionKind::Tensorflow => (tensorflow(workers, servers)?, None),
        DistributionKind::Mpi => (vec![Vec::new()], (ranks > 1).then_some(ranks)),
    };
    Ok(Members {
        variables,
        launcher_ranks,
        notes,
    })
}

fn pytorch(instances: u32, per_instance: u32) -> Result<Vec<Vec<(String, String)>>, String> {
    let port = free_ports(1)?[0].to_string();
    let ranks = instances * per_instance;
    let of_rank = |rank: u32| {
        [
            ("RANK", rank.to_string()),
            ("LOCAL_RANK", (rank % per_instance).to_string()),
            ("NODE_RANK", (rank / per_instance).to_string()),
            ("WORLD_SIZE", ranks.to_string()),
            ("LOCAL_WORLD_SIZE", per_instance.to_string()),
            ("MASTER_ADDR", HOST.to_owned()),
            ("MASTER_PORT", port.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    };
    Ok((0..ranks).map(of_rank).collect())
}

fn tensorflow(workers: u32, servers: u32) -> Result<Vec<Vec<(String, String)>>, String> {
    let ports = free_ports((workers + servers) as usize)?;
    let addresses: Vec<String> = ports.iter().map(|port| format!("{HOST}:{port}")).collect();
    let (worker_addresses, server_addresses) = addresses.split_at(workers as usize);
    let mut cluster = json!({ "worker": worker_addresses });
    if servers > 0 {
        cluster["ps"] = json!(server_addresses);
    }
    let of_task = |role: &str, index: u32| {
        let config = json!({ "cluster": cluster, "task": { "type": role, "index": index } });
        vec![("TF_CONFIG".to_owned(), config.to_string())]
    };
    let mut all: Vec<_> = (0..workers).map(|index| of_task("worker", index)).collect();
    all.extend((0..servers).map(|index| of_task("ps", index)));
    Ok(all)
}

/// Ports that were free a moment ago. Another program may take one first; the step then fails by itself and says so.
fn free_ports(count: usize) -> Result<Vec<u16>, String> {
    let held: Result<Vec<TcpListener>, _> = (0..count).map(|_| TcpListener::bind((HOST, 0))).collect();
    let ports = held.and_then(|held| held.iter().map(|l| Ok(l.local_addr()?.port())).collect());
    ports.map_err(|error| format!("no free port for the step's processes: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(kind: DistributionKind, processes_per_instance: u32) -> Distribution {
        Distribution {
            kind,
            processes_per_instance,
            workers: 2,
            parameter_servers: 1,
        }
    }

    fn value<'a>(variables: &'a [(String, String)], name: &str) -> &'a str {
        &variables.iter().find(|(n, _)| n == name).unwrap().1
    }

    #[test]
    fn a_plain_step_is_one_process_without_variables() {
        let members = members(1, None).unwrap();
        assert_eq!(members.variables, [vec![]]);
        assert!(members.notes.is_empty());
    }

    #[test]
    fn every_rank_knows_its_place_and_the_same_meeting_point() {
        let members = members(2, Some(&distribution(DistributionKind::Pytorch, 2))).unwrap();
        let ranks: Vec<_> = members.variables.iter().map(|v| value(v, "RANK")).collect();
        assert_eq!(ranks, ["0", "1", "2", "3"]);
        let local: Vec<_> = members.variables.iter().map(|v| value(v, "LOCAL_RANK")).collect();
        assert_eq!(local, ["0", "1", "0", "1"]);
        let port = value(&members.variables[0], "MASTER_PORT");
        assert!(members.variables.iter().all(|v| value(v, "MASTER_PORT") == port));
        assert_eq!(members.notes.len(), 1);
    }

    #[test]
    fn tensorflow_tasks_share_a_cluster() {
        let members = members(1, Some(&distribution(DistributionKind::Tensorflow, 1))).unwrap();
        let configs: Vec<serde_json::Value> = members
            .variables
            .iter()
            .map(|v| serde_json::from_str(value(v, "TF_CONFIG")).unwrap())
            .collect();
        assert_eq!(configs.len(), 3);
        assert_eq!(configs[0]["cluster"], configs[2]["cluster"]);
        assert_eq!(configs[2]["task"]["type"], "ps");
    }

    #[test]
    fn mpi_leaves_the_ranks_to_its_launcher() {
        let members = members(1, Some(&distribution(DistributionKind::Mpi, 4))).unwrap();
        assert_eq!(members.launcher_ranks, Some(4));
        assert_eq!(members.variables.len(), 1);
    }

    #[test]
    fn a_crowd_is_refused() {
        assert!(members(1000, Some(&distribution(DistributionKind::Pytorch, 8))).is_err());
    }
}
