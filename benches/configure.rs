//! What a change of the configuration costs the control thread: the time that taking one over
//! holds it, and the longest gap between two ticks while changes arrive fifty times a second.
//!
//! The gap is the period of 10 ms and how late the next tick began; the loop counts lateness in
//! steps, so the upper edge of the last step that was reached is shown. `quiet` beside it says what
//! the machine that benchmarks does by itself.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tve_access::{Caller, Role};
use tve_config::PidGainsPatch;
use tve_control::Command;
use tve_hal::Zone;
use tve_runtime::{Asked, Door, EDGES_US, LoopStats, Options, Prepared};

/// Time between two changes.
const SPACING: Duration = Duration::from_millis(20);
/// Length of a measurement.
const CHANGES: u32 = 50;
/// Time between two ticks.
const PERIOD: Duration = Duration::from_millis(10);

fn change(n: u32) -> Command {
    let patch = PidGainsPatch { kp: Some(4.0 + f64::from(n % 7)), ..PidGainsPatch::default() };
    Command::UpdatePid { zone: Zone::at(0), patch }
}

/// Taking over what was made before.
fn adopt(c: &mut Criterion) {
    let mut rig = tve_benches::heating();
    let mut n = 0;
    c.bench_function("adopt", |b| {
        b.iter_custom(|rounds| {
            let mut held = Duration::ZERO;
            for _ in 0..rounds {
                n += 1;
                let revision = rig.controller.config_revision();
                let command = change(n).prepared(rig.config(), revision).expect("in range");
                let (kept, now) = (command.clone(), rig.now());
                let begun = Instant::now();
                let _ = black_box(rig.controller.command(now, command));
                held += begun.elapsed();
                drop(kept);
            }
            held
        });
    });
}

/// How often ticks were late, by step.
fn late(stats: &LoopStats) -> [u64; EDGES_US.len() + 1] {
    stats.lateness().read().0
}

async fn send(door: &Door, command: Command) {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let caller = Caller { user: None, role: Role::Admin, address, by_token: false };
    let name = command.kind().row().name.to_owned();
    let asked = Asked { caller, name, value: serde_json::Value::Null };
    door.execute(asked, Ok(command)).await.expect("it may always be changed");
}

/// The longest gap between two ticks while `CHANGES` intervals pass.
async fn longest_gap(door: &Door, changing: bool) -> Duration {
    let before = late(door.loop_stats());
    for n in 0..CHANGES {
        let begun = tokio::time::Instant::now();
        if changing {
            send(door, change(n)).await;
        }
        tokio::time::sleep_until(begun + SPACING).await;
    }
    let after = late(door.loop_stats());
    let worst = (0..after.len()).rev().find(|step| after[*step] > before[*step]).unwrap_or(0);
    let beyond = EDGES_US.last().map_or(0, |edge| 2 * edge);
    PERIOD + Duration::from_micros(EDGES_US.get(worst).copied().unwrap_or(beyond))
}

fn gaps(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let folder = tempfile::tempdir().expect("a folder");
    let prepared = Prepared::new(Options::in_folder(folder.path())).expect("a default");
    let service =
        runtime.block_on(prepared.start(None, Box::new(|_| Ok(())))).expect("a simulator");
    let door = service.door();
    let mut group = c.benchmark_group("longest_gap");
    group.sample_size(10);
    for (name, changing) in [("quiet", false), ("configuring", true)] {
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                runtime.block_on(async {
                    let mut sum = Duration::ZERO;
                    for _ in 0..rounds {
                        sum += longest_gap(&door, changing).await;
                    }
                    sum
                })
            });
        });
    }
    group.finish();
    let _ = runtime.block_on(async { service.halt().await.finish().await });
}

criterion_group!(benches, adopt, gaps);
criterion_main!(benches);
