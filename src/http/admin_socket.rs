//! The private socket: whoever may open it administers the server, without a key.
//!
//! It lies beside the database and has the mode of a private file. Nobody can connect before its mode is set, because it
//! listens only then.

use crate::config::Config;
use crate::exit::{Code, StartupError};
use crate::http::tracked_stream::Stream;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{Permissions, set_permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;
use uzers::get_group_by_name;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// For its owner alone.
const MODE: u32 = 0o600;
/// For its owner and a group.
const GROUP_MODE: u32 = 0o660;

/// The private socket of a running server; dropping it removes the file.
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
}

impl AdminSocket {
    /// Makes the socket that the settings name. Call it in a runtime, and only while the database is ours: then a socket
    /// that is there belongs to a server that is dead.
    pub fn open(config: &Config) -> Result<Self, StartupError> {
        let Plan { path, address, gid } = Plan::of(config)?;
        let cannot = |error: io::Error| {
            let message = format!(
                "Cannot make the private socket {} ({error}); make its folder writable, or choose another place with \
                 `socket` in vomeet.toml.",
                path.display()
            );
            StartupError::new(Code::Listen, message)
        };
        clear(&path).map_err(cannot)?;
        let listener = listen(&path, &address, gid).map_err(cannot)?;
        let identity = identity(&path).map_err(cannot)?;
        Ok(Self { listener, path, identity })
    }

    /// Refuses settings by which no socket can be made, before anything is done.
    pub fn check(config: &Config) -> Result<(), StartupError> {
        Plan::of(config).map(drop)
    }

    /// Waits for the next connection; may be given up and called again.
    pub async fn accept(&self) -> io::Result<Stream> {
        self.listener.accept().await.map(|(stream, _)| Stream::Unix(stream))
    }
}

/// Where the socket is to be, and for whom.
struct Plan {
    path: PathBuf,
    address: SockAddr,
    gid: Option<u32>,
}

impl Plan {
    fn of(config: &Config) -> Result<Self, StartupError> {
        let path = config.socket_path();
        let address = SockAddr::unix(&path).map_err(|_| too_long(&path))?;
        let gid = (!config.socket_group.is_empty()).then(|| group(&config.socket_group)).transpose()?;
        Ok(Self { path, address, gid })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // A file that somebody else put there since is theirs.
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let meta = std::fs::symlink_metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

/// Removes what a server that is dead left there, and nothing else.
fn clear(path: &Path) -> io::Result<()> {
    let meta = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !meta.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "another file lies there"));
    }
    match Probe::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another program answers there")),
    }
}

fn listen(path: &Path, address: &SockAddr, gid: Option<u32>) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(address)?;
    set_permissions(path, Permissions::from_mode(MODE))?;
    if gid.is_some() {
        chown(path, None, gid)?;
        set_permissions(path, Permissions::from_mode(GROUP_MODE))?;
    }
    socket.listen(BACKLOG)?;
    UnixListener::from_std(socket.into())
}

fn group(name: &str) -> Result<u32, StartupError> {
    let unknown =
        || StartupError::new(Code::Config, format!("There is no group {name} on this machine; correct socket_group."));
    get_group_by_name(name).map(|group| group.gid()).or_else(|| name.parse().ok()).ok_or_else(unknown)
}

fn too_long(path: &Path) -> StartupError {
    let message = format!(
        "The path of the private socket, {}, is longer than the system allows for sockets; set `socket` in vomeet.toml \
         (VOMEET_SOCKET) to a shorter one.",
        path.display()
    );
    StartupError::new(Code::Listen, message)
}
