//! The clients, which the binary carries: `build.rs` packs them, so they are always of the server's
//! version. The page is one that pip understands (`--find-links`), and npm takes the address of the
//! tarball.

use crate::api::carried::{Folder, serve};
use crate::api::general::VERSION;
use crate::api::guard::Anonymous;
use crate::app::App;
use crate::domain::text::SingleLine;
use crate::error::{Error, Result};
use crate::http::asset::Served;
use crate::http::request::input::input;
use crate::http::response::{ResponseDoc, whole};
use crate::http::{Asset, IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// A file that is handed out.
struct File {
    name: &'static str,
    bytes: &'static [u8],
    sha256: &'static str,
    asset: OnceLock<Asset>,
}

/// For pip.
static WHEEL: File = File {
    name: env!("VOMEET_WHEEL_NAME"),
    bytes: include_bytes!(concat!(env!("OUT_DIR"), "/client.wheel")),
    sha256: env!("VOMEET_WHEEL_SHA256"),
    asset: OnceLock::new(),
};
/// For npm.
static TARBALL: File = File {
    name: env!("VOMEET_TARBALL_NAME"),
    bytes: include_bytes!(concat!(env!("OUT_DIR"), "/client.tarball")),
    sha256: env!("VOMEET_TARBALL_SHA256"),
    asset: OnceLock::new(),
};
/// The page, with names in braces for what is put in.
const PAGE: &str = include_str!("clients/index.html");
/// The content security policy of the page, which loads nothing.
const POLICY: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";
/// What stands for the server's name where the caller has not said it.
const USUAL_HOST: &str = "localhost:18056";

/// A page of this server.
pub(crate) struct Page(String);

impl IntoResponse for Page {
    fn into_response(self) -> Result<Response> {
        let mut response = whole(StatusCode::OK, self.0.into());
        let headers: [(HeaderName, &str); 4] = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }

    fn describe() -> Vec<ResponseDoc> {
        let about = "The page";
        vec![ResponseDoc { status: StatusCode::OK, about, content: None, schemas: Vec::new() }]
    }
}

/// Redirects to the folder of the clients.
pub(crate) async fn get_clients_folder(_: Arc<App>, _: Anonymous, (): ()) -> Result<Folder> {
    Ok(Folder("clients/"))
}

/// Gets the page of the clients.
pub(crate) async fn get_clients(_: Arc<App>, caller: Anonymous, (): ()) -> Result<Page> {
    Ok(Page(page(&address(&caller))))
}

input! {
    /// Path of `GET /clients/{file}`.
    pub(crate) struct ClientFileInput {
        path file: SingleLine<64>,
    }
}

/// Gets a client as a file.
pub(crate) async fn get_client_file(
    _: Arc<App>,
    caller: Anonymous,
    input: ClientFileInput,
) -> Result<Served> {
    for file in [&WHEEL, &TARBALL] {
        if input.file.0 == file.name {
            let content_type = HeaderValue::from_static("application/octet-stream");
            let asset =
                file.asset.get_or_init(|| Asset::new(Cow::Borrowed(file.bytes), content_type));
            return Ok(serve(asset, &caller));
        }
    }
    Err(Error::PageNotFound)
}

/// The address by which the caller reaches the server. Others than those on this machine should
/// come by a proxy that does TLS.
fn address(caller: &Anonymous) -> String {
    let host = caller.host.as_ref().and_then(|host| host.to_str().ok());
    let host = host.filter(|host| is_plain(host)).unwrap_or(USUAL_HOST);
    let scheme = if caller.locality.is_sure() { "http" } else { "https" };
    format!("{scheme}://{host}")
}

/// Whether a name has nothing that means something in HTML or at a shell.
fn is_plain(host: &str) -> bool {
    host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
}

fn page(address: &str) -> String {
    PAGE.replace("{address}", address)
        .replace("{wheel}", WHEEL.name)
        .replace("{sha256}", WHEEL.sha256)
        .replace("{tarball}", TARBALL.name)
        .replace("{tarball_sha256}", TARBALL.sha256)
        .replace("{version}", VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_without_a_meaning_in_html_are_repeated() {
        for (host, expected) in [
            ("localhost:18056", true),
            ("[::1]:80", true),
            ("a-b.example.com", true),
            ("a<b>", false),
            ("a\"b", false),
            ("a'b", false),
            ("a b", false),
            ("a&b", false),
            ("$(id)", false),
        ] {
            assert_eq!(is_plain(host), expected, "{host}");
        }
    }

    #[test]
    fn every_place_of_the_page_is_filled() {
        let page = page("http://localhost:1");
        assert!(!page.contains(['{', '}']), "{page}");
    }
}
