//! Settings that are sound each by itself and not together: a server would start and not do what
//! they say.

use crate::config::redis::RedisListen;
use crate::config::runner_kind::RunnerKind;
use crate::config::settings::{Config, Retention};

impl Config {
    /// Every contradiction, in a sentence each.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        let mut found = self.retention.contradictions();
        found.extend(self.runner_fault());
        found.extend(self.callback_fault());
        found.extend(self.metrics_fault());
        found.extend(self.backup.s3_faults());
        found.extend(self.redis_faults());
        found.extend(self.transcription_faults());
        found.extend(self.leave_fault());
        found.extend(self.tls_fault());
        found.extend(self.tls_callback_fault());
        found
    }

    /// What the runner lacks.
    fn runner_fault(&self) -> Option<String> {
        let bots = &self.bots;
        let lacks = match bots.runner {
            RunnerKind::Process if bots.process.command.is_empty() => "bots.process_command",
            RunnerKind::Docker if bots.docker.image.is_empty() => "bots.docker_image",
            _ => return None,
        };
        Some(format!(
            "bots.runner is {}, and {lacks} is empty: no bot could be started; set it.",
            bots.runner.name()
        ))
    }

    /// A bot that would count as gone before it is killed. Without the Redis endpoint none is told
    /// to leave, and none is waited for.
    fn leave_fault(&self) -> Option<String> {
        let bots = &self.bots;
        let has_own_bots = matches!(bots.runner, RunnerKind::Process | RunnerKind::Docker);
        let has_endpoint = bots.redis.url.is_empty() && bots.redis.listen != RedisListen::Off;
        let leave = bots.leave_time.as_secs();
        let grace = bots.grace.as_secs();
        let stopping = bots.state_timeouts.stopping.as_secs();
        if !has_own_bots || !has_endpoint || leave + grace < stopping {
            return None;
        }
        Some(format!(
            "bots.leave_seconds is {leave} and bots.grace_seconds is {grace}, and a bot that stops \
             counts as gone after {stopping} s (bots.stopping_seconds_max), before it is killed; \
             let the last be longer than the others together."
        ))
    }

    /// Metrics that others read, against what the settings say.
    fn metrics_fault(&self) -> Option<String> {
        let has_token = self.metrics_token_file.is_some();
        match self.metrics_listen {
            None if has_token => Some(
                "metrics_token_file is set, and metrics_listen is not: the address of the API \
                 would show the metrics to everybody; set metrics_listen."
                    .to_owned(),
            ),
            Some(address) if !has_token && !address.ip().to_canonical().is_loopback() => {
                Some(format!(
                    "metrics_listen is {address}, which others reach, and metrics_token_file is \
                     not set; set it, or listen on a loopback address."
                ))
            }
            _ => None,
        }
    }

    /// A callback address that containers cannot reach.
    fn callback_fault(&self) -> Option<String> {
        let Self { bots, listen, .. } = self;
        let is_reachable = !bots.callback_url.is_empty() || bots.docker.network == "host";
        if bots.runner != RunnerKind::Docker || is_reachable {
            return None;
        }
        if !listen.ip().to_canonical().is_loopback() {
            return None;
        }
        Some(format!(
            "Containers do not reach {listen}; set bots.callback_url to an address of this server \
             that they reach, or bots.docker_network to host."
        ))
    }
}

impl Config {
    /// A certificate without its key, or a key without its certificate.
    fn tls_fault(&self) -> Option<String> {
        let (given, missing) = match (&self.tls.cert, &self.tls.key) {
            (Some(_), None) => ("tls.cert", "tls.key"),
            (None, Some(_)) => ("tls.key", "tls.cert"),
            _ => return None,
        };
        Some(format!("{given} is set, and {missing} is not: TLS needs both; set both or neither."))
    }

    /// Bots that would call an address of which no certificate speaks. The demo bot is part of the
    /// server and needs none.
    fn tls_callback_fault(&self) -> Option<String> {
        let bots = &self.bots;
        let has_own_bots = matches!(bots.runner, RunnerKind::Process | RunnerKind::Docker);
        if self.tls.files().is_none() || !has_own_bots || !bots.callback_url.is_empty() {
            return None;
        }
        Some(
            "With TLS, bots call the server by a name that its certificate has; set \
             bots.callback_url to https://NAME:PORT."
                .to_owned(),
        )
    }
}

impl Retention {
    /// What would be deleted later than the meeting that it belongs to.
    fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.meetings_days == 0 {
            return found;
        }
        let meetings_days = self.meetings_days;
        for (name, days) in
            [("transcripts_days", self.transcripts_days), ("bot_logs_days", self.bot_logs_days)]
        {
            if days > meetings_days {
                found.push(format!(
                    "retention.{name} is {days}, and meetings are deleted whole after \
                     {meetings_days} days (retention.meetings_days); lower the one or raise the \
                     other."
                ));
            }
        }
        found
    }
}
