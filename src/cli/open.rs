//! `vomeet open`: opens the console in a browser, signed in without a key. The link reaches the
//! browser in a file that its owner alone can read: other users of the machine see arguments.

use crate::cli::Place;
use crate::cli::client::Target;
use crate::cli::print::{note, say};
use crate::cli::reach::{find_server, runtime, shown};
use crate::cli::serve::scheme;
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use crate::store::create_new;
use clap::Args;
use hyper::Method;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Arguments of `open`.
#[derive(Args)]
pub(super) struct OpenArgs {
    #[command(flatten)]
    place: Place,
    /// Print the link and open nothing: it signs in once, within a minute, on this machine
    #[arg(long)]
    print: bool,
}

/// Makes a link and hands it to the browser.
pub(super) fn run(args: OpenArgs) -> Result<(), StartupError> {
    let settings = args.place.load()?;
    if !settings.config.console {
        let message = "The console is switched off (`console = false`); switch it on first.";
        return Err(StartupError::new(Code::Conflict, message));
    }
    let link = runtime()?.block_on(make_link(&settings))?;
    if args.print {
        return say(format_args!("{link}\n"));
    }
    let folder = env::var_os("XDG_RUNTIME_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let uid = rustix::process::geteuid().as_raw();
    open_in_browser(&link, &folder.join(format!("vomeet-open-{uid}.html")))
}

/// Opens a link in the browser by this page, which is written for it; where there is no browser,
/// the link is printed.
pub(super) fn open_in_browser(link: &str, page: &Path) -> Result<(), StartupError> {
    let Some(browser) = browser() else {
        note("vomeet: there is no browser here; open this on the same machine, in a minute:");
        return say(format_args!("{link}\n"));
    };
    hand_over(link, page)?;
    let mut command = Command::new(&browser);
    command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A Ctrl-C that stops this process is not meant for the browser.
    command.process_group(0);
    match command.spawn() {
        Ok(mut started) => {
            note("vomeet: the console opens in your browser");
            // Where this process goes on, it leaves no zombie.
            std::thread::spawn(move || started.wait());
        }
        Err(error) => {
            let browser = browser.to_string_lossy();
            note(&format!("vomeet: cannot start {browser} ({error}); open {}", page.display()));
        }
    }
    Ok(())
}

/// Asks the running server for a link. A database at rest has no console.
pub(super) async fn make_link(settings: &Settings) -> Result<String, StartupError> {
    let Some(mut client) = find_server(settings).await? else {
        let socket = shown(&settings.config.socket_path());
        let message = format!("No server responds at {socket}; start it with `vomeet`.");
        return Err(StartupError::new(Code::NotRunning, message));
    };
    let health = client.get(Target::path(["healthz"])).await?.json()?;
    let address = health["server"]["address"].as_str().unwrap_or_default();
    let address = address_here(address)?;
    let target = Target::path(["admin", "open-links"]);
    let made = client.send(Method::POST, target, None).await?.json()?;
    client.close();
    let secret = made["link"].as_str().unwrap_or_default();
    let scheme = scheme(&settings.config);
    Ok(format!("{scheme}://{address}/console/#open={secret}"))
}

/// Where a browser on the server's machine reaches it by a loopback name.
fn address_here(listens_on: &str) -> Result<String, StartupError> {
    let address: Option<SocketAddr> = listens_on.parse().ok();
    match address {
        Some(address) if address.ip().is_unspecified() => {
            Ok(format!("localhost:{}", address.port()))
        }
        Some(SocketAddr::V4(address)) if address.ip().is_loopback() => {
            match address.ip().octets() {
                [127, 0, 0, 1] => Ok(format!("localhost:{}", address.port())),
                _ => Ok(address.to_string()),
            }
        }
        Some(address) if address.ip().to_canonical().is_loopback() => Ok(address.to_string()),
        _ => {
            let message = format!(
                "The server listens on {listens_on} alone, and such a link works on a loopback \
                 address; sign in with a key instead."
            );
            Err(StartupError::new(Code::Conflict, message))
        }
    }
}

/// The program that opens a page in the browser of this user, if there is a screen for it.
fn browser() -> Option<OsString> {
    if let Some(named) = env::var_os("BROWSER").filter(|named| !named.is_empty()) {
        return Some(named);
    }
    if cfg!(target_os = "macos") {
        return Some("open".into());
    }
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some());
    has_screen.then(|| "xdg-open".into())
}

/// Writes the page that leads to the link, in place of the one of an earlier call, whose link is
/// dead by now or will be within a minute.
fn hand_over(link: &str, path: &Path) -> Result<(), StartupError> {
    let _ = fs::remove_file(path);
    let page = format!(
        "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" \
         content=\"no-referrer\">\n<meta http-equiv=\"refresh\" content=\"0; url={link}\">\n\
         <title>Vomeet</title>\n<a href=\"{link}\">Open the console</a>\n"
    );
    let written = create_new(path).and_then(|mut file| file.write_all(page.as_bytes()));
    written.map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> StartupError {
    let message = format!(
        "Cannot write {} ({error}); `vomeet open --print` prints the link instead.",
        path.display()
    );
    StartupError::new(Code::NotPermitted, message)
}

#[cfg(test)]
mod tests {
    use super::address_here;

    #[test]
    fn a_browser_reaches_the_server_by_a_loopback_name() {
        for (listens_on, expected) in [
            ("127.0.0.1:1", Some("localhost:1")),
            ("127.0.0.2:1", Some("127.0.0.2:1")),
            ("0.0.0.0:1", Some("localhost:1")),
            ("[::]:1", Some("localhost:1")),
            ("[::1]:1", Some("[::1]:1")),
            ("192.0.2.1:1", None),
            ("", None),
        ] {
            assert_eq!(address_here(listens_on).ok().as_deref(), expected, "{listens_on}");
        }
    }
}
