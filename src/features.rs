//! The cargo features that are off by default, and whether this program was built with them.

use std::fmt::Write;
use std::sync::LazyLock;

/// Each of them.
pub(crate) const FEATURES: &[(&str, bool)] =
    &[("encryption", cfg!(feature = "encryption")), ("whisper", cfg!(feature = "whisper"))];

/// What `--version` says: the version, and each feature with whether it is on.
pub(crate) static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut text = env!("CARGO_PKG_VERSION").to_owned();
    for (name, is_on) in FEATURES {
        // Writing to a string does not fail.
        let _ = write!(text, "\n{name}: {}", if *is_on { "on" } else { "off" });
    }
    text
});

/// Refuses what needs a feature that this program was built without; the end of a sentence that
/// begins with what needs it.
pub(crate) fn require(feature: &str) -> Result<(), String> {
    match FEATURES.contains(&(feature, true)) {
        true => Ok(()),
        false => Err(missing(feature)),
    }
}

/// The end of that sentence.
pub(crate) fn missing(feature: &str) -> String {
    format!(
        "needs the feature {feature}, which this program was built without; take the program of a \
         package, or build it with `cargo build --release --features {feature}`"
    )
}
