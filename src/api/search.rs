//! Full-text search in the caller's transcripts.

use crate::app::App;
use crate::auth::User;
use crate::domain::bounded_int::BoundedInt;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::search::{marked, remarked, terms};
use crate::domain::text::SingleLine;
use crate::domain::{MeetingId, Platform, Segment, SegmentId, StoredPlatform, Time};
use crate::error::Result;
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::{Found, Search};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

/// Most words in a search.
const TERMS_MAX: usize = 16;
/// Most prefixes among them: each is looked up in all words that begin with it.
const BEGINNINGS_MAX: usize = 2;

/// How many results on a page.
type ResultLimit = BoundedInt<1, 100>;

/// The text that a user typed.
struct Typed(String);

impl Field for Typed {
    fn schema() -> Object {
        let about = "Words that must all be there, without case and accents. Words in \"quotes\" must follow each other; \
                     a * stands for any ending, at most twice. Nothing else is syntax, and 16 words are enough; without any word nothing is found.";
        let mut schema = SingleLine::<255>::schema();
        schema.description = Some(about.to_owned());
        schema
    }

    fn read(raw: Raw<'_>) -> std::result::Result<Self, Invalid> {
        let SingleLine(text) = SingleLine::<255>::read(raw)?;
        let terms = terms(&text);
        let beginnings = terms.iter().filter(|term| term.is_prefix).count();
        if terms.len() > TERMS_MAX || beginnings > BEGINNINGS_MAX {
            let msg = format!(
                "Search for at most {TERMS_MAX} words, {BEGINNINGS_MAX} of them beginnings"
            );
            return Err(Invalid::new("too_long", msg).with("max_length", TERMS_MAX));
        }
        Ok(Self(text))
    }
}

input! {
    /// Query of `GET /transcripts/search`.
    pub(crate) struct SearchInput {
        query q: Option<Typed>,
        query speaker: Option<SingleLine<255>>,
        query platform: Option<Platform>,
        query meeting_id: Option<MeetingId>,
        query from: Option<Time>,
        query to: Option<Time>,
        query_or(BoundedInt(20)) limit: ResultLimit,
        query before: Option<SegmentId>,
    }
}

/// The meeting of a search result.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundIn {
    /// The meeting's id.
    id: MeetingId,
    /// The platform of the meeting.
    platform: StoredPlatform,
    /// The platform's id of the meeting.
    #[schema(required, example = "abc-defg-hij")]
    native_id: Option<String>,
}

/// A search result: a segment that contains all words.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchResult {
    /// The segment's id.
    id: SegmentId,
    /// The meeting of the segment.
    meeting: FoundIn,
    /// The segment.
    #[serde(flatten)]
    segment: Segment,
    /// The text of the segment as HTML, with `<mark>` around the words that were searched for.
    #[schema(example = "Good <mark>morning</mark>.")]
    highlight: String,
}

/// A page of search results.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchResults {
    /// The results, newest stored segment first; none without a word to search for.
    results: Vec<SearchResult>,
    /// `before` of the next page; null on the last page. A page before the last may be short or
    /// empty.
    #[schema(required)]
    next: Option<SegmentId>,
}

fn result(found: Found) -> SearchResult {
    let Found { id, segment, meeting_id, platform, native_meeting_id, marked: text } = found;
    let meeting = FoundIn { id: meeting_id, platform, native_id: native_meeting_id };
    let highlight = marked(&remarked(&segment.text, &text));
    SearchResult { id, meeting, segment, highlight }
}

/// Searches the segments of the caller's meetings for all given words.
pub(crate) async fn search_transcripts(
    app: Arc<App>,
    caller: User,
    input: SearchInput,
) -> Result<Json<SearchResults>> {
    let page = app.store.search(Search {
        user_id: caller.user.id,
        scope: caller.token.terms.scope.clone(),
        terms: input.q.map(|typed| terms(&typed.0)).unwrap_or_default(),
        speaker: input.speaker.map(|name| name.0),
        platform: input.platform,
        meeting_id: input.meeting_id,
        from: input.from,
        to: input.to,
        before: input.before,
        limit: usize::try_from(input.limit.0).unwrap_or(1),
    });
    let page = page.await?;
    Ok(Json(SearchResults {
        results: page.found.into_iter().map(result).collect(),
        next: page.next,
    }))
}
