//! Share links: made, listed and revoked by holders and administrators, and opened by anyone.

use crate::api::guard::Anonymous;
use crate::api::meetings::{StoredNameInPath, owned};
use crate::api::users::ById;
use crate::app::App;
use crate::auth::{Admin, User};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::share::{SHARE_SECONDS, SHARE_SECONDS_MAX, SHARE_SECONDS_MIN};
use crate::domain::{
    MeetingId, PlainShare, Scope, Segment, SegmentId, Share, ShareHash, ShareId, SharedFile,
    SharedFormat, Subtitles, Time, UserId, markdown,
};
use crate::error::{Error, Result};
use crate::http::request::called_as::CalledAs;
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, json_doc, keep_private};
use crate::http::{
    Created, IntoResponse, Json, JsonStream, NoContent, PageSource, Response, StreamedResponse,
};
use crate::store::{CreateShare, RevokeShare, SHARES_MAX};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// For how long a link is made, in seconds.
type ShareSeconds = BoundedInt<SHARE_SECONDS_MIN, SHARE_SECONDS_MAX>;

input! {
    /// Path, query and body of `POST /transcripts/{platform}/{native_meeting_id}/share`; no body is
    /// needed.
    pub(crate) struct CreateShareInput, body Optional {
        flatten name: StoredNameInPath,
        query meeting_id: Option<MeetingId>,
        query ttl_seconds: Option<ShareSeconds>,
        optional expires_in: Option<ShareSeconds>,
        flatten called_as: CalledAs,
    }
}

/// A share link that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewShare {
    /// The link's id, by which it is revoked.
    id: ShareId,
    /// The link, which is shown this once. It ends in `.txt`; with `.md` or `.json` it is Markdown
    /// or JSON.
    #[schema(example = "https://meet.example.com/public/transcripts/0f…2c.txt")]
    url: String,
    /// When it ends.
    expires_at: Time,
}

/// Makes a link by which anyone reads the words of a meeting, for 7 days unless `expires_in` says
/// otherwise, at most 90. It ends with the token by which it is made, with the transcript, and when
/// it is revoked.
pub(crate) async fn create_share(
    app: Arc<App>,
    caller: User,
    input: CreateShareInput,
) -> Result<Created<NewShare>> {
    let name = owned(&caller, input.name, input.meeting_id)?;
    let now = app.clock.now();
    let seconds = input.expires_in.or(input.ttl_seconds).map_or(SHARE_SECONDS, |given| given.0);
    let secret = PlainShare::generate()
        .map_err(|error| Error::Internal(format!("no randomness: {error}")))?;
    let verb = CreateShare {
        by: caller.token.id,
        name,
        hash: secret.hash(),
        expires_at: now.plus_seconds(seconds),
        now,
    };
    let Share { id, expires_at, .. } = app.store.write_by(caller.actor(now)?, verb).await?;
    let speaks_tls = app.transport.tls.is_some();
    let base = input.called_as.base_url(speaks_tls, &app.url_for_bots());
    let url = format!("{base}/public/transcripts/{}.txt", secret.reveal());
    Ok(Created(NewShare { id, url, expires_at }))
}

/// A list of share links.
#[derive(Serialize, ToSchema)]
pub(crate) struct Shares {
    /// The links, newest first.
    shares: Vec<Share>,
}

/// Lists the caller's share links that have not ended, to meetings within the caller's token.
pub(crate) async fn list_shares(app: Arc<App>, caller: User, (): ()) -> Result<Json<Shares>> {
    let scope = caller.token.terms.scope.clone();
    let shares = app.store.shares_of(caller.user.id, scope, app.clock.now()).await?;
    Ok(Json(Shares { shares }))
}

/// Revokes a share link; whoever reads by it is cut off.
pub(crate) async fn revoke_share(
    app: Arc<App>,
    caller: User,
    ById(id): ById<ShareId>,
) -> Result<NoContent> {
    let verb = RevokeShare { id, of_user: Some(caller.user.id), by: Some(caller.token.id) };
    app.store.write_by(caller.actor(app.clock.now())?, verb).await?;
    Ok(NoContent)
}

/// Lists the share links of a user that have not ended.
pub(crate) async fn list_user_shares(
    app: Arc<App>,
    _: Admin,
    ById(id): ById<UserId>,
) -> Result<Json<Shares>> {
    if !app.store.has_user(id)? {
        return Err(Error::UserNotFound);
    }
    let shares = app.store.shares_of(id, Scope::default(), app.clock.now()).await?;
    Ok(Json(Shares { shares }))
}

/// Revokes a share link of any user.
pub(crate) async fn revoke_any_share(
    app: Arc<App>,
    admin: Admin,
    ById(id): ById<ShareId>,
) -> Result<NoContent> {
    let verb = RevokeShare { id, of_user: None, by: None };
    app.store.write_by(admin.actor()?, verb).await?;
    Ok(NoContent)
}

input! {
    /// Path of `GET /public/transcripts/{file}`.
    pub(crate) struct GetSharedTranscriptInput {
        path file: SharedFile,
    }
}

/// The words of a meeting, as a share link opens them.
#[derive(Serialize, ToSchema)]
pub(crate) struct SharedWords {
    /// The segments whose words are final, by the time at which they were spoken.
    segments: Vec<Segment>,
}

/// Shared words that are being sent.
pub(crate) struct SharedPages {
    app: Arc<App>,
    hash: ShareHash,
    format: SharedFormat,
    json: JsonStream,
    /// The last segment that was read.
    last: Option<(Time, SegmentId)>,
}

impl PageSource for SharedPages {
    fn content_type(&self) -> &'static str {
        self.format.content_type()
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        // Looked at before each page: a link that is revoked is no more use to who reads by it.
        let now = self.app.clock.now();
        let meeting = self.app.auth.shared_meeting(&self.hash, &self.app.store, now)?;
        let page = self.app.store.segments(meeting.id, self.last).await?;
        if self.last.is_none() && self.format == SharedFormat::Json {
            self.json.begin_object(out);
            self.json.begin_list(out, "segments")?;
        }
        for (id, mut segment) in page.rows {
            self.last = Some((segment.absolute_start_time, id));
            // What was corrected may be why it was: a link shows what stands there now.
            segment.original_text = None;
            if segment.completed {
                self.write(out, &segment)?;
            }
        }
        if page.is_last && self.format == SharedFormat::Json {
            self.json.end(out);
            self.json.end(out);
        }
        Ok(page.is_last)
    }

    fn describe() -> Vec<ResponseDoc> {
        let mut responses =
            vec![json_doc::<SharedWords>(StatusCode::OK, "The words of the meeting")];
        for (media_type, about) in
            [("text/plain", "A line for each segment"), ("text/markdown", "Markdown")]
        {
            let content = Some((media_type, None));
            responses.push(ResponseDoc { status: StatusCode::OK, about, content, schemas: vec![] });
        }
        responses
    }
}

impl SharedPages {
    fn write(&mut self, out: &mut Vec<u8>, segment: &Segment) -> Result<()> {
        match self.format {
            // Lines of text have no numbers.
            SharedFormat::Txt => out.extend_from_slice(Subtitles::Txt.entry(0, segment).as_bytes()),
            SharedFormat::Md => out.extend_from_slice(markdown(segment).as_bytes()),
            SharedFormat::Json => self.json.item(out, segment)?,
        }
        Ok(())
    }
}

/// Shared words, with the headers of what a link opens.
pub(crate) struct SharedResponse(StreamedResponse<SharedPages>);

impl IntoResponse for SharedResponse {
    fn into_response(self) -> Result<Response> {
        let mut response = self.0.into_response()?;
        keep_private(response.headers_mut());
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        StreamedResponse::<SharedPages>::describe()
    }
}

/// Gets the words of the meeting that a share link opens. A link that is unknown, and one that has
/// ended in whatever way, are the same 404.
pub(crate) async fn get_shared_transcript(
    app: Arc<App>,
    _: Anonymous,
    input: GetSharedTranscriptInput,
) -> Result<SharedResponse> {
    let (hash, format) = input.file.0.ok_or(Error::ShareNotFound)?;
    let pages = SharedPages { app, hash, format, json: JsonStream::new(), last: None };
    Ok(SharedResponse(StreamedResponse::begin(pages).await?))
}

/// The error of one link too many, for the route table.
pub(crate) fn too_many() -> Error {
    Error::TooManyShares { max: SHARES_MAX }
}
