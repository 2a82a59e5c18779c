//! The `taskbot` command.
fn main() {}
