//! The controller's hot paths: `step` by machine state, PID, sensor chain, snapshot copy.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tve_config::{PidGains, SensorConfig};
use tve_control::{Pid, PidInput, celsius, ohms, share, volts};
use tve_rig::TICK;

/// `step` with fresh inputs of the simulator each tick; the simulator's own time is outside.
fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    let states = vec![
        ("idle", tve_benches::at(23.0)),
        ("heating", tve_benches::heating()),
        ("alarm", tve_benches::in_alarm()),
    ];
    for (name, mut machine) in states {
        // A second of recorded inputs, replayed with the time moved on.
        let mut recorded = Vec::new();
        for _ in 0..100 {
            machine.tick();
            recorded.push(machine.inputs);
        }
        let mut at = 0;
        let mut now = machine.now();
        group.bench_function(name, |b| {
            b.iter(|| {
                now = now + TICK;
                let mut inputs = recorded[at % recorded.len()];
                at += 1;
                for sensor in &mut inputs.sensors {
                    if let tve_hal::SensorInput::Sample { taken_at, .. } = sensor {
                        // Keep the spacing of the samples: a new one each 0.2 s a channel.
                        let slot = now.get() / 200_000 * 200_000;
                        *taken_at = tve_units::Micros::new(slot);
                    }
                }
                black_box(machine.controller.step(now, &inputs));
            });
        });
    }
    group.finish();
}

fn pid(c: &mut Criterion) {
    let gains = PidGains::default();
    let mut pid = Pid::new();
    let mut pv = 150.0;
    c.bench_function("pid", |b| {
        b.iter(|| {
            pv += 0.01;
            if pv > 220.0 {
                pv = 150.0;
            }
            let input = PidInput {
                setpoint: 210.0,
                pv,
                dt: 0.2,
                holding_duty: 40.0,
                waiting_duty: 40.0,
                integrate: true,
                max: 100.0,
            };
            black_box(pid.update(&gains, input))
        });
    });
}

fn sensor_chain(c: &mut Criterion) {
    let sensor = SensorConfig::default();
    let curve = sensor.curve();
    let mut code = 0_i16;
    c.bench_function("sensor_chain", |b| {
        b.iter(|| {
            code = (code + 7) % 26_000 + 100;
            let part = share(volts(black_box(code), 4.096), &sensor);
            black_box(ohms(part, &sensor).map(|r| celsius(r, curve)))
        });
    });
}

fn snapshot(c: &mut Criterion) {
    let machine = tve_benches::heating();
    let mut snapshot = machine.snapshot();
    c.bench_function("snapshot", |b| {
        b.iter(|| {
            machine.controller.snapshot(&mut snapshot);
            black_box(&snapshot);
        });
    });
}

criterion_group!(benches, step, pid, sensor_chain, snapshot);
criterion_main!(benches);
