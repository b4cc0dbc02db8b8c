//! What the settings say of the limits of steps, checked for sense. Where the values come from is not known here.

use tidemill_worker::StepLimits;

/// The limits of steps, each as it was given or by default; or the key whose value makes no sense, and what would.
pub(super) fn limits(
    processes: Option<i64>,
    open_files: Option<i64>,
    file_bytes: Option<u64>,
) -> Result<StepLimits, (&'static str, String)> {
    let default = StepLimits::default();
    let given = |value: Option<i64>, default| value.map_or(default, i64::unsigned_abs);
    let limits = StepLimits {
        processes: given(processes, default.processes),
        open_files: given(open_files, default.open_files),
        file_bytes: file_bytes.unwrap_or(default.file_bytes),
    };
    let checked = [
        ("step_processes", limits.processes, StepLimits::PROCESSES_MIN),
        ("step_open_files", limits.open_files, StepLimits::OPEN_FILES_MIN),
        ("step_file_size", limits.file_bytes, StepLimits::FILE_BYTES_MIN),
    ];
    match checked
        .into_iter()
        .find(|(_, most, least)| (1..*least).contains(most))
    {
        Some((key, _, least)) => Err((key, format!("0 for no limit, or {least} and more"))),
        None => Ok(limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_no_program_could_live_with_are_refused_by_name() {
        assert_eq!(limits(None, None, None), Ok(StepLimits::default()));
        assert_eq!(limits(Some(0), None, None).map(|l| l.processes), Ok(0));
        assert_eq!(limits(Some(3), None, None).unwrap_err().0, "step_processes");
        assert_eq!(limits(None, Some(3), None).unwrap_err().0, "step_open_files");
        assert_eq!(limits(None, None, Some(3)).unwrap_err().0, "step_file_size");
    }
}
