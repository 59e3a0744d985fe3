//! The gains in force, where those of the file were made for the law of the original.

use tve_config::{MachineConfig, PidGains};
use tve_hal::PerZone;

/// Ki of gains made for the original's law is limited to Kp over this, s.
const CONVERTED_TI: f64 = 200.0;
/// Kd of such gains is raised to Kp times this, s.
const CONVERTED_TD: f64 = 20.0;

/// The gains in force: those of the file, or their conversion when they were made for the law of
/// the original (integral clamped in the wrong unit, derivative too small to damp).
pub(crate) fn effective_gains(config: &MachineConfig) -> PerZone<PidGains> {
    config.zones.map(|_, zone| {
        let g = zone.gains;
        if config.control.law >= 2 {
            g
        } else {
            PidGains {
                kp: g.kp,
                ki: g.ki.min(g.kp / CONVERTED_TI),
                kd: g.kd.max(CONVERTED_TD * g.kp),
            }
        }
    })
}
