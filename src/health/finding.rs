//! The findings of the health check: the code of each, how bad it is, and what to do.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The server does not work: `/healthz` and `/ready` respond with 503.
    Dead,
    /// The server works, and should get no requests now: `/ready` responds with 503.
    NotReady,
    /// Somebody should see to it.
    Warning,
    /// Good to know; nothing is wrong.
    Note,
}

/// Makes the enum of codes from the table of findings.
macro_rules! findings {
    ($($(#[doc = $about:literal])+ $name:ident = $word:literal, $severity:ident, $advice:literal;)*) => {
        /// What can be found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $about])+ $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),* }
            }

            /// Whether only a check of all bytes of the file finds it.
            pub fn is_of_deep_check(self) -> bool {
                matches!(self, Self::FileDamaged | Self::AuditLogChanged)
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice),* }
            }
        }
    };
}

findings! {
    /// The database failed, was moved or replaced.
    DatabaseFailed = "database_failed", Dead,
        "Look at the disk and at the log; the server ends by itself and should be started again.";
    /// The database cannot be read.
    ReadsFail = "reads_fail", Dead,
        "Look at the log for the cause; restart the server if it does not end.";
    /// A write is not committed in time.
    WritesHang = "writes_hang", Dead,
        "The disk does not answer: look at it, and at what else writes to it; then restart.";
    /// The file is compacted, and writes wait.
    Compacting = "compacting", NotReady,
        "Wait until it is done: writes go on by themselves then.";
    /// The server is told to stop.
    Draining = "draining", NotReady,
        "Nothing: it ends after http.drain_seconds.";
    /// The disk is full; only what frees space or shuts somebody out is written.
    DiskFull = "disk_full", NotReady,
        "Free some space on the disk of the database; the server goes on by itself.";
    /// The database cannot be written.
    ReadOnly = "read_only", NotReady,
        "Make the database and its folder writable for the server's user, and the file system too.";
    /// A write failed for another reason.
    WritesFail = "writes_fail", NotReady,
        "Look at the log for the cause; restart the server if it does not end.";
    /// Too many writes wait.
    Busy = "busy", NotReady,
        "Wait, or lower the load; store.queue_max is how many writes may wait.";
    /// The disk has less space left than `health.disk_free_mib_min`.
    DiskLow = "disk_low", Warning,
        "Free some space, give the database a larger disk, or lower health.disk_free_mib_min.";
    /// The WAL is larger than `health.wal_mib_max`.
    WalLarge = "wal_large", Warning,
        "A long read keeps it from being checkpointed: look for an export or a list that does not end.";
    /// The lock file was removed or replaced.
    LockLost = "lock_lost", Warning,
        "Start no second server on this file; restart this one soon, which makes the lock anew.";
    /// The clock is earlier than what the database has seen.
    ClockBehind = "clock_behind", Warning,
        "Set the clock of this machine (NTP); until then keys live longer than they should.";
    /// The clock is so far ahead that it is not believed.
    ClockAhead = "clock_ahead", Warning,
        "Set the clock of this machine (NTP); if it is right, wait: nothing is deleted by age until then.";
    /// The last backup of the schedule failed.
    BackupFailed = "backup_failed", Warning,
        "See to what the message names; it is tried again within ten minutes.";
    /// The last backup was not uploaded.
    UploadFailed = "backup_upload_failed", Warning,
        "See to what the message names; it is tried again within ten minutes.";
    /// The last good backup is twice as old as `backup.every`.
    BackupLate = "backup_late", Warning,
        "Look at the log for why none is made; `vomeet backup FILE` makes one now.";
    /// The spool of sound is full, or its disk has too little space left.
    SpoolFull = "spool_full", Warning,
        "Let engines catch up, free some space, or raise transcription.spool_bytes_max.";
    /// Sound cannot be written to the spool.
    SpoolFailed = "spool_failed", Warning,
        "See to the disk and the folder that the message names; sound is lost until then.";
    /// No engine makes words of sound now.
    EnginesAway = "engines_away", Warning,
        "See to the engines of [[transcription.engines]]; sound waits in the spool, and nothing of it is lost.";
    /// Words of live sound come late.
    WordsLate = "words_late", Warning,
        "The engines do not keep up: add one, take a smaller model, or send fewer bots.";
    /// No bot could be started.
    RunnerUnreachable = "runner_unreachable", Warning,
        "See to what runs bots: the settings of [bots], the container engine, the program.";
    /// Webhook events wait for long.
    WebhooksWaiting = "webhooks_waiting", Warning,
        "A receiver does not accept its events: see GET /user/webhook/deliveries of its user.";
    /// Keys expire within 7 days.
    KeysEnding = "keys_ending", Note,
        "Rotate them in time: `vomeet token list`, `vomeet admin-key list`.";
    /// An admin key of the settings is easy to guess.
    AdminKeyWeak = "admin_key_weak", Note,
        "It is accepted from this machine alone: set a strong ADMIN_API_TOKEN and restart.";
    /// A large part of the file is free pages.
    FreeSpace = "free_space", Note,
        "Nothing must be done, for it is used again; `vomeet compact` gives it back to the disk.";
    /// Bytes of the file are damaged.
    FileDamaged = "file_damaged", Warning,
        "Stop the server, keep the file, and restore the newest backup.";
    /// The audit log was changed.
    AuditLogChanged = "audit_log_changed", Warning,
        "Somebody has written to the file by hand: `vomeet audit verify` says where.";
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// Details: numbers, paths, causes. For those alone who may see them.
    pub message: String,
}

impl Finding {
    /// A finding with its details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_code_has_a_word_of_its_own_and_an_advice() {
        for (at, code) in Code::ALL.iter().enumerate() {
            let word = code.word();
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
            assert!(code.advice().ends_with('.'), "{word}");
            let first = Code::ALL.iter().position(|other| other.word() == word);
            assert_eq!(first, Some(at), "{word} stands for two");
        }
    }
}
