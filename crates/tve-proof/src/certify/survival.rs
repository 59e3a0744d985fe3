//! What must be survived, fault by fault, and where it is shown: a row or drill of the certificate,
//! or a test of this repository for what needs a process, a disk or a network.

use super::case;
use core::fmt::Write as _;

/// Where a fault is shown to be survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Rows or a drill of the certificate, by what they are about: `open` are `open-t2`, `open-t3`
    /// and as many more as the machine has zones.
    Case(&'static str),
    /// A test: file from the root of the repository, function.
    Test(&'static str, &'static str),
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survival {
    /// The fault in words.
    pub fault: &'static str,
    /// Where it is shown; more than one where one shows a part.
    pub shown: &'static [Shown],
}

use Shown::{Case, Test};

const NET: &str = "crates/tve-proof/tests/net.rs";
const STANDING: &str = "crates/tve-proof/tests/standing_sensors.rs";
const SENSORS: &str = "crates/tve-control/src/controller/tests/sensors.rs";
const DEATH: &str = "crates/tve/tests/process/death.rs";
const DISK: &str = "crates/tve/tests/process/disk.rs";
const RUNNER: &str = "crates/tve-runtime/src/runner/tests.rs";
const RECORDER: &str = "crates/tve-recorder/src/thread/tests.rs";
const ENGINE: &str = "crates/tve-recorder/src/engine/tests.rs";
const MUTATIONS: &str = "crates/tve-testkit/tests/api/mutations.rs";
const ATTACK: &str = "crates/tve/tests/attack/main.rs";
const SERVICE: &str = "crates/tve/tests/wire/service.rs";

/// The list.
#[rustfmt::skip]
pub static SURVIVED: &[Survival] = &[
    Survival { fault: "sensor open, hot", shown: &[
        Case("open"), Case("motor-open"), Case("throat-open")] },
    Survival { fault: "sensor open, cold start", shown: &[
        Case("open-cold")] },
    Survival { fault: "sensor shorted", shown: &[
        Case("shorted"), Case("motor-shorted"), Case("throat-shorted")] },
    Survival { fault: "sensor frozen", shown: &[
        Case("frozen"), Case("frozen-step"),
        Test(STANDING, "a_converter_that_hangs_is_found_while_the_zone_warms_up_and_when_its_target_changes"),
        Test(STANDING, "a_zone_that_is_held_well_is_never_frozen_however_quiet_its_converter")] },
    Survival { fault: "sensor wires that open and touch in turn", shown: &[
        Test("crates/tve-control/src/sensors/channel/tests.rs",
            "wires_that_open_and_touch_in_turn_are_as_bad_as_wires_that_stay")] },
    Survival { fault: "sensor set up, or calibrated, as none can be", shown: &[
        Test(SENSORS, "constants_that_nobody_knows_are_accepted_and_their_zone_heats_at_a_part"),
        Test(SENSORS, "a_calibration_of_an_older_file_goes_on_and_its_zone_heats_at_a_part_until_it_is_replaced")] },
    Survival { fault: "calibration over a fault", shown: &[
        Test(SENSORS, "a_calibration_is_entered_only_with_heaters_off_motors_still_and_its_zone_without_fault")] },
    Survival { fault: "a setting that disarms a rule", shown: &[
        Test(SENSORS, "a_setting_that_disarms_a_rule_stands_as_a_note_until_it_is_another")] },
    Survival { fault: "sensor fallen out", shown: &[
        Case("fallen-out"), Case("fallen-out-heating"), Case("fallen-out-idle")] },
    Survival { fault: "sensor loose", shown: &[
        Case("loose"),
        Test(NET, "a_sensor_that_comes_loose_under_a_duty_by_hand_ends_the_heat"),
        Test(NET, "a_sensor_that_comes_loose_under_a_closed_loop_ends_the_heat"),
        Test(NET, "a_sensor_that_comes_loose_in_a_warm_up_is_found_by_its_fall")] },
    Survival { fault: "heater dead, cleared and asked for again", shown: &[Case("locked")] },
    Survival { fault: "clear and ask again over a sensor that lies", shown: &[
        Test(NET, "clearing_and_asking_again_locks_the_zone_before_it_is_too_hot"),
        Test(NET, "a_sensor_that_lost_contact_is_not_believed_again_however_often_somebody_clears"),
        Test(NET, "a_calibration_over_an_open_sensor_does_not_hide_a_stuck_relay")] },
    Survival { fault: "sensor jumping", shown: &[Case("jumping")] },
    Survival { fault: "sensors swapped", shown: &[Case("swapped")] },
    Survival { fault: "rail off by 1 %", shown: &[
        Case("rail-up-1"), Case("rail-down-1"), Case("rail-up-1-cold"), Case("rail-down-1-cold")] },
    Survival { fault: "rail off by 3 %", shown: &[
        Case("rail-up-3-cold"), Case("rail-up-3-manual")] },
    Survival { fault: "relay stuck on", shown: &[
        Case("stuck-on"), Case("stuck-on-heating"), Case("stuck-on-tuning"), Case("stuck-on-off"),
        Case("stuck-on-cold")] },
    Survival { fault: "relay conducts part of the time by itself", shown: &[
        Case("leaks"),
        Test(NET, "a_relay_that_leaks_is_found_while_a_target_holds_and_when_one_is_lowered")] },
    Survival { fault: "relay stuck on while its zone cannot be seen", shown: &[
        Test("crates/tve-control/src/controller/tests/alarms.rs",
            "a_contactor_opens_before_a_stuck_relay_could_have_overheated_a_zone_that_nobody_sees"),
    ] },
    Survival { fault: "contactor welded", shown: &[Case("contactor-welded")] },
    Survival { fault: "barrel too hot", shown: &[
        Case("over-temperature"), Case("over-temperature-idle"), Case("over-temperature-manual")] },
    Survival { fault: "heater dead", shown: &[Case("heater-dead")] },
    Survival { fault: "heater at half power", shown: &[
        Case("heater-weak"), Case("heater-half")] },
    Survival { fault: "converter gone for 1 to 1000 samples and back", shown: &[
        Case("adc-gone"), Case("adc-stopped"), Case("lost-samples")] },
    Survival { fault: "PWM write lost", shown: &[Case("pwm-lost")] },
    Survival { fault: "drive alarm pulse of 20 ms", shown: &[Case("drive-alarm")] },
    Survival { fault: "motor or feed throat hot", shown: &[Case("motor-hot"), Case("throat-hot")] },
    Survival { fault: "screw in a barrel that cools", shown: &[
        Case("cold-zone"), Case("cold-zone-jog")] },
    Survival { fault: "feed onto a screw that stands or comes to rest", shown: &[
        Case("feed-first")] },
    Survival { fault: "stop sequence without an end", shown: &[Case("stop-in-time")] },
    Survival { fault: "start from afar after a stop at the machine", shown: &[Case("local-stop")] },
    Survival { fault: "emergency stop at any tick, during a clear, a start, a tune, a jog", shown: &[
        Case("estop-command"), Case("estop-contact"), Case("estop-any-tick")] },
    Survival { fault: "stop, clear, start, tune, jog and power-cycle in every order", shown: &[
        Test("crates/tve-proof/src/orders.rs",
            "every_order_of_three_operations_keeps_the_invariants")] },
    Survival { fault: "control thread panicking", shown: &[
        Test(RUNNER, "a_panic_ends_with_every_output_off_and_is_reported"),
        Test(RUNNER, "a_panic_of_the_loop_is_noted_for_the_next_process")] },
    Survival { fault: "control thread hanging", shown: &[
        Case("stall"),
        Test(RUNNER,
            "a_loop_that_hangs_is_cut_by_the_guard_while_it_hangs_and_trips_when_it_goes_on"),
        Test(DEATH,
            "a_process_that_was_frozen_for_a_second_trips_with_control_overrun_and_stays_so_when_killed"),
        Test(DEATH, "a_loop_that_never_came_back_is_an_alarm_of_the_next_process_exactly_once")] },
    Survival { fault: "SIGTERM", shown: &[
        Test(DEATH, "a_sigterm_at_any_moment_ends_in_order_within_three_seconds")] },
    Survival { fault: "SIGKILL", shown: &[
        Case("killed"), Case("killed-idle"),
        Test(DEATH,
            "a_kill_at_any_moment_leaves_outputs_off_an_alarm_latched_and_every_file_intact")] },
    Survival { fault: "disk full", shown: &[
        Case("disk-full"),
        Test(DISK, "a_disk_that_takes_no_more_is_a_note_and_never_stops_the_machine"),
        Test(ENGINE, "a_full_disk_never_tears_a_line")] },
    Survival { fault: "disk that blocks for 10 s", shown: &[
        Test(RECORDER,
            "a_disk_that_blocks_for_ten_seconds_costs_the_oldest_rows_and_stops_nobody"),
        Test(DISK,
            "a_disk_that_blocks_slows_neither_the_loop_nor_an_emergency_stop_and_is_noted"),
        Test(DISK, "a_dead_disk_does_not_stretch_the_stop_of_a_running_machine")] },
    Survival { fault: "disk with errors", shown: &[
        Case("disk-fails"),
        Test(ENGINE, "a_failing_disk_is_reported_retried_with_growing_pauses_and_forgiven")] },
    Survival { fault: "configuration cut off at every byte of its save", shown: &[
        Case("bad-config"),
        Test(DISK, "a_configuration_cut_off_at_any_byte_locks_every_output_and_names_the_fault")] },
    Survival { fault: "10,000 mutated configurations", shown: &[
        Test(MUTATIONS, "ten_thousand_broken_configurations_are_refused_or_harmless")] },
    Survival { fault: "wall clock steps an hour either way", shown: &[
        Case("wall-clock"),
        Test(RUNNER, "a_wall_clock_that_steps_labels_the_machine_and_changes_nothing_else")] },
    Survival { fault: "commands with NaN, huge numbers, null, lists, duplicate keys, unicode",
        shown: &[
        Case("hostile-commands"),
        Test(MUTATIONS, "ten_thousand_broken_commands_never_answer_5xx_and_energise_nothing")] },
    Survival { fault: "API flooded: connections, slow readers, half-open requests", shown: &[
        Test(ATTACK,
            "an_emergency_stop_gets_through_and_ticks_keep_their_time_on_one_processor_under_attack"),
        Test(SERVICE, "a_silent_client_is_let_go_and_a_half_sent_head_too"),
        Test(SERVICE, "an_emergency_stop_overtakes_a_flood_of_commands")] },
    Survival { fault: "three restarts in ten minutes", shown: &[
        Case("latch-survives"), Case("restarts")] },
    Survival { fault: "alarm latched by another version", shown: &[
        Case("unread-latch"),
        Test("crates/tve-recorder/src/journal/tests.rs",
            "a_latched_alarm_that_no_row_of_the_table_is_comes_back_as_a_trip_with_its_name")] },
    Survival { fault: "nobody at the machine", shown: &[
        Case("idle-soon"), Case("idle-setback"), Case("idle-off")] },
    Survival { fault: "melt that stands hot", shown: &[Case("residence")] },
    Survival { fault: "gains made for another control law", shown: &[Case("converted-gains")] },
];

/// The list as Markdown, with the rows that were played.
pub(crate) fn markdown(cases: &[case::Case]) -> String {
    let mut text = String::from("| Fault | Shown by |\n| --- | --- |\n");
    for survival in SURVIVED {
        let shown: Vec<String> = survival
            .shown
            .iter()
            .flat_map(|shown| match shown {
                Case(family) => rows_of(cases, family),
                Test(file, name) => vec![format!("test `{name}` in `{file}`")],
            })
            .collect();
        let _ = writeln!(text, "| {} | {} |", survival.fault, shown.join(", "));
    }
    text
}

/// The rows of a family, each once.
fn rows_of(cases: &[case::Case], family: &str) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for case in cases.iter().filter(|case| case.family == family) {
        let row = format!("case `{}`", case.row);
        if rows.last() != Some(&row) {
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::{drills::DRILLS, rows::fault_table};
    use super::*;
    use crate::subject::Subject;

    /// What the rows and drills of a machine are about, each once for every case.
    fn families(subject: &Subject) -> Vec<&'static str> {
        let rows = fault_table(subject.machine()).into_iter().map(|row| row.family);
        rows.chain(DRILLS.iter().map(|drill| drill.id)).collect()
    }

    #[test]
    fn every_fault_is_shown_and_every_case_that_shows_one_is_played() {
        let families = families(&Subject::embedded());
        for Survival { fault, shown } in SURVIVED {
            assert!(!shown.is_empty(), "nothing shows that this is survived: {fault}");
            for shown in *shown {
                match shown {
                    Case(family) => assert!(families.contains(family), "{fault}: {family}"),
                    // Whether it is there is known to Cargo: `deploy/ci/named-tests.sh` asks it.
                    Test(..) => {}
                }
            }
        }
    }

    #[test]
    fn every_case_of_the_certificate_shows_some_fault() {
        for name in families(&Subject::embedded()) {
            let named = SURVIVED.iter().any(|s| s.shown.contains(&Case(name)));
            assert!(named, "{name} is in no row of the list");
        }
    }
}
