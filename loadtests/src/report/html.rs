//! `report.html`: one file that needs nothing else, also without a network.

use super::plots::plots;
use crate::summary::Summary;
use crate::verdict::{Standing, Word};
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.45 sans-serif;max-width:980px;margin:2em auto;padding:0 1em;\
color:#222}h1 span{padding:.1em .5em;border-radius:.2em;color:#fff}.good{background:#007a53}\
.bad{background:#b3261e}.open{background:#8a6d00}table{border-collapse:collapse;margin:.5em 0}\
td,th{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child,\
td.l{text-align:left}td span{padding:0 .4em;border-radius:.2em;color:#fff}svg{max-width:100%;\
height:auto}small{color:#666}";

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

fn ms(us: u64) -> String {
    format!("{:.2}", us as f64 / 1000.0)
}

/// The report of a run as one page.
///
/// # Errors
/// A plot cannot be drawn.
pub fn html(summary: &Summary) -> anyhow::Result<String> {
    let mut page = String::new();
    write_head(&mut page, summary)?;
    for (title, svg) in plots(summary)? {
        write!(page, "<h2>{}</h2>{svg}", escape(&title))?;
    }
    write_tables(&mut page, summary)?;
    page.push_str("</body></html>\n");
    Ok(page)
}

fn write_head(page: &mut String, s: &Summary) -> std::fmt::Result {
    let class = match s.verdict.word {
        Word::Pass => "good",
        Word::Fail => "bad",
        Word::Invalid | Word::Inconclusive => "open",
    };
    let short = if s.verdict.short { " SHORT" } else { "" };
    write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{plan}: {word}\
         </title><style>{STYLE}</style></head><body><h1>{plan} <span class=\"{class}\">{word}{short}\
         </span></h1><p>{question}<br><small>{host}, from {started}, {judged} s judged</small></p>",
        plan = escape(&s.plan),
        word = s.verdict.word.name(),
        question = escape(&s.question),
        host = escape(&s.host),
        started = escape(&s.started),
        judged = s.judged_s,
    )?;
    for reason in &s.verdict.reasons {
        write!(page, "<p>{}</p>", escape(reason))?;
    }
    page.push_str("<h2>What had to hold</h2><table>");
    for claim in &s.claims {
        let (class, mark) = match claim.standing {
            Standing::Held => ("good", "held"),
            Standing::Broken => ("bad", "broken"),
            Standing::Open => ("open", "open"),
        };
        write!(
            page,
            "<tr><td>{}</td><td class=\"l\">{}</td><td><span class=\"{class}\">{mark}</span></td></tr>",
            escape(&claim.what),
            escape(&claim.measured)
        )?;
    }
    let t = &s.trust;
    let achieved = t
        .achieved_percent
        .map_or(String::new(), |a| format!("; {a:.1} % of what was offered was answered"));
    write!(
        page,
        "</table><h2>Can the run be trusted</h2><p>The generator was late by {:.2} ms at p99, missed \
         {:.3} % of its requests, used {:.0} % of the machine and at most {:.1} MB{achieved}. \
         The service's process changed {} times. Everybody on the machine \
         wanted {:.0} % of it, and its host gave {:.1} % of that to others.</p>",
        t.lag_p99_ms,
        t.missed_percent,
        t.cpu_percent,
        s.generator_rss_mb[2],
        s.server_changes,
        t.machine_percent,
        t.steal_percent
    )
}

fn write_tables(page: &mut String, s: &Summary) -> std::fmt::Result {
    page.push_str(
        "<h2>Groups</h2><table><tr><th>group</th><th>requests</th><th>errors</th><th>1/s</th>\
         <th>p50</th><th>p95</th><th>p99</th><th>max</th><th>quiet p99</th><th>headers p95</th>\
         <th>body p95</th><th>green s</th></tr>",
    );
    for g in &s.groups {
        write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&g.name),
            g.count,
            g.errors,
            g.rps,
            ms(g.due.p50_us),
            ms(g.due.p95_us),
            ms(g.due.p99_us),
            ms(g.due.max_us),
            if g.quiet.count > 0 { ms(g.quiet.p99_us) } else { "-".to_owned() },
            ms(g.headers.p95_us),
            ms(g.body.p95_us),
            g.longest_streak_s.map_or("-".to_owned(), |s| s.to_string())
        )?;
    }
    write!(
        page,
        "</table><small>Latencies in ms; p50 to max from the instant a request was due, headers and \
         body from its sending. Quiet are the {:.1} of {} s in which the machine's host gave none of \
         it to others.</small>",
        s.quiet_s, s.judged_s
    )?;
    if !s.scenarios.is_empty() {
        page.push_str(
            "<h2>Scenarios</h2><table><tr><th>scenario</th><th>users</th><th>target 1/s</th>\
             <th>achieved 1/s</th></tr>",
        );
        for row in &s.scenarios {
            let target = row.target_rps.map_or("-".to_owned(), |t| format!("{t:.2}"));
            write!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{target}</td><td>{:.2}</td></tr>",
                escape(&row.name),
                row.users,
                row.achieved_rps
            )?;
        }
        page.push_str("</table>");
    }
    page.push_str(
        "<h2>Requests</h2><table><tr><th>phase</th><th>request</th><th>count</th><th>errors</th>\
         <th>1/s</th><th>mean</th><th>p50</th><th>p95</th><th>p99</th></tr>",
    );
    for r in &s.requests {
        write!(
            page,
            "<tr><td>{}</td><td class=\"l\">{} <small>{}</small></td><td>{}</td><td>{}</td>\
             <td>{:.2}</td><td>{:.2}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&r.phase),
            escape(&r.name),
            escape(&r.target),
            r.count,
            r.errors,
            r.rps,
            r.due.mean_us / 1000.0,
            ms(r.due.p50_us),
            ms(r.due.p95_us),
            ms(r.due.p99_us)
        )?;
    }
    page.push_str("</table>");
    if !s.failures.is_empty() || !s.extra.is_empty() {
        page.push_str("<h2>More</h2><table>");
        for (name, value) in &s.extra {
            let (name, value) = (escape(name), escape(value));
            write!(page, "<tr><td>{name}</td><td class=\"l\">{value}</td></tr>")?;
        }
        for f in &s.failures {
            let (request, text) = (escape(&f.request), escape(&f.text));
            let n = f.count;
            write!(page, "<tr><td>{n} failures</td><td class=\"l\">{request}: {text}</td></tr>")?;
        }
        page.push_str("</table>");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_text_and_no_markup() {
        assert_eq!(escape("<b>\"a&b\"</b>"), "&lt;b&gt;&quot;a&amp;b&quot;&lt;/b&gt;");
    }
}
