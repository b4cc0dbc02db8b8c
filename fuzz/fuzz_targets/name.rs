//! Names, ids, paths and tokens.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidemill_fuzz::run(tidemill_fuzzing::name, data));
