//! Dashboards and alerts ask only for figures that the service really has.

use crate::service::Service;
use std::collections::BTreeSet;

const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../deploy/grafana/tve-micro.json");

/// Prefixes of the service's own figures; everything else in a query is a function or a label.
const OURS: [&str; 7] =
    ["http_", "tve_", "process_", "system_", "socketio_", "logger_", "api_validation_"];

/// Names of figures in a text of queries.
fn figures(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| !word.contains(':') && OURS.iter().any(|p| word.starts_with(p)))
        .map(str::to_owned)
        .collect()
}

/// Values of `label` in `text`, taken apart at `|`.
fn label_values(text: &str, label: &str) -> BTreeSet<String> {
    let start = format!("{label}=");
    text.match_indices(&start)
        .filter_map(|(at, _)| {
            let rest = text[at + start.len()..].trim_start_matches('~');
            let rest = rest.trim_start_matches('\\').strip_prefix('"')?;
            rest.split(['"', '\\']).next()
        })
        .flat_map(|value| value.split('|'))
        .map(str::to_owned)
        .collect()
}

fn metrics() -> String {
    let service = Service::start();
    let paths = [
        "/api/data",
        "/api/status",
        "/api/gpio",
        "/api/control",
        "/api/log/start",
        "/api/log/stop",
    ];
    // Each route appears once it has been asked, also by a refused method.
    for path in paths {
        service.get(path);
    }
    service.get("/metrics")
}

#[test]
fn every_query_finds_its_figure_its_route_and_its_edge() {
    let metrics = metrics();
    // A figure that has no value yet (a temperature before the first reading) is declared already.
    let has = |name: &str| {
        metrics.lines().any(|l| l.starts_with(name) || l.starts_with(&format!("# TYPE {name} ")))
    };
    for text in [ALERTS, DASHBOARD] {
        let names = figures(text);
        assert!(names.len() > 5, "{names:?}");
        for name in &names {
            assert!(has(name), "the service has no figure {name}");
        }
        for route in label_values(text, "route") {
            assert!(
                metrics.contains(&format!("route=\"{route}\"")),
                "the service has no route {route}"
            );
        }
        for edge in label_values(text, "le") {
            assert!(metrics.contains(&format!("le=\"{edge}\"")), "there is no edge {edge}");
        }
    }
}

#[test]
fn the_limits_of_the_alerts_are_those_of_the_objectives() {
    for row in tve_loadtests::slo::GROUPS {
        for (name, ms) in [("p95", row.p95_ms), ("p99", row.p99_ms)] {
            let said = format!("{}: {name} is over {ms} ms", row.group);
            assert!(ALERTS.contains(&said), "no alert says {said:?}");
        }
        let budget = format!("the budget is {} %", row.errors_percent);
        assert!(ALERTS.contains(&budget), "{budget}");
    }
}
