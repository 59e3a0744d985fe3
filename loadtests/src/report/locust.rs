//! Tables with the names and columns of Locust's CSV files, unrounded, for tools that read those.

use crate::summary::{RequestSummary, Summary};

/// What Locust writes where there is no figure.
const NONE: &str = "N/A";

const PERCENTILES: [&str; 11] =
    ["50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%"];

fn finish(writer: csv::Writer<Vec<u8>>) -> anyhow::Result<Vec<u8>> {
    Ok(writer.into_inner()?)
}

fn ms(us: u64) -> String {
    (us as f64 / 1000.0).to_string()
}

/// The method and the name of a row: Locust's name is the path; ours adds the plan's name, because
/// one path serves several requests.
fn names(row: &RequestSummary) -> (String, String) {
    let (method, path) = row.target.split_once(' ').unwrap_or(("", row.target.as_str()));
    (method.to_owned(), format!("{path} [{}: {}]", row.phase, row.name))
}

/// `_stats.csv`: a row for each request of each phase.
pub(super) fn stats(summary: &Summary) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut head = vec![
        "Type",
        "Name",
        "Request Count",
        "Failure Count",
        "Median Response Time",
        "Average Response Time",
        "Min Response Time",
        "Max Response Time",
        "Average Content Size",
        "Requests/s",
        "Failures/s",
    ];
    head.extend(PERCENTILES);
    csv.write_record(&head)?;
    for row in &summary.requests {
        let (method, name) = names(row);
        let failures = row.rps * row.errors as f64 / row.count.max(1) as f64;
        let mut record = vec![
            method,
            name,
            row.count.to_string(),
            row.errors.to_string(),
            ms(row.due.p50_us),
            (row.due.mean_us / 1000.0).to_string(),
            ms(row.due.min_us),
            ms(row.due.max_us),
            (row.bytes as f64 / row.count.max(1) as f64).to_string(),
            row.rps.to_string(),
            failures.to_string(),
        ];
        record.extend(row.quantiles_ms.iter().map(f64::to_string));
        csv.write_record(&record)?;
    }
    finish(csv)
}

/// `_stats_history.csv`: a row for each group and point of the course.
pub(super) fn history(summary: &Summary) -> anyhow::Result<Vec<u8>> {
    let started = summary.started.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second);
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut head = vec!["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"];
    head.extend(PERCENTILES);
    head.extend([
        "Total Request Count",
        "Total Failure Count",
        "Total Median Response Time",
        "Total Average Response Time",
        "Total Min Response Time",
        "Total Max Response Time",
        "Total Average Content Size",
    ]);
    csv.write_record(&head)?;
    for group in &summary.groups {
        let (mut count, mut errors) = (0_u64, 0_u64);
        for (place, (at_s, point)) in group.timeline.iter().enumerate() {
            let users = summary.server.points.get(place).map_or(0.0, |p| p.users);
            let seconds = f64::from(point.seconds.max(1));
            count += u64::from(point.count);
            errors += u64::from(point.errors);
            let mut record = vec![
                (started + at_s as i64).to_string(),
                users.to_string(),
                String::new(),
                group.name.clone(),
                (f64::from(point.count) / seconds).to_string(),
                (f64::from(point.errors) / seconds).to_string(),
            ];
            for percentile in PERCENTILES {
                record.push(match percentile {
                    "95%" if point.count > 0 => ms(u64::from(point.p95_us)),
                    "99%" if point.count > 0 => ms(u64::from(point.p99_us)),
                    _ => NONE.to_owned(),
                });
            }
            record.extend([count.to_string(), errors.to_string()]);
            record.extend([NONE; 5].map(str::to_owned));
            csv.write_record(&record)?;
        }
    }
    finish(csv)
}

/// `_failures.csv`.
pub(super) fn failures(summary: &Summary) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["Method", "Name", "Error", "Occurrences"])?;
    for failure in &summary.failures {
        let row = summary.requests.iter().find(|r| r.name == failure.request);
        let method = row.and_then(|r| r.target.split(' ').next()).unwrap_or("");
        csv.write_record([method, &failure.request, &failure.text, &failure.count.to_string()])?;
    }
    finish(csv)
}
