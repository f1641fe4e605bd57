//! The admin socket: a Unix socket whose users administer the server without a key.
//!
//! It lies beside the database and has the mode 600, or 660 with `socket_group`. Nobody can connect
//! before the mode is set, because it listens only then.

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
/// Mode: for its owner alone.
const MODE: u32 = 0o600;
/// Mode: for its owner and a group.
const GROUP_MODE: u32 = 0o660;

/// The admin socket of a running server; dropping it removes the file.
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file.
    inode: (u64, u64),
}

impl AdminSocket {
    /// Opens the configured socket. Call it in a runtime, and only while this process holds the
    /// database: then a socket that is there belongs to a server that has ended.
    pub fn open(config: &Config) -> Result<Self, StartupError> {
        let plan = Plan::of(config)?;
        match Self::listen(&plan) {
            Ok(socket) => Ok(socket),
            Err(error) => {
                let path = plan.path.display();
                let message = format!(
                    "Cannot make the admin socket {path} ({error}); make its folder writable, or \
                     choose another place with `socket` in vomeet.toml."
                );
                Err(StartupError::new(Code::Listen, message))
            }
        }
    }

    fn listen(plan: &Plan) -> io::Result<Self> {
        remove_stale(&plan.path)?;
        let listener = listen(&plan.path, &plan.address, plan.gid)?;
        let inode = inode(&plan.path)?;
        Ok(Self { listener, path: plan.path.clone(), inode })
    }

    /// Checks the settings before anything is done: the group must exist, the path must not be too
    /// long.
    pub fn check(config: &Config) -> Result<(), StartupError> {
        Plan::of(config).map(drop)
    }

    /// Waits for the next connection. Cancel-safe.
    pub async fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Stream::Unix(stream))
    }
}

/// Where the socket is to be, and for which group.
struct Plan {
    path: PathBuf,
    address: SockAddr,
    gid: Option<u32>,
}

impl Plan {
    fn of(config: &Config) -> Result<Self, StartupError> {
        let path = config.socket_path();
        let Ok(address) = SockAddr::unix(&path) else {
            return Err(too_long(&path));
        };
        let mut gid = None;
        if !config.socket_group.is_empty() {
            gid = Some(group_id(&config.socket_group)?);
        }
        Ok(Self { path, address, gid })
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // A file that somebody else put there since is theirs.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Device and inode of a file.
fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let meta = std::fs::symlink_metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

/// Removes the socket of a server that has ended, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
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

/// The id of a group, by its name or its number.
fn group_id(name: &str) -> Result<u32, StartupError> {
    if let Some(group) = get_group_by_name(name) {
        return Ok(group.gid());
    }
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let message = format!("There is no group {name} on this machine; correct socket_group.");
    Err(StartupError::new(Code::Config, message))
}

fn too_long(path: &Path) -> StartupError {
    let message = format!(
        "The path of the admin socket, {}, is longer than the system allows for sockets; set \
         `socket` in vomeet.toml (VOMEET_SOCKET) to a shorter one.",
        path.display()
    );
    StartupError::new(Code::Listen, message)
}
