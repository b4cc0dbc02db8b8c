//! The local store's own writer. It keeps the layout of `object_store`'s local files, so both read what the other wrote, and
//! exists because one call of that interface per file costs two flushes of the disk per file: here many files share them.
//!
//! A file is written under `tmp/`, its bytes are made durable, it is renamed to its name, and the folder of the name is made durable. So after a power
//! cut an object is whole or absent. Renaming over an equal name is harmless: equal names have equal bytes.

mod age;
mod batch;
mod copy;
mod folder;
mod intake;
mod outgo;
mod unfinished;

pub(crate) use batch::Arrived;
pub(crate) use copy::Buffer;
pub(crate) use folder::{LocalFolder, create_private_folder};
pub(crate) use outgo::create_file;
