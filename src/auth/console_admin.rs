//! How a session of the console is accepted in place of an admin key.

use crate::auth::authenticator::{Admin, Auth};
use crate::auth::console_sessions::ConsoleSessions;
use crate::auth::headers::{ADMIN_HEADER, Single, single};
use crate::domain::Time;
use hyper::header::HeaderMap;
use std::borrow::Cow;
use std::net::IpAddr;

impl Auth {
    /// Links of `vomeet open`, and the sessions that they began.
    pub(crate) fn console_sessions(&self) -> &ConsoleSessions {
        &self.console_sessions
    }

    /// The administrator of a session of the console, if the request brings one. `is_local` says
    /// whether it comes from this machine; a session is accepted from no other.
    pub(crate) fn console_admin(
        &self,
        headers: &HeaderMap,
        is_local: impl FnOnce() -> bool,
        address: Option<IpAddr>,
        now: Time,
    ) -> Option<Admin> {
        let Single::Value(value) = single(headers, &ADMIN_HEADER) else { return None };
        let name = self.console_sessions.name_of(value.as_bytes(), now).filter(|_| is_local())?;
        let name = Cow::Owned(name.to_string());
        Some(Admin { name, key: None, address, at: now, owns_database: false, by_socket: false })
    }
}
