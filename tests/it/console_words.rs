//! The words of the API that the console names: the same as the server's.

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(vomeet::routes::document().expect("a document")).expect("JSON")
});

/// What stands in a file of the console between `start` and the next `end`.
fn part(file: &str, start: &str, end: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/console/files");
    let text = fs::read_to_string(folder.join(file)).expect("the file");
    let (_, rest) = text.split_once(start).expect("the beginning");
    rest.split_once(end).expect("the end").0.to_owned()
}

fn found(text: &str, pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).expect("a pattern");
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The keys of a table such as `const NAMES = {`.
fn keys(file: &str, table: &str) -> BTreeSet<String> {
    let text = part(file, &format!("const {table} = {{"), "\n};");
    found(&text, r#"(?:^|[\s,])"?([a-z_.]+)"?: "#)
}

/// The words that the document allows at a pointer.
fn allowed(pointer: &str) -> BTreeSet<String> {
    let words = DOCUMENT.pointer(pointer).and_then(|one| one["enum"].as_array()).expect(pointer);
    words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// The words that the query parameter `name` of a route may be.
fn of_query(path: &str, name: &str) -> BTreeSet<String> {
    let parameters = DOCUMENT["paths"][path]["get"]["parameters"].as_array().expect("parameters");
    let at = parameters.iter().position(|one| one["name"] == name).expect("the parameter");
    let path = path.replace('/', "~1");
    allowed(&format!("/paths/{path}/get/parameters/{at}/schema"))
}

#[test]
fn each_action_of_the_audit_log_has_a_name() {
    assert_eq!(keys("audit.js", "ACTIONS"), of_query("/admin/audit", "action"));
}

#[test]
fn each_status_and_platform_of_a_meeting_has_a_name() {
    assert_eq!(keys("format.js", "STATUSES"), of_query("/meetings", "status"));
    assert_eq!(keys("format.js", "PLATFORMS"), of_query("/meetings", "platform"));
}

#[test]
fn each_state_of_a_delivery_has_a_name() {
    let line = part("deliveries.js", "const STATES = {", "};");
    let named = found(&line, r"([a-z_]+): \[");
    assert_eq!(named, allowed("/components/schemas/DeliveryState"));
}

#[test]
fn the_languages_are_those_that_a_bot_can_be_told() {
    let list = part("format.js", "export const LANGUAGES = (", ").split");
    let named = found(&list, r"\b([a-z]{2,3})\b");
    assert_eq!(named, allowed("/components/schemas/ConfigureBotBody/properties/language"));
}
