//! Envelopes of any bytes, and sealed ones that were bent.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidemill_fuzz::run(tidemill_fuzzing::envelope, data));
