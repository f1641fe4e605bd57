//! The admin keys of the settings as they are compared.

use crate::config::ConfiguredKey;
use crate::domain::Time;

/// An admin key of the settings.
pub(super) struct ConfiguredHash {
    pub(super) hash: blake3::Hash,
    /// Whether it is accepted from this machine alone.
    pub(super) is_weak: bool,
    /// When the key expires; `None` is never.
    pub(super) expires_at: Option<Time>,
}

pub(super) fn hashes_of(keys: &[ConfiguredKey]) -> Vec<ConfiguredHash> {
    let mut hashes = Vec::with_capacity(keys.len());
    for key in keys {
        let hash = blake3::hash(key.key.as_bytes());
        let is_weak = key.weakness().is_some();
        hashes.push(ConfiguredHash { hash, is_weak, expires_at: key.until });
    }
    hashes
}
