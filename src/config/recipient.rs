//! The public key of backups.

use crate::config::values::text;
use crate::encryption::Recipient;
use crate::features::require;
use toml::Value;

/// A public key; an empty text is none.
pub(super) fn recipient(value: &Value) -> Result<Option<Recipient>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    require("encryption")?;
    Recipient::parse(&text).map(Some)
}
