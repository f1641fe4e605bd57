//! Every route of the table against every kind of caller. A new route is in it by itself.

use crate::client::{ADMIN_KEY, Call, Client};
use crate::contract::{got, real_path};
use crate::segments::insert_session;
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use crate::webhook_list::insert_quiet_webhook;
use vomeet::api::guard::Access;
use vomeet::api::route::Route;
use vomeet::domain::PlainToken;
use vomeet::routes::TABLE;

const ADMIN_REFUSED: Option<&str> = Some("Invalid or missing admin token.");
const TOKEN_MISSING: Option<&str> = Some("Missing API token (X-API-Key header)");
const BOT_REFUSED: Option<&str> = Some("Invalid bot token");
const TOKEN_REFUSED: Option<&str> = Some("Invalid API token");
const BEARER_MISSING: Option<&str> =
    Some("Missing API token (Authorization: Bearer, or X-API-Key header)");

/// A kind of caller: what they send, and what each door says to them; `None` where it lets them in.
struct Kind {
    name: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    query: &'static str,
    admin: Option<&'static str>,
    user: Option<&'static str>,
    /// Where a user's token may come as a bearer token too.
    mcp: Option<&'static str>,
    bot: Option<&'static str>,
}

impl Kind {
    fn says(&self, access: Access) -> Option<&'static str> {
        match access {
            // A socket says over the socket what it thinks of a key; this is no request for one.
            Access::Open | Access::Session | Access::Socket | Access::SoundSocket => None,
            Access::Admin => self.admin,
            Access::User => self.user,
            Access::Mcp => self.mcp,
            // The secret of a meeting is taken beside users' tokens.
            Access::Sound => self.bot.and(self.mcp),
            Access::Bot => self.bot,
        }
    }

    fn call(&self, client: &Client, route: &Route) -> Call {
        let path = format!("{}{}", real_path(route), self.query);
        let call = client.call(route.method.as_str(), path);
        self.headers.iter().fold(call, |call, (name, value)| call.header(name, value))
    }
}

/// The tokens that the callers bring.
struct Keys {
    user: String,
    other: String,
    expired: String,
    revoked: String,
    deleted: String,
    bot: String,
}

/// A server with users 1 to 3, of whom 1 has token 1, and tokens of each kind; users 1 and 2 have
/// the same meeting.
fn prepare() -> (Server, Keys) {
    let (mut tokens, mut deleted, mut bot) =
        ([String::new(), String::new(), String::new()], String::new(), String::new());
    let setup = Setup::new().rows(|db| {
        let rename = "UPDATE users SET email = 'one@example.com', email_key = 'one@example.com' WHERE id = 1";
        tokens = [insert_token(db, 1, None), insert_token(db, 2, None), insert_token(db, 1, Some(1))];
        deleted = insert_token(db, 3, None);
        db.execute(rename, []).expect("user 1");
        bot = insert_session(db, 1, "abc-defg-hij").token;
        insert_session(db, 2, "abc-defg-hij");
        insert_quiet_webhook(db, 1);
    });
    let server = setup.start();
    let revoked = server.new_token(2);
    for token in [&revoked.text, &deleted] {
        server.whoami(token).expect(200);
    }
    assert_eq!(server.revoke(&revoked).status, 204);
    assert_eq!(server.delete("/admin/users/3").admin().send().status, 204);
    let [user, other, expired] = tokens;
    (server, Keys { user, other, expired, revoked: revoked.text, deleted, bot })
}

fn kind(
    name: &'static str,
    headers: &[(&'static str, &[u8])],
    admin: Option<&'static str>,
    user: Option<&'static str>,
) -> Kind {
    let headers = headers.iter().map(|&(name, value)| (name, value.to_vec())).collect();
    let mcp = if user == TOKEN_MISSING { BEARER_MISSING } else { user };
    Kind { name, headers, query: "", admin, user, mcp, bot: BOT_REFUSED }
}

#[rustfmt::skip]
fn kinds(keys: &Keys) -> Vec<Kind> {
    let (a, u) = ("X-Admin-API-Key", "X-API-Key");
    let (admin, user) = (ADMIN_KEY.as_bytes(), keys.user.as_bytes());
    let unknown = PlainToken::generate().expect("randomness");
    let upper = keys.user.to_uppercase();
    let (other_case, doubled) = (ADMIN_KEY.to_uppercase(), ADMIN_KEY.repeat(2));
    let (longer, padded) = (format!("{}x", keys.user), format!("Bearer {}", keys.user));
    let mut mistyped = keys.user.clone().into_bytes();
    mistyped.swap(3, 30);
    mistyped[0] = if mistyped[0] == b'a' { b'b' } else { b'a' };
    let mut kinds = vec![
        kind("nobody",                      &[],                         ADMIN_REFUSED, TOKEN_MISSING),
        kind("admin",                       &[(a, admin)],               None,          TOKEN_MISSING),
        kind("user",                        &[(u, user)],                ADMIN_REFUSED, None),
        kind("another user",                &[(u, keys.other.as_bytes())], ADMIN_REFUSED, None),
        kind("both",                        &[(a, admin), (u, user)],    None,          None),
        kind("lower-case header names",     &[("x-admin-api-key", admin), ("x-api-key", user)], None, None),
        kind("empty keys",                  &[(a, b""), (u, b"")],       ADMIN_REFUSED, TOKEN_MISSING),
        kind("blank keys",                  &[(a, b"  "), (u, b"  ")],   ADMIN_REFUSED, TOKEN_MISSING),
        kind("wrong keys",                  &[(a, b"wrong"), (u, b"wrong")], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("admin key in another case",   &[(a, other_case.as_bytes())],            ADMIN_REFUSED, TOKEN_MISSING),
        kind("half an admin key",           &[(a, &admin[..3])],              ADMIN_REFUSED, TOKEN_MISSING),
        kind("more than an admin key",      &[(a, doubled.as_bytes())],       ADMIN_REFUSED, TOKEN_MISSING),
        kind("well-formed unknown token",   &[(u, unknown.reveal().as_bytes())], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("mistyped token",              &[(u, &mistyped)],           ADMIN_REFUSED, TOKEN_REFUSED),
        kind("token in another case",       &[(u, upper.as_bytes())],    ADMIN_REFUSED, TOKEN_REFUSED),
        kind("token with more",             &[(u, longer.as_bytes())],   ADMIN_REFUSED, TOKEN_REFUSED),
        kind("token after Bearer",          &[(u, padded.as_bytes())],   ADMIN_REFUSED, TOKEN_REFUSED),
        kind("half a token",                &[(u, &user[..20])],         ADMIN_REFUSED, TOKEN_REFUSED),
        kind("revoked token",               &[(u, keys.revoked.as_bytes())], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("expired token",               &[(u, keys.expired.as_bytes())], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("deleted user's token",        &[(u, keys.deleted.as_bytes())], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("user key in admin header",    &[(a, user)],                ADMIN_REFUSED, TOKEN_MISSING),
        kind("admin key in user header",    &[(u, admin)],               ADMIN_REFUSED, TOKEN_REFUSED),
        kind("keys exchanged",              &[(a, user), (u, admin)],    ADMIN_REFUSED, TOKEN_REFUSED),
        kind("two right admin keys",        &[(a, admin), (a, admin)],   ADMIN_REFUSED, TOKEN_MISSING),
        kind("right and wrong admin key",   &[(a, admin), (a, b"x")],    ADMIN_REFUSED, TOKEN_MISSING),
        kind("two right tokens",            &[(u, user), (u, user)],     ADMIN_REFUSED, TOKEN_REFUSED),
        kind("right and empty token",       &[(u, user), (u, b"")],      ADMIN_REFUSED, TOKEN_REFUSED),
        kind("keys that are no ASCII",      &[(a, "töken".as_bytes()), (u, "é".repeat(20).as_bytes())], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("keys that are no UTF-8",      &[(a, b"\xff\xfe"), (u, &[0xff; 40])], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("very long keys",              &[(a, &[b'a'; 6000]), (u, &[b'a'; 6000])], ADMIN_REFUSED, TOKEN_REFUSED),
        kind("keys in other headers",       &[("Authorization", user), ("Cookie", user), ("X-Api-Token", admin)], ADMIN_REFUSED, TOKEN_MISSING),
    ];
    let bearer = |token: &str| format!("Bearer {token}").into_bytes();
    let wrong = kind("user key as a bot's",  &[("Authorization", &bearer(&keys.user))], ADMIN_REFUSED, TOKEN_MISSING);
    let bot = kind("bot",                    &[("Authorization", &bearer(&keys.bot))],  ADMIN_REFUSED, TOKEN_MISSING);
    let bot_as_user = kind("bot key in user header", &[(u, keys.bot.as_bytes())],        ADMIN_REFUSED, TOKEN_REFUSED);
    let wrong = Kind { mcp: None, ..wrong };
    kinds.extend([wrong, bot_as_user, Kind { bot: None, mcp: TOKEN_REFUSED, ..bot }]);
    kinds.push(Kind { query: "?api_key=token&X-API-Key=token", ..kind("keys in the query", &[], ADMIN_REFUSED, TOKEN_MISSING) });
    kinds
}

/// How a door refuses: where a Bearer token is taken as that says (RFC 6750, section 3), the others
/// as the contract says.
fn refusal(route: &Route) -> u16 {
    if matches!(route.access, Access::Bot | Access::Mcp | Access::Sound) { 401 } else { 403 }
}

/// Whether a row switches to a WebSocket.
pub fn is_socket(route: &Route) -> bool {
    matches!(route.access, Access::Socket | Access::SoundSocket)
        || route.path == "/bots/internal/audio"
}

/// Whether a row of users has the id of a meeting in its path.
fn names_a_meeting(route: &Route) -> bool {
    matches!(
        route.path,
        "/meetings/{id}"
            | "/meetings/{id}/audio"
            | "/meetings/{id}/explain"
            | "/bots/id/{id}"
            | "/transcripts/by-id/{id}"
    )
}

#[test]
fn every_route_asks_every_caller() {
    let (server, keys) = prepare();
    for route in TABLE.iter() {
        for kind in kinds(&keys) {
            let row = format!("{} {} by {}", route.method, route.path, kind.name);
            if kind.says(route.access).is_none() && route.method != "GET" {
                continue;
            }
            let answer = kind.call(&server, route).send();
            match kind.says(route.access) {
                Some(detail) => {
                    assert_eq!(answer.refusal(), (refusal(route), detail.to_owned()), "{row}");
                }
                None if is_socket(route) => assert_eq!(answer.status, 426, "{row}"),
                // The webhook of the path is of the first user.
                None if route.path == "/user/webhooks/{id}" && kind.name == "another user" => {
                    assert_eq!(answer.status, 404, "{row}");
                }
                None => {
                    // Meeting 1 is of user 1, and nobody else finds it by its id.
                    let is_foreign = kind.name == "another user" && names_a_meeting(route);
                    let expected = if is_foreign { 404 } else { got(route) };
                    assert_eq!(answer.status, expected, "{row}: {}", answer.text());
                }
            }
        }
    }
    assert_eq!(server.counts(), (2, 3), "somebody who was refused changed something");
}

#[test]
fn whoever_is_let_in_reaches_the_handler() {
    for route in TABLE.iter().filter(|route| route.method != "GET") {
        let (mut server, mut keys) = prepare();
        let is_let_in = |kind: &Kind| kind.says(route.access).is_none();
        let count = kinds(&keys).iter().filter(|kind| is_let_in(kind)).count();
        for at in 0..count {
            // Who has rotated or deleted the token has another one, or none.
            if route.path.starts_with("/user/tokens/") {
                (server, keys) = prepare();
            }
            let kinds = kinds(&keys);
            let kind = kinds.iter().filter(|kind| is_let_in(kind)).nth(at).expect("a kind");
            let answer = kind.call(&server, route).send();
            assert_ne!(
                answer.status,
                refusal(route),
                "{} {} by {}",
                route.method,
                route.path,
                kind.name
            );
        }
    }
}

#[test]
fn the_door_comes_before_the_input() {
    let (server, _) = prepare();
    for route in TABLE
        .iter()
        .filter(|route| !matches!(route.access, Access::Open | Access::Session))
        .filter(|route| !matches!(route.access, Access::Socket | Access::SoundSocket))
    {
        // The body is announced and never sent: the answer cannot have waited for it.
        let path = real_path(route).replace("/1", "/0");
        let head = "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{";
        let request =
            format!("{} {path}?limit=x HTTP/1.1\r\nHost: localhost\r\n{head}", route.method);
        let mut line = server.line();
        line.send(request).expect("sent");
        let answer = line.answer(false).expect("an answer");
        assert_eq!(answer.status, refusal(route), "{} {path}", route.method);
        assert_eq!(answer.header("connection"), Some("close"), "{} {path}", route.method);
        line.ended().expect("the end");
    }
}

#[test]
fn a_user_sees_nobody_else() {
    let (server, keys) = prepare();
    for (key, id) in [(&keys.user, 1), (&keys.other, 2)] {
        let me = server.whoami(key).expect(200);
        assert_eq!(me["id"], id);
        // Nothing in a request can name another user.
        for path in ["/user?user_id=2", "/user?id=2"] {
            let me = server.get(path).user(key).header("X-User-Id", "2").send().expect(200);
            assert_eq!(me["id"], id, "{path}");
        }
    }
}
