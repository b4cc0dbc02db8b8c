//! Filters and orders of tracking, and ids of tracked runs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidemill_fuzz::run(tidemill_fuzzing::filter, data));
