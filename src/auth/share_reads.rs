//! Whether a share link opens anything now. It does as long as a token of its maker's chain is
//! accepted and reaches the meeting.

use crate::auth::authenticator::Auth;
use crate::domain::{Meeting, ShareHash, Time, Token};
use crate::error::{Error, Result};
use crate::store::Store;

impl Auth {
    /// The meeting that a share link opens now, or [`Error::ShareNotFound`] whatever the reason. It
    /// is no use of the token. A small read.
    pub fn shared_meeting(&self, hash: &ShareHash, store: &Store, now: Time) -> Result<Meeting> {
        let mut found = store.share(hash)?.ok_or(Error::ShareNotFound)?;
        self.usage().apply_pending(&mut found.tokens);
        let meeting = found.meeting;
        let native_id = meeting.native_meeting_id.as_deref();
        let opens = |token: &Token| {
            token.check(None, now).is_ok()
                && token.terms.scope.reaches_named(&meeting.platform, native_id)
        };
        let has_ended = found.share.expires_at <= now || found.user.disabled_at.is_some();
        if has_ended || !found.tokens.iter().any(opens) {
            return Err(Error::ShareNotFound);
        }
        Ok(meeting)
    }
}
