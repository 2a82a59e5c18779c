//! The worker processes alone, without the rest of the `taskbot` command: what the runtime's own tests start.

use std::process::ExitCode;

use taskbot_runtime::worker;

fn main() -> ExitCode {
    let kind = std::env::args().nth(2).unwrap_or_default();
    match kind.parse() {
        Ok(kind) => worker::main(kind),
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
