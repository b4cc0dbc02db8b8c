//! What may start with what is free: slots, processor cores, memory and GPU devices. Pure bookkeeping; what the machine has comes from [`crate::probe`].

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidemill_protocol::compute::Resources;

/// What a worker has to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Attempts at once.
    pub slots: u32,
    /// Processor cores.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// GPU devices by the names that CUDA knows them by, numbered from 0.
    pub gpus: Vec<String>,
}

impl Capacity {
    fn gpu_count(&self) -> u32 {
        u32::try_from(self.gpus.len()).unwrap_or(u32::MAX)
    }
}

/// What one attempt holds until it gives it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// Cores, at least 1: how many threads the process should use.
    pub cpus: u32,
    /// Cores that are accounted for it; 0 for a step that asked for none.
    pub cpus_reserved: u32,
    /// Memory that is accounted for it.
    pub memory_reserved: u64,
    /// Devices that are its own, by number.
    pub gpus: Vec<u32>,
    /// The same by name; empty in grants of earlier versions.
    #[serde(default)]
    pub gpu_ids: Vec<String>,
    /// What was asked for and could not be given to the letter.
    pub notes: Vec<String>,
}

/// Why nothing was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another attempt has to end first.
    Busy,
    /// This worker can never serve it; the text says why.
    Never(String),
}

/// The books.
#[derive(Debug)]
pub(crate) struct Slots {
    capacity: Capacity,
    taken: u32,
    cpus_reserved: u32,
    memory_reserved: u64,
    gpus_free: BTreeSet<u32>,
}

impl Slots {
    /// Everything is free.
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self {
            gpus_free: (0..capacity.gpu_count()).collect(),
            capacity,
            taken: 0,
            cpus_reserved: 0,
            memory_reserved: 0,
        }
    }

    /// Free slots.
    pub(crate) fn free(&self) -> u32 {
        self.capacity.slots.saturating_sub(self.taken)
    }

    /// Takes a slot with these resources.
    pub(crate) fn take(&mut self, wanted: &Resources) -> Result<Grant, Refusal> {
        let (gpus, slots) = (self.capacity.gpu_count(), self.capacity.slots);
        if wanted.gpus > gpus {
            return Err(Refusal::Never(format!(
                "the step asks for {} GPU devices and this worker has {gpus}",
                wanted.gpus
            )));
        }
        let mut notes = Vec::new();
        let cpus_reserved = clamp(
            u64::from(wanted.cpus),
            u64::from(self.capacity.cpus),
            "cores",
            &mut notes,
        );
        let cpus_reserved = u32::try_from(cpus_reserved).unwrap_or(u32::MAX);
        let memory_reserved = clamp(
            wanted.memory_bytes,
            self.capacity.memory_bytes,
            "bytes of memory",
            &mut notes,
        );
        // A step that asks for no device gets its slot's share: pipelines for GPU targets rarely count devices.
        let devices = if wanted.gpus > 0 {
            wanted.gpus
        } else {
            gpus / slots
        } as usize;
        let fits = self.free() > 0
            && self.cpus_reserved + cpus_reserved <= self.capacity.cpus
            && self.memory_reserved + memory_reserved <= self.capacity.memory_bytes
            && devices <= self.gpus_free.len();
        if !fits {
            return Err(Refusal::Busy);
        }
        let share = (self.capacity.cpus / slots).max(1);
        let gpus: Vec<u32> = self.gpus_free.iter().copied().take(devices).collect();
        let ids = gpus.iter().map(|number| &self.capacity.gpus[*number as usize]);
        let grant = Grant {
            gpu_ids: ids.cloned().collect(),
            cpus: if cpus_reserved > 0 { cpus_reserved } else { share },
            cpus_reserved,
            memory_reserved,
            gpus,
            notes,
        };
        self.hold(&grant);
        Ok(grant)
    }

    /// Accounts for what an attempt already holds, because an earlier daemon granted it.
    pub(crate) fn hold(&mut self, grant: &Grant) {
        self.taken += 1;
        self.cpus_reserved += grant.cpus_reserved;
        self.memory_reserved += grant.memory_reserved;
        for device in self.devices(grant) {
            self.gpus_free.remove(&device);
        }
    }

    /// The numbers of a grant's devices: an earlier daemon may have numbered them otherwise.
    fn devices(&self, grant: &Grant) -> Vec<u32> {
        let all = &self.capacity.gpus;
        if grant.gpu_ids.is_empty() {
            let has = |device: &u32| *device < self.capacity.gpu_count();
            return grant.gpus.iter().copied().filter(has).collect();
        }
        let numbered = (0..).zip(all);
        let own = numbered.filter(|(_, id)| grant.gpu_ids.contains(id));
        own.map(|(number, _)| number).collect()
    }

    /// Takes a grant back.
    pub(crate) fn give_back(&mut self, grant: &Grant) {
        self.taken -= 1;
        self.cpus_reserved -= grant.cpus_reserved;
        self.memory_reserved -= grant.memory_reserved;
        let devices = self.devices(grant);
        self.gpus_free.extend(devices);
    }
}

fn clamp(wanted: u64, has: u64, what: &str, notes: &mut Vec<String>) -> u64 {
    if wanted > has {
        notes.push(format!(
            "{wanted} {what} were asked for and this worker has {has}: it got all of them"
        ));
    }
    wanted.min(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(slots: u32, cpus: u32, gpus: u32) -> Slots {
        Slots::new(Capacity {
            slots,
            cpus,
            memory_bytes: 1000,
            gpus: (0..gpus).map(|number| format!("GPU-{number}")).collect(),
        })
    }

    fn wants(cpus: u32, memory_bytes: u64, gpus: u32) -> Resources {
        Resources {
            instance_count: 1,
            cpus,
            memory_bytes,
            gpus,
        }
    }

    #[test]
    fn slots_run_out_and_come_back() {
        let mut slots = slots(2, 8, 0);
        let first = slots.take(&wants(0, 0, 0)).unwrap();
        slots.take(&wants(0, 0, 0)).unwrap();
        assert_eq!(slots.take(&wants(0, 0, 0)), Err(Refusal::Busy));
        slots.give_back(&first);
        assert_eq!(slots.free(), 1);
        assert!(slots.take(&wants(0, 0, 0)).is_ok());
    }

    #[test]
    fn no_device_has_two_owners() {
        let mut slots = slots(4, 8, 4);
        let first = slots.take(&wants(0, 0, 2)).unwrap();
        let second = slots.take(&wants(0, 0, 1)).unwrap();
        assert_eq!(first.gpus, [0, 1]);
        assert_eq!(second.gpus, [2]);
        assert_eq!(slots.take(&wants(0, 0, 2)), Err(Refusal::Busy));
        slots.give_back(&first);
        assert_eq!(slots.take(&wants(0, 0, 2)).unwrap().gpus, [0, 1]);
    }

    #[test]
    fn a_device_of_an_earlier_daemon_is_known_by_its_name() {
        let mut before = slots(2, 8, 3);
        before.take(&wants(0, 0, 2)).unwrap();
        let held = before.take(&wants(0, 0, 1)).unwrap();
        assert_eq!(held.gpu_ids, ["GPU-2"]);
        // The next daemon may use the last device only, which is now its first.
        let mut after = slots(2, 8, 1);
        after.capacity.gpus = vec!["GPU-2".into()];
        after.hold(&held);
        assert_eq!(after.take(&wants(0, 0, 1)), Err(Refusal::Busy));
        after.give_back(&held);
        assert_eq!(after.take(&wants(0, 0, 1)).unwrap().gpu_ids, ["GPU-2"]);
    }

    #[test]
    fn a_step_that_counts_no_devices_gets_its_slots_share() {
        assert_eq!(slots(2, 8, 4).take(&wants(0, 0, 0)).unwrap().gpus, [0, 1]);
        assert!(slots(4, 8, 2).take(&wants(0, 0, 0)).unwrap().gpus.is_empty());
    }

    #[test]
    fn what_can_never_fit_is_told_apart_from_what_must_wait() {
        let mut slots = slots(2, 4, 1);
        assert!(matches!(slots.take(&wants(0, 0, 2)), Err(Refusal::Never(_))));
        slots.take(&wants(3, 0, 0)).unwrap();
        assert_eq!(slots.take(&wants(2, 0, 0)), Err(Refusal::Busy));
    }

    #[test]
    fn more_cores_and_memory_than_there_are_is_everything_with_a_note() {
        let grant = slots(2, 4, 0).take(&wants(64, 5000, 0)).unwrap();
        assert_eq!((grant.cpus, grant.memory_reserved), (4, 1000));
        assert_eq!(grant.notes.len(), 2);
    }
}
