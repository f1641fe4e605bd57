//! The commands of the Redis endpoint: who may use each, how many arguments it takes, and what it
//! does.

use crate::metrics::COMMANDS;
use crate::wire::client::Client;
use crate::wire::login::{self, NAME_BYTES_MAX, REDIS_VERSION};
use crate::wire::refusal::{Outcome, Refusal};
use crate::wire::replies::{Replies, Version};
use crate::wire::subscribe::{subscribe, unsubscribe};
use crate::wire::xadd::xadd;

/// Longest message that `PING` and `ECHO` repeat, in bytes.
const ECHO_BYTES_MAX: usize = 4 * 1024;
/// How many databases a client may believe to select from.
const DATABASES: u32 = 16;

/// Who may use a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Users {
    /// Everybody.
    All,
    /// Bots and feeders.
    Known,
    /// Bots.
    Bots,
}

/// A command.
struct Command {
    name: &'static str,
    users: Users,
    /// Fewest and most arguments behind its name.
    arguments: (usize, usize),
}

const fn command(name: &'static str, users: Users, least: usize, most: usize) -> Command {
    Command { name, users, arguments: (least, most) }
}

/// As many arguments as there may be.
const ANY: usize = usize::MAX;

/// Every command.
const TABLE: [Command; 18] = [
    command("hello", Users::All, 0, ANY),
    command("auth", Users::All, 1, 2),
    command("quit", Users::All, 0, ANY),
    command("ping", Users::Known, 0, 1),
    command("echo", Users::Known, 1, 1),
    command("select", Users::Known, 1, 1),
    command("client", Users::Known, 1, ANY),
    command("info", Users::Known, 0, ANY),
    command("xadd", Users::Known, 4, ANY),
    command("subscribe", Users::Bots, 1, ANY),
    command("unsubscribe", Users::Bots, 0, ANY),
    command("publish", Users::Bots, 2, 2),
    command("set", Users::Bots, 2, ANY),
    command("del", Users::Bots, 1, ANY),
    command("expire", Users::Bots, 2, 3),
    command("rpush", Users::Bots, 2, ANY),
    command("ltrim", Users::Bots, 3, 3),
    command("get", Users::Bots, 1, 1),
];

/// By these a stranger may say who it is, and then needs no place among the strangers.
const SIGN_IN: [&str; 3] = ["hello", "auth", "xadd"];

/// What follows a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next command.
    Command,
    /// The end of the connection, once the replies are sent.
    Close,
}

/// Runs a command, and writes its replies. What it stores is committed before.
pub(crate) async fn run(client: &mut Client, request: &[&[u8]], replies: &mut Replies) -> Next {
    let name = request.first().copied().unwrap_or_default().to_ascii_lowercase();
    let known = TABLE.iter().find(|command| command.name.as_bytes() == name);
    let may_sign_in = known.is_some_and(|command| SIGN_IN.contains(&command.name));
    // An empty request needs a place as any other.
    if let Err(refusal) = client.take_place()
        && !may_sign_in
    {
        return refuse(client, &refusal, replies);
    }
    let Some((_, arguments)) = request.split_first() else { return Next::Command };
    count(client, known);
    let begin = replies.bytes.len();
    let mut outcome = match known {
        Some(command) => run_known(client, command, arguments, replies).await,
        None => Err(unknown(request[0])),
    };
    let ends = match &outcome {
        Ok(next) => *next == Next::Close,
        Err(refusal) => refusal.closes,
    };
    // Whoever is a stranger even now needs a place to go on.
    if !ends && let Err(refusal) = client.take_place() {
        replies.bytes.truncate(begin);
        outcome = Err(refusal);
    }
    match outcome {
        Ok(next) => next,
        Err(refusal) => refuse(client, &refusal, replies),
    }
}

/// Counts a refusal and writes it.
fn refuse(client: &Client, refusal: &Refusal, replies: &mut Replies) -> Next {
    if let Some(reason) = refusal.payload {
        client.endpoint.app.redis_counters.refuse(reason);
    }
    replies.error(&refusal.text);
    if refusal.closes { Next::Close } else { Next::Command }
}

fn count(client: &Client, known: Option<&Command>) {
    let place = |command: &Command| COMMANDS.iter().position(|name| *name == command.name);
    let number = known.and_then(place).unwrap_or(COMMANDS.len() - 1);
    client.endpoint.app.redis_counters.command(number);
}

fn unknown(name: &[u8]) -> Refusal {
    let name = &name[..name.len().min(NAME_BYTES_MAX)];
    Refusal::new(format!("ERR unknown command '{}'", name.escape_ascii()))
}

async fn run_known(
    client: &mut Client,
    command: &Command,
    arguments: &[&[u8]],
    replies: &mut Replies,
) -> Outcome<Next> {
    check(client, command, arguments, replies.version)?;
    match command.name {
        "hello" => login::hello(client, arguments, replies)?,
        "auth" => {
            login::auth(client, arguments)?;
            replies.ok();
        }
        "quit" => {
            replies.ok();
            return Ok(Next::Close);
        }
        "ping" => {
            check_echo(arguments)?;
            ping(client, arguments, replies);
        }
        "echo" => {
            check_echo(arguments)?;
            replies.bulk(arguments[0]);
        }
        "select" => select(arguments[0], replies)?,
        "client" => about_client(client, arguments, replies)?,
        "info" => replies.bulk(info().as_bytes()),
        "xadd" => {
            let id = xadd(client, arguments).await?;
            replies.bulk(id.as_bytes());
        }
        "subscribe" => subscribe(client, arguments, replies)?,
        "unsubscribe" => unsubscribe(client, arguments, replies)?,
        "set" | "ltrim" => replies.ok(),
        "rpush" => replies.integer(1),
        "get" => replies.null(),
        // Nobody heard it, nothing was there.
        "publish" | "del" | "expire" => replies.integer(0),
        _ => return Err(unknown(command.name.as_bytes())),
    }
    Ok(Next::Command)
}

/// Whether the client may use a command, with these arguments.
fn check(client: &Client, command: &Command, arguments: &[&[u8]], version: Version) -> Outcome<()> {
    let name = command.name;
    let is_known = client.bot().is_some() || client.may_feed();
    let is_allowed = match command.users {
        Users::All => true,
        Users::Known => is_known,
        Users::Bots => client.bot().is_some(),
    };
    if !is_allowed && is_known {
        let text = format!("NOPERM only the bot of a meeting may use '{name}'; sign in by AUTH");
        return Err(Refusal::new(text));
    }
    if !is_allowed {
        return Err(client.not_signed_in("NOAUTH Authentication required."));
    }
    let (least, most) = command.arguments;
    if !(least..=most).contains(&arguments.len()) {
        let text = format!("ERR wrong number of arguments for '{name}' command");
        return Err(Refusal::new(text));
    }
    let is_for_subscribers = matches!(name, "subscribe" | "unsubscribe" | "ping" | "quit");
    if version == Version::Resp2 && !client.channels.is_empty() && !is_for_subscribers {
        return Err(Refusal::new(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT are \
             allowed in this context"
        )));
    }
    Ok(())
}

/// Whether a message is short enough to be repeated.
fn check_echo(arguments: &[&[u8]]) -> Outcome<()> {
    let is_short = arguments.iter().all(|message| message.len() <= ECHO_BYTES_MAX);
    let text = || format!("ERR the message is longer than {ECHO_BYTES_MAX} bytes");
    if is_short { Ok(()) } else { Err(Refusal::new(text())) }
}

/// In RESP2 the replies to a subscriber are all lists.
fn ping(client: &Client, arguments: &[&[u8]], replies: &mut Replies) {
    let message = arguments.first();
    if replies.version == Version::Resp2 && !client.channels.is_empty() {
        replies.array(2);
        replies.bulk(b"pong");
        replies.bulk(message.copied().unwrap_or_default());
        return;
    }
    match message {
        Some(message) => replies.bulk(message),
        None => replies.simple("PONG"),
    }
}

fn select(number: &[u8], replies: &mut Replies) -> Outcome<()> {
    let text = std::str::from_utf8(number).unwrap_or_default();
    match text.parse::<u32>() {
        Ok(number) if number < DATABASES => {
            replies.ok();
            Ok(())
        }
        Ok(_) => Err(Refusal::new("ERR DB index is out of range")),
        Err(_) => Err(Refusal::new("ERR value is not an integer or out of range")),
    }
}

/// `CLIENT`: what libraries say of themselves is heard, and not kept.
fn about_client(client: &Client, arguments: &[&[u8]], replies: &mut Replies) -> Outcome<()> {
    match arguments[0].to_ascii_lowercase().as_slice() {
        b"setinfo" | b"setname" => replies.ok(),
        b"getname" => replies.null(),
        b"id" => replies.integer(client.number),
        // `MAINT_NOTIFICATIONS` among them: whoever were told yes would wait for such pushes.
        other => {
            let name = &other[..other.len().min(NAME_BYTES_MAX)];
            let text = format!("ERR unknown subcommand '{}'", name.escape_ascii());
            return Err(Refusal::new(text));
        }
    }
    Ok(())
}

/// What some clients wait for before they send a command.
fn info() -> String {
    format!(
        "# Server\r\nredis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\n\
         # Persistence\r\nloading:0\r\n# Replication\r\nrole:master\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_counted_by_its_name() {
        for command in &TABLE {
            assert!(COMMANDS.contains(&command.name), "{}", command.name);
        }
        assert_eq!(COMMANDS.len(), TABLE.len() + 1);
        assert_eq!(COMMANDS.last(), Some(&"unknown"));
    }
}
