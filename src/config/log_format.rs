//! The setting `log_format`: how log lines are written.

use crate::config::values::text;
use crate::logging::LogFormat;
use toml::Value;

/// Parses the setting.
pub(crate) fn log_format(value: &Value) -> Result<LogFormat, String> {
    match text(value)?.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("should be text or json, not {other:?}")),
    }
}
