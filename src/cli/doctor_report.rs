//! What `vomeet doctor` prints.

use crate::api::health::Finding;
use crate::cli::output::Output;
use crate::cli::print::say;
use crate::cli::table::{plain, plain_lines};
use crate::exit::{Code, StartupError};
use crate::health::Severity;
use serde::Serialize;

/// Everything that was found.
#[derive(Default, Serialize)]
pub(super) struct Report {
    /// The path of the database.
    pub(crate) database: String,
    /// Whether a server has it open and responds; else the file itself was looked at.
    pub(crate) is_served: bool,
    /// The findings.
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    /// Adds what the command itself has found.
    pub(super) fn add(&mut self, code: &str, severity: Severity, message: &str, advice: &str) {
        self.findings.push(Finding {
            code: code.to_owned(),
            severity,
            message: message.to_owned(),
            advice: advice.to_owned(),
        });
    }
}

/// The word for a severity, and where it stands in the order.
fn rank(severity: Severity) -> (usize, &'static str) {
    match severity {
        Severity::Dead => (0, "ERROR"),
        Severity::NotReady => (1, "NOT READY"),
        Severity::Warning => (2, "WARNING"),
        Severity::Note => (3, "NOTE"),
    }
}

/// Prints the report, the worst first; [`Code::Finding`] where there is more than notes.
pub(super) fn print(report: &Report, output: Output) -> Result<(), StartupError> {
    match output {
        Output::Json => {
            let json = serde_json::to_string(report).unwrap_or_default();
            say(format_args!("{}\n", plain_lines(&json)))?;
        }
        Output::Table => say(text(report))?,
    }
    let is_wrong = |finding: &&Finding| finding.severity != Severity::Note;
    let count = report.findings.iter().filter(is_wrong).count();
    let message = match count {
        0 => return Ok(()),
        1 => "Something should be seen to.".to_owned(),
        _ => format!("{count} things should be seen to."),
    };
    Err(StartupError::new(Code::Finding, message))
}

fn text(report: &Report) -> String {
    let state = if report.is_served { "a server runs on it" } else { "no server runs on it" };
    let mut text = match report.database.is_empty() {
        true => String::new(),
        false => format!("Database {} ({state})\n", plain(&report.database)),
    };
    if report.findings.is_empty() {
        text.push_str("Everything is well.\n");
    }
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| rank(finding.severity).0);
    for finding in findings {
        let Finding { code, severity, message, advice } = finding;
        let (_, word) = rank(*severity);
        let lines = format!("\n{word:<9}  {}\n", plain(code));
        text.push_str(&lines);
        for line in [message, advice] {
            text.push_str("           ");
            text.push_str(&plain(line));
            text.push('\n');
        }
    }
    text
}
