//! A socket that tells its connection's [`ConnectionActivity`] whether the peer takes what is sent.

use crate::http::connections::ConnectionActivity;
use std::io::{self, IoSlice};
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

/// A socket of either kind.
pub enum Stream {
    /// From the network.
    Tcp(TcpStream),
    /// From this machine.
    Unix(UnixStream),
}

/// Evaluates an expression with a socket of either kind.
macro_rules! with_either {
    ($stream:expr, $inner:ident => $what:expr) => {
        match $stream {
            Stream::Tcp($inner) => $what,
            Stream::Unix($inner) => $what,
        }
    };
}

impl Stream {
    /// Sets the options of a network socket: responses are sent at once, and the connection breaks
    /// where the peer acknowledges nothing for `unacknowledged_max` (`TCP_USER_TIMEOUT`, RFC 5482).
    pub fn prepare(&self, unacknowledged_max: Duration) -> io::Result<()> {
        let Self::Tcp(stream) = self else { return Ok(()) };
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(stream).set_tcp_user_timeout(Some(unacknowledged_max))?;
        Ok(())
    }

    /// The uid of the peer of the admin socket.
    pub fn peer_uid(&self) -> io::Result<u32> {
        match self {
            Self::Tcp(_) => Err(io::ErrorKind::Unsupported.into()),
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
    /// Tracks a socket.
    pub fn new(stream: Stream, activity: Arc<ConnectionActivity>) -> Self {
        Self { stream, activity }
    }

    /// Limits the system's send buffer, in bytes; Linux doubles it (socket(7)).
    pub fn hold_at_most(&self, bytes: usize) -> io::Result<()> {
        with_either!(&self.stream, stream => socket2::SockRef::from(stream).set_send_buffer_size(bytes))
    }

    /// The peer keeps up if it takes all that there is to send.
    fn record_write(&self, written: &Poll<io::Result<usize>>, length: usize) {
        match written {
            Poll::Ready(Ok(taken)) if *taken < length => self.activity.reader_stalls(),
            Poll::Ready(_) => self.activity.reader_took(),
            Poll::Pending => self.activity.reader_stalls(),
        }
    }
}

impl AsyncRead for TrackedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_either!(&mut self.stream, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for TrackedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written =
            with_either!(&mut self.stream, stream => Pin::new(stream).poll_write(cx, bytes));
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
            let written = with_either!(
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
        with_either!(&mut self.stream, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_either!(&mut self.stream, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
