//! Prints the description of the API. `cargo run -p tidemill-coordinator --example openapi > docs/reference/openapi.json` renews the committed one.

#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn main() {
    println!(
        "{}",
        tidemill_coordinator::openapi()
            .to_pretty_json()
            .expect("the description is plain data")
    );
}
