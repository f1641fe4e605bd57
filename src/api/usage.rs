//! What was used: by everybody, for the holder of the admin key, and by the caller.

use crate::api::meetings::write_items;
use crate::app::App;
use crate::auth::{Admin, User};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::{Day, TokenId, UsageBy, UsageFormat, UsageLine, UsagePlace, UserId};
use crate::error::{Error, Result};
use crate::http::response::{AnswerDoc, json_doc};
use crate::http::{Extractor, FromRequest, PageSource, StreamedResponse};
use crate::store::UsageFilter;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How many days are shown where nobody says.
const DAYS_USUAL: i64 = 30;

/// How many lines on a page.
type LineLimit = BoundedInt<1, 10_000>;

/// Query of `GET /user/usage`.
pub struct OwnUsage {
    from: Option<Day>,
    to: Option<Day>,
    token_id: Option<TokenId>,
    by: Option<UsageBy>,
    format: UsageFormat,
    after: Option<UsagePlace>,
    limit: Option<LineLimit>,
}

impl FromRequest for OwnUsage {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let from = extractor.query("from");
        let to = extractor.query("to");
        let token_id = extractor.query("token_id");
        let by = extractor.query("by");
        let format = extractor.query_or("format", UsageFormat::Json);
        let after = extractor.query("after");
        let limit = extractor.query("limit");
        Some(Self { from: from?, to: to?, token_id: token_id?, by: by?, format: format?, after: after?, limit: limit? })
    }
}

/// Query of `GET /admin/usage`.
pub struct AnyUsage {
    user_id: Option<UserId>,
    of: OwnUsage,
}

impl FromRequest for AnyUsage {
    fn read(extractor: &mut Extractor<'_>) -> Option<Self> {
        let user_id = extractor.query("user_id");
        let of = OwnUsage::read(extractor);
        Some(Self { user_id: user_id?, of: of? })
    }
}

/// What was used.
#[derive(Serialize, ToSchema)]
pub struct UsageList {
    /// By day, user and token, or by what it is summed by, in that order.
    usage: Vec<UsageLine>,
    /// `after` of the next page; null where there is none.
    #[schema(required)]
    next: Option<UsagePlace>,
}

/// A list of use on its way.
pub struct UsagePages {
    app: Arc<App>,
    filter: UsageFilter,
    format: UsageFormat,
    is_first: bool,
}

impl PageSource for UsagePages {
    fn content_type(&self) -> &'static str {
        match self.format {
            UsageFormat::Json => "application/json",
            UsageFormat::Csv => "text/csv; charset=utf-8",
        }
    }

    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        let page = self.app.store.usage(self.filter).await?;
        let is_first = std::mem::take(&mut self.is_first);
        self.filter.after = page.lines.last().map_or(self.filter.after, UsageLine::place);
        self.filter.limit = self.filter.limit.map(|limit| limit - page.lines.len());
        let is_last = !page.has_more || self.filter.limit == Some(0);
        match self.format {
            UsageFormat::Csv => {
                out.extend_from_slice(if is_first { UsageLine::CSV_HEADER } else { "" }.as_bytes());
                page.lines.iter().for_each(|line| out.extend(line.csv().bytes()));
            }
            UsageFormat::Json => {
                out.extend_from_slice(if is_first { b"{\"usage\":[" } else { b"" });
                write_items(out, page.lines.iter(), is_first)?;
                if is_last {
                    out.extend_from_slice(b"],\"next\":");
                    let next = page.has_more.then_some(self.filter.after);
                    serde_json::to_writer(&mut *out, &next).map_err(|error| Error::Internal(error.to_string()))?;
                    out.push(b'}');
                }
            }
        }
        Ok(is_last)
    }

    fn describe() -> Vec<AnswerDoc> {
        let csv = Some(("text/csv", None));
        vec![
            json_doc::<UsageList>(StatusCode::OK, "What was used"),
            AnswerDoc { status: StatusCode::OK, about: "The same, a line each", content: csv, schemas: Vec::new() },
        ]
    }
}

/// What everybody used.
pub async fn get_usage(app: Arc<App>, _: Admin, query: AnyUsage) -> Result<StreamedResponse<UsagePages>> {
    show(app, query.user_id, query.of).await
}

/// What the caller used.
pub async fn get_own_usage(app: Arc<App>, caller: User, query: OwnUsage) -> Result<StreamedResponse<UsagePages>> {
    show(app, Some(caller.user.id), query).await
}

/// What was used up to this very request; where that cannot be written now, up to the last batch that could.
async fn show(app: Arc<App>, user_id: Option<UserId>, query: OwnUsage) -> Result<StreamedResponse<UsagePages>> {
    match app.auth.usage().write_counts(&app.store).await {
        Ok(()) | Err(Error::Busy | Error::DiskFull) => {}
        Err(error) => return Err(error),
    }
    let to = query.to.unwrap_or_else(|| Day::of(app.clock.now()));
    let filter = UsageFilter {
        from: query.from.unwrap_or_else(|| to.plus(1 - DAYS_USUAL)),
        to,
        user_id,
        token_id: query.token_id,
        by: query.by,
        after: query.after.unwrap_or_default(),
        limit: query.limit.and_then(|limit| usize::try_from(limit.0).ok()),
    };
    StreamedResponse::begin(UsagePages { app, filter, format: query.format, is_first: true }).await
}
