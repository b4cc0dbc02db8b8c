//! The walls that the compiler cannot hold: who may import whom, how long files and functions may grow, what files may be called, that no
//! circle joins two files, that documents lead somewhere, that no crate comes in a second version unnoticed.
//!
//! Every check is a pure function from what was read to a list of complaints, and has a second test that proves that it can fail.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod duplicates;
#[cfg(test)]
mod house;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod names;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod sizes;

/// Fails with every complaint at once, one to a line.
#[cfg(test)]
fn assert_none(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}
