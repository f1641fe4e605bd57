//! Searches across all users, for callers with an admin key. One request looks at a bounded number
//! of rows, so a page may be short although more follow: `next` says so.

use crate::api::tokens::Lifetime;
use crate::api::users::{PageLimit, not_empty};
use crate::app::App;
use crate::auth::Admin;
use crate::domain::bounded_int::{BoundedInt, EXACT_MAX};
use crate::domain::found::{FoundMeeting, FoundToken, FoundUser, MeetingState, UserState};
use crate::domain::text::SingleLine;
use crate::domain::{Hint, Platform, Time, UserId};
use crate::error::Result;
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::{MeetingSearch, TokenSearch, UserSearch};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Where a page begins: an id, or 0.
type Place = BoundedInt<0, EXACT_MAX>;
/// The first characters of a token.
type HintText = SingleLine<4>;

input! {
    for UserSearch {
        query matching: Option<SingleLine<254>> as "q" => matching.and_then(not_empty),
        query state: Option<UserState>,
        query_or(BoundedInt(0)) after: Place => after.0,
        query_or(BoundedInt(100)) limit: PageLimit => limit.0,
    }
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundUsers {
    /// The users, by id.
    users: Vec<FoundUser>,
    /// `after` of the next page; null on the last one. A page may be short before that.
    #[schema(required)]
    next: Option<i64>,
}

/// Searches users by text and state, with their seats, their tokens and their last use.
pub(crate) async fn search_users(
    app: Arc<App>,
    _: Admin,
    search: UserSearch,
) -> Result<Json<FoundUsers>> {
    let looked = app.auth.search_users(search, &app.store).await?;
    Ok(Json(FoundUsers { users: looked.found, next: looked.next }))
}

input! {
    /// Query of `GET /admin/tokens/search`.
    pub(crate) struct TokenSearchInput {
        query user_id: Option<UserId>,
        query hint: Option<HintText>,
        query ending_within: Option<Lifetime>,
        query unused_for: Option<Lifetime>,
        query_or(BoundedInt(0)) after: Place,
        query_or(BoundedInt(100)) limit: PageLimit,
    }
}

impl TokenSearchInput {
    fn search(self, now: Time) -> TokenSearch {
        let unused_for = self.unused_for.map(|seconds| seconds.0);
        TokenSearch {
            user_id: self.user_id,
            hint: self.hint.and_then(not_empty).map(Hint),
            ending_by: self.ending_within.map(|seconds| now.plus_seconds(seconds.0)),
            unused_since: unused_for.map(|seconds| now.plus_seconds(-seconds)),
            after: self.after.0,
            limit: self.limit.0,
            now,
        }
    }
}

/// A page of tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundTokens {
    /// The tokens without the secrets, by id.
    tokens: Vec<FoundToken>,
    /// `after` of the next page; null on the last one. A page may be short before that.
    #[schema(required)]
    next: Option<i64>,
}

/// Searches tokens of all users: those that end soon, that nobody uses, or that begin so.
pub(crate) async fn search_tokens(
    app: Arc<App>,
    _: Admin,
    input: TokenSearchInput,
) -> Result<Json<FoundTokens>> {
    let search = input.search(app.clock.now());
    let looked = app.auth.search_tokens(search, &app.store).await?;
    Ok(Json(FoundTokens { tokens: looked.found, next: looked.next }))
}

input! {
    for MeetingSearch {
        query user_id: Option<UserId>,
        query platform: Option<Platform>,
        query state: Option<MeetingState> as "status",
        query native_meeting_id: Option<SingleLine<255>> => native_meeting_id.and_then(not_empty),
        query from: Option<Time>,
        query to: Option<Time>,
        query_or(BoundedInt(EXACT_MAX)) before: Place => before.0,
        query_or(BoundedInt(100)) limit: PageLimit => limit.0,
    }
}

/// A page of meetings.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundMeetings {
    /// The meetings without their data, newest first.
    meetings: Vec<FoundMeeting>,
    /// `before` of the next page; null on the last one. A page may be short before that.
    #[schema(required)]
    next: Option<i64>,
}

/// Searches meetings of all users by state, platform, user and time, newest first.
pub(crate) async fn search_meetings(
    app: Arc<App>,
    _: Admin,
    search: MeetingSearch,
) -> Result<Json<FoundMeetings>> {
    let looked = app.store.search_meetings(search).await?;
    Ok(Json(FoundMeetings { meetings: looked.found, next: looked.next }))
}
