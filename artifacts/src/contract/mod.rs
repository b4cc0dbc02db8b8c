//! What every store must do, as functions that panic where it does not. Feature `contract`; used by the tests of this crate and by whoever
//! brings another store. Each test makes contents of its own, so a store may be used for many runs and by several at a time.

mod contents;
mod damage;
mod names;
mod records;
mod suite;

pub use suite::all;
