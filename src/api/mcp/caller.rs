//! Who calls `/mcp`: a user, and the headers by which the protocol repeats what the body says.

use crate::api::call::Call;
use crate::api::guard::{Access, Guard};
use crate::app::App;
use crate::auth::{ResponseHeaders, User};
use crate::budget::Holder;
use crate::error::{Error, Result};
use crate::http::websocket::origin;
use hyper::header::HeaderValue;

/// A user whose token came in `X-API-Key` or as a bearer token; a page of another site is refused
/// before that, as it is on `/ws`.
pub struct McpCaller {
    pub(crate) user: User,
    pub(crate) headers: McpHeaders,
}

/// The headers of the protocol; of each the last one, and `None` where there is none.
pub(crate) struct McpHeaders {
    /// `MCP-Protocol-Version`.
    pub version: Option<HeaderValue>,
    /// `Mcp-Method`.
    pub method: Option<HeaderValue>,
    /// `Mcp-Name`.
    pub name: Option<HeaderValue>,
}

impl Guard for McpCaller {
    const ACCESS: Access = Access::Mcp;

    fn authenticate(call: &Call) -> Result<Self> {
        let head = &call.request.head;
        if !origin::is_allowed(&head.headers, &call.app.transport.rules().limits) {
            return Err(Error::ForeignOrigin);
        }
        let App { auth, store, .. } = &*call.app;
        let user = auth.bearer_user(head, store, call.request.client, call.now)?;
        let header = |name: &str| head.headers.get_all(name).iter().next_back().cloned();
        let headers = McpHeaders {
            version: header("mcp-protocol-version"),
            method: header("mcp-method"),
            name: header("mcp-name"),
        };
        Ok(Self { user, headers })
    }

    fn holder(&self) -> Holder {
        self.user.holder()
    }

    fn record_use(&self, call: &Call, response_headers: &mut ResponseHeaders) -> Result<()> {
        self.user.record_use(call, response_headers)
    }
}
