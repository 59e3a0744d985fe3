//! The generated page in the repository is that of the code.

use std::path::Path;

#[test]
fn the_table_of_tags_is_up_to_date() {
    let page = tve_tags::tags_markdown();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tags.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == page, "tags.md is old; run UPDATE_DOCS=1 cargo test -p tve-tags");
}
