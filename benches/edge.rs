//! The edges: command parsing, JSON bodies, CSV rows.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use tve_control::{Snapshot, lenient_json, parse_control};
use tve_http::{Cached, data_text, status_text};
use tve_recorder::{Layout, RunText};
use tve_tags::Tags;

fn command_parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("command_parse");
    let bodies: [(&str, &[u8]); 3] = [
        ("SET_TARGET", br#"{"command":"SET_TARGET","value":{"z1":210,"z2":"220.5"}}"#),
        ("bare NaN", br#"{"command":"SET_TARGET","value":{"z1":NaN}}"#),
        (
            "UPDATE_EXTRUDER_SEQ",
            br#"{"command":"UPDATE_EXTRUDER_SEQ","value":{"sequence":{"startup":[
                {"device":"feed_motor","action":"on","delay":3.5,"enabled":true}]}}}"#,
        ),
    ];
    let names = tve_config::Config::embedded().names();
    for (name, body) in bodies {
        group.bench_function(name, |b| {
            b.iter(|| {
                black_box(lenient_json(black_box(body)).and_then(|v| parse_control(&v, &names)))
            });
        });
    }
    group.finish();
}

fn bodies(c: &mut Criterion) {
    let rig = tve_benches::heating();
    let mut snapshot = Snapshot::default();
    rig.controller.snapshot(&mut snapshot);
    let settings = rig.config();
    let tags = Tags::of(settings.machine());
    let config = settings.to_public_json().to_string().into_bytes();
    let mut group = c.benchmark_group("body");
    group.bench_function("data uncached", |b| {
        b.iter(|| black_box(data_text(black_box(&snapshot), &tags)));
    });
    group.bench_function("status uncached", |b| {
        b.iter(|| black_box(status_text(black_box(&snapshot), &tags, "simulator", &config)));
    });
    let cached: Cached = Cached::default();
    group.bench_function("status cached", |b| {
        b.iter(|| {
            black_box(cached.get(7, || status_text(&snapshot, &tags, "simulator", &config).into()))
        });
    });
    group.finish();
}

fn csv_row(c: &mut Criterion) {
    let rig = tve_benches::heating();
    let mut snapshot = Snapshot::default();
    rig.controller.snapshot(&mut snapshot);
    let layout = Arc::new(Layout::of(&rig.config().machine()));
    let row = layout.row(&snapshot);
    let text = RunText::of_system(layout);
    let mut out = Vec::with_capacity(4096);
    c.bench_function("csv_row", |b| {
        b.iter(|| {
            out.clear();
            text.line(black_box(&row), &mut out);
            black_box(out.len())
        });
    });
}

criterion_group!(benches, command_parse, bodies, csv_row);
criterion_main!(benches);
