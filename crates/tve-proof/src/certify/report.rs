//! The certificate as Markdown, JSON and a one-page SVG.

use super::case::Case;
use super::states::State;
use crate::quality::{QualityRow, markdown as quality_markdown};
use core::fmt::Write;
use serde::Serialize;

/// Everything that was played, with what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// Whether every case held.
    pub held: bool,
    /// How many cases were played.
    pub cases_total: usize,
    /// How many of them did not hold.
    pub cases_failed: usize,
    /// Each row in each state, in the order of the table.
    pub cases: Vec<Case>,
    /// Control quality over the plant family; empty until it is added.
    pub quality: Vec<QualityRow>,
}

impl Certificate {
    pub(crate) fn new(cases: Vec<Case>) -> Self {
        let cases_failed = cases.iter().filter(|c| !c.held).count();
        Self {
            held: cases_failed == 0,
            cases_total: cases.len(),
            cases_failed,
            cases,
            quality: Vec::new(),
        }
    }

    /// Adds the table of control quality.
    #[must_use]
    pub fn with_quality(self, quality: Vec<QualityRow>) -> Self {
        Self { quality, ..self }
    }

    /// The cases that did not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(|c| !c.held)
    }

    /// As JSON, indented.
    pub fn json(&self) -> String {
        // Strings, numbers and lists: nothing here that JSON cannot hold.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// As Markdown: a summary, one line a case, the table of control quality.
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Fault certificate\n\n");
        let _ = writeln!(
            text,
            "{} cases, {} failed. Bounds count from the first sample or input that shows the \
             cause, plus 20 ms; motors rest within 2 s of a stop.\n",
            self.cases_total, self.cases_failed
        );
        text.push_str(
            "| Fault | State | Expected | Measured | Bound | Counted from | Rest | Held | Note |\n\
             | --- | --- | --- | ---: | ---: | --- | ---: | --- | --- |\n",
        );
        for case in &self.cases {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                case.fault,
                case.state.name(),
                case.expected,
                seconds(case.measured_s),
                seconds(case.bound_s),
                case.counted_from,
                seconds(case.rest_s),
                if case.held { "yes" } else { "**NO**" },
                case.note.replace('|', "/")
            );
        }
        text.push_str("\n# What is survived, and what shows it\n\n");
        text.push_str(&super::survival::markdown(&self.cases));
        if !self.quality.is_empty() {
            text.push_str("\n# Control quality\n\n");
            text.push_str(&quality_markdown(&self.quality));
        }
        text
    }

    /// One page: a line for each fault, a mark for each state.
    pub fn svg(&self) -> String {
        let mut rows: Vec<(&str, &str, Vec<&Case>)> = Vec::new();
        for case in &self.cases {
            match rows.iter_mut().find(|(id, ..)| *id == case.row) {
                Some((.., cases)) => cases.push(case),
                None => rows.push((&case.row, &case.fault, vec![case])),
            }
        }
        let height = TOP + rows.len() * LINE + BOTTOM;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"10\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"28\" font-size=\"18\">Fault certificate: {}</text>\n\
             <text x=\"{LEFT}\" y=\"46\" fill=\"#555555\">{} cases, {} failed. Numbers: longest \
             measured reaction of the line / bound, s</text>\n",
            if self.held { "held" } else { "NOT HELD" },
            self.cases_total,
            self.cases_failed
        );
        for (i, state) in COLUMNS.iter().enumerate() {
            let x = MARKS + i * COLUMN;
            let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\">{}</text>", TOP - 8, state.name());
        }
        for (i, (_, fault, cases)) in rows.iter().enumerate() {
            let y = TOP + i * LINE + LINE / 2;
            let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{y}\">{}</text>", escaped(fault));
            for case in cases {
                let column = COLUMNS.iter().position(|s| *s == case.state).unwrap_or(0);
                let colour = if case.held { "#2e7d32" } else { "#c62828" };
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"><title>{}</title>\
                     </circle>",
                    MARKS + column * COLUMN + COLUMN / 3,
                    y - 3,
                    escaped(&case.note)
                );
            }
            let longest = cases.iter().filter_map(|c| c.measured_s).reduce(f64::max);
            if let (Some(longest), Some(bound)) = (longest, cases[0].bound_s) {
                let x = MARKS + COLUMNS.len() * COLUMN;
                let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\">{longest:.2} / {bound:.2}</text>");
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Layout of the page, px.
const WIDTH: usize = 1160;
const LEFT: usize = 20;
const TOP: usize = 80;
const BOTTOM: usize = 20;
const LINE: usize = 15;
const MARKS: usize = 470;
const COLUMN: usize = 62;
const COLUMNS: [State; 9] = [
    State::Cold,
    State::Idle,
    State::Heating,
    State::Holding,
    State::Running,
    State::Tuning,
    State::Stopping,
    State::Manual,
    State::Alarm,
];

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(String::new, |s| format!("{s:.2} s"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
