//! `AUTH` and `HELLO`: which meeting a secret opens, and which version of the protocol is spoken.

use crate::auth::Refusal as NotedRefusal;
use crate::budget::Holder;
use crate::domain::{Hint, PlainToken, TokenHash};
use crate::error::Error;
use crate::metrics::{Limit, PayloadRefusal};
use crate::store::MeetingOfSecret;
use crate::wire::client::{Client, Who};
use crate::wire::refusal::{Outcome, Refusal};
use crate::wire::replies::{Replies, Version};

/// The version of Redis whose replies these are.
pub(crate) const REDIS_VERSION: &str = "7.0.0";
/// Longest part of a client's word that an error repeats, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// Why a secret opens no meeting now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// No meeting has it.
    Unknown,
    /// No meeting has it, and too many such came from the address; in how many seconds the next is
    /// looked at.
    TooMany(u64),
    /// Its meeting is over.
    MeetingOver,
    /// The database cannot be read; how that is told.
    Unread(Refusal),
}

impl Client {
    /// The meeting that a secret opens. One that opens none counts as a refused key of the client's
    /// address, unless its meeting is over.
    pub(crate) fn meeting_of(
        &self,
        secret: &[u8],
        command: &'static str,
    ) -> Result<(TokenHash, MeetingOfSecret), Rejection> {
        if !PlainToken::is_wellformed(secret) {
            return Err(self.count_unknown(secret, command));
        }
        let token_hash = TokenHash::of(secret);
        match self.endpoint.app.store.meeting_of_secret(&token_hash, self.now()) {
            Ok(Some(meeting)) if meeting.takes_words => Ok((token_hash, meeting)),
            Ok(Some(_)) => Err(Rejection::MeetingOver),
            Ok(None) => Err(self.count_unknown(secret, command)),
            Err(error) => Err(Rejection::Unread(Refusal::of_store(&error))),
        }
    }

    /// Counts a secret that nobody has.
    fn count_unknown(&self, secret: &[u8], command: &'static str) -> Rejection {
        let app = &self.endpoint.app;
        let now = self.now();
        app.metrics.refuse_key("bot");
        app.refusals.note(NotedRefusal {
            at: now,
            first_at: now,
            count: 1,
            address: Some(self.address),
            key: "bot",
            code: "unknown",
            method: command,
            path: "redis",
            hint: PlainToken::is_wellformed(secret).then(|| Hint::of(secret)),
        });
        match app.failed_auth_limiter.count(self.address, app.clock.instant()) {
            Err(Error::TooManyFailedKeys { retry_after }) => {
                app.metrics.refuse_too_many(Limit::FailedKeys);
                Rejection::TooMany(retry_after)
            }
            Err(_) | Ok(()) => Rejection::Unknown,
        }
    }
}

impl Rejection {
    /// As the client is told that wants to sign in.
    fn of_login(self) -> Refusal {
        match self {
            Self::Unknown => Refusal::new(
                "WRONGPASS invalid username-password pair or user is disabled: send the secret of \
                 a meeting, or the password of feeders.",
            ),
            Self::TooMany(seconds) => Refusal::new(format!(
                "WRONGPASS too many wrong secrets from your address; try again in {seconds} s."
            )),
            Self::MeetingOver => {
                Refusal { closes: true, ..Refusal::new("NOPERM the meeting is over") }
            }
            Self::Unread(refusal) => Refusal { payload: None, ..refusal },
        }
    }

    /// As the client is told that brings it with a payload.
    pub(crate) fn of_payload(self) -> Refusal {
        match self {
            Self::Unknown => Refusal::of_payload(
                PayloadRefusal::UnknownToken,
                "NOPERM the token of the payload is the secret of no meeting",
            ),
            Self::TooMany(seconds) => Refusal::of_payload(
                PayloadRefusal::UnknownToken,
                format!(
                    "NOPERM too many wrong secrets from your address; try again in {seconds} s."
                ),
            ),
            Self::MeetingOver => Refusal::of_payload(
                PayloadRefusal::MeetingOver,
                "NOPERM the meeting of the payload is over",
            ),
            Self::Unread(refusal) => refusal,
        }
    }
}

/// Signs a client in, by the password of feeders or by the secret of a meeting. Whom it names
/// beside that does not count.
pub(crate) fn sign_in(client: &mut Client, secret: &[u8], command: &'static str) -> Outcome<()> {
    if let Who::Bot(bot) = &client.who {
        if bot.token_hash == TokenHash::of(secret) {
            return Ok(());
        }
        return Err(Refusal::new("NOPERM this connection stays with its meeting"));
    }
    if client.endpoint.is_password(secret) {
        if !client.endpoint.takes_feeders(client.address) {
            return Err(Refusal::new("NOPERM feeders are not taken from your address"));
        }
        client.trust_feeder(Holder::Feeder(client.number));
        return Ok(());
    }
    let found = client.meeting_of(secret, command);
    let (token_hash, meeting) = found.map_err(Rejection::of_login)?;
    client.bind(token_hash, meeting)
}

/// `AUTH [user] secret`.
pub(crate) fn auth(client: &mut Client, arguments: &[&[u8]]) -> Outcome<()> {
    let Some(secret) = arguments.last() else { return Ok(()) };
    sign_in(client, secret, "AUTH")
}

/// `HELLO [2|3 [AUTH user secret] [SETNAME name]]`.
pub(crate) fn hello(
    client: &mut Client,
    arguments: &[&[u8]],
    replies: &mut Replies,
) -> Outcome<()> {
    let mut version = replies.version;
    if let Some(number) = arguments.first() {
        version = match *number {
            b"2" => Version::Resp2,
            b"3" => Version::Resp3,
            number if number.iter().all(u8::is_ascii_digit) => {
                return Err(Refusal::new("NOPROTO unsupported protocol version"));
            }
            _ => {
                let text = "ERR Protocol version is not an integer or out of range";
                return Err(Refusal::new(text));
            }
        };
    }
    // All options are read before one of them counts.
    let mut secret = None;
    let mut options = arguments.iter().skip(1);
    while let Some(option) = options.next() {
        match option.to_ascii_uppercase().as_slice() {
            b"AUTH" => {
                let (Some(_), Some(word)) = (options.next(), options.next()) else {
                    return Err(syntax_error(option));
                };
                secret = Some(word);
            }
            b"SETNAME" if options.next().is_some() => {}
            _ => return Err(syntax_error(option)),
        }
    }
    if let Some(secret) = secret {
        sign_in(client, secret, "HELLO")?;
    }
    if matches!(client.who, Who::Stranger) && !client.may_feed() {
        return Err(client.not_signed_in(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    replies.version = version;
    describe(client, replies);
    Ok(())
}

fn syntax_error(option: &[u8]) -> Refusal {
    let option = &option[..option.len().min(NAME_BYTES_MAX)];
    Refusal::new(format!("ERR Syntax error in HELLO option '{}'", option.escape_ascii()))
}

/// What the server says of itself.
fn describe(client: &Client, replies: &mut Replies) {
    let text = |replies: &mut Replies, name: &str, value: &str| {
        replies.bulk(name.as_bytes());
        replies.bulk(value.as_bytes());
    };
    replies.map(7);
    text(replies, "server", "redis");
    text(replies, "version", REDIS_VERSION);
    replies.bulk(b"proto");
    replies.integer(replies.version.number());
    replies.bulk(b"id");
    replies.integer(client.number);
    text(replies, "mode", "standalone");
    text(replies, "role", "master");
    replies.bulk(b"modules");
    replies.array(0);
}
