//! The way to the data: by the private socket of the server that runs, or, where none does, by the database itself.

use crate::api::service::Api;
use crate::app::App;
use crate::cli::Place;
use crate::cli::client::Client;
use crate::clock::Clock;
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use crate::http::peer::{Origin, Peer, user_name};
use crate::http::serve::serve_one;
use crate::routes::{TABLE, TABLE_INFO};
use rustix::fs::{Access, Mode, access};
use rustix::io::Errno;
use std::io::ErrorKind;
use std::path::{Path, absolute};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

/// How long to wait for whoever holds the database: another command, or a server that starts.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes that wait between a command and the database in the same process.
const PIPE_BYTES: usize = 64 * 1024;

/// What a command makes of a database that does not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is created.
    Create,
    /// There is nothing to look at.
    Refuse,
}

/// Runs a command with a way to the data.
pub fn with_client<F>(place: Place, missing: Missing, command: F) -> Result<(), StartupError>
where
    F: AsyncFnOnce(&mut Client) -> Result<(), StartupError>,
{
    let settings = place.load()?;
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        built.map_err(|error| StartupError::new(Code::Unavailable, format!("Cannot start ({error}); try again.")))?;
    runtime.block_on(async {
        let mut client = reach(settings, missing).await?;
        let done = command(&mut client).await;
        client.close();
        done
    })
}

async fn reach(settings: Settings, missing: Missing) -> Result<Client, StartupError> {
    let socket = settings.config.socket_path();
    let end = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(&socket).await {
            Ok(stream) => return Client::over(stream, None).await,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(not_yours(&socket)),
            // No server, one that is dead, or a path that no socket can have.
            Err(_) => {}
        }
        match open_file(&settings, missing).await {
            Err(exit) if exit.code == Code::DatabaseHeld => {
                if Instant::now() > end {
                    return Err(held(&settings.config.database, &socket));
                }
                sleep(PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// Opens the database in this process, and answers from it as a server would.
async fn open_file(settings: &Settings, missing: Missing) -> Result<Client, StartupError> {
    let file = &settings.config.database;
    match access(file, Access::READ_OK | Access::WRITE_OK) {
        Err(Errno::NOENT) if missing == Missing::Create => {
            eprintln!("vomeet: there is no server and no database yet; creating {}", shown(file));
        }
        Err(Errno::NOENT) => return Err(no_database(file)),
        Err(Errno::ACCESS | Errno::PERM) => return Err(not_yours(file)),
        // Whatever else is wrong with it is told when it is opened.
        _ => {}
    }
    rustix::process::umask(Mode::from_bits_truncate(0o077));
    let mut config = settings.config.clone();
    (config.http.workers, config.store.long_reads_max) = (1, 1);
    let app = App::open_at_rest(config, Clock::system(), TABLE_INFO)?;
    let user = user_name(rustix::process::getuid().as_raw());
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let api = Api::new(Arc::clone(&app), &TABLE);
    let peer = Peer::from(Origin::Local(user.into()));
    tokio::spawn(serve_one(Arc::clone(&app.transport), api, theirs, peer));
    Client::over(ours, Some(app)).await
}

/// A path as somebody in another folder would name it.
fn shown(path: &Path) -> String {
    absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn not_yours(path: &Path) -> StartupError {
    let message = format!(
        "You may not open {}; run this as its owner or as root, or let a group in with `socket_group` in vomeet.toml.",
        shown(path)
    );
    StartupError::new(Code::NotPermitted, message)
}

fn no_database(path: &Path) -> StartupError {
    let message = format!(
        "No server answers, and there is no database {}; name one with --database, or create it with `vomeet user add`.",
        shown(path)
    );
    StartupError::new(Code::NotRunning, message)
}

fn held(database: &Path, socket: &Path) -> StartupError {
    let message = format!(
        "A server has {} open, but none answers at {}; if its settings name another socket, name it with --socket.",
        shown(database),
        shown(socket)
    );
    StartupError::new(Code::DatabaseHeld, message)
}
