//! `vomeet demo`: a throw-away server with a user, a token and a meeting that goes on. It has a
//! folder of its own, which goes away with it, and reads no settings and no environment: what is
//! installed on this machine is left alone.

use crate::app::App;
use crate::cli::client::{Client, Target};
use crate::cli::demo_speech::SpeechArgs;
use crate::cli::journal;
use crate::cli::open::{make_link, open_in_browser};
use crate::cli::print::{note, say};
use crate::cli::reach::find_server;
use crate::cli::scratch::{Scratch, random};
use crate::cli::serve::{stop_signal_with, url};
use crate::clock::Clock;
use crate::config::{DemoMeeting, Environment, Flags, Settings};
use crate::exit::{Code, StartupError};
use crate::http::admin_socket::AdminSocket;
use crate::http::serve::{Listeners, listen};
use crate::routes::TABLE_INFO;
use crate::store::create_new;
use crate::{logging, server};
use clap::Args;
use hyper::Method;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

/// The port that a demo takes if it is free.
const USUAL_PORT: u16 = 18056;
/// The user of the demo.
const EMAIL: &str = "demo@example.com";
/// How many bots the user may have at once: that of the demo, and one to try.
const BOTS_MAX: u32 = 2;
/// The platform of the demo meeting.
const PLATFORM: &str = "google_meet";
/// The meeting, as Google Meet names it.
const MEETING: &str = "abc-defg-hij";
/// Characters of its admin key.
const KEY_CHARS: usize = 40;
/// How often is looked whether the meeting is over, so that the next one begins.
const LOOK_PERIOD: Duration = Duration::from_secs(5);
/// The file that says what the folder is.
const ABOUT_FILE: &str = "README.txt";
const ABOUT: &str = "\
This folder belongs to `vomeet demo`, a throw-away server whose users and meetings are invented.
The folder goes away when the demo stops. Where no `vomeet demo` runs any more, it was killed:
remove the folder, nothing in it is needed.
";
/// What there is to see.
const ABOUT_MEETING: &str = "\
A throw-away server with an invented meeting whose transcript grows; when it is over, the
next one begins. ";
const ABOUT_SPEECH: &str = "\
A throw-away server with a meeting in which a recording is played, from the year 1961, whose
words an engine makes; when it is over, the next one begins.
";

/// Arguments of `demo`.
#[derive(Args)]
pub(super) struct DemoArgs {
    /// Do not open the console in a browser
    #[arg(long)]
    no_open: bool,
    /// Port to listen on, on this machine alone; 0 is any free one [default: 18056, or any free one
    /// where that is taken]
    #[arg(long)]
    port: Option<u16>,
    #[command(flatten)]
    speech: SpeechArgs,
}

/// Serves the demo until SIGTERM, SIGINT or SIGHUP. Whatever happens, the folder is removed.
pub(super) fn run(args: &DemoArgs) -> Result<(), StartupError> {
    args.speech.check()?;
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let folder = Scratch::new_path(&std::env::temp_dir(), "vomeet-demo");
    let folder = folder.map_err(|why| no_folder(&why))?;
    let built = Builder::new_multi_thread().enable_all().build();
    let runtime = built.map_err(|error| failed(&error.to_string()))?;
    runtime.block_on(demo(args, folder))
}

async fn demo(args: &DemoArgs, folder: PathBuf) -> Result<(), StartupError> {
    let stop = stop(folder.clone()).map_err(|error| failed(&error.to_string()))?;
    let listener = listen_on(args.port)?;
    let address = listener.local_addr().map_err(|error| failed(&error.to_string()))?;
    let scratch = Scratch::make(folder).map_err(|why| no_folder(&why))?;
    say_what_it_is(&scratch)?;
    let settings = settings(args, &scratch, address)?;
    let config = &settings.config;
    let _flush = logging::start(&config.log, config.log_format, journal::is_standard_error())?;
    let app = App::open(config.clone(), address, Clock::system(), TABLE_INFO, None)?;
    let admin = AdminSocket::open(config).inspect_err(|_| app.store.close())?;
    let mut shown = Ok(());
    let showing = Box::pin(show(&settings, &scratch, address, !args.no_open));
    let stopped_or_failed = async {
        tokio::select! {
            () = stop => {}
            failed = showing => shown = failed,
        }
    };
    let listeners = Listeners { network: listener, admin, monitoring: None, redis: None };
    server::run(app, listeners, stopped_or_failed).await?;
    shown
}

/// Ends at the first signal that stops the demo. At a second one the process ends at once, and the
/// folder goes nevertheless. A terminal that is closed stops it too.
fn stop(folder: PathBuf) -> std::io::Result<impl Future<Output = ()>> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let told = stop_signal_with(None, move || {
        let _ = fs::remove_dir_all(folder);
    })?;
    Ok(async move {
        tokio::select! {
            () = told => {}
            _ = hang_up.recv() => {}
        }
    })
}

/// Listens on this machine alone.
fn listen_on(port: Option<u16>) -> Result<TcpListener, StartupError> {
    let here = |port| listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let listening = match port {
        Some(port) => here(port),
        None => here(USUAL_PORT).or_else(|_| here(0)),
    };
    listening.map_err(|error| {
        let port = port.unwrap_or_default();
        let message =
            format!("Cannot listen on port {port} ({error}); choose another with --port.");
        StartupError::new(Code::Listen, message)
    })
}

/// Leaves a file in the folder, for those who find it after a kill.
fn say_what_it_is(scratch: &Scratch) -> Result<(), StartupError> {
    let path = scratch.path().join(ABOUT_FILE);
    let written = create_new(&path).and_then(|mut file| file.write_all(ABOUT.as_bytes()));
    written.map_err(|error| no_folder(&format!("{} cannot be written ({error})", path.display())))
}

/// The settings of the demo: those of an empty folder and an empty environment, and its engine.
fn settings(
    args: &DemoArgs,
    scratch: &Scratch,
    address: SocketAddr,
) -> Result<Settings, StartupError> {
    let key = random().map_err(|why| failed(&why))?;
    let variables = [
        ("ADMIN_API_TOKEN", &key[..KEY_CHARS]),
        ("VOMEET_BOTS_RUNNER", "demo"),
        ("VOMEET_LOG", "warn"),
    ];
    let mut environment = HashMap::new();
    for (name, value) in variables {
        environment.insert(name.to_owned(), value.to_owned());
    }
    for (name, value) in args.speech.settle(scratch)? {
        environment.insert(name.to_owned(), value);
    }
    let environment = Environment { environment, folder: scratch.path().to_owned() };
    let flags = Flags {
        config: None,
        listen: Some(address.to_string()),
        database: Some(scratch.database().to_string_lossy().into_owned()),
        socket: None,
    };
    let mut settings = Settings::load_to_serve(&flags, &environment)?;
    settings.config.bots.demo_meeting = match args.speech.is_wanted() {
        true => DemoMeeting::Spoken,
        false => DemoMeeting::Long,
    };
    Ok(settings)
}

/// Makes what there is to see, says so, and lets one meeting follow the other. It ends only where
/// this fails.
async fn show(
    settings: &Settings,
    scratch: &Scratch,
    address: SocketAddr,
    is_opened: bool,
) -> Result<(), StartupError> {
    let (user_id, token) = make_user(settings).await?;
    send_bot(address, &token).await?;
    say(welcome(settings, scratch, address, &token))?;
    if is_opened {
        let link = make_link(settings).await?;
        open_in_browser(&link, &scratch.path().join("open.html"))?;
    }
    let mut told = String::new();
    loop {
        sleep(LOOK_PERIOD).await;
        if !is_over(settings, user_id).await? {
            continue;
        }
        // The user or the token was removed in the console, or other bots take the seats, for
        // example: it is told once, and tried again.
        if let Err(error) = send_bot(address, &token).await
            && error.message != told
        {
            note(&format!("vomeet: no further meeting begins now: {}", error.message));
            told = error.message;
        }
    }
}

/// The demo's own administrator.
async fn administrator(settings: &Settings) -> Result<Client, StartupError> {
    let found = find_server(settings).await?;
    found.ok_or_else(|| failed("its server cannot be reached"))
}

/// Creates the user and a token: the user's id, and the token.
async fn make_user(settings: &Settings) -> Result<(i64, String), StartupError> {
    let mut client = administrator(settings).await?;
    let body = json!({ "email": EMAIL, "name": "Demo", "max_concurrent_bots": BOTS_MAX });
    let users = Target::path(["admin", "users"]);
    let user = client.send(Method::POST, users, Some(body)).await?.json()?;
    let id = user["id"].as_i64().unwrap_or_default();
    let tokens = Target::path(["admin", "users", &id.to_string(), "tokens"]);
    let body = json!({ "name": "demo" });
    let made = client.send(Method::POST, tokens, Some(body)).await?.json()?;
    client.close();
    let token = made["token"].as_str().unwrap_or_default();
    Ok((id, token.to_owned()))
}

/// Sends the bot to the meeting as the user would.
async fn send_bot(address: SocketAddr, token: &str) -> Result<(), StartupError> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| failed(&error.to_string()))?;
    let mut client = Client::over(stream, None).await?.with_api_key(token);
    let body = json!({ "platform": PLATFORM, "native_meeting_id": MEETING });
    client.send(Method::POST, Target::path(["bots"]), Some(body)).await?;
    client.close();
    Ok(())
}

/// Whether the demo meeting is over; bots of the user may be in others.
async fn is_over(settings: &Settings, user_id: i64) -> Result<bool, StartupError> {
    let mut client = administrator(settings).await?;
    let newest = Target::path(["admin", "analytics", "meetings"])
        .with("user_id", Some(user_id))
        .with("platform", Some(PLATFORM))
        .with("native_meeting_id", Some(MEETING))
        .with("limit", Some(1));
    let newest = client.get_json(newest).await?;
    client.close();
    let status = newest[0]["status"].as_str();
    Ok(matches!(status, None | Some("completed" | "failed")))
}

fn welcome(settings: &Settings, scratch: &Scratch, address: SocketAddr, token: &str) -> String {
    let url = url(&settings.config, address);
    let curl = format!("curl -H 'X-API-Key: {token}' '{url}");
    let (about, word) = match settings.config.bots.demo_meeting {
        DemoMeeting::Spoken => (ABOUT_SPEECH, "country"),
        _ => (ABOUT_MEETING, "morning"),
    };
    format!(
        "Vomeet demo {version} listens on {url}\n\
         \n  Console    {url}/console/\
         \n  Docs       {url}/docs\
         \n  Admin key  {key}\
         \n  Token      {token} of {EMAIL}\
         \n  Folder     {folder}\n\
         \n\
         {about}Sign in to the console with the token to watch it. At a shell:\n\
         \n  {curl}/meetings'\
         \n  {curl}/transcripts/google_meet/{MEETING}?format=txt'\
         \n  {curl}/transcripts/search?q={word}'\n\
         \n\
         Ctrl-C stops the demo and removes its folder. A server of your own begins in an empty\n\
         folder with: vomeet init\n\n",
        version = crate::api::general::VERSION,
        key = settings.config.admin_key,
        folder = scratch.path().display(),
    )
}

fn failed(why: &str) -> StartupError {
    StartupError::new(Code::DatabaseUnusable, format!("The demo cannot run: {why}."))
}

fn no_folder(why: &str) -> StartupError {
    failed(&format!("{why}; name another folder for temporary files with TMPDIR"))
}
