//! The engine of a user's own, as the engines are asked for it.

use crate::domain::UserId;
use crate::error::Result;
use crate::store::Store;
use crate::transcription::engines::UserEngine;
use url::Url;

/// The engine of this user, if they have set one.
pub(crate) fn own_engine(store: &Store, user_id: UserId) -> Result<Option<UserEngine>> {
    let Some(own) = store.user_transcription(user_id)?.engine else { return Ok(None) };
    // It was an address when it was set.
    let Ok(url) = Url::parse(&own.url) else { return Ok(None) };
    Ok(Some(UserEngine { url, model: own.model, key: own.key }))
}
