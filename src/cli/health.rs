//! `vomeet health`: one line and an exit code, for `HEALTHCHECK` of a container and for units.

use crate::cli::print::say;
use crate::cli::status::{HEALTH, ask_server, text};
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use hyper::StatusCode;
use serde::Deserialize;

/// The route that says whether the server should get requests.
const READY: &str = "/ready";

/// What is read of both routes' responses.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    reasons: Vec<String>,
}

/// Asks whether the server works, or whether it is ready; ends with [`Code::Unhealthy`] where it
/// is not, or does not respond.
pub(super) fn run(settings: &Settings, is_about_readiness: bool) -> Result<(), StartupError> {
    let path = if is_about_readiness { READY } else { HEALTH };
    let asked = ask_server(settings, path)
        .map_err(|error| StartupError::new(Code::Unhealthy, error.message))?;
    let message = match serde_json::from_slice::<Answer>(&asked.body) {
        Ok(answer) if asked.status == StatusCode::OK => {
            return say(format_args!("{}\n", answer.status));
        }
        Ok(Answer { status, reasons }) if !reasons.is_empty() => {
            format!("{status}: {}", reasons.join(", "))
        }
        _ => format!("{path} responds with {}: {}", asked.status, text(&asked.body)),
    };
    Err(StartupError::new(Code::Unhealthy, message))
}
