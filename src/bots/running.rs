//! How many bots run: all that were started and are not gone yet, also those that were told to
//! leave. A seat is free again when a bot is told to leave; its process is not.

use crate::config::{Bots, RunnerKind};
use crate::domain::UserId;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many bots of a user may run beyond the user's limit, because they are still leaving.
const LEAVING_MAX: usize = 2;
/// Most processes that run bots, by default.
const PROCESSES_MAX: usize = 32;
/// Most demo bots by default; each is a task of the server.
const DEMOS_MAX: usize = 1024;
/// How much of the memory containers may take by default, in percent.
const MEMORY_PERCENT: u64 = 80;
/// Memory of a bot whose container has no limit, in MiB.
const BOT_MIB_USUAL: u64 = 2048;
/// Least containers by default, however little memory there is.
const CONTAINERS_MIN: usize = 2;

/// Counts the bots that run.
pub(super) struct RunningBots {
    max: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    of_user: HashMap<UserId, usize>,
}

/// Counts one bot as running, until this is dropped.
pub struct RunPermit {
    running: Arc<RunningBots>,
    user_id: UserId,
}

impl RunningBots {
    /// None yet, within the limit of the settings.
    pub(super) fn new(bots: &Bots) -> Arc<Self> {
        Arc::new(Self { max: running_max(bots), counts: Mutex::default() })
    }

    /// Counts one more bot of a user, who may have `limit` in meetings;
    /// [`Error::BotsStillLeaving`] or [`Error::TooManyBots`] where it is one too many.
    pub(super) fn take(self: &Arc<Self>, user_id: UserId, limit: i64) -> Result<RunPermit> {
        let of_user_max = usize::try_from(limit).unwrap_or(0).saturating_add(LEAVING_MAX);
        let mut counts = self.lock();
        let of_user = counts.of_user.get(&user_id).copied().unwrap_or(0);
        if of_user >= of_user_max {
            return Err(Error::BotsStillLeaving { running: of_user, limit });
        }
        if counts.all >= self.max {
            return Err(Error::TooManyBots { max: self.max });
        }
        counts.add(user_id);
        drop(counts);
        Ok(RunPermit { running: Arc::clone(self), user_id })
    }

    /// Counts a bot that runs already.
    pub(super) fn adopt(self: &Arc<Self>, user_id: UserId) -> RunPermit {
        self.lock().add(user_id);
        RunPermit { running: Arc::clone(self), user_id }
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.lock().all
    }

    // A panic while the lock was held leaves counts that are whole.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, user_id: UserId) {
        self.all += 1;
        *self.of_user.entry(user_id).or_default() += 1;
    }
}

impl Drop for RunPermit {
    fn drop(&mut self) {
        let mut counts = self.running.lock();
        counts.all -= 1;
        if let Some(of_user) = counts.of_user.get_mut(&self.user_id) {
            *of_user -= 1;
            if *of_user == 0 {
                counts.of_user.remove(&self.user_id);
            }
        }
    }
}

/// Most bots at once: as configured, or by the runner.
fn running_max(bots: &Bots) -> usize {
    if bots.running_max > 0 {
        return bots.running_max;
    }
    match bots.runner {
        RunnerKind::None | RunnerKind::Demo => DEMOS_MAX,
        RunnerKind::Process => PROCESSES_MAX,
        RunnerKind::Docker => {
            let memory_mib = std::fs::read_to_string("/proc/meminfo").ok();
            let memory_mib = memory_mib.as_deref().and_then(total_mib);
            containers_max(memory_mib, bots.docker.memory_mib)
        }
    }
}

/// How many containers of `bot_mib` fit into the memory; 0 is no limit of one.
fn containers_max(memory_mib: Option<u64>, bot_mib: i64) -> usize {
    let bot_mib = match u64::try_from(bot_mib) {
        Ok(mib) if mib > 0 => mib,
        _ => BOT_MIB_USUAL,
    };
    let Some(memory_mib) = memory_mib else { return PROCESSES_MAX };
    let fitting = memory_mib * MEMORY_PERCENT / 100 / bot_mib;
    usize::try_from(fitting).unwrap_or(usize::MAX).max(CONTAINERS_MIN)
}

/// The memory of the machine in MiB, from `/proc/meminfo` (proc(5)).
fn total_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_fit_into_the_memory() {
        let meminfo = "MemTotal:       16384000 kB\nMemFree:         1234 kB\n";
        assert_eq!(total_mib(meminfo), Some(16_000));
        assert_eq!(total_mib("MemFree: 1 kB\n"), None);
        for (memory_mib, bot_mib, max) in [
            (Some(16_000), 2048, 6),
            (Some(16_000), 512, 25),
            (Some(16_000), 0, 6),
            (Some(1_000), 2048, 2),
            (None, 2048, 32),
        ] {
            assert_eq!(containers_max(memory_mib, bot_mib), max, "{memory_mib:?}, {bot_mib}");
        }
    }

    #[test]
    fn the_default_is_the_runners() {
        for (runner, running_max_set, max) in [
            (RunnerKind::Process, 0, 32),
            (RunnerKind::Demo, 0, 1024),
            (RunnerKind::Process, 3, 3),
            (RunnerKind::Docker, 7, 7),
        ] {
            let bots = Bots { runner, running_max: running_max_set, ..Bots::default() };
            assert_eq!(running_max(&bots), max, "{runner:?}");
        }
    }

    #[test]
    fn a_user_has_two_more_than_the_limit_and_all_have_the_maximum() {
        let bots = Bots { running_max: 5, ..Bots::default() };
        let running = RunningBots::new(&bots);
        let take = |user| running.take(UserId(user), 1);
        let mut ones: Vec<_> = (0..3).map(|_| take(1).expect("a permit")).collect();
        assert!(matches!(take(1), Err(Error::BotsStillLeaving { running: 3, limit: 1 })));
        let adopted = running.adopt(UserId(3));
        let _two = take(2).expect("a permit");
        assert!(matches!(take(2), Err(Error::TooManyBots { max: 5 })));
        assert_eq!(running.count(), 5);
        drop(adopted);
        take(2).expect("a permit");
        ones.clear();
        assert_eq!(running.count(), 1);
        take(1).expect("a permit");
    }
}
