//! Who has words made of sound: a user with a token, or the bot of a meeting.

use crate::api::call::Call;
use crate::api::guard::{Access, Guard};
use crate::app::App;
use crate::auth::{Auth, ResponseHeaders, USER_HEADER, User};
use crate::budget::{Held, Holder};
use crate::domain::{Day, TokenHash, TokenId, UsageCounts, UsageKey, UserId};
use crate::error::{Error, Result};
use crate::store::{SecretsMeeting, WriteUsage};
use std::time::Duration;

/// How long the bot of a meeting waits for its place: what it has heard it hands in once.
const BOT_WAITS_MAX: Duration = Duration::from_secs(30);
/// How long what was used waits while the writer's queue is full.
const QUEUE_TIME_MAX: Duration = Duration::from_secs(5);
/// After how many seconds a caller who has too many requests at work asks again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// A user whose token came in `X-API-Key` or as a bearer token, or the bot of a meeting by the
/// meeting's secret, which comes as a bearer token.
pub(crate) enum SoundCaller {
    /// A user.
    User(User),
    /// A meeting, and its secret.
    Meeting(SecretsMeeting, TokenHash),
}

impl Guard for SoundCaller {
    const ACCESS: Access = Access::Sound;

    fn authenticate(call: &Call) -> Result<Self> {
        let App { auth, store, .. } = &*call.app;
        let head = &call.request.head;
        if !head.headers.contains_key(&USER_HEADER)
            && let Ok(Some(hash)) = Auth::bearer(&head.headers)
            && let Some(meeting) = store.secrets_meeting(&hash, call.now)?
        {
            return Ok(Self::Meeting(meeting, hash));
        }
        auth.bearer_user(head, store, call.request.client, call.now).map(Self::User)
    }

    fn holder(&self) -> Holder {
        Holder::User(self.user_id())
    }

    fn check(&self, call: &Call) -> Result<()> {
        match self {
            Self::User(user) => user.check(call),
            Self::Meeting(..) => Ok(()),
        }
    }

    fn record_use(&self, call: &Call, response_headers: &mut ResponseHeaders) -> Result<()> {
        match self {
            Self::User(user) => user.record_use(call, response_headers),
            Self::Meeting(..) => Ok(()),
        }
    }
}

/// The places that a request holds while its sound is heard.
pub(crate) struct Places {
    _of_token: Held,
    _of_user: Held,
}

impl SoundCaller {
    /// Whose sound it is.
    pub(crate) fn user_id(&self) -> UserId {
        match self {
            Self::User(user) => user.user.id,
            Self::Meeting(meeting, _) => meeting.user_id,
        }
    }

    /// Takes a place of those whose sound is heard. [`Error::TooManyRequests`] where a user has none
    /// left; the bot of a meeting waits for one.
    pub(crate) async fn take_places(&self, app: &App) -> Result<Places> {
        let places = &app.transport.budgets.transcriptions;
        let of_user = Holder::User(self.user_id());
        let taken = match self {
            Self::User(user) => {
                let of_token = places.take(Holder::Token(user.token.id), 1);
                of_token.and_then(|of_token| Ok((of_token, places.take(of_user, 1)?)))
            }
            Self::Meeting(_, secret) => {
                let of_token = places.wait_within(Holder::Bot(*secret), 1, BOT_WAITS_MAX).await?;
                let of_user = places.wait_within(of_user, 1, BOT_WAITS_MAX).await;
                of_user.map(|of_user| (of_token, of_user))
            }
        };
        match taken {
            Ok((of_token, of_user)) => Ok(Places { _of_token: of_token, _of_user: of_user }),
            Err(_) => Err(Error::TooManyRequests { retry_after: RETRY_AFTER_SECONDS }),
        }
    }

    /// Counts what was heard, as used and towards what the user may bring in a day.
    pub(crate) async fn count(&self, app: &App, sound_ms: u64) -> Result<()> {
        let token_id = match self {
            Self::User(user) => Some(user.token.id),
            Self::Meeting(meeting, _) => meeting.token_id,
        };
        let token_id = token_id.unwrap_or(TokenId(0));
        let counted_ms = i64::try_from(sound_ms).unwrap_or(i64::MAX);
        let (user_id, now) = (self.user_id(), app.clock.now());
        let counts = UsageCounts { sound_ms: counted_ms, ..UsageCounts::default() };
        let key = UsageKey { user_id, day: Day::of(now), token_id };
        let used = WriteUsage { used: vec![(key, counts)] };
        app.store.write_within(used, QUEUE_TIME_MAX).await?;
        app.transcription.note_day(user_id, sound_ms);
        Ok(())
    }
}
