//! The audit log of administrative changes: who did what, and how its entries are bound to each
//! other.

use crate::domain::id::{AdminKeyId, DeliveryId, MeetingId, ShareId, TokenId, UserId, WebhookId};
use crate::domain::string_enum::string_enum;
use crate::domain::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Keeps these hashes apart from all others (BLAKE3, key derivation).
const CONTEXT: &str = "Vomeet 2026-11-25 audit entry";
/// The same, for salts that are made from another.
const SALT_CONTEXT: &str = "Vomeet 2026-11-25 audit salt";

string_enum!(
    /// What was done.
    Action {
        /// A user was added.
        UserCreate = "user.create",
        /// A user was changed, disabled or enabled.
        UserUpdate = "user.update",
        /// A user was erased with all that was theirs.
        UserDelete = "user.delete",
        /// All that is a user's was read.
        UserExport = "user.export",
        /// A token was made.
        TokenCreate = "token.create",
        /// A token was changed, disabled or enabled.
        TokenUpdate = "token.update",
        /// A token was rotated.
        TokenRotate = "token.rotate",
        /// A token was revoked.
        TokenRevoke = "token.revoke",
        /// An admin key was made.
        KeyCreate = "key.create",
        /// An admin key was rotated.
        KeyRotate = "key.rotate",
        /// An admin key was revoked.
        KeyRevoke = "key.revoke",
        /// A bot was stopped by an administrator.
        MeetingStop = "meeting.stop",
        /// Settings were read again by the running server.
        SettingsReload = "settings.reload",
        /// A webhook event was sent once more by an administrator.
        WebhookResend = "webhook.resend",
        /// The words of a segment were corrected, or a correction was taken back.
        TranscriptCorrect = "transcript.correct",
        /// A speaker was given another name in a meeting, or their own one back.
        SpeakerRename = "speaker.rename",
        /// A share link was made.
        ShareCreate = "share.create",
        /// A share link was revoked.
        ShareRevoke = "share.revoke",
        /// A webhook was deleted by an administrator.
        WebhookDelete = "webhook.delete",
        /// The oldest entries were deleted.
        AuditPrune = "audit.prune",
        /// A backup of the database was begun.
        DatabaseBackup = "database.backup",
        /// The database was restored from a backup.
        DatabaseRestore = "database.restore",
        /// Users, keys and meetings of another installation were imported.
        DatabaseImport = "database.import",
    }
);

/// Who changes something, from where and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Actor {
    /// `key:`, the name and after a `#` the id of an admin key, `key:settings`, `local:` and a user of the machine, `token:` and the id
    /// of the holder's token, `file` for vomeet.toml, `server` for the server itself.
    pub name: String,
    /// The address of the caller, if there is one.
    pub address: Option<String>,
    /// The time of the change.
    pub at: Time,
    /// What hides the details of the entry from whoever guesses at them by their hash.
    pub salt: [u8; 16],
}

impl Actor {
    /// The same actor for another change of the same verb: each entry has a salt of its own.
    #[must_use]
    pub fn for_change(&self, number: u64) -> Self {
        let mut salt = [0; 16];
        let mut hasher = blake3::Hasher::new_derive_key(SALT_CONTEXT);
        hasher.update(&self.salt).update(&number.to_le_bytes()).finalize_xof().fill(&mut salt);
        Self { salt, ..self.clone() }
    }
}

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// A token.
    Token(TokenId),
    /// An admin key.
    Key(AdminKeyId),
    /// A meeting.
    Meeting(MeetingId),
    /// The settings.
    Settings,
    /// A webhook event.
    Delivery(DeliveryId),
    /// A share link.
    Share(ShareId),
    /// A webhook.
    Webhook(WebhookId),
    /// The audit log itself.
    Audit,
    /// The whole database.
    Database,
}

impl Subject {
    /// The kind, and the id in it.
    pub fn parts(self) -> (&'static str, Option<i64>) {
        match self {
            Self::User(id) => ("user", Some(id.0)),
            Self::Token(id) => ("token", Some(id.0)),
            Self::Key(id) => ("key", Some(id.0)),
            Self::Meeting(id) => ("meeting", Some(id.0)),
            Self::Settings => ("settings", None),
            Self::Delivery(id) => ("delivery", Some(id.0)),
            Self::Share(id) => ("share", Some(id.0)),
            Self::Webhook(id) => ("webhook", Some(id.0)),
            Self::Audit => ("audit", None),
            Self::Database => ("database", None),
        }
    }
}

/// An entry as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Entry {
    /// Its number; there is none missing between two.
    pub id: i64,
    /// When.
    pub at: Time,
    /// Who: `key:`, the name and after a `#` the id of an admin key, `key:settings`, `local:` and a
    /// user of the machine, `token:` and an id, `file` or `server`.
    #[schema(example = "key:alice#1")]
    pub actor: String,
    /// From where; null where it came from the machine itself.
    #[schema(required)]
    pub address: Option<String>,
    /// What was done.
    #[schema(example = "token.create")]
    pub action: String,
    /// To what kind of thing.
    #[schema(example = "token")]
    pub subject: String,
    /// To which of them.
    #[schema(required)]
    pub subject_id: Option<i64>,
    /// Whom it concerns.
    #[schema(required)]
    pub user_id: Option<UserId>,
    /// What was changed, before it was; null where there was nothing, or the person was erased.
    #[schema(required, value_type = Option<Object>)]
    pub before: Option<Box<RawValue>>,
    /// What was changed, after it was; null where there is nothing, or the person was erased.
    #[schema(required, value_type = Option<Object>)]
    pub after: Option<Box<RawValue>>,
    /// BLAKE3 of it and of the one before, in hexadecimal.
    #[schema(example = "c2f1…")]
    pub hash: String,
}

/// What of an entry is bound by its hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// Its number.
    pub id: i64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The actor, as [`Actor::name`].
    pub actor: &'a str,
    /// From where.
    pub address: Option<&'a str>,
    /// What was done.
    pub action: &'a str,
    /// To what kind of thing.
    pub subject: &'a str,
    /// To which of them.
    pub subject_id: Option<i64>,
    /// Whom it concerns.
    pub user_id: Option<i64>,
    /// [`details_hash`] of what was before and after.
    pub details_hash: &'a [u8; 32],
}

impl Bound<'_> {
    /// The hash of the entry after the one with the hash `previous`.
    pub(crate) fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(previous).update(self.details_hash);
        for number in [Some(self.id), Some(self.at), self.subject_id, self.user_id] {
            put(&mut hasher, number.map(i64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice));
        }
        for text in [Some(self.actor), self.address, Some(self.action), Some(self.subject)] {
            put(&mut hasher, text.map(str::as_bytes));
        }
        *hasher.finalize().as_bytes()
    }
}

/// The hash of what was before and after, with a salt that is gone when they are.
pub(crate) fn details_hash(salt: &[u8], before: Option<&str>, after: Option<&str>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    for part in [Some(salt), before.map(str::as_bytes), after.map(str::as_bytes)] {
        put(&mut hasher, part);
    }
    *hasher.finalize().as_bytes()
}

/// With its length, so that nothing can move from one field into the next.
fn put(hasher: &mut blake3::Hasher, part: Option<&[u8]>) {
    let length = part.map_or(u64::MAX, |part| part.len() as u64);
    hasher.update(&length.to_le_bytes()).update(part.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: Bound<'_> = Bound {
        id: 1,
        at: 2,
        actor: "key:a",
        address: None,
        action: "user.create",
        subject: "user",
        subject_id: Some(3),
        user_id: Some(3),
        details_hash: &[4; 32],
    };

    #[test]
    fn every_field_is_bound() {
        let changed = [
            Bound { id: 2, ..ENTRY },
            Bound { at: 3, ..ENTRY },
            Bound { actor: "key:b", ..ENTRY },
            Bound { address: Some(""), ..ENTRY },
            Bound { action: "user.creat", subject: "euser", ..ENTRY },
            Bound { subject: "token", ..ENTRY },
            Bound { subject_id: None, ..ENTRY },
            Bound { user_id: None, ..ENTRY },
            Bound { details_hash: &[5; 32], ..ENTRY },
        ];
        let hash = ENTRY.hash(&[0; 32]);
        assert_eq!(hash, ENTRY.hash(&[0; 32]));
        assert_ne!(hash, ENTRY.hash(&[1; 32]), "the entry before is not bound");
        for entry in changed {
            assert_ne!(hash, entry.hash(&[0; 32]), "{entry:?}");
        }
        assert_ne!(details_hash(b"s", Some("a"), None), details_hash(b"s", None, Some("a")));
        assert_ne!(details_hash(b"s", Some("a"), None), details_hash(b"t", Some("a"), None));
    }
}
