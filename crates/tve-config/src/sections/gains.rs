//! Heater gains, the law they were made for, and the stepper drive.

use crate::field::{Flag, WholeOf, int, num};
use crate::section::section;

section! {
    /// Gains of a zone's heater PID in parallel form.
    pub struct PidGains / PidGainsPatch : Copy {
        /// Proportional gain in % per °C.
        kp: f64 = 4.0, num(0.0, 1000.0, "%/°C");
        /// Integral gain in % per °C and second.
        ki: f64 = 0.02, num(0.0, 1000.0, "%/(°C s)");
        /// Derivative gain in % s per °C.
        kd: f64 = 80.0, num(0.0, 1000.0, "% s/°C");
    }
}

impl PidGains {
    /// A section of a file that has these keys and nothing else; a machine without a list of zones
    /// has one for each zone.
    pub const SECTION: &'static str = "z1";
}

section! {
    /// The DM556 stepper drives, as their switches are set.
    pub struct Dm556 / Dm556Patch : Copy {
        /// Pulses per revolution.
        microsteps: u32 = 3200, int(1, 51_200, "steps/rev");
        /// Peak phase current in A.
        current_peak: f64 = 3.2, num(0.1, 5.0, "A");
        /// Whether the drive halves its current at standstill.
        idle_half: bool = true, Flag;
    }
}

section! {
    /// How the heaters are controlled.
    pub struct Control / ControlPatch : Copy {
        /// The control law that the gains were made for: 1 is the original program's, whose gains are converted until a tune; 2 is this one's.
        law: u8 = 1, int(1, 2, "");
        /// Mains frequency in Hz; heaters switch whole cycles of it.
        mains_hz: u32 = 50, WholeOf { choices: &[50, 60], unit: "Hz" };
    }
}
