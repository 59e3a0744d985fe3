//! The generated documents in the repository are those of the code.

use std::path::Path;

/// `UPDATE_DOCS=1` writes the file; otherwise it must already be the same.
fn check(name: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(&path, content).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == content, "{name} is old; run UPDATE_DOCS=1 cargo test -p tve-config");
}

#[test]
fn the_reference_page_is_up_to_date() {
    check("reference.md", &tve_config::reference_markdown());
}

#[test]
fn the_json_schema_is_up_to_date() {
    let mut text = serde_json::to_string_pretty(&tve_config::json_schema()).unwrap();
    text.push('\n');
    check("config.schema.json", &text);
}
