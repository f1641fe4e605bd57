//! The ladder of rooms: a room names those above it and never those below, and no files name each
//! other in a circle.

use super::{Source, rust_files};
use std::collections::{BTreeMap, BTreeSet};

/// The rooms, from the top of the ladder down.
const LADDER: &[&str] = &[
    "domain",
    "error",
    "exit",
    "clock",
    "logging",
    "metrics",
    "http_client",
    "tls",
    "s3",
    "budget",
    "features",
    "encryption",
    "kept",
    "config",
    "store",
    "auth",
    "feed",
    "bot_commands",
    "webhooks",
    "bots",
    "transcription",
    "erasure",
    "backups",
    "health",
    "http",
    "app",
    "api",
    "wire",
    "console",
    "routes",
    "server",
    "import",
    "cli",
];

/// Modules by path (`store::tokens::read`), with what they import and pass on.
struct House {
    modules: BTreeMap<String, Module>,
}

struct Module {
    /// Paths below `crate` that its code names.
    named: BTreeSet<String>,
    /// What it passes on with `pub use`: the name, and the path that it stands for.
    passed_on: BTreeMap<String, String>,
}

impl House {
    fn of(sources: &[Source]) -> Self {
        let mut modules = BTreeMap::new();
        for source in sources {
            let path = module_path(&source.path);
            let is_test = source.path.ends_with("/tests.rs");
            if !is_test && !matches!(path.as_str(), "lib" | "main") {
                modules.insert(path.clone(), Module::of(source, &path));
            }
        }
        Self { modules }
    }

    /// The file that a path leads to: past whatever a folder only passes on.
    fn file_of(&self, path: &str) -> Option<&str> {
        let mut at = path.to_owned();
        for _ in 0..8 {
            let parts: Vec<&str> = at.split("::").collect();
            let prefixes =
                (1..=parts.len()).rev().map(|count| (parts[..count].join("::"), parts.get(count)));
            let (module, rest) =
                prefixes.into_iter().find(|(prefix, _)| self.modules.contains_key(prefix))?;
            let passed_on = rest.and_then(|name| self.modules[&module].passed_on.get(*name));
            match passed_on {
                Some(next) => at.clone_from(next),
                None => return self.modules.get_key_value(&module).map(|(key, _)| key.as_str()),
            }
        }
        None
    }

    /// Which file names which others.
    fn arrows(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut arrows = BTreeMap::new();
        for (from, module) in &self.modules {
            let mut to: BTreeSet<&str> =
                module.named.iter().filter_map(|path| self.file_of(path)).collect();
            to.remove(from.as_str());
            arrows.insert(from.as_str(), to);
        }
        arrows
    }

    /// Every arrow that goes from a room to one below it.
    fn arrows_back_up(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (from, targets) in self.arrows() {
            for to in targets {
                if place(from) < place(to) {
                    found.push(format!("{from} names {to}, which is below it"));
                }
            }
        }
        found
    }

    /// The files that name each other in a circle.
    fn circles(&self) -> Vec<Vec<&str>> {
        let arrows = self.arrows();
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            arrows.keys().map(|&from| (from, reachable(&arrows, from))).collect();
        let mut circles: Vec<Vec<&str>> = Vec::new();
        for (&from, reached) in &reach {
            let is_known = circles.iter().any(|circle| circle.contains(&from));
            if reached.contains(from) && !is_known {
                let circle = reached.iter().copied().filter(|to| reach[to].contains(from));
                circles.push(circle.collect());
            }
        }
        circles
    }
}

impl Module {
    fn of(source: &Source, path: &str) -> Self {
        let mut code = String::new();
        for (_, line) in source.code() {
            code.push_str(line);
            code.push('\n');
        }
        let mut module = Self { named: BTreeSet::new(), passed_on: BTreeMap::new() };
        for statement in uses(&code) {
            let is_passed_on = statement.starts_with("pub");
            let tree = statement.split_once("use ").map_or("", |(_, tree)| tree);
            for leaf in leaves(tree) {
                let (leaf, name) = leaf
                    .split_once(" as ")
                    .map_or((leaf.as_str(), None), |(leaf, name)| (leaf, Some(name)));
                let absolute = match leaf.strip_prefix("crate::") {
                    Some(rest) => rest.to_owned(),
                    None if is_passed_on => format!("{path}::{leaf}"),
                    None => continue,
                };
                if is_passed_on {
                    let name = name.or_else(|| leaf.rsplit("::").next()).unwrap_or_default();
                    module.passed_on.insert(name.to_owned(), absolute);
                } else {
                    module.named.insert(absolute);
                }
            }
        }
        for (at, _) in code.match_indices("crate::") {
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let rest = &code[at + "crate::".len()..];
            let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
            let inline = rest[..end].trim_end_matches(':');
            let is_in_use =
                code[..at].rsplit('\n').next().is_some_and(|line| line.contains("use "));
            if !is_in_use && !inline.is_empty() {
                module.named.insert(inline.to_owned());
            }
        }
        assert!(!code.contains("super::"), "{path} names its parent; write the path from `crate`");
        module
    }
}

/// `src/store/mod.rs` is `store`, `src/store/pages.rs` is `store::pages`.
fn module_path(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").replace('/', "::")
}

/// How far down the ladder a module's room is.
fn place(module: &str) -> usize {
    let room = module.split("::").next().unwrap_or(module);
    LADDER
        .iter()
        .position(|known| *known == room)
        .unwrap_or_else(|| panic!("{room} has no place on the ladder"))
}

/// The `use` statements of a text, each in one line, without the semicolon.
fn uses(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        if !matches!(line.trim(), "" | "pub" | "pub(crate)") {
            continue;
        }
        let statement = code[at..].split(';').next().unwrap_or_default();
        let one_line: Vec<&str> = statement.split_whitespace().collect();
        found.push(format!("{}{}", line.trim_start(), one_line.join(" ")));
    }
    found
}

/// The paths of a tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((prefix, inner)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = inner.trim().trim_end_matches('}');
    let (mut depth, mut branches) = (0_usize, vec![String::new()]);
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match branches.last_mut() {
            Some(branch) if c != ',' || depth > 0 => branch.push(c),
            _ => branches.push(String::new()),
        }
    }
    let mut found = Vec::new();
    for branch in branches.iter().filter(|branch| !branch.trim().is_empty()) {
        let branch = branch.trim().trim_end_matches("::self");
        let closed = if branch.contains('{') { format!("{branch}}}") } else { branch.to_owned() };
        found.extend(leaves(&closed).into_iter().map(|leaf| format!("{}{leaf}", prefix.trim())));
    }
    found
}

/// Every file to which the arrows lead from there, in one step or more.
fn reachable<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&str> = arrows[from].iter().copied().collect();
    while let Some(file) = next.pop() {
        if found.insert(file) {
            next.extend(&arrows[file]);
        }
    }
    found
}

#[test]
fn no_arrow_goes_back_up_and_no_files_form_a_circle() {
    let sources = rust_files("src");
    let house = House::of(&sources);
    let arrows: usize = house.arrows().values().map(BTreeSet::len).sum();
    assert!(arrows > 400, "only {arrows} arrows were seen");
    let back_up = house.arrows_back_up();
    assert!(back_up.is_empty(), "{back_up:#?}");
    let circles = house.circles();
    assert!(circles.is_empty(), "{circles:#?}");
}

fn planted(files: &[(&str, &str)]) -> Vec<Source> {
    let source =
        |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
    files.iter().map(source).collect()
}

#[test]
fn a_planted_arrow_and_a_planted_circle_are_found() {
    let sound = [
        ("src/store/mod.rs", "pub use doors::Store;\n"),
        (
            "src/store/doors.rs",
            "use crate::domain::Time;\nuse crate::store::pages::{Page, page};\n",
        ),
        ("src/store/pages.rs", "pub struct Page;\n"),
        ("src/domain/mod.rs", "pub use time::Time;\n"),
        ("src/domain/time.rs", "pub struct Time;\n"),
    ];
    let sources = planted(&sound);
    let house = House::of(&sources);
    assert_eq!((house.arrows_back_up(), house.circles().len()), (Vec::new(), 0));
    for (file, text, back_up, circles) in [
        ("src/domain/time.rs", "use crate::store::Store;\n", 1, 1),
        ("src/domain/time.rs", "fn now() { crate::store::pages::page() }\n", 1, 0),
        ("src/store/pages.rs", "use crate::store::{\n    doors::{Store, self},\n};\n", 0, 1),
        (
            "src/store/pages.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::store::Store;\n}\n",
            0,
            0,
        ),
    ] {
        let mut files = sound.to_vec();
        files.retain(|(path, _)| *path != file);
        files.push((file, text));
        let sources = planted(&files);
        let house = House::of(&sources);
        assert_eq!(
            (house.arrows_back_up().len(), house.circles().len()),
            (back_up, circles),
            "{file}: {text}"
        );
    }
}
