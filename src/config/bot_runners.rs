//! The settings of what runs bots: a process for each, or a container for each.

use crate::config::key::{Key, Values, settings};
use crate::config::values::{filled, list, pairs, path, text, whole};
use crate::exit::StartupError;
use std::path::PathBuf;

const MIB: i64 = 1024 * 1024;

settings! {
    /// Runner process: one process for each bot.
    #[derive(Debug, Clone, Default)]
    pub struct ProcessBots in "bots" {
        /// Runner process: the command and its arguments, such as `["python3", "bot.py"]`.
        command: Vec<String> = [], list, named("process_command");
        /// Runner process: the working directory.
        folder: PathBuf = ".", path, named("process_folder");
        /// Runner process: additional environment variables, such as `["LANG=C.UTF-8"]`.
        environment: Vec<String> = [], pairs, named("process_environment");
        /// Runner process: the folder of the logs, one file for each meeting; it is created.
        log_folder: PathBuf = "bot-logs", path;
        /// Runner process: most bytes of log that are kept for each meeting.
        log_bytes_max: u64 = 1048576, whole(1024..=1024 * MIB);
    }
    others {
        /// The variables of the server's environment that a bot is given too.
        inherited: Vec<(String, String)>,
    }
}

settings! {
    /// Runner docker: one container for each bot.
    #[derive(Debug, Clone, Default)]
    pub struct DockerBots in "bots" {
        /// Runner docker: the engine's socket; any engine that speaks Docker's API will do.
        socket: String = "/var/run/docker.sock", filled, named("docker_socket");
        /// Runner docker: the image of the bot; the engine must have it.
        image: String = "", text, named("docker_image");
        /// Runner docker: the network that bots join; empty is the engine's default.
        network: String = "", text, named("docker_network");
        /// Runner docker: additional environment variables, such as `["LANG=C.UTF-8"]`.
        environment: Vec<String> = [], pairs, named("docker_environment");
        /// Runner docker: additional labels, such as `["team=meetings"]`.
        labels: Vec<String> = [], pairs, named("docker_labels");
        /// Runner docker: memory for each bot, in MiB; 0 is no limit.
        memory_mib: i64 = 2048, whole(0..=MIB), named("docker_memory_mib");
        /// Runner docker: CPU time for each bot, in percent of one core; 0 is no limit.
        cpu_percent: i64 = 200, whole(0..=100_000), named("docker_cpu_percent");
    }
}
