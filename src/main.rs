//! `vomeet`: see `vomeet --help`, or README.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    vomeet::cli::main()
}
