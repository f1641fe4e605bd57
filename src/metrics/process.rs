//! The metrics of the process itself, by the names that every Prometheus client library uses.
//!
//! By hand, for they are a few numbers of `/proc`, and the crates for it pull in a parser of all of
//! it. Where the system has no `/proc`, what only it tells is left out.

use crate::metrics::families::Family;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fs;

/// All that the system tells.
pub(crate) fn families() -> Vec<Family> {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let mut families = vec![Family::counter_of(
        "process_cpu_seconds",
        "Processor time of the process in seconds",
        seconds(cpu.tv_sec, cpu.tv_nsec),
    )];
    if let Some((virtual_bytes, resident_bytes)) = memory_bytes() {
        families.push(Family::gauge(
            "process_virtual_memory_bytes",
            "Virtual memory of the process in bytes",
            virtual_bytes,
        ));
        families.push(Family::gauge(
            "process_resident_memory_bytes",
            "Resident memory of the process in bytes",
            resident_bytes,
        ));
    }
    if let Some(count) = open_files() {
        families.push(Family::gauge("process_open_fds", "Open file descriptors", count));
    }
    if let Some(max) = getrlimit(Resource::Nofile).current {
        families.push(Family::gauge("process_max_fds", "Most open file descriptors", max));
    }
    if let Some(Stat { threads, started_seconds }) = stat() {
        families.push(Family::gauge("process_threads", "Threads of the process", threads));
        families.push(Family::gauge_of(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970",
            started_seconds,
        ));
    }
    families
}

#[expect(clippy::cast_precision_loss, reason = "a time in seconds need not be exact")]
fn seconds(seconds: i64, nanos: i64) -> f64 {
    seconds as f64 + nanos as f64 / 1e9
}

/// Virtual and resident memory, from `/proc/self/statm` (`proc_pid_statm(5)`).
fn memory_bytes() -> Option<(u64, u64)> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split(' ').map_while(|field| field.parse::<u64>().ok());
    let page = page_size() as u64;
    Some((pages.next()? * page, pages.next()? * page))
}

/// How many file descriptors are open. Since Linux 6.2 the size of the folder says so; else its
/// entries are counted, of which one is that of the folder itself.
fn open_files() -> Option<u64> {
    let size = fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 {
        return Some(size);
    }
    let entries = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(entries.saturating_sub(1))
}

struct Stat {
    threads: u64,
    started_seconds: f64,
}

/// From `/proc/self/stat` (`proc_pid_stat(5)`). The name stands in brackets and may hold anything;
/// threads are the 20th field, the start the 22nd, in ticks since the system booted.
fn stat() -> Option<Stat> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let threads = fields.nth(17)?.parse().ok()?;
    let ticks: i64 = fields.nth(1)?.parse().ok()?;
    let of_system = fs::read_to_string("/proc/stat").ok()?;
    let boot = of_system.lines().find_map(|line| line.strip_prefix("btime "))?;
    let ticks_per_second = i64::try_from(clock_ticks_per_second()).ok()?;
    let nanos = (ticks % ticks_per_second) * 1_000_000_000 / ticks_per_second;
    let started = boot.trim().parse::<i64>().ok()? + ticks / ticks_per_second;
    Some(Stat { threads, started_seconds: seconds(started, nanos) })
}

#[cfg(test)]
mod tests {
    use super::{memory_bytes, open_files, stat};
    use std::fs;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn the_system_tells_of_this_process() {
        let (virtual_bytes, resident_bytes) = memory_bytes().expect("memory");
        assert!(virtual_bytes > resident_bytes && resident_bytes > 100_000, "{resident_bytes}");
        let before = open_files().expect("files");
        let kept: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").expect("a file")).collect();
        assert!(open_files().expect("files") >= before.max(50), "of {before}");
        drop(kept);
        let stat = stat().expect("stat");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let age = now - stat.started_seconds;
        assert!(stat.threads >= 1 && age > -2.0 && age < 86_400.0, "{age} s old");
    }
}
