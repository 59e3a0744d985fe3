//! The figures as Prometheus text (exposition format 0.0.4).

use super::process::Process;
use super::{EDGES_S, MethodName, Metrics, STATUSES};
use crate::app::App;
use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use tve_control::Snapshot;
use tve_runtime::EDGES_US;
use tve_runtime::access::Counts;
use tve_tags::{Metric, Shape, Tags, Value};

/// A page of metrics being written.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a metric.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One line of it.
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if i == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    /// The lines of one histogram; `counts` by bucket, the last beyond every edge.
    fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        edges: impl Iterator<Item = f64>,
        counts: &[u64],
        sum: f64,
    ) {
        let mut total = 0;
        let edges = edges.map(|e| e.to_string()).chain(["+Inf".to_owned()]);
        for (edge, count) in edges.zip(counts) {
            total += count;
            let labels = [labels, &[("le", &edge)]].concat();
            self.line(&format!("{name}_bucket"), &labels, total);
        }
        self.line(&format!("{name}_sum"), labels, sum);
        self.line(&format!("{name}_count"), labels, total);
    }
}

/// Everything, as text.
pub(crate) fn render(app: &App) -> String {
    let mut page = Page::default();
    requests(&mut page, &app.metrics);
    process(&mut page);
    let newest = app.door.newest();
    machine(&mut page, &newest.snapshot, &app.tags(&newest));
    control(&mut page, app);
    access(&mut page, app.door.access().counts());
    recorder(&mut page, app);
    audit(&mut page, app);
    page.0
}

fn requests(page: &mut Page, metrics: &Metrics) {
    let mut invalid = 0;
    page.head("http_requests_total", "counter", "Finished requests.");
    for (route, &path) in metrics.routes.iter().enumerate() {
        for method in MethodName::ALL {
            for place in 0..=STATUSES.len() {
                let count = metrics.requests(route, method, place);
                if count == 0 {
                    continue;
                }
                let status = STATUSES.get(place).map_or("other".into(), ToString::to_string);
                if status == "400" {
                    invalid += count;
                }
                let labels = [("route", path), ("method", method.name()), ("status", &status)];
                page.line("http_requests_total", &labels, count);
            }
        }
    }
    page.head(
        "http_request_duration_seconds",
        "histogram",
        "Time from the head of a request to the head of its reply.",
    );
    for (route, &path) in metrics.routes.iter().enumerate() {
        let (counts, sum) = metrics.durations(route);
        if counts.iter().any(|&c| c > 0) {
            let labels = [("route", path)];
            let edges = EDGES_S.into_iter();
            page.histogram("http_request_duration_seconds", &labels, edges, &counts, sum);
        }
    }
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    page.single(
        "api_validation_errors_total",
        "counter",
        "Requests refused as bad input.",
        invalid,
    );
    page.single(
        "http_connections_refused_total",
        "counter",
        "Connections beyond the limit.",
        load(&metrics.connections_refused),
    );
    page.single(
        "socketio_clients",
        "gauge",
        "Connected Socket.IO clients.",
        load(&metrics.socket_clients),
    );
    page.single(
        "socketio_slow_clients_dropped_total",
        "counter",
        "Clients disconnected because they did not read.",
        load(&metrics.socket_dropped),
    );
}

fn process(page: &mut Page) {
    let p = Process::read();
    page.single("process_cpu_seconds_total", "counter", "Time on the processors.", p.cpu_seconds);
    page.single("process_resident_memory_bytes", "gauge", "Resident memory.", p.resident_bytes);
    page.single("process_virtual_memory_bytes", "gauge", "Address space.", p.virtual_bytes);
    page.single("process_open_fds", "gauge", "Open descriptors.", p.open_fds);
    page.single("process_max_fds", "gauge", "Most descriptors.", p.max_fds);
    page.single("process_threads", "gauge", "Threads.", p.threads);
    page.single("process_start_time_seconds", "gauge", "Start since the Unix epoch.", p.start_time);
}

/// What can be observed of the machine, as far as it has a figure.
fn machine(page: &mut Page, snapshot: &Snapshot, tags: &Tags) {
    let mut begun = "";
    for (_, tag) in tags.iter() {
        let row = tag.row();
        let Some(metric) = row.drop_in.metric else { continue };
        let name = metric.name();
        if name != begun {
            page.head(name, "gauge", row.doc.trim());
            begun = name;
        }
        let labels = tags.labels(tag);
        let labels: Vec<_> = labels.iter().map(|(label, text)| (*label, text.as_str())).collect();
        match (metric, tags.read(tag, snapshot), row.shape) {
            (Metric::Names(name), Value::Name(present), Shape::Name(names)) => {
                for known in names {
                    let labels = [&labels[..], &[(name, known)]].concat();
                    page.line(name, &labels, u8::from(*known == present));
                }
            }
            (Metric::Value(name) | Metric::Names(name), value, _) => {
                if let Some(number) = value.number() {
                    page.line(name, &labels, number);
                }
            }
        }
    }
}

/// The figures of the machine alone.
#[cfg(test)]
pub(crate) fn machine_text(snapshot: &Snapshot, tags: &Tags) -> String {
    let mut page = Page::default();
    machine(&mut page, snapshot, tags);
    page.0
}

fn control(page: &mut Page, app: &App) {
    let stats = app.door.loop_stats();
    page.single("tve_control_ticks_total", "counter", "Ticks of the control loop.", stats.ticks());
    page.single(
        "tve_control_overruns_total",
        "counter",
        "Ticks that began a period late or more.",
        stats.overruns(),
    );
    page.single(
        "tve_guard_cuts_total",
        "counter",
        "Times the guard has turned every output off because no tick had begun for 500 ms.",
        stats.guard_cuts(),
    );
    page.single(
        "tve_control_skipped_ticks_total",
        "counter",
        "Ticks that never took place.",
        stats.skipped(),
    );
    page.single(
        "tve_control_commands_total",
        "counter",
        "Commands that reached the controller.",
        stats.commands(),
    );
    page.single(
        "tve_hardware_errors_total",
        "counter",
        "Transfers with the machine that failed.",
        stats.hardware_errors(),
    );
    page.single(
        "tve_control_realtime",
        "gauge",
        "Whether the system granted real-time scheduling.",
        u8::from(stats.is_realtime()),
    );
    for (name, help, histogram) in [
        (
            "tve_control_lateness_seconds",
            "How long after its deadline a tick began.",
            stats.lateness(),
        ),
        ("tve_control_loop_seconds", "How long a tick took.", stats.busy()),
    ] {
        let (counts, sum) = histogram.read();
        page.head(name, "histogram", help);
        page.histogram(name, &[], EDGES_US.iter().map(|&us| us as f64 / 1e6), &counts, sum);
    }
}

fn access(page: &mut Page, counts: &Counts) {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    page.head("tve_logins_total", "counter", "Logins by how they ended; locked ones unread.");
    for (outcome, count) in
        [("ok", &counts.ok), ("failed", &counts.failed), ("locked", &counts.locked)]
    {
        page.line("tve_logins_total", &[("outcome", outcome)], load(count));
    }
    page.single(
        "tve_commands_limited_total",
        "counter",
        "Commands refused because their client had sent too many.",
        load(&counts.limited),
    );
}

fn audit(page: &mut Page, app: &App) {
    let status = app.door.audit_status();
    page.single("tve_audit_lines_total", "counter", "Lines of the audit journal.", status.lines);
    page.single(
        "tve_audit_lines_lost_total",
        "counter",
        "Lines that the audit journal has lost; it has gap lines in their place.",
        status.lost,
    );
    page.single(
        "tve_audit_failed",
        "gauge",
        "Whether the audit journal cannot be written at present, or its files or key were damaged since start.",
        u8::from(status.failing || status.damaged),
    );
}

fn recorder(page: &mut Page, app: &App) {
    let status = app.door.recorder_status();
    page.single(
        "logger_write_failures_total",
        "counter",
        "Writes of the recorder that failed.",
        status.write_failures,
    );
    page.single("tve_recorder_run_rows", "gauge", "Rows of the present or last run.", status.rows);
    page.single(
        "tve_black_box_incidents_total",
        "counter",
        "Incidents that the black box has written.",
        status.incidents,
    );
    page.single(
        "tve_black_box_segments_lost_total",
        "counter",
        "Segments of the black box that were lost because the disk blocked.",
        status.lost_segments,
    );
    page.single(
        "tve_recorder_rows_dropped_total",
        "counter",
        "Rows that were lost.",
        status.dropped_rows,
    );
    page.single(
        "tve_recorder_recording",
        "gauge",
        "Whether a run is being recorded.",
        u8::from(status.recording),
    );
    page.single(
        "tve_recorder_failed",
        "gauge",
        "Whether writing fails at present.",
        u8::from(status.failed),
    );
    if let Some(bytes) = status.bytes_free {
        page.single("tve_recorder_free_bytes", "gauge", "Free space of the data folder.", bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative_and_ends_with_everything() {
        let mut page = Page::default();
        page.histogram("h", &[("route", "/x")], [0.5, 1.0].into_iter(), &[1, 2, 3], 4.5);
        assert_eq!(
            page.0,
            "h_bucket{route=\"/x\",le=\"0.5\"} 1\nh_bucket{route=\"/x\",le=\"1\"} 3\n\
             h_bucket{route=\"/x\",le=\"+Inf\"} 6\nh_sum{route=\"/x\"} 4.5\nh_count{route=\"/x\"} 6\n"
        );
    }
}
