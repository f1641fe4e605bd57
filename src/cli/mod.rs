//! The commands. Only here and in [`crate::config`] are arguments, environment and files read.

mod admin_key;
mod any_token;
mod audit;
mod backup;
mod backup_drill;
mod backup_fetch;
mod client;
mod compact;
mod config;
mod confirm;
mod demo;
mod demo_speech;
mod doctor;
mod doctor_report;
mod door;
mod health;
mod identity;
mod import;
mod init;
mod journal;
mod listening;
mod manual;
mod mcp;
mod mcp_server;
mod meetings;
mod open;
mod output;
mod own_tls;
mod print;
mod progress;
mod reach;
mod reload;
mod resolve;
mod restore;
mod scan;
mod scan_findings;
mod scan_report;
mod scratch;
mod serve;
mod service;
mod starting;
mod status;
mod stopping;
mod systemd;
mod table;
mod token;
mod token_hash;
mod transcribe;
mod transcribe_as;
mod upgrade;
mod usage;
mod user;
mod whisper_child;

use crate::config::{Environment, Flags, Settings, Source};
use crate::exit::StartupError;
use crate::features::LONG_VERSION;
use crate::store::resolve as resolve_link;
use admin_key::AdminKeyCommand;
use any_token::AnyTokenCommand;
use audit::AuditCommand;
use backup::BackupArgs;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use demo::DemoArgs;
use import::ImportArgs;
use init::InitArgs;
use meetings::MeetingsCommand;
use open::OpenArgs;
use output::Output;
use print::note;
use reach::{Missing, with_client};
use restore::RestoreArgs;
use scan::ScanArgs;
use service::ServiceCommand;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use usage::Usage;
use user::UserCommand;
use whisper_child::WhisperChildArgs;

/// A self-hosted meeting-bot and transcription API in one binary and one file
#[derive(Parser)]
#[command(name = "vomeet", version, long_version = LONG_VERSION.as_str())]
#[command(args_conflicts_with_subcommands = true, after_long_help = manual::exit_codes())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: FlagArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve(FlagArgs),
    /// Write vomeet.toml and an admin key into the working directory; asks three questions
    Init(InitArgs),
    /// Run a throw-away server with a user, a token and a meeting that goes on
    Demo(DemoArgs),
    /// Show whether the server runs, since when, and its size; exit code 3 if it does not run
    Status(FlagArgs),
    /// Say in one line whether the server works; exit code 1 if not (for HEALTHCHECK)
    Health(HealthArgs),
    /// Look at the server or the resting database, and say what to do; exit code 35 for a finding
    Doctor(doctor::DoctorArgs),
    /// Make the running server read its settings again, as SIGHUP does; its log says what has changed
    Reload(FlagArgs),
    /// Make the server a service of systemd, or take that back
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Check or show the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Create, show, change and delete users; no key is needed
    User(Administration<UserCommand>),
    /// Create, show, rotate and revoke tokens; no key is needed
    Token(Administration<AnyTokenCommand>),
    /// Show meetings, and stop their bots; no key is needed
    Meetings(Administration<MeetingsCommand>),
    /// Create, list, rotate and revoke named admin keys; no key is needed
    AdminKey(Administration<AdminKeyCommand>),
    /// Show, verify and export the audit log; no key is needed
    Audit(Administration<AuditCommand>),
    /// Back up the database, also while it is served; list, verify and try out backups
    Backup(BackupArgs),
    /// Open the console in a browser of this machine, signed in; no key is needed
    Open(OpenArgs),
    /// Put a backup in the place of the database, and keep the old file; no server may run
    Restore(RestoreArgs),
    /// Move in: make a database of the dump of another installation; exit code 40 for remarks
    Import(ImportArgs),
    /// Upgrade the database of an older version, and keep the old file; --check changes nothing
    Upgrade(upgrade::UpgradeArgs),
    /// Give free pages of the database back to the disk, also while it is served
    Compact(compact::CompactArgs),
    /// Make words of a recording, and print them; the recording becomes a meeting
    Transcribe(transcribe::TranscribeArgs),
    /// Usage by day, user or token; no key is needed
    Usage(UsageArgs),
    /// Offer a server's tools to a client of the Model Context Protocol that starts programs
    Mcp(mcp::McpArgs),
    /// Find tokens in files, or in a report of gitleaks or trufflehog; exit code 32 if there is one
    Scan(ScanArgs),
    /// Be a process of the engine inside; the server starts it
    #[command(hide = true)]
    WhisperChild(WhisperChildArgs),
    /// Print the completion script of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page, for `man -l`, or write a page for each command
    Man(manual::ManArgs),
}

/// A command that connects to the admin socket or, where no server runs, opens the database itself.
#[derive(Args)]
struct Administration<C: Subcommand> {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: C,
}

#[derive(Args)]
struct UsageArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    usage: Usage,
}

#[derive(Args)]
struct Place {
    /// Settings file [default: vomeet.toml in the working directory, if it is there]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The database file
    #[arg(long, value_name = "FILE", global = true)]
    database: Option<String>,
    /// The admin socket [default: the database file's name with .sock]
    #[arg(long, value_name = "FILE", global = true)]
    socket: Option<String>,
    /// How responses are printed
    #[arg(long, value_enum, global = true, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check every setting without starting
    Check(FlagArgs),
    /// Show the settings in force and where each comes from; secrets are hidden
    Show(FlagArgs),
}

#[derive(Args)]
struct HealthArgs {
    #[command(flatten)]
    flags: FlagArgs,
    /// Ask whether the server should get requests, not only whether it works
    #[arg(long)]
    ready: bool,
}

#[derive(Args, Clone, Default)]
struct FlagArgs {
    /// Settings file [default: vomeet.toml in the working directory, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The database file
    #[arg(long, value_name = "FILE")]
    database: Option<String>,
    /// The admin socket [default: the database file's name with .sock]
    #[arg(long, value_name = "FILE")]
    socket: Option<String>,
}

/// Gathers settings from the sources.
type Gather = fn(&Flags, &Environment) -> Result<Settings, StartupError>;

/// Where the system service has its database: `deploy/vomeet.service`.
const SERVICE_FOLDER: &str = "/var/lib/vomeet";
/// Where the service of the Debian package has its settings: `deploy/debian/vomeet.service`.
const PACKAGE_SETTINGS: &str = "/etc/vomeet/vomeet.toml";

fn load(
    gather: Gather,
    flags: &Flags,
    environment: &Environment,
) -> Result<Settings, StartupError> {
    let mut settings = gather(flags, environment)?;
    settings.config.database = resolve_link(&settings.config.database)?;
    Ok(settings)
}

impl FlagArgs {
    fn load(self) -> Result<Settings, StartupError> {
        let Self { config, listen, database, socket } = self;
        let flags = Flags { config, listen, database, socket };
        load(Settings::load, &flags, &Environment::of_process()?)
    }

    /// The settings of a server.
    fn load_to_serve(self) -> Result<Settings, StartupError> {
        let Self { config, listen, database, socket } = self;
        let flags = Flags { config, listen, database, socket };
        load(Settings::load_to_serve, &flags, &Environment::of_process()?)
    }

    /// The settings of a command that looks for a database. Where none is named, and there is none
    /// in the working directory, that of the system service is meant, with its settings.
    fn load_for_command(self) -> Result<Settings, StartupError> {
        self.load_near(Settings::load)
    }

    /// The same, with defaults for settings that are wrong.
    fn load_to_look(self) -> Result<Settings, StartupError> {
        self.load_near(Settings::load_what_is_sound)
    }

    fn load_near(self, gather: Gather) -> Result<Settings, StartupError> {
        let Self { config, listen, database, socket } = self;
        let mut flags = Flags { config, listen, database, socket };
        let mut environment = Environment::of_process()?;
        let settings = load(gather, &flags, &environment)?;
        let is_named = *settings.source("database") != Source::Default || flags.config.is_some();
        let is_here = settings.config.database.exists() || settings.config.socket_path().exists();
        let of_service = Path::new(SERVICE_FOLDER).join(&settings.config.database);
        if is_named || is_here || !of_service.exists() {
            return Ok(settings);
        }
        let path = of_service.to_string_lossy().into_owned();
        note(&format!(
            "vomeet: using {path}, as there is no database here; --database names another"
        ));
        flags.database = Some(path);
        environment.folder = SERVICE_FOLDER.into();
        let is_of_package = Path::new(PACKAGE_SETTINGS).exists();
        if is_of_package && !Path::new(SERVICE_FOLDER).join("vomeet.toml").exists() {
            flags.config = Some(PACKAGE_SETTINGS.into());
        }
        load(gather, &flags, &environment)
    }
}

impl Place {
    fn load(self) -> Result<Settings, StartupError> {
        let Self { config, database, socket, .. } = self;
        FlagArgs { config, listen: None, database, socket }.load_for_command()
    }

    /// The same, with the keys of the store of backups.
    fn load_to_fetch(self) -> Result<Settings, StartupError> {
        let Self { config, database, socket, .. } = self;
        FlagArgs { config, listen: None, database, socket }.load_near(Settings::load_to_fetch)
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.flags)).run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            // Faults of the settings are a line each.
            let priority = if journal::is_standard_error() { "<3>" } else { "" };
            for line in exit.message.split('\n') {
                note(&format!("{priority}vomeet: {line}"));
            }
            ExitCode::from(exit.code as u8)
        }
    }
}

impl Command {
    fn run(self) -> Result<(), StartupError> {
        match self {
            Self::Serve(flags) => serve::run(move || flags.clone().load_to_serve()),
            Self::Init(args) => init::run(args),
            Self::Demo(args) => demo::run(&args),
            Self::Status(flags) => status::run(&flags.load_for_command()?),
            Self::Health(args) => health::run(&args.flags.load_for_command()?, args.ready),
            Self::Doctor(args) => doctor::run(args),
            Self::Reload(flags) => reload::run(&flags.load_for_command()?),
            Self::Service(command) => service::run(&command),
            Self::Config(ConfigCommand::Check(flags)) => config::check(&flags.load_to_serve()?),
            Self::Config(ConfigCommand::Show(flags)) => config::show(&flags.load()?),
            Self::User(Administration { place, command }) => {
                let output = place.output;
                command.check()?;
                let missing = match command {
                    UserCommand::Add(_) => Missing::Create,
                    _ => Missing::Refuse,
                };
                with_client(place, missing, async |client| user::run(client, output, command).await)
            }
            Self::Token(Administration { place, command }) => command.run(place),
            Self::Meetings(Administration { place, command }) => {
                let output = place.output;
                with_client(place, Missing::Refuse, async |client| {
                    meetings::run(client, output, command).await
                })
            }
            Self::AdminKey(Administration { place, command }) => {
                let output = place.output;
                command.check()?;
                let missing = match command {
                    AdminKeyCommand::Create(_) => Missing::Create,
                    _ => Missing::Refuse,
                };
                with_client(place, missing, async |client| {
                    admin_key::run(client, output, command).await
                })
            }
            Self::Audit(Administration { place, command }) => {
                let output = place.output;
                with_client(place, Missing::Refuse, async |client| {
                    audit::run(client, output, command).await
                })
            }
            Self::Backup(args) => backup::run(args),
            Self::Open(args) => open::run(args),
            Self::Restore(args) => restore::run(args),
            Self::Import(args) => import::run(args),
            Self::Upgrade(args) => upgrade::run(args),
            Self::Compact(args) => compact::run(args),
            Self::Transcribe(args) => transcribe::run(args),
            Self::Usage(UsageArgs { place, usage }) => {
                let output = place.output;
                with_client(place, Missing::Refuse, async |client| {
                    usage::run(client, output, usage).await
                })
            }
            Self::Mcp(args) => mcp::run(&args),
            Self::Scan(args) => scan::run(&args),
            Self::WhisperChild(args) => whisper_child::run(&args),
            Self::Completions { shell } => manual::completions(shell),
            Self::Man(args) => manual::man(&args),
        }
    }
}
