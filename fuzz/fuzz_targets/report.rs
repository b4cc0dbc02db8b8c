//! Reports and every other message of the broker.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidemill_fuzz::run(tidemill_fuzzing::report, data));
