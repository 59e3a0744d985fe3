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
