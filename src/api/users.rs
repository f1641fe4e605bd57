//! Users, for callers with an admin key.

use crate::api::stop::stop_all_of;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::bounded_int::{BoundedInt, EXACT_MAX};
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::text::SingleLine;
use crate::domain::user::{BotLimit, ImageUrl, PersonName};
use crate::domain::{Data, Email, Patch, Token, User, UserId};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::{CreatedOrFound, Extractor, FromRequest, Json, NoContent};
use crate::store::{CreateUser, UpdateUser, UserPage};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

/// The most users on a page.
pub(crate) type PageLimit = BoundedInt<1, 1000>;
/// How many rows to skip.
pub(crate) type Skip = BoundedInt<0, EXACT_MAX>;

input! {
    /// Body of `POST /admin/users`.
    pub(crate) struct CreateUserInput, body Required {
        required email: Email,
        optional name: Option<PersonName>,
        optional image_url: Option<ImageUrl>,
        optional max_concurrent_bots: Option<BotLimit>,
        optional data: Option<Data>,
    }
}

/// Creates a user, or gets the user with that e-mail address, unchanged.
pub(crate) async fn create_user(
    app: Arc<App>,
    admin: Admin,
    input: CreateUserInput,
) -> Result<CreatedOrFound<User>> {
    let create = CreateUser {
        email: input.email,
        name: input.name.map(|name| name.0),
        image_url: input.image_url.map(|url| url.0),
        max_concurrent_bots: input.max_concurrent_bots.map_or(0, |limit| limit.0),
        data: input.data.unwrap_or_default(),
        now: app.clock.now(),
    };
    let (user, is_new) = app.store.write_by(admin.actor()?, create).await?;
    Ok(CreatedOrFound { value: user, is_new })
}

input! {
    for UserPage {
        query_or(BoundedInt(0)) skip: Skip => skip.0,
        query_or(BoundedInt(100)) limit: PageLimit => limit.0,
        query after: Option<Skip> => after.map(|id| UserId(id.0)),
        query matching: Option<SingleLine<254>> as "q" => matching.and_then(not_empty),
    }
}

/// A text that says something.
pub(crate) fn not_empty<const MAX: usize>(text: SingleLine<MAX>) -> Option<String> {
    if text.0.is_empty() { None } else { Some(text.0) }
}

/// Lists a page of users by id.
pub(crate) async fn list_users(app: Arc<App>, _: Admin, page: UserPage) -> Result<Json<Vec<User>>> {
    Ok(Json(app.store.users(page).await?))
}

/// `{id}` in the path.
pub(crate) struct ById<Id>(pub Id);

impl<Id: Field + Send + 'static> FromRequest for ById<Id> {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let id = extractor.path("id")?;
        Some(Self(id))
    }
}

/// A user with their tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserWithTokens {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// The user's tokens, without the secrets.
    pub api_tokens: Vec<Token>,
}

/// Gets a user with all their tokens.
pub(crate) async fn get_user(
    app: Arc<App>,
    _: Admin,
    ById(id): ById<UserId>,
) -> Result<Json<UserWithTokens>> {
    let (user, api_tokens) = app.auth.user_with_tokens(id, &app.store).await?;
    Ok(Json(UserWithTokens { user, api_tokens }))
}

/// What stands where an e-mail address is expected; `None` where it is none.
pub(crate) struct AnyEmail(Option<Email>);

impl Field for AnyEmail {
    fn schema() -> Object {
        Email::schema()
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        let SingleLine(text) = SingleLine::<1024>::read(raw)?;
        Ok(Self(Email::read(Raw::Text(&text)).ok()))
    }
}

input! {
    /// Path of `GET /admin/users/email/{email}`.
    pub(crate) struct EmailInput {
        path email: AnyEmail,
    }
}

/// Gets a user by e-mail address.
pub(crate) async fn get_user_by_email(
    app: Arc<App>,
    _: Admin,
    input: EmailInput,
) -> Result<Json<User>> {
    // What is no address belongs to nobody.
    let Some(email) = input.email.0 else { return Err(Error::UserNotFound) };
    Ok(Json(app.store.user_by_email(&email)?))
}

input! {
    /// Path and body of `PATCH /admin/users/{id}`.
    pub(crate) struct UpdateUserInput, body Required {
        path id: UserId,
        patch name: Patch<PersonName>,
        optional max_concurrent_bots: Option<BotLimit>,
        patch image_url: Patch<ImageUrl>,
        optional data: Option<Data>,
        optional email: Option<Email>,
        optional disabled: Option<bool>,
        optional stop_bots: Option<bool>,
    }
}

/// Updates the given fields of a user. `stop_bots` stops the user's bots as well, which otherwise
/// go on although the user is disabled.
pub(crate) async fn update_user(
    app: Arc<App>,
    admin: Admin,
    input: UpdateUserInput,
) -> Result<Json<User>> {
    let update = UpdateUser {
        id: input.id,
        email: input.email,
        name: input.name.map(|name| name.0),
        image_url: input.image_url.map(|url| url.0),
        max_concurrent_bots: input.max_concurrent_bots.map(|limit| limit.0),
        data: input.data,
        disabled: input.disabled,
        now: app.clock.now(),
    };
    let user = app.store.write_by(admin.actor()?, update).await?;
    if input.stop_bots == Some(true) {
        stop_all_of(&app, &admin, user.id).await?;
    }
    Ok(Json(user))
}

/// Deletes a user with all their data, from the database files too.
pub(crate) async fn delete_user(
    app: Arc<App>,
    admin: Admin,
    ById(id): ById<UserId>,
) -> Result<NoContent> {
    app.erasure.delete_user(admin.actor()?, id).await?;
    Ok(NoContent)
}
