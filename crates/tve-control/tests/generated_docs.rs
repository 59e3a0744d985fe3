//! The generated pages in the repository are those of the code.

use std::path::Path;

/// `UPDATE_DOCS=1` writes the page; otherwise it must already be the same.
fn check(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(&path, page).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == page, "{name} is old; run UPDATE_DOCS=1 cargo test -p tve-control");
}

#[test]
fn the_page_of_commands_is_up_to_date() {
    check("commands.md", &tve_control::commands_markdown());
}

#[test]
fn the_table_of_alarms_is_up_to_date() {
    check("alarms.md", &tve_control::alarms_markdown());
}
