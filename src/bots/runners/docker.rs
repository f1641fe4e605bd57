//! Runs each bot as a container, by the Docker Engine API; any engine that speaks it will do.

use crate::bots::launch::{BotExit, LaunchSpec, pairs};
use crate::config::DockerBots;
use crate::domain::bot::session_alias;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, HostConfig,
};
use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptions, StopContainerOptions,
};
use bollard::{ClientVersion, Docker};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::sleep;

/// Most processes and threads of a bot: a browser has some hundred.
const PIDS_MAX: i64 = 2048;
/// What root may still do in the container of a bot: what images need to become another user.
const CAPABILITIES: [&str; 6] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];
/// The newest version of the API that is used; with an older engine, its own version is used.
const VERSION: ClientVersion = ClientVersion { major_version: 1, minor_version: 44 };
/// Longest wait for a response of the engine, in seconds, besides the grace period.
const RESPONSE_SECONDS_MAX: u64 = 30;
/// How long to wait before an engine that did not answer is asked again.
const RETRY: Duration = Duration::from_secs(2);

/// The engine's limits are in bytes and billionths of a CPU.
const BYTES_PER_MIB: i64 = 1024 * 1024;
const NANO_CPUS_PER_PERCENT: i64 = 10_000_000;

/// Whether this is the id of a container.
pub(crate) fn is_id(handle: &str) -> bool {
    handle.len() == 64 && handle.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Runs bots as containers.
pub(crate) struct Engine {
    settings: DockerBots,
    grace: Duration,
    client: OnceCell<Docker>,
}

impl Engine {
    /// A runner by the settings; the engine is not connected yet.
    pub(crate) fn new(settings: &DockerBots, grace: Duration) -> Self {
        Self { settings: settings.clone(), grace, client: OnceCell::new() }
    }

    /// Creates a container and starts it; one that does not start is removed.
    pub(crate) async fn start(&self, spec: &LaunchSpec) -> Result<String, String> {
        if self.settings.image.is_empty() {
            return Err("there is no image; set bots.docker_image.".to_owned());
        }
        let client = self.client().await.map_err(|error| self.explain(&error))?;
        let named = CreateContainerOptions {
            name: Some(spec.name.clone()),
            ..CreateContainerOptions::default()
        };
        let created = client.create_container(Some(named), self.body(spec)).await;
        let id = created.map_err(|error| self.explain(&error))?.id;
        match client.start_container(&id, None).await {
            Ok(()) => Ok(id),
            Err(error) => {
                self.remove(&id).await;
                Err(self.explain(&error))
            }
        }
    }

    fn body(&self, spec: &LaunchSpec) -> ContainerCreateBody {
        let DockerBots { image, network, environment, labels, memory_mib, cpu_percent, .. } =
            &self.settings;
        let mut env = Vec::new();
        for (name, value) in pairs(environment).iter().chain(&spec.environment) {
            env.push(format!("{name}={value}"));
        }
        let mut labels: HashMap<String, String> = pairs(labels).into_iter().collect();
        labels.insert("vomeet.meeting_id".to_owned(), spec.meeting_id.to_string());
        labels.insert("vomeet.uid".to_owned(), session_alias(&spec.uid));
        let network_mode = if network.is_empty() { None } else { Some(network.clone()) };
        let host_config = HostConfig {
            network_mode,
            memory: limit(*memory_mib, BYTES_PER_MIB),
            nano_cpus: limit(*cpu_percent, NANO_CPUS_PER_PERCENT),
            pids_limit: Some(PIDS_MAX),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(CAPABILITIES.map(str::to_owned).into()),
            ..HostConfig::default()
        };
        ContainerCreateBody {
            image: Some(image.clone()),
            env: Some(env),
            labels: Some(labels),
            host_config: Some(host_config),
            ..ContainerCreateBody::default()
        }
    }

    /// SIGTERM, and after the grace period SIGKILL; the engine does both.
    pub(crate) async fn stop(&self, id: &str) {
        let t = i32::try_from(self.grace.as_secs()).ok();
        let stopped = match self.client().await {
            Ok(client) => {
                client.stop_container(id, Some(StopContainerOptions { t, signal: None })).await
            }
            Err(error) => Err(error),
        };
        match stopped {
            Ok(()) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => log::warn!("container {id} cannot be stopped: {}", self.explain(&error)),
        }
    }

    /// Waits until the container has ended. An engine that does not respond is no end: the
    /// container may well run.
    pub(crate) async fn wait(&self, id: &str) -> BotExit {
        loop {
            if let Some(exit) = self.try_to_wait(id).await {
                return exit;
            }
            sleep(RETRY).await;
        }
    }

    async fn try_to_wait(&self, id: &str) -> Option<BotExit> {
        let client = self.client().await.ok()?;
        let code = match client.wait_container(id, None).next().await {
            Some(Ok(answer)) => Some(answer.status_code),
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Some(code),
            Some(Err(error)) if is_gone(&error) => return Some(gone()),
            Some(Err(_)) | None => None,
        };
        let exit = code.map(BotExit::with_code);
        // The inspection tells more than the code, and whether the wait has ended too early.
        match client.inspect_container(id, None).await {
            Ok(container) => exit_of(&container).or(exit),
            Err(error) if is_gone(&error) => exit.or(Some(gone())),
            Err(error) => {
                log::debug!("container {id}: {error}");
                exit
            }
        }
    }

    /// The container of this name, if it is this session's, running or not. Fails where the engine
    /// does not respond: the container may well be there.
    pub(crate) async fn find(&self, name: &str, uid: &str) -> Result<Option<String>, String> {
        let client = self.client().await.map_err(|error| self.explain(&error))?;
        let container = match client.inspect_container(name, None).await {
            Err(error) if is_gone(&error) => return Ok(None),
            found => found.map_err(|error| self.explain(&error))?,
        };
        let Some(labels) = container.config.and_then(|config| config.labels) else {
            return Ok(None);
        };
        // Older versions labelled it with the name itself.
        let label = labels.get("vomeet.uid").map(String::as_str);
        if label != Some(uid) && label != Some(session_alias(uid).as_str()) {
            return Ok(None);
        }
        Ok(container.id)
    }

    /// Removes a container, even one that runs.
    pub(crate) async fn remove(&self, id: &str) {
        let how = RemoveContainerOptions { force: true, v: true, link: false };
        let removed = match self.client().await {
            Ok(client) => client.remove_container(id, Some(how)).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => log::warn!("container {id} cannot be removed: {}", self.explain(&error)),
        }
    }

    /// Whether the engine responds and has the image.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let client = self.client().await.map_err(|error| self.explain(&error))?;
        let image = client.inspect_image(&self.settings.image).await;
        image.map(drop).map_err(|error| self.explain(&error))
    }

    /// Connects, and negotiates the version of the API; a failure is tried again at the next call.
    async fn client(&self) -> Result<&Docker, Error> {
        let seconds_max = self.grace.as_secs() + RESPONSE_SECONDS_MAX;
        let connect = || async {
            Docker::connect_with_unix(&self.settings.socket, seconds_max, &VERSION)?
                .negotiate_version()
                .await
        };
        self.client.get_or_try_init(connect).await
    }

    /// A sentence for an error of the engine, with what to do.
    fn explain(&self, error: &Error) -> String {
        let DockerBots { socket, image, network, .. } = &self.settings;
        match error {
            // Docker's status for it is 404, Podman's 500.
            Error::DockerResponseServerError { message, .. }
                if !network.is_empty() && message.contains("network") =>
            {
                format!(
                    "the engine has no network {network} ({message}); create it, or change \
                     bots.docker_network."
                )
            }
            Error::DockerResponseServerError { status_code: 404, message } => {
                format!(
                    "the engine has no image {image} ({message}); pull it, or change \
                     bots.docker_image."
                )
            }
            Error::DockerResponseServerError { status_code, message } => {
                format!("the engine refused it ({status_code}: {message}); see the engine's log.")
            }
            error => format!(
                "the container engine at {socket} cannot be reached ({error}); start it, or change \
                 bots.docker_socket."
            ),
        }
    }
}

/// A limit in the engine's unit; 0 is no limit.
fn limit(number: i64, unit: i64) -> Option<i64> {
    if number <= 0 {
        return None;
    }
    Some(number.saturating_mul(unit))
}

/// Whether there is no such container.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

fn gone() -> BotExit {
    BotExit::unseen("the bot's container is gone; its exit code is not known")
}

/// How a container ended; `None` while it runs.
fn exit_of(container: &ContainerInspectResponse) -> Option<BotExit> {
    let state = container.state.as_ref()?;
    if state.status == Some(ContainerStateStatusEnum::CREATED) {
        return Some(BotExit::unseen("the bot's container was never started"));
    }
    if [state.running, state.restarting, state.paused].contains(&Some(true)) {
        return None;
    }
    if state.oom_killed == Some(true) {
        let how = "the bot needed more memory than bots.docker_memory_mib gives it".to_owned();
        return Some(BotExit { exit_code: state.exit_code, how });
    }
    match state.exit_code {
        Some(code) => Some(BotExit::with_code(code)),
        None => Some(gone()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn ids_are_told_from_names() {
        for (handle, expected) in [
            ("0123456789abcdef".repeat(4), true),
            ("0123456789abcdef".repeat(3), false),
            (format!("{}g", "a".repeat(63)), false),
            ("vomeet-bot-1".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_id(&handle), expected, "{handle}");
        }
    }
}
