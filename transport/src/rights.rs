//! Who may do what on the broker, as the patterns that RabbitMQ compares names with. The coordinator may do everything under its prefix. A worker of a class
//! may take its class's tasks, keep its own control queue and write to the coordinator's inbox; nothing else, whoever got hold of its password.

use crate::broker::Queue;
use crate::class::{Sender, WorkerClass};
use crate::topology::Topology;
use std::collections::BTreeMap;
use tidemill_protocol::name::Name;

/// What one user may do on one virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The user.
    pub user: String,
    /// What it may make and delete.
    pub configure: String,
    /// What it may send to.
    pub write: String,
    /// What it may take from, and purge.
    pub read: String,
    /// What RabbitMQ calls tags, separated by commas: what it may see in the management API.
    pub tags: &'static str,
}

impl Topology {
    /// The coordinator's: everything of its prefix, and the exchange without a name, through which it reaches control queues.
    pub fn coordinator_rights(&self) -> Rights {
        let own = format!("{}(\\..*)?", escape(self.exchange()));
        Rights {
            user: self.coordinator_user(),
            configure: format!("^{own}$"),
            write: format!("^({own}|amq\\.default)$"),
            read: format!("^{own}$"),
            tags: "monitoring",
        }
    }

    /// Those of the workers of a class that serve these targets.
    pub fn worker_rights(&self, class: &WorkerClass, targets: &[Name]) -> Rights {
        let controls = format!(
            "{}\\.control\\.{}.*",
            escape(self.exchange()),
            escape(&class.name_prefix())
        );
        let tasks = targets
            .iter()
            .map(|target| escape(&self.name(&Queue::Tasks(target.clone()))));
        let readable: Vec<String> = tasks.chain([controls.clone()]).collect();
        Rights {
            user: self.worker_user(class),
            configure: format!("^{controls}$"),
            write: format!("^{}$", escape(&self.inbox())),
            read: format!("^({})$", readable.join("|")),
            tags: "",
        }
    }

    /// The coordinator's user.
    pub fn coordinator_user(&self) -> String {
        format!("{}-coordinator", self.exchange())
    }

    /// Whom a message is from by the user that the broker has checked it to be from, for a reader who is this user himself. Only a coordinator with the
    /// user that is made together with the classes' knows that there are such.
    pub fn sender(&self, reader: &str, user: Option<&str>) -> Sender {
        if reader != self.coordinator_user() {
            return Sender::Anybody;
        }
        let class = user.and_then(|user| self.class_of_user(user));
        class.map_or(Sender::Stranger, Sender::Class)
    }

    /// The user of a class's workers.
    pub fn worker_user(&self, class: &WorkerClass) -> String {
        format!("{}-worker-{}", self.exchange(), class.as_str())
    }

    /// The class whose user this is.
    pub fn class_of_user(&self, user: &str) -> Option<WorkerClass> {
        let rest = user.strip_prefix(self.exchange())?;
        rest.strip_prefix("-worker-")?.parse().ok()
    }
}

/// The rights of the coordinator and of these classes with their targets.
pub fn all(topology: &Topology, classes: &BTreeMap<WorkerClass, Vec<Name>>) -> Vec<Rights> {
    let workers = classes
        .iter()
        .map(|(class, targets)| topology.worker_rights(class, targets));
    [topology.coordinator_rights()]
        .into_iter()
        .chain(workers)
        .collect()
}

/// A name as a pattern that fits nothing else. Of what names are made of only the dot means something in a pattern.
fn escape(name: &str) -> String {
    name.replace('.', "\\.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::ids::WorkerId;

    fn topology(prefix: &str) -> Topology {
        Topology::new(prefix).unwrap()
    }

    #[test]
    fn a_worker_may_take_its_own_tasks_and_write_to_the_inbox_only() {
        let class = "gpu".parse().unwrap();
        let rights = topology("tm.a").worker_rights(&class, &["gpu-a100".parse().unwrap()]);
        assert_eq!(
            rights,
            Rights {
                user: "tm.a-worker-gpu".into(),
                configure: r"^tm\.a\.control\.gpu\..*$".into(),
                write: r"^tm\.a\.inbox$".into(),
                read: r"^(tm\.a\.tasks\.gpu-a100|tm\.a\.control\.gpu\..*)$".into(),
                tags: "",
            }
        );
    }

    #[test]
    fn the_coordinator_may_do_everything_of_its_prefix() {
        let rights = topology("tm").coordinator_rights();
        assert_eq!(rights.configure, r"^tm(\..*)?$");
        assert_eq!(rights.write, r"^(tm(\..*)?|amq\.default)$");
        assert_eq!(rights.tags, "monitoring", "and see what AMQP does not tell");
    }

    #[test]
    fn where_each_class_has_a_user_a_worker_is_believed_to_be_of_its_class_only() {
        let topology = topology("tm");
        let worker: WorkerId = "gpu.box-1".parse().unwrap();
        let believes = |reader, user| topology.sender(reader, user).may_be(&worker);
        assert!(believes("tm-coordinator", Some("tm-worker-gpu")));
        for user in [None, Some("guest"), Some("tm-worker-cpu"), Some("tm-coordinator")] {
            assert!(!believes("tm-coordinator", user), "{user:?}");
            assert!(believes("guest", user), "{user:?}");
        }
    }

    #[test]
    fn a_user_says_of_which_class_it_is() {
        let topology = topology("tm");
        let gpu: WorkerClass = "gpu".parse().unwrap();
        assert_eq!(topology.class_of_user("tm-worker-gpu"), Some(gpu));
        for other in ["guest", "tm-coordinator", "other-worker-gpu", "tm-worker-"] {
            assert_eq!(topology.class_of_user(other), None, "{other}");
        }
    }
}
