//! Pipeline files: read, loaded, planned, each within the memory that the design grants one.

#![no_main]

use cap::Cap;
use std::alloc::System;

/// What one file may take of memory at once.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Fails the allocation that goes beyond the limit, which ends the process: a crash, as the fuzzer sees it.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    MEMORY
        .set_limit(MEMORY.allocated() + MEMORY_BYTES_MAX)
        .expect("the limit is above what is allocated");
    tidemill_fuzz::run(tidemill_fuzzing::pipeline, data);
    MEMORY.set_limit(usize::MAX).expect("there is no limit above");
});
