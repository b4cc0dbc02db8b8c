//! What of a step's output reaches a terminal.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidemill_fuzz::run(tidemill_fuzzing::screen, data));
