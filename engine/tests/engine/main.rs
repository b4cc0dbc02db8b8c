//! The engine through its public face: every table, row by row, with what must not happen too. Worlds in which everything fails are in
//! `tests/simulation`.

mod adoption;
mod attempts;
mod bed;
mod checkpoints;
mod dispatch;
mod draft;
mod foresight;
mod quotas;
mod returning;
mod reuse;
mod runs;
mod steps;
