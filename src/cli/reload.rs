//! `vomeet reload`: tells the running server to read its settings again.

use crate::cli::print::say;
use crate::cli::reach::check_server;
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::io::ErrorKind;
use tokio::net::UnixStream;

/// Sends SIGHUP to the process behind the admin socket. What comes of it stands in its log.
pub(super) fn run(settings: &Settings) -> Result<(), StartupError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|error| {
        StartupError::new(Code::Unavailable, format!("Cannot start ({error}); try again."))
    })?;
    let pid = runtime.block_on(find_server(settings))?;
    match kill_process(pid, Signal::HUP) {
        Ok(()) => say(
            "The server reads its settings again; its log says what has changed, or what is wrong \
             with them.\n",
        ),
        Err(Errno::PERM) => Err(StartupError::new(
            Code::NotPermitted,
            "Only the server's own user and root may do that; try again with sudo.",
        )),
        Err(error) => {
            let message = format!("The server cannot be reached ({error}); try again.");
            Err(StartupError::new(Code::NotRunning, message))
        }
    }
}

/// The process that serves this database.
async fn find_server(settings: &Settings) -> Result<Pid, StartupError> {
    let socket = settings.config.socket_path();
    let shown = socket.display();
    let stream = match UnixStream::connect(&socket).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let message = format!("The admin socket {shown} is not yours to open; try sudo.");
            return Err(StartupError::new(Code::NotPermitted, message));
        }
        Err(error) => {
            let message = format!("No vomeet responds at {shown} ({error}); nothing was sent.");
            return Err(StartupError::new(Code::NotRunning, message));
        }
    };
    check_server(&stream, &socket)?;
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid()).and_then(Pid::from_raw);
    pid.ok_or_else(|| {
        let message = "The system does not say which process the server is; send it SIGHUP.";
        StartupError::new(Code::Unavailable, message)
    })
}
