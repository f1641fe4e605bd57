//! Users, for the holder of the admin key.

use crate::app::App;
use crate::auth::Admin;
use crate::clock;
use crate::domain::number::{EXACT_MAX, Whole};
use crate::domain::text::Line;
use crate::domain::user::{BotLimit, ImageUrl, PersonName};
use crate::domain::{Data, Email, Token, User, UserId};
use crate::error::Result;
use crate::http::form::{BodyRule, Settable};
use crate::http::{CreatedOrFound, Form, Input, Json, NoContent};
use crate::store::{CreateUser, DeleteUser, Patch, UpdateUser, UserPage, WordsOf};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The most users on a page.
pub type PageLimit = Whole<1, 1000>;
/// How many rows to leave out.
pub type Skip = Whole<0, EXACT_MAX>;

/// Body of `POST /admin/users`.
pub struct NewUser {
    email: Email,
    name: Option<PersonName>,
    image_url: Option<ImageUrl>,
    max_concurrent_bots: Option<BotLimit>,
    data: Option<Data>,
}

impl Input for NewUser {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let email = form.required("email");
        let name = form.optional("name");
        let image_url = form.optional("image_url");
        let max_concurrent_bots = form.optional("max_concurrent_bots");
        let data = form.optional("data");
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
pub async fn create(app: Arc<App>, admin: Admin, new: NewUser) -> Result<CreatedOrFound<User>> {
    let create = CreateUser {
        email: new.email,
        name: new.name.map(|name| name.0),
        image_url: new.image_url.map(|url| url.0),
        max_concurrent_bots: new.max_concurrent_bots.map_or(0, |limit| limit.0),
        data: new.data.unwrap_or_default(),
        now: clock::now(),
    };
    let (user, is_new) = app.store.write_by(admin.actor()?, create).await?;
    Ok(CreatedOrFound { value: user, is_new })
}

impl Input for UserPage {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        let skip = form.query_or("skip", Whole(0) as Skip);
        let limit = form.query_or("limit", Whole(100) as PageLimit);
        let after = form.query::<Skip>("after");
        let matching = form.query::<Line<254>>("q");
        Some(Self {
            skip: skip?.0,
            limit: limit?.0,
            after: after?.map(|id| UserId(id.0)),
            matching: matching?.map(|text| text.0).filter(|text| !text.is_empty()),
        })
    }
}

/// A page of users by id.
pub async fn list(app: Arc<App>, _: Admin, page: UserPage) -> Result<Json<Vec<User>>> {
    Ok(Json(app.store.users(page).await?))
}

/// `{id}` of a user in the path.
pub struct ById(pub UserId);

impl Input for ById {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        form.path("id").map(Self)
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
pub async fn show(app: Arc<App>, _: Admin, ById(id): ById) -> Result<Json<UserWithTokens>> {
    let (user, mut api_tokens) = app.store.user_with_tokens(id).await?;
    app.auth.usage().freshen(&mut api_tokens);
    Ok(Json(UserWithTokens { user, api_tokens }))
}

/// `{email}` of a user in the path.
pub struct ByEmail(Email);

impl Input for ByEmail {
    fn read(form: &mut Form<'_>) -> Option<Self> {
        form.path("email").map(Self)
    }
}

/// One user by address.
pub async fn show_by_email(app: Arc<App>, _: Admin, ByEmail(email): ByEmail) -> Result<Json<User>> {
    Ok(Json(app.store.user_by_email(&email)?))
}

/// Path and body of `PATCH /admin/users/{id}`.
pub struct UserChanges {
    id: UserId,
    email: Option<Email>,
    name: Settable<PersonName>,
    image_url: Settable<ImageUrl>,
    max_concurrent_bots: Option<BotLimit>,
    data: Option<Data>,
    disabled: Option<bool>,
}

impl Input for UserChanges {
    const BODY: BodyRule = BodyRule::Required;

    fn read(form: &mut Form<'_>) -> Option<Self> {
        let id = form.path("id");
        let name = form.settable("name");
        let max_concurrent_bots = form.optional("max_concurrent_bots");
        let image_url = form.settable("image_url");
        let data = form.optional("data");
        let email = form.optional("email");
        let disabled = form.optional("disabled");
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
pub async fn update(app: Arc<App>, admin: Admin, changes: UserChanges) -> Result<Json<User>> {
    let update = UpdateUser {
        id: changes.id,
        email: changes.email,
        name: patch(changes.name, |name| name.0),
        image_url: patch(changes.image_url, |url| url.0),
        max_concurrent_bots: changes.max_concurrent_bots.map(|limit| limit.0),
        data: changes.data,
        disabled: changes.disabled,
        now: clock::now(),
    };
    Ok(Json(app.store.write_by(admin.actor()?, update).await?))
}

/// What becomes of a field that may be set to null.
pub fn patch<T, U>(field: Settable<T>, unwrap: impl FnOnce(T) -> U) -> Patch<U> {
    match field {
        Settable::Absent => Patch::Keep,
        Settable::Null => Patch::Clear,
        Settable::Value(value) => Patch::Set(unwrap(value)),
    }
}

/// Removes a user and all that is theirs, from the files too.
pub async fn delete(app: Arc<App>, admin: Admin, ById(id): ById) -> Result<NoContent> {
    app.store.remove_words(WordsOf::User(id)).await?;
    let meetings = app.store.meeting_ids(id).await?;
    app.store.write_by(admin.actor()?, DeleteUser { id }).await?;
    for meeting in meetings {
        app.bots.erase(meeting).await;
    }
    app.eraser.finish(&app.store).await;
    Ok(NoContent)
}
