//! One connection of the Redis endpoint: commands are read and run one after the other, and pushes
//! are sent between them.

use crate::bot_commands::Subscription;
use crate::http::connections::{ConnectionGuard, End};
use crate::http::raw::{RawConnection, RawService};
use crate::http::tracked_stream::TrackedStream;
use crate::wire::client::{AfterSilence, Client, LOOK_PERIOD};
use crate::wire::commands::{Next, run};
use crate::wire::endpoint::Endpoint;
use crate::wire::input::Input;
use crate::wire::parser::Parsed;
use crate::wire::replies::Replies;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a client may take for its replies.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a client may take to see the end.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);
/// How much room for replies is kept from one to the next, in bytes.
const REPLY_BYTES_KEPT: usize = 1024;

/// Why a connection ends.
#[derive(Debug)]
enum Why {
    /// The client closed it, or is gone.
    Gone,
    /// The server ends it.
    Ended,
    /// The client sent nothing for too long, or half a command.
    Silent,
    /// The client does not read its replies, or its pushes.
    Slow,
    /// There is no room for its command. It is told nothing, for clients do not repeat a command
    /// that was answered with an error, and one that was cut off they do.
    NoRoom,
    /// The meeting of the bot is over.
    MeetingOver,
    /// It was told why, or wanted it so.
    Told,
}

struct Connection {
    client: Client,
    stream: TrackedStream,
    guard: ConnectionGuard,
    ended: oneshot::Receiver<End>,
    input: Input,
    /// When the client was last heard.
    heard_at: Instant,
    /// When it was last looked whether the meeting of a bot is over.
    looked_at: Instant,
    replies: Replies,
}

impl RawService for Endpoint {
    fn serve(
        self: Arc<Self>,
        connection: RawConnection,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(serve(self, connection))
    }
}

/// Serves a connection to its end.
async fn serve(endpoint: Arc<Endpoint>, connection: RawConnection) {
    let RawConnection { stream, peer, guard, ended } = connection;
    if let Err(error) = stream.keep_alive() {
        return log::debug!("{}: {error}", peer.name);
    }
    let address = peer.origin.address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let client = Client::new(endpoint, address);
    let (input, replies) = (Input::default(), Replies::new());
    let heard_at = client.instant();
    let looked_at = heard_at;
    let mut connection =
        Connection { client, stream, guard, ended, input, heard_at, looked_at, replies };
    let why = connection.talk().await;
    log::debug!("{}: Redis: {why:?}", peer.name);
    if matches!(why, Why::Told) {
        // What was sent meanwhile is read: a connection that is closed with unread bytes is reset,
        // and the last reply is lost.
        let _ = timeout(CLOSE_TIME_MAX, connection.close()).await;
    }
}

impl Connection {
    async fn talk(&mut self) -> Why {
        loop {
            let gone_on = match self.input.parse(self.client.command_bytes_max()) {
                Ok(Parsed::Request { arguments, length }) => self.execute(arguments, length).await,
                Ok(Parsed::Incomplete(length)) => self.read_on(length).await,
                Err(malformed) => self.tell(&format!("ERR {malformed}")).await,
            };
            if let Err(why) = gone_on {
                return why;
            }
        }
    }

    /// Runs a command, and sends its replies.
    async fn execute(&mut self, arguments: Vec<Range<usize>>, length: usize) -> Result<(), Why> {
        self.guard.activity.request_came(false);
        let mut request = Vec::with_capacity(arguments.len());
        for place in arguments {
            request.push(&self.input.bytes[place]);
        }
        let next = run(&mut self.client, &request, &mut self.replies).await;
        // The command is counted until its replies are sent: they may repeat some of it.
        self.send().await?;
        self.input.consume(length, self.client.instant());
        if self.client.is_stranger() {
            // It can be evicted, as an idle connection of HTTP can.
            self.guard.finished();
        }
        match next {
            Next::Command => Ok(()),
            Next::Close => Err(Why::Told),
        }
    }

    /// Waits for more of a command that is at least so long, and sends what is pushed meanwhile.
    async fn read_on(&mut self, length: usize) -> Result<(), Why> {
        self.look()?;
        let bodies = &self.client.endpoint.app.transport.budgets.bodies;
        let holder = self.client.holder();
        if self.input.make_room(length, bodies, holder).await.is_err() {
            return Err(Why::NoRoom);
        }
        let app = Arc::clone(&self.client.endpoint.app);
        let (deadline, after) = match self.input.since {
            Some(since) => {
                (since + app.transport.rules().limits.body_time_max, AfterSilence::Close)
            }
            None => self.client.silent_until(self.heard_at, self.looked_at),
        };
        tokio::select! {
            biased;
            _ = &mut self.ended => Err(Why::Ended),
            command = next_command(&mut self.client.subscription) => {
                let Some(command) = command else { return Err(Why::Slow) };
                self.client.channels.push(&command, &mut self.replies);
                self.send().await
            }
            read = self.stream.read_buf(&mut self.input.bytes) => match read {
                Ok(0) | Err(_) => Err(Why::Gone),
                Ok(_) => {
                    self.heard_at = app.clock.instant();
                    self.input.since.get_or_insert(self.heard_at);
                    Ok(())
                }
            },
            () = app.clock.sleep_until_instant(deadline) => match after {
                AfterSilence::Close => Err(Why::Silent),
                AfterSilence::Look => self.look(),
            },
        }
    }

    /// Looks whether the meeting of a bot is over, if it is time to; what the bot sends does not
    /// put that off.
    fn look(&mut self) -> Result<(), Why> {
        let now = self.client.instant();
        if self.client.bot().is_none() || now < self.looked_at + LOOK_PERIOD {
            return Ok(());
        }
        self.looked_at = now;
        if self.client.is_over() { Err(Why::MeetingOver) } else { Ok(()) }
    }

    /// Tells why the connection ends.
    async fn tell(&mut self, error: &str) -> Result<(), Why> {
        self.replies.error(error);
        self.send().await?;
        Err(Why::Told)
    }

    /// Sends the replies that wait.
    async fn send(&mut self) -> Result<(), Why> {
        let sending = self.stream.write_all(&self.replies.bytes);
        match timeout(WRITE_TIME_MAX, sending).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Why::Gone),
            Err(_elapsed) => return Err(Why::Slow),
        }
        self.replies.bytes.clear();
        self.replies.bytes.shrink_to(REPLY_BYTES_KEPT);
        Ok(())
    }

    async fn close(&mut self) -> std::io::Result<()> {
        self.stream.shutdown().await?;
        copy(&mut self.stream, &mut sink()).await?;
        Ok(())
    }
}

/// The next command for a bot; waits for ever where it has not subscribed.
async fn next_command(subscription: &mut Option<Subscription>) -> Option<Arc<str>> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    }
}
