//! The API document against the table, the answers and the types.

use crate::client::Call;
use crate::contract::real_path;
use crate::segments::one_meeting;
use crate::server::Server;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;
use vomeet::api::dispatch::find;
use vomeet::api::guard::Access;
use vomeet::api::route::Route;
use vomeet::http::request::extractor::{BodyRule, Place};
use vomeet::metrics::STATUSES;
use vomeet::routes::TABLE;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(vomeet::routes::document().expect("a document")).expect("JSON")
});

fn operation(route: &Route) -> &'static Value {
    let operation = &DOCUMENT["paths"][route.path][route.method.as_str().to_lowercase()];
    assert!(operation.is_object(), "{} {} is not documented", route.method, route.path);
    operation
}

/// Every answer that any test sees must be documented; the client asks here.
pub fn assert_documented(method: &str, path: &str, status: u16) {
    let Ok(method) = method.parse() else { return };
    let Ok(route) = find(&TABLE, &method, path) else { return };
    let documented = &operation(route)["responses"][status.to_string()];
    assert!(
        documented.is_object(),
        "{status} of {} {} is not documented",
        route.method,
        route.path
    );
}

#[test]
fn the_document_is_the_one_that_was_reviewed() {
    let mut document = DOCUMENT.clone();
    document["info"]["version"] = json!("[version]");
    insta::assert_json_snapshot!("openapi", document);
}

#[test]
fn it_is_served_as_it_is() {
    let served = Server::start().get("/openapi.json").send().expect(200);
    assert_eq!(served, *DOCUMENT);
    assert_eq!(served["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_route_is_in_it_and_nothing_else() {
    let table: BTreeSet<(String, String)> = TABLE
        .iter()
        .map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase()))
        .collect();
    assert_eq!(table.len(), TABLE.len(), "two rows with one method and path");
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let documented: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").keys();
            methods.map(|method| (path.clone(), method.clone())).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(documented, table);
}

#[test]
fn each_operation_tells_its_door_its_summary_and_its_parts() {
    let mut ids = HashSet::new();
    for route in TABLE.iter() {
        let row = format!("{} {}", route.method, route.path);
        let operation = operation(route);
        let security = match route.access {
            Access::Open | Access::Session | Access::SoundSocket => json!([]),
            Access::Admin => json!([{"AdminKey": []}]),
            Access::User | Access::Socket | Access::Mcp => json!([{"ApiToken": []}]),
            Access::Bot => json!([{"BotToken": []}]),
            Access::Sound => json!([{"ApiToken": []}, {"BotToken": []}]),
        };
        assert_eq!(operation["security"], security, "{row}");
        assert_eq!(operation["summary"], route.summary, "{row}");
        assert!(ids.insert(operation["operationId"].as_str().expect("an id")), "{row}: id twice");
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none).iter();
        let in_path: BTreeSet<String> = parameters
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().expect("a name")))
            .collect();
        let places = route.path.split('/').filter(|part| part.starts_with('{'));
        assert_eq!(in_path, places.map(str::to_owned).collect(), "{row}");
        let has_fields = (route.fields)().iter().any(|field| field.place == Place::Body);
        let has_body = has_fields || !matches!(route.body, BodyRule::None);
        assert_eq!(operation["requestBody"].is_object(), has_body, "{row}");
    }
    for (name, place, key) in
        [("AdminKey", "header", "X-Admin-API-Key"), ("ApiToken", "header", "X-API-Key")]
    {
        let scheme = &DOCUMENT["components"]["securitySchemes"][name];
        assert_eq!(
            (&scheme["in"], &scheme["name"], &scheme["type"]),
            (&json!(place), &json!(key), &json!("apiKey"))
        );
    }
    let bot = &DOCUMENT["components"]["securitySchemes"]["BotToken"];
    assert_eq!((&bot["type"], &bot["scheme"]), (&json!("http"), &json!("bearer")));
}

/// A name that two types have would describe one of them by the other.
#[test]
fn a_schema_has_one_shape() {
    let mut known = BTreeMap::new();
    for route in TABLE.iter() {
        for (name, schema) in (route.responses)().into_iter().flat_map(|response| response.schemas)
        {
            let shape = serde_json::to_value(&schema).expect("JSON");
            let before = known.entry(name.clone()).or_insert_with(|| shape.clone());
            assert_eq!(*before, shape, "{name}, at {} {}", route.method, route.path);
        }
    }
    assert!(known.len() > 30, "{}", known.len());
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let mut found = BTreeSet::new();
    references(&DOCUMENT, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(DOCUMENT.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for name in DOCUMENT["components"]["schemas"].as_object().expect("schemas").keys() {
        assert!(
            found.contains(format!("#/components/schemas/{name}").as_str()),
            "{name} is not used"
        );
    }
}

/// The documented members of a route's body.
fn properties(route: &Route) -> (Map<String, Value>, Vec<Value>) {
    let named = &operation(route)["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let name = named.as_str().and_then(|name| name.rsplit('/').next()).expect("a named body");
    let schema = &DOCUMENT["components"]["schemas"][name];
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut properties = schema["properties"].as_object().cloned().unwrap_or_default();
    // What has no type takes any value.
    properties.retain(|_, schema| schema["type"] != Value::Null);
    (properties, required)
}

/// Opens a route's door.
fn let_in(call: Call, route: &Route, token: &str, bot: &str) -> Call {
    match route.access {
        Access::User | Access::Mcp | Access::Sound => call.user(token),
        Access::Bot => call.bearer(bot),
        _ => call.admin(),
    }
}

/// A value of none of the documented types.
fn wrong_type(schema: &Value) -> Value {
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let candidates = BTreeMap::from([
        ("object", json!({})),
        ("string", json!("x")),
        ("integer", json!(1)),
        ("array", json!([])),
    ]);
    let wrong = candidates.into_iter().find(|(kind, _)| !types.contains(kind));
    wrong.expect("a type that is not allowed").1
}

#[test]
fn what_the_document_asks_for_the_server_asks_for() {
    let (server, token, session) = one_meeting();
    let call = |route: &Route| {
        let_in(server.call(route.method.as_str(), real_path(route)), route, &token, &session.token)
    };
    let before = server.counts();
    let has_json =
        |route: &Route| operation(route)["requestBody"]["content"]["application/json"].is_object();
    // What is wrong with a message of MCP, JSON-RPC says.
    let reads_fields = |route: &&Route| has_json(route) && route.body != BodyRule::Raw;
    for route in TABLE.iter().filter(reads_fields) {
        let (properties, required) = properties(route);
        let row = format!("{} {}", route.method, route.path);
        assert!(!properties.is_empty(), "{row} reads a body of which nothing is known");
        if !required.is_empty() {
            let missing = call(route).json(&json!({})).send().faults();
            let expected: Vec<_> = required
                .iter()
                .map(|name| {
                    ("missing".to_owned(), format!("body.{}", name.as_str().expect("a name")))
                })
                .collect();
            assert_eq!(missing, expected, "{row}: required members");
        }
        for (name, schema) in &properties {
            let wrong = call(route).json(&json!({ name: wrong_type(schema) })).send();
            let faults = wrong.faults();
            let loc = format!("body.{name}");
            assert!(
                faults.iter().any(|(kind, at)| *at == loc && kind != "missing"),
                "{row}: {faults:?}"
            );
        }
        let all: Map<String, Value> =
            properties.iter().map(|(name, schema)| (name.clone(), wrong_type(schema))).collect();
        let faults = call(route).json(&Value::Object(all)).send().faults();
        // Those that take any value, and must be there.
        let left_out = required
            .iter()
            .filter(|name| !properties.contains_key(name.as_str().unwrap_or_default()));
        let expected = properties.len() + left_out.count();
        assert_eq!(faults.len(), expected, "{row}: every fault at once: {faults:?}");
    }
    assert_eq!(server.counts(), before);
}

#[test]
fn every_documented_parameter_is_judged() {
    let (server, token, session) = one_meeting();
    for route in TABLE.iter() {
        let none = Vec::new();
        for parameter in operation(route)["parameters"].as_array().unwrap_or(&none) {
            let (name, place) =
                (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
            if name == "api_key" || name == "ticket" {
                // What is no token and no ticket is refused: `live.rs`, `tickets.rs`, `audio.rs`.
                let is_player = route.path == "/meetings/{id}/audio";
                assert!(is_player || route.access == Access::Socket, "{}", route.path);
                continue;
            }
            if route.path == "/jitsi" {
                // Only what a handshake says is judged: `jitsi.rs`.
                continue;
            }
            if place == "header" {
                // Any text may be a tag or a range: `etags.rs`, `audio.rs`.
                assert!(["If-None-Match", "Range", "If-Range"].contains(&name), "{name}");
                continue;
            }
            if route.path.starts_with("/public/") {
                // What is no share is as one that never was: `share_links.rs`.
                continue;
            }
            // A control character is wrong for a number, a word, an address and a line of text
            // alike.
            let path = real_path(route);
            let path = if place == "query" {
                format!("{path}?{name}=%01")
            } else {
                let at =
                    route.path.split('/').position(|part| part == format!("{{{name}}}")).unwrap();
                let mut parts: Vec<&str> = path.split('/').collect();
                parts[at] = "%01";
                parts.join("/")
            };
            let call = server.call(route.method.as_str(), path);
            let faults = let_in(call, route, &token, &session.token).send().faults();
            let loc = format!("{place}.{name}");
            assert!(
                faults.iter().any(|(_, at)| *at == loc),
                "{} {} {loc}: {faults:?}",
                route.method,
                route.path
            );
        }
    }
}

#[test]
fn every_status_of_the_document_is_counted() {
    let operations =
        DOCUMENT["paths"].as_object().expect("paths").values().filter_map(Value::as_object);
    let answers = operations
        .flat_map(|item| item.values())
        .filter_map(|operation| operation["responses"].as_object());
    for status in answers.flat_map(|responses| responses.keys()) {
        assert!(
            STATUSES.contains(&status.parse().expect("a status")),
            "{status} counts as another"
        );
    }
}
