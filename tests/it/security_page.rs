//! The page that says what is promised names the test of each promise: they must be there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of tests in a text: what stands in backticks and has a module before it.
fn named_tests(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.contains("::")).collect()
}

/// The file of a test, and the test's own name.
fn place(name: &str) -> (PathBuf, &str) {
    let (module, test) = name.rsplit_once("::").expect("a module");
    let file = match module.strip_suffix("::tests") {
        Some(module) => format!("src/{}.rs", module.replace("::", "/")),
        None => format!("tests/it/{}.rs", module.replace("::", "/")),
    };
    (root().join(file), test)
}

/// Whether the file has a test of this name, which is run.
fn is_there(name: &str) -> bool {
    let (file, test) = place(name);
    let code = fs::read_to_string(file).unwrap_or_default();
    let Some(at) = code.find(&format!("fn {test}(")) else { return false };
    let before = code[..at].trim_end().trim_end_matches("async").trim_end();
    let last = before.rsplit("\n\n").next().unwrap_or_default();
    last.contains("test]") && !last.contains("ignore")
}

#[test]
fn each_promise_names_its_tests_and_they_are_there() {
    let page = fs::read_to_string(root().join("docs/security.md")).expect("the page");
    let mut promises = 0;
    for section in page.split("\n## ").filter(|section| section.starts_with("Against")) {
        let list = section.split("\nNot promised").next().unwrap_or_default();
        for promise in list.split("\n- ").skip(1) {
            promises += 1;
            let tests = named_tests(promise);
            assert!(!tests.is_empty(), "no test is named: {promise}");
        }
    }
    assert!(promises >= 20, "only {promises} promises were read");
    let missing: Vec<&str> =
        named_tests(&page).into_iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "not in the suite: {missing:#?}");
}

#[test]
fn a_test_that_is_not_there_is_found_missing() {
    assert!(is_there("security_page::a_test_that_is_not_there_is_found_missing"));
    assert!(!is_there("security_page::a_test_that_nobody_has_written"));
    assert!(!is_there("no_such_file::each_promise_names_its_tests_and_they_are_there"));
    assert!(!is_there("security_page::root"), "a function that is no test");
}
