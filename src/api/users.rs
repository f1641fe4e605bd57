//! Users, for the holder of the admin key.

use crate::app::App;
use crate::auth::Admin;
use crate::domain::bounded_int::{BoundedInt, EXACT_MAX};
use crate::domain::text::SingleLine;
use crate::domain::user::{BotLimit, ImageUrl, PersonName};
use crate::domain::{Data, Email, Patch, Token, User, UserId};
use crate::error::Result;
use crate::http::request::extractor::BodyRule;
use crate::http::{CreatedOrFound, Extractor, FromRequest, Json, NoContent};
use crate::store::{CreateUser, UpdateUser, UserPage};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The most users on a page.
pub type PageLimit = BoundedInt<1, 1000>;
/// How many rows to leave out.
pub type Skip = BoundedInt<0, EXACT_MAX>;

/// Body of `POST /admin/users`.
pub struct NewUser {
    email: Email,
    name: Option<PersonName>,
    image_url: Option<ImageUrl>,
    max_concurrent_bots: Option<BotLimit>,
    data: Option<Data>,
}

impl FromRequest for NewUser {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let email = extractor.required("email");
        let name = extractor.optional("name");
        let image_url = extractor.optional("image_url");
        let max_concurrent_bots = extractor.optional("max_concurrent_bots");
        let data = extractor.optional("data");
        Some(Self {
            email: email?,
            name: name?,
            image_url: image_url?,
            max_concurrent_bots: max_concurrent_bots?,
            data: data?,
        })
    }
}

/// Creates a user, or returns the one who has the address, unchanged.
pub async fn create_user(app: Arc<App>, admin: Admin, new: NewUser) -> Result<CreatedOrFound<User>> {
    let create = CreateUser {
        email: new.email,
        name: new.name.map(|name| name.0),
        image_url: new.image_url.map(|url| url.0),
        max_concurrent_bots: new.max_concurrent_bots.map_or(0, |limit| limit.0),
        data: new.data.unwrap_or_default(),
        now: app.clock.now(),
    };
    let (user, is_new) = app.store.write_by(admin.actor()?, create).await?;
    Ok(CreatedOrFound { value: user, is_new })
}

impl FromRequest for UserPage {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let skip = extractor.query_or("skip", BoundedInt(0) as Skip);
        let limit = extractor.query_or("limit", BoundedInt(100) as PageLimit);
        let after = extractor.query::<Skip>("after");
        let matching = extractor.query::<SingleLine<254>>("q");
        Some(Self {
            skip: skip?.0,
            limit: limit?.0,
            after: after?.map(|id| UserId(id.0)),
            matching: matching?.map(|text| text.0).filter(|text| !text.is_empty()),
        })
    }
}

/// A page of users by id.
pub async fn list_users(app: Arc<App>, _: Admin, page: UserPage) -> Result<Json<Vec<User>>> {
    Ok(Json(app.store.users(page).await?))
}

/// `{id}` of a user in the path.
pub struct ById(pub UserId);

impl FromRequest for ById {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        extractor.path("id").map(Self)
    }
}

/// A user with their tokens.
#[derive(Serialize, ToSchema)]
pub struct UserWithTokens {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// Their tokens without the secrets.
    pub api_tokens: Vec<Token>,
}

/// One user with all their tokens.
pub async fn get_user(app: Arc<App>, _: Admin, ById(id): ById) -> Result<Json<UserWithTokens>> {
    let (user, api_tokens) = app.auth.user_with_tokens(id, &app.store).await?;
    Ok(Json(UserWithTokens { user, api_tokens }))
}

/// `{email}` of a user in the path.
pub struct ByEmail(Email);

impl FromRequest for ByEmail {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        extractor.path("email").map(Self)
    }
}

/// One user by address.
pub async fn get_user_by_email(app: Arc<App>, _: Admin, ByEmail(email): ByEmail) -> Result<Json<User>> {
    Ok(Json(app.store.user_by_email(&email)?))
}

/// Path and body of `PATCH /admin/users/{id}`.
pub struct UserChanges {
    id: UserId,
    email: Option<Email>,
    name: Patch<PersonName>,
    image_url: Patch<ImageUrl>,
    max_concurrent_bots: Option<BotLimit>,
    data: Option<Data>,
    disabled: Option<bool>,
}

impl FromRequest for UserChanges {
    const BODY: BodyRule = BodyRule::Required;

    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let id = extractor.path("id");
        let name = extractor.patch("name");
        let max_concurrent_bots = extractor.optional("max_concurrent_bots");
        let image_url = extractor.patch("image_url");
        let data = extractor.optional("data");
        let email = extractor.optional("email");
        let disabled = extractor.optional("disabled");
        Some(Self {
            id: id?,
            disabled: disabled?,
            email: email?,
            name: name?,
            image_url: image_url?,
            max_concurrent_bots: max_concurrent_bots?,
            data: data?,
        })
    }
}

/// Changes what is given of a user.
pub async fn update_user(app: Arc<App>, admin: Admin, changes: UserChanges) -> Result<Json<User>> {
    let update = UpdateUser {
        id: changes.id,
        email: changes.email,
        name: changes.name.map(|name| name.0),
        image_url: changes.image_url.map(|url| url.0),
        max_concurrent_bots: changes.max_concurrent_bots.map(|limit| limit.0),
        data: changes.data,
        disabled: changes.disabled,
        now: app.clock.now(),
    };
    Ok(Json(app.store.write_by(admin.actor()?, update).await?))
}

/// Removes a user and all that is theirs, from the files too.
pub async fn delete_user(app: Arc<App>, admin: Admin, ById(id): ById) -> Result<NoContent> {
    app.erasure.delete_user(admin.actor()?, id).await?;
    Ok(NoContent)
}
