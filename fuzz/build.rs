//! Lets the linker leave out counters of code that a target never calls: the fuzzer reads all counters after each input, and the whole house has
//! a hundred times as many as most targets need.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,-z,start-stop-gc");
    println!("cargo:rerun-if-changed=build.rs");
}
