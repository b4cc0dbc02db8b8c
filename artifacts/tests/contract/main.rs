//! The contract of stores against the real parts: local disk, memory, Azurite, moto and SeaweedFS, and a store that must be refused.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod abandoned;
mod emulator;
mod stores;
