//! How commands reach the data: over the admin socket of the running server, or, where none runs,
//! in the database itself.

use crate::api::service::Api;
use crate::app::App;
use crate::cli::Place;
use crate::cli::client::Client;
use crate::cli::confirm::confirm;
use crate::cli::print::note;
use crate::cli::progress;
use crate::clock::Clock;
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use crate::http::peer::{Origin, Peer, user_name};
use crate::http::serve::serve_one;
use crate::routes::{TABLE, TABLE_INFO};
use crate::store::is_trusted;
use rustix::fs::{Access, Mode, access};
use rustix::io::Errno;
use std::io::{ErrorKind, IsTerminal, stdin};
use std::path::{Path, absolute};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

/// Longest wait while another process has locked the database: a command, or a server that starts.
pub(super) const LOCKED_TIME_MAX: Duration = Duration::from_secs(5);
/// Pause between two attempts.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Buffer between a command and the API in the same process, in bytes.
const PIPE_BYTES: usize = 64 * 1024;

/// What a command does where the database does not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It creates the database.
    Create,
    /// It fails: there is nothing to show or change.
    Refuse,
}

/// Runs a command with a client that reaches the data.
pub(super) fn with_client<F>(place: Place, missing: Missing, command: F) -> Result<(), StartupError>
where
    F: AsyncFnOnce(&mut Client) -> Result<(), StartupError>,
{
    let settings = place.load()?;
    runtime()?.block_on(async {
        let mut client = reach(settings, missing).await?;
        let done = progress::shown(command(&mut client)).await;
        client.close();
        done
    })
}

/// What a command runs in.
pub(super) fn runtime() -> Result<Runtime, StartupError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| {
        StartupError::new(Code::Unavailable, format!("Cannot start ({error}); try again."))
    })
}

/// A client of the running server; `None` where none runs.
pub(super) async fn find_server(settings: &Settings) -> Result<Option<Client>, StartupError> {
    let socket = settings.config.socket_path();
    match UnixStream::connect(&socket).await {
        Ok(stream) => {
            check_server(&stream, &socket)?;
            Ok(Some(Client::over(stream, None).await?))
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(not_permitted(&socket)),
        // No server, a socket that a dead one left, or a path that no socket can have.
        Err(_) => Ok(None),
    }
}

/// A client of the server or, where none runs, of the database itself.
pub(super) async fn reach(settings: Settings, missing: Missing) -> Result<Client, StartupError> {
    let socket = settings.config.socket_path();
    let end = Instant::now() + LOCKED_TIME_MAX;
    loop {
        if let Some(client) = find_server(&settings).await? {
            return Ok(client);
        }
        match open_file(&settings, missing).await {
            Err(error) if error.code == Code::DatabaseHeld => {
                if Instant::now() > end {
                    return Err(locked(&settings.config.database, &socket));
                }
                sleep(RETRY_PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// Says that a database is created, and asks on a terminal: the folder may be the wrong one.
fn agree_to_create(file: &str) -> Result<(), StartupError> {
    if stdin().is_terminal() {
        return confirm(&format!("There is no server and no database yet. Create {file}?"));
    }
    note(&format!("vomeet: there is no server and no database yet; creating {file}"));
    Ok(())
}

/// Checks who serves the socket, before anything is sent: in a folder where everybody can make
/// files, it may be anybody.
pub(super) fn check_server(stream: &UnixStream, socket: &Path) -> Result<(), StartupError> {
    let server = match stream.peer_cred() {
        Ok(peer) if is_trusted(peer.uid(), socket) => return Ok(()),
        Ok(peer) => user_name(peer.uid()),
        Err(error) => format!("nobody who can be told ({error})"),
    };
    let message = format!(
        "{} is served by {server}, who is neither you, nor root, nor the owner of its folder; \
         nothing was sent. Name your own database with --database.",
        shown(socket)
    );
    Err(StartupError::new(Code::NotPermitted, message))
}

/// Opens the database in this process, and serves the API over it as a server would.
async fn open_file(settings: &Settings, missing: Missing) -> Result<Client, StartupError> {
    let file = &settings.config.database;
    match access(file, Access::READ_OK | Access::WRITE_OK) {
        Err(Errno::NOENT) if missing == Missing::Create => agree_to_create(&shown(file))?,
        Err(Errno::NOENT) => return Err(no_database(file)),
        Err(Errno::ACCESS | Errno::PERM) => return Err(not_permitted(file)),
        // Other faults are reported when it is opened.
        _ => {}
    }
    rustix::process::umask(Mode::from_bits_truncate(0o077));
    let mut config = settings.config.clone();
    config.http.workers = 1;
    config.store.long_reads_max = 1;
    let app = App::open_at_rest(config, Clock::system(), TABLE_INFO)?;
    let uid = rustix::process::getuid().as_raw();
    let user = user_name(uid);
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let api = Api::new(Arc::clone(&app), &TABLE);
    let peer = Peer::from(Origin::Local { user: user.into(), uid });
    tokio::spawn(serve_one(Arc::clone(&app.transport), api, theirs, peer));
    Client::over(ours, Some(app)).await
}

/// The absolute path.
pub(super) fn shown(path: &Path) -> String {
    match absolute(path) {
        Ok(path) => path.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

fn not_permitted(path: &Path) -> StartupError {
    let message = format!(
        "You may not open {}; run this as its owner or as root, or give a group access with \
         `socket_group` in vomeet.toml.",
        shown(path)
    );
    StartupError::new(Code::NotPermitted, message)
}

fn no_database(path: &Path) -> StartupError {
    let message = format!(
        "No server responds, and there is no database {}; name one with --database, or create it \
         with `vomeet user add`.",
        shown(path)
    );
    StartupError::new(Code::NotRunning, message)
}

pub(super) fn locked(database: &Path, socket: &Path) -> StartupError {
    let message = format!(
        "A server has {} open, but none responds at {}; if its settings name another admin socket, \
         name it with --socket.",
        shown(database),
        shown(socket)
    );
    StartupError::new(Code::DatabaseHeld, message)
}
