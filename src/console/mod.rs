//! The console: the pages by which administrators and users look after this server in a browser.
//! The binary carries them; nothing is built, and nothing comes from another host.

pub(crate) mod files;

use crate::api::carried::{Folder, serve};
use crate::api::guard::Anonymous;
use crate::app::App;
use crate::domain::text::SingleLine;
use crate::error::{Error, Result};
use crate::http::asset::Served;
use crate::http::request::input::input;
use hyper::header::{self, HeaderName, HeaderValue};
use std::sync::Arc;

/// The file that the address of the folder stands for.
const FRONT: &str = "index.html";

/// The content security policy of each file: pages load nothing but files of this server, run no
/// script that is written into them, and are shown in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self' data:; media-src 'self'; \
                      form-action 'none'; object-src 'none'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Redirects to the folder of the console.
pub(crate) async fn get_console_folder(app: Arc<App>, _: Anonymous, (): ()) -> Result<Folder> {
    if app.config.console { Ok(Folder("console/")) } else { Err(Error::PageNotFound) }
}

/// Gets the page of the console.
pub(crate) async fn get_console(app: Arc<App>, caller: Anonymous, (): ()) -> Result<Served> {
    file(&app, &caller, FRONT)
}

input! {
    /// Path of `GET /console/{file}`.
    pub(crate) struct ConsoleFileInput {
        path file: SingleLine<64>,
    }
}

/// Gets a file of the console.
pub(crate) async fn get_console_file(
    app: Arc<App>,
    caller: Anonymous,
    input: ConsoleFileInput,
) -> Result<Served> {
    file(&app, &caller, &input.file.0)
}

fn file(app: &App, caller: &Anonymous, name: &str) -> Result<Served> {
    if !app.config.console {
        return Err(Error::PageNotFound);
    }
    let Some(file) = files::find(name) else { return Err(Error::PageNotFound) };
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok(serve(file.asset(), caller).with(headers))
}
