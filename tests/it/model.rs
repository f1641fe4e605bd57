//! Random sequences of operations, held against a model that fits on a page.

use crate::bad_input::bad_addresses;
use crate::client::{Client, Token, segment, token_of};
use crate::server::Server;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What may be done. Users and tokens are named by a number that is taken modulo those that ever
/// were.
#[derive(Debug, Clone)]
enum Operation {
    CreateUser { email: u8, upper: bool, name: Option<String>, bots: u32 },
    PatchUser { user: u8, body: Value },
    DeleteUser { user: u8 },
    CreateToken { user: u8, name: Option<String> },
    Revoke { token: u8 },
    Use { token: u8 },
    Show { user: u8 },
    List { after: u8, limit: u8 },
    Restart,
}

/// Any of the three members, or none; now and then an address, which is always a different one.
fn patch() -> impl Strategy<Value = Value> {
    let member = |name: &'static str, value: BoxedStrategy<Value>, weight: f64| {
        proptest::option::weighted(weight, value.prop_map(move |value| (name.to_owned(), value)))
    };
    let name = prop_oneof![Just(Value::Null), "[ -~äß]{0,8}".prop_map(Value::from)].boxed();
    let bots = (0u32..=0x7fff_ffff).prop_map(Value::from).boxed();
    let email = Just(json!("somebody.else@example.com")).boxed();
    let members = (
        member("name", name, 0.5),
        member("max_concurrent_bots", bots, 0.5),
        member("email", email, 0.1),
    );
    members.prop_map(|(name, bots, email)| {
        [name, bots, email].into_iter().flatten().collect::<Map<_, _>>().into()
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = || proptest::option::of("[ -~äß]{0,8}");
    let bots = || 0u32..=0x7fff_ffff;
    prop_oneof![
        4 => (0u8..6, any::<bool>(), name(), bots()).prop_map(|(email, upper, name, bots)| Operation::CreateUser { email, upper, name, bots }),
        3 => (any::<u8>(), patch()).prop_map(|(user, body)| Operation::PatchUser { user, body }),
        1 => any::<u8>().prop_map(|user| Operation::DeleteUser { user }),
        4 => (any::<u8>(), name()).prop_map(|(user, name)| Operation::CreateToken { user, name }),
        2 => any::<u8>().prop_map(|token| Operation::Revoke { token }),
        4 => any::<u8>().prop_map(|token| Operation::Use { token }),
        2 => any::<u8>().prop_map(|user| Operation::Show { user }),
        1 => (any::<u8>(), 1u8..5).prop_map(|(after, limit)| Operation::List { after, limit }),
        1 => Just(Operation::Restart),
    ]
}

#[derive(Debug, Clone)]
struct User {
    email: String,
    name: Option<String>,
    bots: Value,
}

/// What should be there.
#[derive(Default)]
struct Model {
    users: BTreeMap<i64, User>,
    /// Live tokens by id: user and name.
    tokens: BTreeMap<i64, (i64, Option<String>)>,
    /// Every token that ever was.
    issued: Vec<Token>,
    users_made: i64,
}

impl Model {
    fn shown(&self, id: i64) -> Value {
        let user = &self.users[&id];
        json!({"id": id, "email": user.email, "name": user.name, "image_url": null, "max_concurrent_bots": user.bots, "data": {}})
    }

    /// One of those that ever were, or the next one that never was.
    fn user(&self, number: u8) -> i64 {
        i64::from(number) % (self.users_made + 1) + 1
    }
}

fn without_time(mut user: Value) -> Value {
    crate::client::assert_time(&user["created_at"]);
    user.as_object_mut().expect("a user").remove("created_at");
    assert_eq!(user.as_object_mut().expect("a user").remove("disabled_at"), Some(Value::Null));
    user
}

fn missing(what: &str) -> (u16, String) {
    (404, format!("{what} not found"))
}

/// Does it on both sides and compares.
fn step(client: &Client, model: &mut Model, operation: &Operation) {
    match operation.clone() {
        Operation::CreateUser { email, upper, name, bots } => {
            let email = format!("user{email}@example.com");
            let written = if upper { email.to_uppercase() } else { email.clone() };
            let body = json!({"email": written, "name": name, "max_concurrent_bots": bots});
            let name = name.filter(|name| !name.is_empty());
            let answer = client.post("/admin/users").admin().json(&body).send();
            let known = model.users.iter().find(|(_, user)| user.email.to_lowercase() == email);
            if let Some((&id, _)) = known {
                assert_eq!(without_time(answer.expect(200)), model.shown(id));
            } else {
                model.users_made += 1;
                model
                    .users
                    .insert(model.users_made, User { email: written, name, bots: bots.into() });
                assert_eq!(without_time(answer.expect(201)), model.shown(model.users_made));
            }
        }
        Operation::PatchUser { user, body } => {
            let id = model.user(user);
            let answer = client.patch(format!("/admin/users/{id}")).admin().json(&body).send();
            match model.users.get_mut(&id) {
                None => assert_eq!(answer.refusal(), missing("User")),
                Some(_) if body.get("email").is_some() => assert_eq!(answer.status, 400),
                Some(stored) => {
                    if let Some(name) = body.get("name") {
                        let name = name.as_str().filter(|name| !name.is_empty());
                        stored.name = name.map(str::to_owned);
                    }
                    if let Some(bots) = body.get("max_concurrent_bots") {
                        stored.bots = bots.clone();
                    }
                    assert_eq!(without_time(answer.expect(200)), model.shown(id));
                }
            }
        }
        Operation::DeleteUser { user } => {
            let id = model.user(user);
            let answer = client.delete(format!("/admin/users/{id}")).admin().send();
            if model.users.remove(&id).is_some() {
                model.tokens.retain(|_, (owner, _)| *owner != id);
                assert_eq!(answer.status, 204);
            } else {
                assert_eq!(answer.refusal(), missing("User"));
            }
        }
        Operation::CreateToken { user, name } => {
            let id = model.user(user);
            let call = client.post(format!("/admin/users/{id}/tokens")).admin();
            let answer = call.json(&json!({ "name": name })).send();
            if model.users.contains_key(&id) {
                let token = token_of(&answer.expect(201));
                let last = model.issued.last().map_or(0, |token| token.id);
                assert_eq!(token.id, last + 1, "ids follow each other and never come back");
                model.tokens.insert(token.id, (id, name.filter(|name| !name.is_empty())));
                model.issued.push(token);
            } else {
                assert_eq!(answer.refusal(), missing("User"));
            }
        }
        other => look(client, model, &other),
    }
}

fn look(client: &Client, model: &mut Model, operation: &Operation) {
    let pick =
        |number: u8| model.issued.get(usize::from(number) % model.issued.len().max(1)).cloned();
    match *operation {
        Operation::Revoke { token } => {
            let Some(token) = pick(token) else { return };
            let answer = client.revoke(&token);
            if model.tokens.remove(&token.id).is_some() {
                assert_eq!(answer.status, 204);
            } else {
                assert_eq!(answer.refusal(), missing("Token"));
            }
        }
        Operation::Use { token } => {
            let Some(token) = pick(token) else { return };
            let answer = client.whoami(&token.text);
            match model.tokens.get(&token.id) {
                None => assert_eq!(answer.refusal(), (403, "Invalid API token".to_owned())),
                Some((owner, name)) => {
                    let (me, user) = (answer.expect(200), model.shown(*owner));
                    for field in ["id", "email", "name", "image_url", "max_concurrent_bots"] {
                        assert_eq!(me[field], user[field], "{field}");
                    }
                    assert_eq!(
                        (&me["token"]["id"], &me["token"]["name"]),
                        (&json!(token.id), &json!(name))
                    );
                }
            }
        }
        Operation::Show { user } => show(client, model, user),
        Operation::List { after, limit } => {
            let after = i64::from(after) % (model.users_made + 1);
            let page = client
                .get(format!("/admin/users?after={after}&limit={limit}"))
                .admin()
                .send()
                .expect(200);
            let page: Vec<Value> =
                page.as_array().expect("an array").iter().cloned().map(without_time).collect();
            let expected: Vec<Value> = model
                .users
                .range(after + 1..)
                .take(limit.into())
                .map(|(&id, _)| model.shown(id))
                .collect();
            assert_eq!(page, expected);
        }
        _ => unreachable!("done by `step` or by the test itself"),
    }
}

fn show(client: &Client, model: &mut Model, user: u8) {
    let id = model.user(user);
    let answer = client.get(format!("/admin/users/{id}")).admin().send();
    if model.users.contains_key(&id) {
        let mut shown = without_time(answer.expect(200));
        let tokens = shown.as_object_mut().expect("a user").remove("api_tokens").expect("tokens");
        let ids: Vec<i64> = tokens
            .as_array()
            .expect("an array")
            .iter()
            .filter_map(|token| token["id"].as_i64())
            .collect();
        let expected: Vec<i64> =
            model.tokens.iter().filter(|(_, (owner, _))| *owner == id).map(|(&id, _)| id).collect();
        assert_eq!((shown, ids), (model.shown(id), expected));
    } else {
        assert_eq!(answer.refusal(), missing("User"));
    }
}

/// A runner that keeps no file of failures: a seed that fails is printed, and becomes a test of its
/// own.
fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    })
}

#[test]
fn any_sequence_of_operations_answers_as_the_model_does() {
    let sequences = prop::collection::vec(operation(), 1..60);
    let outcome = runner(20).run(&sequences, |operations| {
        let (mut server, mut model) = (Server::start(), Model::default());
        for operation in &operations {
            if matches!(operation, Operation::Restart) {
                server = server.restart();
            } else {
                step(&server, &mut model, operation);
            }
        }
        let (users, tokens) = server.counts();
        prop_assert_eq!((users, tokens), (model.users.len() as u64, model.tokens.len() as u64));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn other_case(text: &str, pattern: u32) -> String {
    let flip = |(at, c): (usize, char)| match pattern >> (at % 32) & 1 {
        0 => one(c, c.to_lowercase()),
        _ => one(c, c.to_uppercase()),
    };
    text.chars().enumerate().map(flip).collect()
}

/// The other case of a character, if it is one character: SS is another mailbox than ß.
fn one(c: char, other: impl Iterator<Item = char>) -> char {
    let other: Vec<char> = other.collect();
    if other.len() == 1 { other[0] } else { c }
}

#[test]
fn an_accepted_address_is_found_again_in_any_case() {
    let server = Server::start();
    // Without the dotless ı and the dotted İ: only Turkic folding takes them for an i (Unicode,
    // CaseFolding.txt, status T).
    let local = "[a-zA-Z0-9äöüßéñçøåσςΣſKÅǆ!#$%&'*+/=?^_{|}~-]{1,12}";
    let addresses = (local, "[a-zA-Z0-9äßéø]{1,8}", any::<u32>());
    let outcome = runner(150).run(&addresses, |(local, domain, pattern)| {
        let email = format!("{local}@{domain}.com");
        let created = server.post("/admin/users").admin().json(&json!({ "email": email })).send();
        if created.status == 422 {
            return Ok(());
        }
        let id = created.json()["id"].clone();
        for spelling in [
            email.clone(),
            other_case(&email, pattern),
            other_case(&email, 0),
            other_case(&email, u32::MAX),
        ] {
            let found =
                server.get(format!("/admin/users/email/{}", segment(&spelling))).admin().send();
            let again =
                server.post("/admin/users").admin().json(&json!({ "email": spelling })).send();
            // Another case can be no address any more, but never another user.
            if found.status != 422 {
                prop_assert_eq!(found.status, 200, "{} as {}", email, spelling);
                prop_assert_eq!(&found.json()["id"], &id, "{} as {}", email, spelling);
                prop_assert_eq!(again.status, 200, "{} as {}", email, spelling);
                prop_assert_eq!(&again.json()["id"], &id, "{} as {}", email, spelling);
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(server.counts().0 > 50, "hardly any address was accepted");
}

#[test]
fn no_text_as_an_address_breaks_the_server() {
    let server = Server::start();
    let texts = prop_oneof![
        any::<String>(),
        "\\PC{0,40}@\\PC{0,40}",
        prop::sample::select(bad_addresses())
    ];
    let outcome = runner(200).run(&texts, |text| {
        let created = server.post("/admin/users").admin().json(&json!({ "email": text })).send();
        prop_assert!([200, 201, 422].contains(&created.status), "{}", created.status);
        if created.status == 422 {
            prop_assert_eq!(
                created.faults(),
                [("value_error".to_owned(), "body.email".to_owned())]
            );
        } else {
            let text = text.trim();
            prop_assert!(!text.contains(char::is_control), "a control character in an address");
        }
        if !text.is_empty() {
            let found = server.get(format!("/admin/users/email/{}", segment(&text))).admin().send();
            // What is no address belongs to nobody, and may be no line of text either.
            let expected: &[u16] = if created.status == 422 { &[404, 422] } else { &[200] };
            prop_assert!(expected.contains(&found.status), "found by its own spelling");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
