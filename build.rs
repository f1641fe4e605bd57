//! Packs the clients that the server hands out at `/clients/`: that of `clients/python` into a wheel,
//! that of `clients/typescript` into a tarball for npm. Neither Python nor Node is needed, nothing is
//! downloaded, and the same files give the same bytes: entries stand in the order of their names,
//! and all have the same time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use tar::Header;
use toml::{Table, Value};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The folder of the client.
const CLIENT: &str = "clients/python";
/// The client's package, as Python imports it.
const PACKAGE: &str = "vomeet_client";
/// What the wheel works with: any Python 3, any system.
const TAG: &str = "py3-none-any";
/// The licence that goes with every copy.
const LICENSE: &str = "LICENSE";

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The folder of the TypeScript client, and its files besides those of `dist/`.
const NPM_CLIENT: &str = "clients/typescript";
const NPM_FILES: [&str; 3] = ["README.md", "api.d.ts", "package.json"];
/// The time of all entries of a tarball, in seconds since 1970: the one that npm gives them.
const NPM_TIME: u64 = 499_162_500;

/// A file of a package: its path in it, and its bytes.
type Entry = (String, Vec<u8>);

fn main() -> Outcome<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION")?;
    check_version(&version)?;
    let wheel = wheel(&version)?;
    hand_out("WHEEL", &format!("{PACKAGE}-{version}-{TAG}.whl"), &wheel)?;
    let tarball = tarball(&version)?;
    hand_out("TARBALL", &format!("vomeet-client-npm-{version}.tgz"), &tarball)
}

/// Gives a file to the program, as `client.<kind>`, with its name and its hash.
fn hand_out(kind: &str, name: &str, bytes: &[u8]) -> Outcome<()> {
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(folder.join(format!("client.{}", kind.to_lowercase())), bytes)?;
    println!("cargo:rustc-env=VOMEET_{kind}_NAME={name}");
    println!("cargo:rustc-env=VOMEET_{kind}_SHA256={}", hex(&Sha256::digest(bytes))?);
    Ok(())
}

fn wheel(version: &str) -> Outcome<Vec<u8>> {
    let info = format!("{PACKAGE}-{version}.dist-info");
    let mut entries = modules(version)?;
    entries.push((format!("{info}/METADATA"), metadata(version)?.into_bytes()));
    entries.push((format!("{info}/WHEEL"), about_the_wheel(version).into_bytes()));
    entries.push((format!("{info}/licenses/{LICENSE}"), read(Path::new(LICENSE))?));
    entries.sort();
    let record = record(&entries, &info)?;
    entries.push((format!("{info}/RECORD"), record.into_bytes()));
    pack(&entries)
}

/// The TypeScript client as npm takes it: all files are below `package/`.
fn tarball(version: &str) -> Outcome<Vec<u8>> {
    let folder = Path::new(NPM_CLIENT);
    if !read_text(&folder.join("package.json"))?.contains(&format!("\"version\": \"{version}\"")) {
        return Err(format!("{NPM_CLIENT}/package.json has another version than {version}").into());
    }
    let mut entries = vec![(format!("package/{LICENSE}"), read(Path::new(LICENSE))?)];
    for name in NPM_FILES {
        entries.push((format!("package/{name}"), read(&folder.join(name))?));
    }
    for found in fs::read_dir(folder.join("dist"))? {
        let path = found?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        entries.push((format!("package/dist/{name}"), read(&path)?));
    }
    entries.sort();
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(gzip);
    for (path, bytes) in &entries {
        let mut header = Header::new_ustar();
        header.set_size(u64::try_from(bytes.len())?);
        header.set_mode(0o644);
        header.set_mtime(NPM_TIME);
        archive.append_data(&mut header, path, bytes.as_slice())?;
    }
    Ok(archive.into_inner()?.finish()?)
}

/// Reads a file, which makes this program run again when the file changes. Folders are not watched:
/// Python leaves files of its own in them.
fn read(path: &Path) -> Outcome<Vec<u8>> {
    println!("cargo:rerun-if-changed={}", path.display());
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn read_text(path: &Path) -> Outcome<String> {
    Ok(String::from_utf8(read(path)?)?)
}

/// The name of a wheel has its version between hyphens, and Python writes a pre-release in another
/// way than Cargo does.
fn check_version(version: &str) -> Outcome<()> {
    let is_plain = version.chars().all(|c| c.is_ascii_digit() || c == '.');
    match is_plain {
        true => Ok(()),
        false => Err(format!("build.rs cannot write {version} as Python would").into()),
    }
}

/// The files of the package. It must have the version of the server that hands it out.
fn modules(version: &str) -> Outcome<Vec<Entry>> {
    let folder = Path::new(CLIENT).join("src").join(PACKAGE);
    let mut entries = Vec::new();
    for found in fs::read_dir(&folder)? {
        let path = found?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_python = path.extension().is_some_and(|extension| extension == "py");
        let is_ours = is_python || name == "py.typed";
        if is_ours {
            entries.push((format!("{PACKAGE}/{name}"), read(&path)?));
        }
    }
    let front = read_text(&folder.join("__init__.py"))?;
    if !front.contains(&format!("\n__version__ = \"{version}\"\n")) {
        return Err(format!("the client's __version__ is not {version}, as in Cargo.toml").into());
    }
    Ok(entries)
}

/// The core metadata: <https://packaging.python.org/en/latest/specifications/core-metadata/>.
fn metadata(version: &str) -> Outcome<String> {
    let folder = Path::new(CLIENT);
    let file: Table = toml::from_str(&read_text(&folder.join("pyproject.toml"))?)?;
    let project = file.get("project").and_then(Value::as_table).ok_or("there is no [project]")?;
    let mut text = String::from("Metadata-Version: 2.4\n");
    writeln!(text, "Name: {}", text_at(project, "name")?)?;
    writeln!(text, "Version: {version}")?;
    writeln!(text, "Summary: {}", text_at(project, "description")?)?;
    for (label, address) in table_at(project, "urls")? {
        writeln!(text, "Project-URL: {label}, {}", address.as_str().ok_or("urls")?)?;
    }
    writeln!(text, "License-Expression: {}", text_at(project, "license")?)?;
    writeln!(text, "License-File: {LICENSE}")?;
    writeln!(text, "Requires-Python: {}", text_at(project, "requires-python")?)?;
    for needed in texts(project.get("dependencies"))? {
        writeln!(text, "Requires-Dist: {needed}")?;
    }
    for (extra, needed) in table_at(project, "optional-dependencies")? {
        writeln!(text, "Provides-Extra: {extra}")?;
        for needed in texts(Some(needed))? {
            writeln!(text, "Requires-Dist: {needed}; extra == '{extra}'")?;
        }
    }
    let readme = read_text(&folder.join(text_at(project, "readme")?))?;
    writeln!(text, "Description-Content-Type: text/markdown\n\n{readme}")?;
    Ok(text)
}

fn text_at<'a>(project: &'a Table, name: &str) -> Outcome<&'a str> {
    let found = project.get(name).and_then(Value::as_str);
    found.ok_or_else(|| format!("[project] has no {name}").into())
}

fn table_at<'a>(project: &'a Table, name: &str) -> Outcome<&'a Table> {
    let found = project.get(name).and_then(Value::as_table);
    found.ok_or_else(|| format!("[project] has no {name}").into())
}

fn texts(list: Option<&Value>) -> Outcome<Vec<&str>> {
    let list = list.and_then(Value::as_array).ok_or("dependencies are no list")?;
    let mut texts = Vec::new();
    for item in list {
        texts.push(item.as_str().ok_or("a dependency is no text")?);
    }
    Ok(texts)
}

/// What kind of wheel it is: PEP 427.
fn about_the_wheel(version: &str) -> String {
    format!("Wheel-Version: 1.0\nGenerator: vomeet {version}\nRoot-Is-Purelib: true\nTag: {TAG}\n")
}

/// The list of all files with their hashes, but for its own.
fn record(entries: &[Entry], info: &str) -> Outcome<String> {
    let mut text = String::new();
    for (path, bytes) in entries {
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(bytes));
        writeln!(text, "{path},sha256={hash},{}", bytes.len())?;
    }
    writeln!(text, "{info}/RECORD,,")?;
    Ok(text)
}

fn pack(entries: &[Entry]) -> Outcome<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in entries {
        archive.start_file(path, options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn hex(bytes: &[u8]) -> Outcome<String> {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}
