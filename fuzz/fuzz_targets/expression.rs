//! Expressions, optional blocks and commands.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidemill_fuzz::run(tidemill_fuzzing::expression, data));
