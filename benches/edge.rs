//! The edges: command parsing, JSON bodies, CSV rows.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tve_control::{lenient_json, parse_control};

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
    for (name, body) in bodies {
        group.bench_function(name, |b| {
            b.iter(|| black_box(lenient_json(black_box(body)).and_then(|v| parse_control(&v))));
        });
    }
    group.finish();
}

criterion_group!(benches, command_parse);
criterion_main!(benches);
