//! The kinds of rows of the table: a function for each kind of caller.

use crate::api::audio::Ticketed;
use crate::api::guard::{Anonymous, Session, WebSocketCaller};
use crate::api::mcp::McpCaller;
use crate::api::route::Route;
use crate::api::sound_caller::SoundCaller;
use crate::api::sound_socket::{BotSocket, StrangerSocket};
use crate::app::App;
use crate::auth::{Admin, Bot, User};
use crate::domain::Permission;
use crate::error::Result;
use crate::http::{FromRequest, IntoResponse};
use hyper::Method;
use std::sync::Arc;

/// Writes the functions of the kinds: each with its caller, and with `permission` where a row says
/// which one the token must have, or with the one that it always needs.
macro_rules! kinds {
    ($($(#[$about:meta])+ $visible:vis $kind:ident: $caller:ty $(, $needs:ident)? $(= $always:expr)?;)+) => {
        $(
            $(#[$about])+
            $visible fn $kind<I, O, F, R>(
                $($needs: Permission,)?
                method: Method,
                path: &'static str,
                handler: F,
                summary: &'static str,
            ) -> Route
            where
                F: Fn(Arc<App>, $caller, I) -> R + Copy + Send + Sync + 'static,
                R: Future<Output = Result<O>> + Send,
                I: FromRequest,
                O: IntoResponse,
            {
                Route::new(method, path, handler, summary) $(.needs($needs))? $(.needs($always))?
            }
        )+
    };
}

kinds! {
    /// A row for callers with an admin key.
    pub admin: Admin;
    /// A row for callers with a user's token that has this permission.
    pub user: User, permission;
    /// A row for callers who open a WebSocket, whose token has this permission; which meetings are
    /// within its scope is decided for each message.
    pub socket: WebSocketCaller, permission;
    /// A row for the bot of a meeting.
    pub bot: Bot;
    /// A row for the bot of a meeting, which opens a WebSocket.
    pub(crate) bot_socket: BotSocket;
    /// A row for anyone who opens a WebSocket for sound.
    pub(crate) sound_socket: StrangerSocket;
    /// A row for anyone.
    pub open: Anonymous;
    /// A row for the bot of a session, whose credential is in the body.
    pub session: Session;
    /// A row for callers with a user's token that has this permission, or with a ticket of one for the
    /// path.
    pub(crate) ticketed: Ticketed, permission;
    /// A row for callers who hand in sound.
    pub(crate) sound: SoundCaller = Permission::Transcribe;
    /// A row for clients of MCP; what the token may do is decided for each tool.
    pub mcp: McpCaller = Permission::Nothing;
}
