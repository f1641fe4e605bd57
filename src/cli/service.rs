//! `vomeet service`: makes the server a service of systemd, and takes that back.

use crate::cli::print::say;
use crate::exit::{Code, StartupError};
use clap::{Args, Subcommand};
use std::fmt::{Display, Write};
use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The unit, as the repository has it.
const UNIT: &str = include_str!("../../deploy/vomeet.service");
/// Where the unit expects the binary.
const BINARY: &str = "/usr/local/bin/vomeet";
/// Where packages put it.
const PACKAGED_BINARY: &str = "/usr/bin/vomeet";
const UNIT_PATH: &str = "/etc/systemd/system/vomeet.service";
const SETTINGS_FOLDER: &str = "/etc/vomeet";
const KEY_PATH: &str = "/etc/vomeet/admin-key";
/// Where settings of the service were before.
const FORMER_SETTINGS: &str = "/etc/vomeet.env";
/// This folder is there where systemd runs (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";
/// Random bytes of a new admin key.
const KEY_BYTES: usize = 24;

/// What `vomeet service` does.
#[derive(Subcommand)]
pub(super) enum ServiceCommand {
    /// Install the binary, the unit and a new admin key; may be repeated, and keeps a key that is there
    Install(ServiceArgs),
    /// Stop the service and remove its unit; database, settings and admin key stay
    Uninstall(ServiceArgs),
}

/// How it is done.
#[derive(Args)]
pub(super) struct ServiceArgs {
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The folder to install into, as packages are built; systemd is left alone then
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

/// One thing to do.
enum Step {
    /// A folder that everybody may enter.
    Folder(PathBuf),
    /// A file with this text and mode.
    File {
        path: PathBuf,
        text: String,
        mode: u32,
    },
    /// A file with a new secret, unless there is one.
    Key(PathBuf),
    /// A copy of the running program.
    Copy {
        from: PathBuf,
        to: PathBuf,
    },
    Remove(PathBuf),
    Systemctl(&'static [&'static str]),
}

/// Does what the command says.
pub(super) fn run(command: &ServiceCommand) -> Result<(), StartupError> {
    let (ServiceCommand::Install(args) | ServiceCommand::Uninstall(args)) = command;
    let is_real = args.root == Path::new("/");
    if is_real && !args.dry_run && !rustix::process::geteuid().is_root() {
        return Err(StartupError::new(
            Code::NotPermitted,
            "Only root installs services; try again with sudo, or look at it with --dry-run.",
        ));
    }
    let has_systemd = is_real && Path::new(BOOTED).exists();
    let steps = match command {
        ServiceCommand::Install(_) => to_install(&args.root, has_systemd)?,
        ServiceCommand::Uninstall(_) => to_uninstall(&args.root, has_systemd),
    };
    for step in &steps {
        if args.dry_run {
            say(format_args!("would {step}\n"))?;
            continue;
        }
        let done = step.take().map_err(|error| {
            StartupError::new(Code::Unavailable, format!("Cannot {step} ({error})."))
        })?;
        let not = if done { "" } else { "nothing to do: " };
        say(format_args!("{not}{step}\n"))?;
    }
    match (command, args.dry_run) {
        (_, true) => Ok(()),
        (ServiceCommand::Install(_), false) => {
            for note in notes(&args.root, has_systemd) {
                say(format_args!("\n{note}\n"))?;
            }
            say("\nStart it, and with every boot:  systemctl enable --now vomeet\n\
             Changes of your own:            systemctl edit vomeet\n\
             After a change of the key:      systemctl restart vomeet\n")
        }
        (ServiceCommand::Uninstall(_), false) => say(format_args!(
            "\nThe database in /var/lib/vomeet, {SETTINGS_FOLDER} and {BINARY} stay; delete them \
             yourself.\n"
        )),
    }
}

fn to_install(root: &Path, has_systemd: bool) -> Result<Vec<Step>, StartupError> {
    let cannot = |error: io::Error| {
        StartupError::new(Code::Unavailable, format!("Cannot find this program ({error})."))
    };
    let program = std::env::current_exe().and_then(fs::canonicalize).map_err(cannot)?;
    let mut steps = Vec::new();
    let mut unit = UNIT.to_owned();
    if program == Path::new(PACKAGED_BINARY) {
        unit = unit.replace(BINARY, PACKAGED_BINARY);
    } else {
        let to = within(root, BINARY);
        steps.push(Step::Copy { from: program, to });
    }
    steps.push(Step::Folder(within(root, SETTINGS_FOLDER)));
    steps.push(Step::Key(within(root, KEY_PATH)));
    steps.push(Step::File { path: within(root, UNIT_PATH), text: unit, mode: 0o644 });
    if has_systemd {
        steps.push(Step::Systemctl(&["daemon-reload"]));
    }
    Ok(steps)
}

/// What the administrator should see to after an installation.
fn notes(root: &Path, has_systemd: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let key = within(root, KEY_PATH);
    if fs::metadata(&key).is_ok_and(|there| there.permissions().mode() & 0o077 != 0) {
        notes.push(format!(
            "Others may read the admin key {}: type `chmod 600` and its name, and replace the key \
             if they could.",
            key.display()
        ));
    }
    let former = within(root, FORMER_SETTINGS);
    if former.exists() {
        notes.push(format!(
            "{} is not read any more: move its settings to {SETTINGS_FOLDER}/vomeet.env, and its \
             admin key to {KEY_PATH}.",
            former.display()
        ));
    }
    if has_systemd && is_running() {
        notes.push("It runs as it was before:  systemctl restart vomeet".to_owned());
    }
    notes
}

fn is_running() -> bool {
    let asked = Command::new("systemctl").args(["is-active", "--quiet", "vomeet.service"]).status();
    asked.is_ok_and(|status| status.success())
}

fn to_uninstall(root: &Path, has_systemd: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    let unit = within(root, UNIT_PATH);
    if has_systemd && unit.exists() {
        steps.push(Step::Systemctl(&["disable", "--now", "vomeet.service"]));
    }
    steps.push(Step::Remove(unit));
    if has_systemd {
        steps.push(Step::Systemctl(&["daemon-reload"]));
    }
    steps
}

fn within(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

impl Step {
    /// Takes it; `false` where it was taken already.
    fn take(&self) -> io::Result<bool> {
        match self {
            Self::Folder(path) => {
                if path.is_dir() {
                    return Ok(false);
                }
                fs::create_dir_all(path)?;
                set_mode(path, 0o755)?;
            }
            Self::File { path, text, mode } => {
                if fs::read_to_string(path).is_ok_and(|there| there == *text) {
                    return Ok(false);
                }
                put(path, *mode, |new| new.write_all(text.as_bytes()))?;
            }
            Self::Key(path) => {
                if fs::metadata(path).is_ok_and(|there| there.len() > 0) {
                    return Ok(false);
                }
                let key = new_key()?;
                put(path, 0o600, |new| new.write_all(key.as_bytes()))?;
            }
            Self::Copy { from, to } => {
                if fs::canonicalize(to).is_ok_and(|there| there == *from) {
                    return Ok(false);
                }
                put(to, 0o755, |new| io::copy(&mut fs::File::open(from)?, new).map(drop))?;
            }
            Self::Remove(path) => {
                if !path.exists() {
                    return Ok(false);
                }
                fs::remove_file(path)?;
            }
            Self::Systemctl(arguments) => {
                let status = Command::new("systemctl").args(*arguments).status()?;
                if !status.success() {
                    return Err(io::Error::other(format!("it ended with {status}")));
                }
            }
        }
        Ok(true)
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "create the folder {}", path.display()),
            Self::File { path, .. } => write!(f, "write {}", path.display()),
            Self::Key(path) => write!(f, "write a new admin key to {} (0600)", path.display()),
            Self::Copy { from, to } => write!(f, "copy {} to {}", from.display(), to.display()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::Systemctl(arguments) => write!(f, "run systemctl {}", arguments.join(" ")),
        }
    }
}

/// Writes a file beside its place and moves it there, so that it is whole at any time, also after a
/// power cut. Nobody else can open it before it has its mode.
fn put(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // What is there was left by an attempt that was interrupted, or is a trap.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    write(&mut file)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(folder)?.sync_all()
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// A new admin key, and the end of its line.
fn new_key() -> io::Result<String> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut key = String::with_capacity(2 * KEY_BYTES + 1);
    for byte in bytes {
        // Writing to a String never fails.
        let _ = write!(key, "{byte:02x}");
    }
    key.push('\n');
    Ok(key)
}
