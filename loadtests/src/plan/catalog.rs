//! The plans that come with the harness.

/// A plan in the binary.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Name.
    pub name: &'static str,
    /// Its text, the same as the file of that name in `loadtests/plans`.
    pub text: &'static str,
}

macro_rules! catalog {
    ($($name:literal)*) => {
        /// Every plan that comes with the harness.
        pub const CATALOG: &[Entry] = &[$(Entry {
            name: $name,
            text: include_str!(concat!("../../plans/", $name, ".toml")),
        },)*];
    };
}

catalog! {
    "smoke" "tve-slo" "load" "spike" "stress" "breaking-point" "sustained" "burst" "soak"
    "sockets" "limiter" "mixed" "endpoints" "upgrade"
    "category-sla" "dashboard" "classroom" "platform" "day" "endurance"
}

/// The plan of that name.
pub fn find(name: &str) -> Option<Entry> {
    CATALOG.iter().copied().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo;

    #[test]
    fn every_plan_can_be_read_and_is_called_what_its_file_is_called() {
        for entry in CATALOG {
            let plan = super::super::parse(entry.name, entry.text).unwrap();
            assert_eq!(plan.name, entry.name);
            assert!(entry.text.starts_with("# "), "{}: no header says what it answers", entry.name);
        }
    }

    #[test]
    fn tve_slo_says_what_the_table_of_objectives_says() {
        let plan = super::super::parse("tve-slo", find("tve-slo").unwrap().text).unwrap();
        assert_eq!(plan.interval_s, Some(slo::INTERVAL_S));
        for target in slo::SCENARIOS {
            let scenario = plan.scenarios.iter().find(|s| s.name == target.name).unwrap();
            assert_eq!(scenario.users, target.users);
            let offered = crate::plan::Plan::offered_rps(scenario, target.users).unwrap();
            assert!((offered - target.rps).abs() < 1e-3, "{}: {offered}", target.name);
        }
        assert_eq!(plan.objectives.len(), slo::GROUPS.len());
        for row in slo::GROUPS {
            let objective =
                plan.objectives.iter().find(|o| o.group.as_deref() == Some(row.group)).unwrap();
            assert_eq!(objective.p95_ms, Some(row.p95_ms));
            assert_eq!(objective.p99_ms, Some(row.p99_ms));
            assert_eq!(objective.errors_percent, Some(row.errors_percent));
        }
    }
}
