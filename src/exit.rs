//! Why the program ends, and the exit code that goes with it.

use std::fmt;
use std::path::Path;

/// Makes the enum of exit codes, and the table from which help, manual and tests are written.
macro_rules! codes {
    ($($(#[doc = $about:literal])+ $name:ident = $number:literal,)*) => {
        /// The exit codes besides 0, each with its one meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Code {
            $($(#[doc = $about])+ $name = $number,)*
        }

        /// Every code and its meaning.
        pub const CODES: &[(u8, &str)] = &[$(($number, concat!($($about),+)),)*];
    };
}

codes! {
    /// `health`: the server does not work, or is not ready.
    Unhealthy = 1,
    /// No server responds, and there is no database that a command could open.
    NotRunning = 3,
    /// No such user, token, meeting or key.
    NotFound = 4,
    /// A name matches more than one.
    Ambiguous = 5,
    /// It is not possible in the present state: a bot is in a meeting, a name is taken.
    Conflict = 6,
    /// The input does not validate.
    Invalid = 7,
    /// The admin socket, or the database, is not yours to open.
    NotPermitted = 8,
    /// A deletion, revocation or restore was not confirmed.
    NotConfirmed = 9,
    /// A setting is unknown, unreadable or out of range.
    Config = 10,
    /// The admin key is too weak for an address that others can reach.
    WeakAdminKey = 11,
    /// The address or the admin socket cannot be listened on.
    Listen = 12,
    /// Another process has locked the database.
    DatabaseHeld = 13,
    /// The file is not a database of Vomeet, is newer than the program, or is damaged.
    DatabaseForeign = 14,
    /// The database cannot be opened or written: folder, permissions, disk.
    DatabaseUnusable = 15,
    /// Standard output cannot be written, because its disk is full for example.
    OutputLost = 16,
    /// The certificate of TLS or its key cannot be read, has ended, or does not fit.
    Certificate = 17,
    /// The disk has no room for the upgrade of the database; nothing was changed.
    NoRoom = 18,
    /// The database failed while the server ran; a supervisor should start it again.
    StoreFailed = 20,
    /// The server is busy, is stopping, has no disk space left or has another version; the same
    /// command may succeed later.
    Unavailable = 21,
    /// `token explain`: the token would be refused.
    TokenRefused = 30,
    /// `audit verify`: the audit log was changed.
    AuditLogChanged = 31,
    /// `scan`: a token was found.
    TokenFound = 32,
    /// `scan`: no token was found, but not everything could be read.
    ScanIncomplete = 33,
    /// `backup drill`: what was served is not what was backed up, or it could not be tried.
    DrillFailed = 34,
    /// `doctor`: something was found that somebody should see to.
    Finding = 35,
    /// `demo --speech`: no engine is named that would hear the speech.
    NoEngine = 36,
    /// `import`: imported, with remarks that somebody should read.
    ImportedWithRemarks = 40,
    /// `import`: nothing was imported.
    NotImported = 41,
    /// `import verify`: a key does not open the same on both servers.
    KeysDiffer = 42,
}

/// Why the program ends without success: a message that says what to do, and an exit code.
#[derive(Debug, Clone)]
pub struct StartupError {
    /// The exit code.
    pub code: Code,
    /// What happened and what to do, in one sentence.
    pub message: String,
}

impl StartupError {
    /// An end with this code and message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The same about another file, of which the named one is a copy.
    #[must_use]
    pub(crate) fn naming(mut self, copy: &Path, original: &Path) -> Self {
        let (copy, original) = (copy.display().to_string(), original.display().to_string());
        self.message = self.message.replace(&copy, &original);
        self
    }
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
