//! `vomeet mcp`: the Model Context Protocol over standard input and output, for clients that start
//! their servers as programs. Each message is passed on to `/mcp` of a server, and its response
//! back.

use crate::cli::door::token_in;
use crate::cli::mcp_server::{McpServer, Sent};
use crate::cli::print::{note, say};
use crate::cli::reach::runtime;
use crate::exit::{Code, StartupError};
use clap::Args;
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, Read, stdin};
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// Longest message in bytes: the longest body that any server takes.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The variable of the server's address.
const URL_VARIABLE: &str = "VOMEET_URL";
/// The variable of the API token.
const TOKEN_VARIABLE: &str = "VOMEET_API_KEY";

/// Arguments of `mcp`.
#[derive(Args)]
pub(super) struct McpArgs {
    /// Address of the server [default: `VOMEET_URL`, or `http://localhost:18056`]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file whose first line is the API token [default: `VOMEET_API_KEY`]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Passes messages on until standard input ends.
pub(super) fn run(args: &McpArgs) -> Result<(), StartupError> {
    let named = args.url.clone().or_else(|| variable(URL_VARIABLE));
    let url = named.unwrap_or_else(|| "http://localhost:18056".to_owned());
    let token = match &args.token_file {
        Some(file) => token_of(file)?,
        None => variable(TOKEN_VARIABLE).ok_or_else(no_token)?,
    };
    let mut server = McpServer::new(&url, &token)?;
    let runtime = runtime()?;
    let mut input = stdin().lock();
    while let Some(line) = next_line(&mut input)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if let Some(response) = pass_on(&runtime, &mut server, &line) {
            say(format_args!("{response}\n"))?;
        }
    }
    Ok(())
}

/// The value of a variable of the environment, if it has one.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn no_token() -> StartupError {
    let message = format!(
        "There is no API token: put one into {TOKEN_VARIABLE}, or name a file that holds it with \
         --token-file."
    );
    StartupError::new(Code::Config, message)
}

/// The token in the first line of a file.
fn token_of(file: &Path) -> Result<String, StartupError> {
    let token = token_in(file)?;
    if token.is_empty() {
        let shown = file.display();
        let message = format!("The first line of {shown} is empty; put the API token there.");
        return Err(StartupError::new(Code::Config, message));
    }
    Ok(token)
}

/// The next line, without more of it than a message may have; `None` at the end.
fn next_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, StartupError> {
    let mut line = Vec::new();
    let read = input.take(MESSAGE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
    let count = read.map_err(|error| {
        let message = format!("Standard input cannot be read ({error}).");
        StartupError::new(Code::Unavailable, message)
    })?;
    if count > MESSAGE_BYTES_MAX {
        let message = format!("A message is longer than {MESSAGE_BYTES_MAX} bytes.");
        return Err(StartupError::new(Code::Invalid, message));
    }
    Ok((count > 0).then_some(line))
}

/// Passes a message on; what is to be printed, if it has a response.
fn pass_on(runtime: &Runtime, server: &mut McpServer, line: &[u8]) -> Option<String> {
    let message: Value = match serde_json::from_slice(line) {
        Ok(message) => message,
        Err(error) => return Some(failed(&Value::Null, -32700, &format!("Parse error: {error}"))),
    };
    let id = message.get("id").cloned();
    match (runtime.block_on(server.send(&message, line)), id) {
        (Ok(Sent::Response(response)), Some(_)) => Some(response),
        (Ok(Sent::Nothing), Some(id)) => {
            Some(failed(&id, -32603, "The server has not responded to the message."))
        }
        // Nobody waits for what is said to a notification.
        (Ok(_), None) => None,
        (Err(why), id) => {
            note(&format!("vomeet: {why}"));
            id.map(|id| failed(&id, -32603, &why))
        }
    }
}

/// A response of JSON-RPC that says what went wrong on the way.
fn failed(id: &Value, code: i64, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string()
}
