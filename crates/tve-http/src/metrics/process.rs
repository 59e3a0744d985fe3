//! Figures of this process, from /proc.

use std::fs;

/// What the system says about this process; zeros where it does not tell.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Process {
    /// Time on the processors, s.
    pub(super) cpu_seconds: f64,
    /// Resident memory, bytes.
    pub(super) resident_bytes: u64,
    /// Address space, bytes.
    pub(super) virtual_bytes: u64,
    /// Open descriptors.
    pub(super) open_fds: u64,
    /// Most descriptors.
    pub(super) max_fds: u64,
    /// Threads.
    pub(super) threads: u64,
    /// Start, seconds since the Unix epoch.
    pub(super) start_time: f64,
}

/// Clock ticks a second in /proc/self/stat: fixed in the interface of Linux.
const TICKS: f64 = 100.0;

impl Process {
    pub(super) fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let open_fds = fs::read_dir("/proc/self/fd").map_or(0, |dir| dir.count() as u64);
        let max_fds = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        Self { open_fds, max_fds: max_fds.unwrap_or(0), ..Self::parse(&stat, &boot) }
    }

    /// Fields by proc(5); the name of the program stands in brackets and may hold anything.
    fn parse(stat: &str, boot: &str) -> Self {
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        // The first field after the name is number 3.
        let field =
            |n: usize| -> u64 { fields.get(n - 3).and_then(|f| f.parse().ok()).unwrap_or(0) };
        let boot_time = boot
            .lines()
            .find_map(|line| line.strip_prefix("btime "))
            .and_then(|t| t.trim().parse::<f64>().ok())
            .unwrap_or(0.0);
        Self {
            cpu_seconds: (field(14) + field(15)) as f64 / TICKS,
            resident_bytes: field(24) * rustix::param::page_size() as u64,
            virtual_bytes: field(23),
            threads: field(20),
            start_time: boot_time + field(22) as f64 / TICKS,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_brackets_and_spaces_shifts_no_field() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 6 0 1000 4096 3 0";
        let process = Process::parse(stat, "cpu 1\nbtime 1000\n");
        assert_eq!(process.cpu_seconds, 2.0);
        assert_eq!(process.threads, 6);
        assert_eq!(process.start_time, 1010.0);
        assert_eq!(process.virtual_bytes, 4096);
        assert_eq!(process.resident_bytes, 3 * rustix::param::page_size() as u64);
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let process = Process::read();
        assert!(process.resident_bytes > 0 && process.open_fds > 2 && process.max_fds > 2);
    }
}
