//! How often noise decides about a transform, and how many pairs it takes: the table of docs/reference/rollout.md.
//! On how many gateways a bad transform runs: that of docs/performance.md. `cargo bench --bench rollout`

#![expect(clippy::print_stdout, reason = "its tables are its product")]

mod fleet;
mod noise;

fn main() {
    noise::rates();
    fleet::stories();
}
