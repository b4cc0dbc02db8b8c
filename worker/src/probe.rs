//! What this machine has: cores, memory, GPU devices, name. Asked once at the start.

/// The machine's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Processor cores that this process may use.
    pub cpus: u32,
    /// Memory in bytes: the machine's, or less where a control group allows less.
    pub memory_bytes: u64,
    /// GPU devices, in the order of the PCI bus.
    pub gpus: Vec<Gpu>,
    /// The host's name.
    pub host: String,
}

/// A GPU device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// By which CUDA knows it, whatever order it numbers devices in.
    pub id: String,
    /// What it is sold as.
    pub name: String,
}

/// Looks at the machine, of whose GPU devices only those are wanted that this process may use itself.
pub(crate) fn probe(gpus_visible: Option<&str>) -> Machine {
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
        gpus: visible(&installed(), gpus_visible),
        host: sysinfo::System::host_name().unwrap_or_else(|_| "localhost".to_owned()),
    }
}

/// The devices that CUDA could use, in the order of the PCI bus. Without the driver's library there are none.
fn installed() -> Vec<Gpu> {
    let Ok(nvml) = nvml_wrapper::Nvml::init() else {
        return Vec::new();
    };
    let count = nvml.device_count().unwrap_or(0);
    let device = |index| {
        let device = nvml.device_by_index(index);
        let uuid = device.as_ref().ok().and_then(|d| d.uuid().ok());
        let name = device.as_ref().ok().and_then(|d| d.name().ok());
        Gpu {
            id: uuid.unwrap_or_else(|| index.to_string()),
            name: name.unwrap_or_else(|| format!("GPU {index}")),
        }
    };
    (0..count).map(device).collect()
}

/// Those of the devices that this process may use itself. As CUDA does it, what follows a name that fits nothing does not count.
fn visible(installed: &[Gpu], restriction: Option<&str>) -> Vec<Gpu> {
    let Some(restriction) = restriction else {
        return installed.to_vec();
    };
    let mut found: Vec<Gpu> = Vec::new();
    for word in restriction.split(',').map(str::trim) {
        let gpu = match word.parse::<usize>() {
            Ok(index) => installed.get(index).cloned(),
            // A part of a device: the driver's library knows the whole only.
            Err(_) if word.starts_with("MIG-") && !installed.is_empty() => Some(Gpu {
                id: word.to_owned(),
                name: "MIG device".to_owned(),
            }),
            Err(_) if word.starts_with("GPU-") => installed.iter().find(|g| g.id.starts_with(word)).cloned(),
            Err(_) => None,
        };
        match gpu {
            Some(gpu) if !found.contains(&gpu) => found.push(gpu),
            _ => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_core_and_some_memory() {
        let machine = probe(None);
        assert!(machine.cpus >= 1);
        assert!(machine.memory_bytes > 16 * 1024 * 1024);
        assert!(!machine.host.is_empty());
    }

    fn gpu(id: &str) -> Gpu {
        Gpu {
            id: id.into(),
            name: "A100".into(),
        }
    }

    fn seen(restriction: Option<&str>) -> Vec<String> {
        let installed = ["GPU-aa11", "GPU-aa22", "GPU-bb33"].map(gpu);
        let visible = visible(&installed, restriction);
        visible.into_iter().map(|gpu| gpu.id).collect()
    }

    #[test]
    fn a_worker_offers_the_devices_that_it_may_use_itself() {
        assert_eq!(seen(None), ["GPU-aa11", "GPU-aa22", "GPU-bb33"]);
        assert_eq!(seen(Some("2,0")), ["GPU-bb33", "GPU-aa11"]);
        assert_eq!(seen(Some("GPU-bb, GPU-aa22")), ["GPU-bb33", "GPU-aa22"]);
        assert_eq!(seen(Some("MIG-77")), ["MIG-77"]);
        for none in ["", "-1", "NoDevFiles", "7"] {
            assert_eq!(seen(Some(none)), Vec::<String>::new(), "{none:?}");
        }
    }

    #[test]
    fn what_follows_a_device_that_does_not_exist_does_not_count() {
        assert_eq!(seen(Some("1,9,0")), ["GPU-aa22"]);
        assert_eq!(seen(Some("1,1,0")), ["GPU-aa22"]);
    }

    #[test]
    fn a_machine_without_devices_has_no_parts_of_them() {
        assert!(visible(&[], Some("MIG-77,0,GPU-aa")).is_empty());
    }
}
