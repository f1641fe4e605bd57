//! The token of the metrics: read from its file, and needed where others reach them.

use crate::config::secret_file::first_line;
use crate::config::settings::Config;
use std::path::Path;

/// Reads the first line of the file, if one is set; says what is wrong with it.
pub(crate) fn read(config: &mut Config, folder: &Path) -> Result<(), String> {
    let Some(path) = &config.metrics_token_file else { return Ok(()) };
    config.metrics_token = first_line("metrics_token_file", "token", path, folder)?;
    Ok(())
}
