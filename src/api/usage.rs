//! What was used: by everybody, for the holder of the admin key, and by the caller.

use crate::api::meetings::write_items;
use crate::app::App;
use crate::auth::{Admin, User};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::{Day, TokenId, UsageBy, UsageFormat, UsageLine, UsagePlace, UserId};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::response::{AnswerDoc, json_doc};
use crate::http::{PageSource, StreamedResponse};
use crate::store::UsageFilter;
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How many days are shown where nobody says.
const DAYS_USUAL: i64 = 30;

/// How many lines on a page.
type LineLimit = BoundedInt<1, 10_000>;

input! {
    /// Query of `GET /user/usage`.
    pub struct OwnUsageInput {
        query from: Option<Day>,
        query to: Option<Day>,
        query token_id: Option<TokenId>,
        query by: Option<UsageBy>,
        query_or(UsageFormat::Json) format: UsageFormat,
        query after: Option<UsagePlace>,
        query limit: Option<LineLimit>,
    }
}

input! {
    /// Query of `GET /admin/usage`.
    pub struct UsageInput {
        query user_id: Option<UserId>,
        flatten of: OwnUsageInput,
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
pub async fn get_usage(app: Arc<App>, _: Admin, input: UsageInput) -> Result<StreamedResponse<UsagePages>> {
    show(app, input.user_id, input.of).await
}

/// What the caller used.
pub async fn get_own_usage(app: Arc<App>, caller: User, input: OwnUsageInput) -> Result<StreamedResponse<UsagePages>> {
    show(app, Some(caller.user.id), input).await
}

/// What was used up to this very request; where that cannot be written now, up to the last batch that could.
async fn show(app: Arc<App>, user_id: Option<UserId>, input: OwnUsageInput) -> Result<StreamedResponse<UsagePages>> {
    match app.auth.usage().write_counts(&app.store).await {
        Ok(()) | Err(Error::Busy | Error::DiskFull) => {}
        Err(error) => return Err(error),
    }
    let to = input.to.unwrap_or_else(|| Day::of(app.clock.now()));
    let filter = UsageFilter {
        from: input.from.unwrap_or_else(|| to.plus(1 - DAYS_USUAL)),
        to,
        user_id,
        token_id: input.token_id,
        by: input.by,
        after: input.after.unwrap_or_default(),
        limit: input.limit.and_then(|limit| usize::try_from(limit.0).ok()),
    };
    StreamedResponse::begin(UsagePages { app, filter, format: input.format, is_first: true }).await
}
