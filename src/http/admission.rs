//! From a door to a handler: what a caller is told whom a door refuses, and what is counted of one whom it lets in.

use super::router::{Access, Call, Door};
use crate::auth::{ADMIN_HEADER, Stamps, USER_HEADER};
use crate::error::{Error, Result};
use hyper::header;

/// Opens a door. A key that it refuses is held against the address that it came from: over the limit nobody there is told
/// any more what is wrong with theirs. A key that it lets in is not asked where it comes from.
pub fn admit<D: Door>(call: &Call, stamps: &mut Stamps) -> Result<D> {
    let who = D::enter(call).map_err(|error| judge(call, D::ACCESS, error))?;
    who.stamp(call, stamps)?;
    Ok(who)
}

/// What a caller is told whom a door refuses with `error`.
pub fn judge(call: &Call, access: Access, error: Error) -> Error {
    let header = match access {
        Access::Admin => ADMIN_HEADER,
        Access::Bot => header::AUTHORIZATION,
        Access::User | Access::Socket | Access::Open => USER_HEADER,
    };
    // A caller without a key tries none.
    let brings_key = access == Access::Socket || call.head.headers.get_all(header).iter().any(|key| !key.is_empty());
    match call.client.filter(|_| error.refuses_key() && brings_key) {
        Some(client) => call.app.failures.count(client, call.began).err().unwrap_or(error),
        None => error,
    }
}
