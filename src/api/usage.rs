//! Usage: of all users, for callers with an admin key, and of the caller.

use crate::app::App;
use crate::auth::{Admin, User};
use crate::domain::bounded_int::BoundedInt;
use crate::domain::{Day, TokenId, UsageBy, UsageFormat, UsageLine, UsagePlace, UserId};
use crate::error::Result;
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, json_doc};
use crate::http::{JsonStream, PageSource, StreamedResponse};
use crate::store::{UsageFilter, UsagePage};
use hyper::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How many days are listed by default.
const DAYS_USUAL: i64 = 30;

/// How many lines on a page.
type LineLimit = BoundedInt<1, 10_000>;

input! {
    /// Query of `GET /user/usage`.
    pub(crate) struct OwnUsageInput {
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
    pub(crate) struct UsageInput {
        query user_id: Option<UserId>,
        flatten of: OwnUsageInput,
    }
}

/// A list of usage.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageList {
    /// The lines, ordered by day, user and token, or by what they are summed by.
    usage: Vec<UsageLine>,
    /// `after` of the next page; null on the last page.
    #[schema(required)]
    next: Option<UsagePlace>,
}

/// A list of usage that is being sent.
pub(crate) struct UsagePages {
    app: Arc<App>,
    filter: UsageFilter,
    format: UsageFormat,
    json: JsonStream,
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
        let page = self.app.auth.usage_page(&self.app.store, self.filter).await?;
        if let Some(line) = page.lines.last() {
            self.filter.after = line.place();
        }
        if let Some(limit) = &mut self.filter.limit {
            *limit -= page.lines.len();
        }
        let is_last = !page.has_more || self.filter.limit == Some(0);
        match self.format {
            UsageFormat::Csv => self.write_csv(out, &page.lines),
            UsageFormat::Json => self.write_json(out, &page, is_last)?,
        }
        self.is_first = false;
        Ok(is_last)
    }

    fn describe() -> Vec<ResponseDoc> {
        let csv = Some(("text/csv", None));
        vec![
            json_doc::<UsageList>(StatusCode::OK, "The usage"),
            ResponseDoc {
                status: StatusCode::OK,
                about: "The usage as CSV, with a header line",
                content: csv,
                schemas: Vec::new(),
            },
        ]
    }
}

impl UsagePages {
    fn write_csv(&self, out: &mut Vec<u8>, lines: &[UsageLine]) {
        if self.is_first {
            out.extend_from_slice(UsageLine::CSV_HEADER.as_bytes());
        }
        for line in lines {
            out.extend_from_slice(line.csv().as_bytes());
        }
    }

    fn write_json(&mut self, out: &mut Vec<u8>, page: &UsagePage, is_last: bool) -> Result<()> {
        if self.is_first {
            self.json.begin_object(out);
            self.json.begin_list(out, "usage")?;
        }
        self.json.items(out, &page.lines)?;
        if is_last {
            let next = if page.has_more { Some(self.filter.after) } else { None };
            self.json.end(out);
            self.json.member(out, "next", &next)?;
            self.json.end(out);
        }
        Ok(())
    }
}

/// Gets the usage of all users.
pub(crate) async fn get_usage(
    app: Arc<App>,
    _: Admin,
    input: UsageInput,
) -> Result<StreamedResponse<UsagePages>> {
    show(app, input.user_id, input.of).await
}

/// Gets the caller's usage.
pub(crate) async fn get_own_usage(
    app: Arc<App>,
    caller: User,
    input: OwnUsageInput,
) -> Result<StreamedResponse<UsagePages>> {
    show(app, Some(caller.user.id), input).await
}

/// Sends the usage up to this request.
async fn show(
    app: Arc<App>,
    user_id: Option<UserId>,
    input: OwnUsageInput,
) -> Result<StreamedResponse<UsagePages>> {
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
    StreamedResponse::begin(UsagePages {
        app,
        filter,
        format: input.format,
        json: JsonStream::new(),
        is_first: true,
    })
    .await
}
