//! The groups of routes in the API document, in the order of the management guide.

use utoipa::openapi::tag::{Tag, TagBuilder};

/// Name and description of each group.
const GROUPS: &[(&str, &str)] = &[
    ("Users (admin)", "Create users, find, change and delete them."),
    ("Tokens (admin)", "Create the API tokens of users, rotate and revoke them."),
    ("The caller", "Who is calling, with which token, and what was used."),
    ("Meetings", "The caller's meetings."),
    ("Transcripts", "What was said, and the search for it."),
    ("Bots", "Send bots to meetings and stop them."),
    ("Live feed", "Meetings as they happen."),
    ("Model Context Protocol", "The same as tools of a client of MCP."),
    ("Webhooks", "Where events of the caller's meetings are posted."),
    ("Administration", "Admin keys, the audit log, usage, and any meeting's bot."),
    ("Analytics (admin)", "Meetings and users in figures."),
    ("Bot callbacks", "What bots report."),
    ("General", "The server itself."),
];

/// All groups, in their order.
pub(crate) fn all() -> Vec<Tag> {
    let mut tags = Vec::new();
    for (name, description) in GROUPS {
        tags.push(TagBuilder::new().name(*name).description(Some(*description)).build());
    }
    tags
}

/// The group of a path.
pub(crate) fn of(path: &str) -> &'static str {
    match path {
        _ if path.starts_with("/admin/analytics") || path.starts_with("/admin/stats") => {
            "Analytics (admin)"
        }
        _ if path.ends_with("/tokens") && path.starts_with("/admin") => "Tokens (admin)",
        _ if path.starts_with("/admin/tokens") => "Tokens (admin)",
        _ if path.starts_with("/admin/users") => "Users (admin)",
        _ if path.starts_with("/admin") => "Administration",
        _ if path.starts_with("/bots/internal") || path == "/whisper-live" => "Bot callbacks",
        _ if path.starts_with("/bots") || path == "/jitsi" => "Bots",
        _ if path.starts_with("/transcripts") || path.starts_with("/v1/audio") => "Transcripts",
        _ if path.starts_with("/ws") || path == "/tickets" => "Live feed",
        _ if path == "/mcp" => "Model Context Protocol",
        _ if path.starts_with("/user/webhook") => "Webhooks",
        _ if path.starts_with("/user") => "The caller",
        _ if path.starts_with("/meetings") => "Meetings",
        _ => "General",
    }
}
