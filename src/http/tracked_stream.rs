//! A socket that tells its connection's [`ConnectionActivity`] whether the peer takes what is sent.

use crate::http::connection_activity::ConnectionActivity;
use crate::http::tls::SecureStream;
use socket2::TcpKeepalive;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Responses up to this many bytes are copied behind their head: one write is cheaper for the
/// system than two. A longer one is sent from where it lies, so that a peer that does not read
/// holds no copy of it.
const TOGETHER_BYTES_MAX: usize = 1024;
/// The system's send buffer of a connection, in bytes; Linux doubles it (socket(7)). By default it
/// grows to some MiB for a peer that does not read.
const SEND_BUFFER_BYTES: usize = 48 * 1024;
/// The system's receive buffer of a connection, in bytes; Linux doubles it. That is what it begins
/// with, and it does not grow from there.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// How much the system takes of a response before the peer has been sent what it took before, in
/// bytes (`TCP_NOTSENT_LOWAT`, tcp(7)).
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 16 * 1024;

/// How long a peer is silent before the system asks whether it is still there.
const SILENT_MIN: Duration = Duration::from_mins(1);
/// How long the system waits for the reply.
const PROBE_PERIOD: Duration = Duration::from_secs(15);
/// How often it asks.
const PROBES_MAX: u32 = 4;

/// A socket of any kind.
pub enum Stream {
    /// From the network.
    Tcp(TcpStream),
    /// From the network, over TLS.
    Tls(Box<SecureStream>),
    /// From this machine.
    Unix(UnixStream),
}

/// Evaluates an expression with a socket of any kind.
macro_rules! with_any {
    ($stream:expr, $inner:ident => $what:expr) => {
        match $stream {
            Stream::Tcp($inner) => $what,
            Stream::Tls($inner) => $what,
            Stream::Unix($inner) => $what,
        }
    };
}

impl Stream {
    /// Sets the options of a network socket: responses are sent at once, the system holds little
    /// of them, and the connection breaks where the peer acknowledges nothing for
    /// `unacknowledged_max` (`TCP_USER_TIMEOUT`, RFC 5482).
    pub fn prepare(&self, unacknowledged_max: Duration) -> io::Result<()> {
        let Self::Tcp(stream) = self else { return Ok(()) };
        stream.set_nodelay(true)?;
        let socket = socket2::SockRef::from(stream);
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        #[cfg(target_os = "linux")]
        {
            socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
            socket.set_tcp_user_timeout(Some(unacknowledged_max))?;
        }
        Ok(())
    }

    /// The address of the server to which a network connection was made; asked before a handshake.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Tls(_) | Self::Unix(_) => None,
        }
    }

    /// The uid of the peer of the admin socket.
    pub fn peer_uid(&self) -> io::Result<u32> {
        match self {
            Self::Tcp(_) | Self::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Unix(stream) => Ok(stream.peer_cred()?.uid()),
        }
    }
}

/// A socket that reports to its connection's activity.
pub struct TrackedStream {
    stream: Stream,
    activity: Arc<ConnectionActivity>,
}

impl TrackedStream {
    /// Lets the system ask a peer that is silent for long whether it is still there
    /// (`SO_KEEPALIVE`, socket(7)): after [`SILENT_MIN`], and again [`PROBES_MAX`] times.
    pub(crate) fn keep_alive(&self) -> io::Result<()> {
        let Stream::Tcp(stream) = &self.stream else { return Ok(()) };
        let probes = TcpKeepalive::new()
            .with_time(SILENT_MIN)
            .with_interval(PROBE_PERIOD)
            .with_retries(PROBES_MAX);
        socket2::SockRef::from(stream).set_tcp_keepalive(&probes)
    }

    /// Tracks a socket.
    pub fn new(stream: Stream, activity: Arc<ConnectionActivity>) -> Self {
        Self { stream, activity }
    }

    /// The peer keeps up if it takes all that there is to send.
    fn record_write(&self, written: &Poll<io::Result<usize>>, length: usize) {
        match written {
            Poll::Ready(Ok(taken)) if *taken < length => self.activity.reader_stalls(*taken),
            Poll::Ready(_) => self.activity.reader_took_all(),
            Poll::Pending => self.activity.reader_stalls(0),
        }
    }
}

impl AsyncRead for TrackedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = with_any!(&mut self.stream, stream => Pin::new(stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.activity.bytes_came();
            if let Stream::Tls(stream) = &mut self.stream {
                stream.get_mut().0.request_came();
            }
        }
        read
    }
}

impl AsyncWrite for TrackedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = with_any!(&mut self.stream, stream => Pin::new(stream).poll_write(cx, bytes));
        self.record_write(&written, bytes.len());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut length = 0;
        for piece in pieces {
            length += piece.len();
        }
        let mut together = [0; TOGETHER_BYTES_MAX];
        if length > together.len() {
            let written = with_any!(
                &mut self.stream, stream => Pin::new(stream).poll_write_vectored(cx, pieces)
            );
            self.record_write(&written, length);
            return written;
        }
        debug_assert!(length <= TOGETHER_BYTES_MAX, "longer ones were written above");
        let mut at = 0;
        for piece in pieces {
            together[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        self.poll_write(cx, &together[..length])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = with_any!(&mut self.stream, stream => Pin::new(stream).poll_flush(cx));
        // What is encrypted already waits in memory of the server until the peer takes it.
        if matches!(self.stream, Stream::Tls(_)) {
            match flushed {
                Poll::Pending => self.activity.reader_stalls(0),
                Poll::Ready(_) => self.activity.reader_took_all(),
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_any!(&mut self.stream, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
