//! Records, frames, HEAD slots and entries of the journal, and segments of its archive.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tidemill_fuzz::run(tidemill_fuzzing::record, data));
