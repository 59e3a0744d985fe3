//! `report.html`: one file that needs nothing else, also without a network.

use super::plots::plots;
use crate::summary::Summary;
use crate::verdict::{Standing, Word};
use askama::Template as _;

/// What the page shows. What a service or a plan says is escaped, the plots are our own.
#[derive(askama::Template)]
#[template(path = "report.html")]
struct Page<'a> {
    s: &'a Summary,
    /// (title, SVG).
    plots: Vec<(String, String)>,
}

impl Page<'_> {
    fn class(&self) -> &'static str {
        match self.s.verdict.word {
            Word::Pass => "good",
            Word::Fail => "bad",
            Word::Invalid | Word::Inconclusive => "open",
        }
    }
}

fn ms(us: &u64) -> String {
    format!("{:.2}", *us as f64 / 1000.0)
}

/// The report of a run as one page.
///
/// # Errors
/// A plot cannot be drawn.
pub fn html(summary: &Summary) -> anyhow::Result<String> {
    Ok(Page { s: summary, plots: plots(summary)? }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Trust;
    use serde_json::json;

    #[test]
    fn what_a_service_says_is_text_and_no_markup() {
        let said = "<script>\"a&b\"</script>";
        let mut summary: Summary = serde_json::from_value(json!({
            "format": 1, "plan": said, "question": said, "host": said, "started": said,
            "judged_s": 0, "judged_from_s": 0,
            "verdict": {"word": "FAIL", "short": false, "reasons": [said]},
            "claims": [{"what": said, "measured": said, "standing": "open"}],
            "trust": Trust::default(), "looser": null, "groups": [], "requests": [],
            "scenarios": [], "server": {"step_s": 1, "points": [], "filled": 0},
            "server_pid": null, "server_changes": 0, "generator_rss_mb": [0.0, 0.0, 0.0],
            "failures": [{"request": said, "text": said, "count": 1}], "extra": {"x": said},
        }))
        .unwrap();
        let page = html(&summary).unwrap();
        assert!(!page.contains("<script"), "{page}");
        // The title holds it too.
        assert_eq!(page.matches("&#60;script&#62;&#34;a&#38;b&#34;&#60;/script&#62;").count(), 11);
        summary.extra.clear();
        summary.failures.clear();
        assert!(!html(&summary).unwrap().contains("<h2>More"), "nothing more to say");
    }
}
