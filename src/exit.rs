//! Why the program ends, and the exit code that goes with it.

use std::fmt;

/// The exit codes besides 0, each with its one meaning. `docs/deployment.md` lists them for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// `vomeet status` found no server (LSB: "program is not running").
    NotRunning = 3,
    /// A setting is unknown, unreadable or out of range.
    Config = 10,
    /// The admin key is too weak for an address that others can reach.
    WeakAdminKey = 11,
    /// The address cannot be listened on.
    Listen = 12,
    /// Another process holds the database.
    DatabaseHeld = 13,
    /// The file is no database of ours, is newer than this program, or is damaged.
    DatabaseForeign = 14,
    /// The database cannot be opened or written: a missing folder, permissions, a full or read-only disk.
    DatabaseUnusable = 15,
    /// The database failed while the server ran; a supervisor should start it again.
    StoreFailed = 20,
}

/// An end that is not a success: one sentence that says what to do, and a code.
#[derive(Debug, Clone)]
pub struct Exit {
    /// The exit code.
    pub code: Code,
    /// What happened and what to do, in one sentence.
    pub sentence: String,
}

impl Exit {
    /// An end with this code and sentence.
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}
