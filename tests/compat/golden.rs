//! Compares values with the bytes that an earlier version wrote. A file that is missing is written, and the test fails once, so that somebody
//! looks at it before it is committed.

use crate::samples::MOMENT;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use testkit::repository;
use tidemill_coordinator::Entry;
use tidemill_coordinator::ledger::{LedgerEvent, LedgerFact};
use tidemill_protocol::codec;

/// The folder of golden files of one kind.
pub(crate) fn folder(kind: &str) -> PathBuf {
    repository().join("tests/compat/golden").join(kind)
}

/// Decodes the golden bytes of each value and compares; complains about values without bytes and bytes without a value.
pub(crate) fn check<T, N>(kind: &str, values: &[(N, T)])
where
    N: AsRef<str>,
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let mut complaints = Vec::new();
    for (name, value) in values {
        let name = name.as_ref();
        let bytes = bytes(kind, name, || codec::encode(value), &mut complaints);
        match codec::decode::<T>(&bytes) {
            Ok(read) if read == *value => {}
            Ok(read) => complaints.push(format!("{name} is read as {read:?}, was written as {value:?}")),
            Err(error) => complaints.push(format!("{name} cannot be read any more: {error}")),
        }
    }
    let names: BTreeSet<String> = values
        .iter()
        .map(|(name, _)| format!("{}.bin", name.as_ref()))
        .collect();
    assert_eq!(names.len(), values.len(), "a name stands twice");
    let files = fs::read_dir(folder(kind)).expect("the golden files are there");
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if !names.contains(&name) {
            complaints.push(format!("{name} has lost its sample: old bytes are kept for ever"));
        }
    }
    assert!(complaints.is_empty(), "{kind}:\n  {}", complaints.join("\n  "));
}

/// The same for facts of a ledger, each as the journal has it, under the name that `kind` gives it.
pub(crate) fn check_ledger<F, N>(ledger: &str, facts: impl IntoIterator<Item = F>, kind: fn(&F) -> N)
where
    F: Into<LedgerFact>,
    N: AsRef<str>,
{
    let named = facts.into_iter().map(|fact| {
        let name = kind(&fact);
        let event = LedgerEvent {
            at: MOMENT,
            fact: fact.into(),
        };
        (name, Entry::Ledger(event))
    });
    check(ledger, &named.collect::<Vec<_>>());
}

/// The golden bytes of one value.
pub(crate) fn bytes(
    kind: &str,
    name: &str,
    write: impl FnOnce() -> Vec<u8>,
    complaints: &mut Vec<String>,
) -> Vec<u8> {
    let path = folder(kind).join(format!("{name}.bin"));
    fs::read(&path).unwrap_or_else(|_| {
        let bytes = write();
        fs::create_dir_all(folder(kind)).expect("the folder can be made");
        fs::write(&path, &bytes).expect("the file can be written");
        complaints.push(format!(
            "{name} had no golden bytes; look at the new file and commit it"
        ));
        bytes
    })
}
