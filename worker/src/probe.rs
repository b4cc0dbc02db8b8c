//! What this machine has: cores, memory, GPU devices, name. Asked once at the start.

/// The machine's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Processor cores that this process may use.
    pub cpus: u32,
    /// Memory in bytes: the machine's, or less where a control group allows less.
    pub memory_bytes: u64,
    /// GPU devices by name, in the driver's order.
    pub gpus: Vec<String>,
    /// The host's name.
    pub host: String,
}

/// Looks at the machine.
pub(crate) fn probe() -> Machine {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory_bytes = sysinfo::System::new().map_or(0, |mut system| {
        system.refresh_memory();
        let limit = system
            .cgroup_limits()
            .map_or(u64::MAX, |limits| limits.total_memory);
        system.total_memory().min(limit)
    });
    Machine {
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
        memory_bytes,
        gpus: gpus(),
        host: sysinfo::System::host_name().unwrap_or_else(|_| "localhost".to_owned()),
    }
}

fn gpus() -> Vec<String> {
    // Without the driver's library there are no devices that CUDA could use.
    let Ok(nvml) = nvml_wrapper::Nvml::init() else {
        return Vec::new();
    };
    let count = nvml.device_count().unwrap_or(0);
    (0..count)
        .map(|index| {
            nvml.device_by_index(index)
                .and_then(|device| device.name())
                .unwrap_or_else(|_| format!("GPU {index}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_core_and_some_memory() {
        let machine = probe();
        assert!(machine.cpus >= 1);
        assert!(machine.memory_bytes > 16 * 1024 * 1024);
        assert!(!machine.host.is_empty());
    }
}
