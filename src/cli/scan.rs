//! `vomeet scan`: finds tokens in files, folders and reports, by their format and checksum. It
//! needs neither server nor database.

use crate::cli::output::Output;
use crate::cli::scan_findings::Findings;
use crate::cli::scan_report;
use crate::exit::StartupError;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `scan`.
#[derive(Args)]
pub(super) struct ScanArgs {
    /// Files, folders (recursively), and - for standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Check the findings of a JSON report of gitleaks or trufflehog; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    report: Option<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Scans, and prints the findings.
pub(super) fn run(args: &ScanArgs) -> Result<(), StartupError> {
    let mut findings = Findings { output: args.output, tokens: 0, unread: 0, lost: None };
    match &args.report {
        Some(report) => scan_report::check(report, &mut findings),
        None => {
            for path in &args.paths {
                findings.scan(path);
            }
        }
    }
    findings.finish()
}
