//! The files of the console, by name.

use crate::api::carried::text;
use crate::http::Asset;
use std::sync::OnceLock;

/// A file that the binary carries.
pub(crate) struct File {
    name: &'static str,
    body: &'static str,
    asset: OnceLock<Asset>,
}

/// Carries the files with these names from the folder `files`.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        static FILES: [File; [$($name),+].len()] = [$(File {
            name: $name,
            body: include_str!(concat!("files/", $name)),
            asset: OnceLock::new(),
        }),+];
    };
}

files![
    "address.js",
    "alarms.js",
    "api.js",
    "audit.js",
    "chart.js",
    "correct.js",
    "deliveries.js",
    "dialog.js",
    "engines.js",
    "format.js",
    "icon.svg",
    "index.html",
    "keys.js",
    "live.js",
    "meeting.js",
    "meetings.js",
    "more-webhooks.js",
    "my-keys.js",
    "my-meetings.js",
    "my-transcription.js",
    "overview.js",
    "parts.js",
    "player.js",
    "preact.js",
    "save.js",
    "say.js",
    "search.js",
    "session.js",
    "shares.js",
    "sign-in.js",
    "spoken.js",
    "start.js",
    "style.css",
    "system.js",
    "table.js",
    "tabs.js",
    "theme.js",
    "timeline.js",
    "tokens.js",
    "transcript.js",
    "usage.js",
    "user.js",
    "users.js",
    "webhooks.js",
    "words.js",
];

/// The file with this name.
pub(crate) fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

impl File {
    /// The file as it is sent.
    pub(crate) fn asset(&'static self) -> &'static Asset {
        text(&self.asset, self.body, media_type(self.name))
    }
}

/// The media type of a file, by how its name ends.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}
