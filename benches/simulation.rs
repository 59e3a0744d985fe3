//! One simulated hour of the whole machine: controller and plant, 360,000 ticks.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn simulated_hour(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulated_hour");
    group.sample_size(20);
    group.bench_function("heating and running", |b| {
        b.iter_batched(tve_benches::heating, |mut rig| rig.run_for(3600.0), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, simulated_hour);
criterion_main!(benches);
