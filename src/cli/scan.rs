//! `vomeet scan`: tokens in files, folders and reports, by their shape and checksum. It needs neither server nor database.

use crate::cli::output::Output;
use crate::cli::scan_findings::Findings;
use crate::cli::scan_report;
use crate::exit::StartupError;
use clap::Args;
use std::path::PathBuf;

/// Where to look.
#[derive(Args)]
pub struct ScanArgs {
    /// Files, folders with all that is in them, and - for standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Judge what the JSON report of gitleaks or trufflehog names instead; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    report: Option<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Looks, and says what it found.
pub fn run(args: &ScanArgs) -> Result<(), StartupError> {
    let mut findings = Findings { output: args.output, tokens: 0, unread: 0 };
    match &args.report {
        Some(report) => scan_report::judge(report, &mut findings),
        None => args.paths.iter().for_each(|path| findings.look_at(path)),
    }
    findings.end()
}
