//! The plots of a report as SVG.

use crate::summary::Summary;
use anyhow::anyhow;
use plotters::prelude::*;

/// Size of a plot, pixels.
const SIZE: (u32, u32) = (960, 300);
/// Room for labels beside a plot, pixels.
const LABELS: u32 = 64;
/// Room for the names of the lines beside a plot, where they cover none, pixels.
const NAMES: u32 = 180;
/// Size of letters, pixels.
const TEXT: u32 = 14;
/// Shortest latency that a plot shows, ms.
const LEAST_MS: f64 = 0.1;
/// Colours that remain apart for colour-blind readers (Okabe and Ito, 2008).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// One line of a plot.
struct Line {
    name: String,
    color: RGBColor,
    /// Limits are thin, measurements thick.
    width: u32,
    points: Vec<(f64, f64)>,
}

impl Line {
    fn style(&self) -> ShapeStyle {
        ShapeStyle::from(&self.color).stroke_width(self.width)
    }
}

/// What the vertical axis is like.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    Linear,
    /// Powers of ten, from [`LEAST_MS`].
    Powers,
}

fn color(place: usize) -> RGBColor {
    COLORS[place % COLORS.len()]
}

/// Every plot of a run: (title, SVG).
pub(super) fn plots(summary: &Summary) -> anyhow::Result<Vec<(String, String)>> {
    let mut plots = Vec::new();
    let mut push = |title: &str, x: &str, y: &str, axis: Axis, lines: Vec<Line>| {
        plot(x, y, axis, &lines).map(|svg| plots.push((title.to_owned(), svg)))
    };
    let by_group = |suffix: &str, of: &dyn Fn(&crate::measure::timeline::GroupPoint) -> f64| {
        let lines = summary.groups.iter().enumerate().map(|(i, group)| Line {
            name: format!("{}{suffix}", group.name),
            color: color(i),
            width: 2,
            points: group.timeline.iter().map(|(at, p)| (at, of(p))).collect(),
        });
        lines.collect::<Vec<Line>>()
    };
    let mut latency = by_group(" p95", &|p| f64::from(p.p95_us) / 1000.0);
    for line in &mut latency {
        // A second without requests has no latency.
        line.points.retain(|p| p.1 > 0.0);
    }
    let end = summary.server.iter().map(|(at, _)| at).fold(1.0, f64::max);
    for (i, group) in summary.groups.iter().enumerate() {
        if let Some(limit) = group.limits_ms[0] {
            latency.push(Line {
                name: format!("limit {}", group.name),
                color: color(i),
                width: 1,
                points: vec![(0.0, limit), (end, limit)],
            });
        }
    }
    push("Latency: p95 of slices, with its limits", "s", "ms", Axis::Powers, latency)?;
    let mut rates = by_group("", &|p| f64::from(p.count) / f64::from(p.seconds.max(1)));
    rates.push(Line {
        name: "users".to_owned(),
        color: COLORS[6],
        width: 1,
        points: summary.server.iter().map(|(at, p)| (at, p.users)).collect(),
    });
    push("Requests a second, and users", "s", "1/s", Axis::Linear, rates)?;
    let errors = by_group("", &|p| f64::from(p.errors) / f64::from(p.seconds.max(1)));
    push("Errors a second", "s", "1/s", Axis::Linear, errors)?;
    let server = |of: fn(&crate::resources::ServerPoint) -> f64| -> Vec<(f64, f64)> {
        summary.server.iter().map(|(at, p)| (at, of(p))).collect()
    };
    let process = vec![
        Line {
            name: "processor, % of a core".to_owned(),
            color: COLORS[0],
            width: 2,
            points: server(|p| p.cpu_percent),
        },
        Line {
            name: "resident memory, MB".to_owned(),
            color: COLORS[1],
            width: 2,
            points: server(|p| p.rss_mb),
        },
    ];
    push("The service's process", "s", "% and MB", Axis::Linear, process)?;
    let curves = summary.groups.iter().enumerate().map(|(i, group)| Line {
        name: group.name.clone(),
        color: color(i),
        width: 2,
        points: group.curve.iter().map(|&(share, ms)| (-(1.0 - share).log10(), ms)).collect(),
    });
    push(
        "Latency by share of the requests, from the due instant",
        "nines: 1 is 90 %, 2 is 99 %, 3 is 99.9 %",
        "ms",
        Axis::Powers,
        curves.collect(),
    )?;
    Ok(plots)
}

/// The course of one figure over stored runs, for a trend.
pub(crate) fn course(y: &str, lines: Vec<(String, Vec<(f64, f64)>)>) -> anyhow::Result<String> {
    let lines: Vec<Line> = lines
        .into_iter()
        .enumerate()
        .map(|(i, (name, points))| Line { name, color: color(i), width: 2, points })
        .collect();
    plot("run", y, Axis::Powers, &lines)
}

fn plot(x: &str, y: &str, axis: Axis, lines: &[Line]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let points = || lines.iter().flat_map(|l| l.points.iter().copied());
    let x_end = points().map(|p| p.0).fold(1.0, f64::max);
    let y_end = points().map(|p| p.1).fold(1.0, f64::max) * 1.2;
    let failed = |e: &dyn std::fmt::Display| anyhow!("cannot draw a plot: {e}");
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(|e| failed(&e))?;
        let (place, names) = root.split_horizontally(SIZE.0 - NAMES);
        let mut builder = ChartBuilder::on(&place);
        builder
            .margin(8)
            .set_label_area_size(LabelAreaPosition::Left, LABELS)
            .set_label_area_size(LabelAreaPosition::Bottom, LABELS / 2 + TEXT / 2);
        macro_rules! draw {
            ($range:expr, $lowest:expr) => {{
                let mut chart =
                    builder.build_cartesian_2d(0.0..x_end, $range).map_err(|e| failed(&e))?;
                chart
                    .configure_mesh()
                    .x_desc(x)
                    .y_desc(y)
                    .label_style(("sans-serif", TEXT))
                    .light_line_style(RGBColor(240, 240, 240))
                    .draw()
                    .map_err(|e| failed(&e))?;
                for line in lines {
                    let points = line.points.iter().map(|p| (p.0, p.1.max($lowest)));
                    chart
                        .draw_series(LineSeries::new(points, line.style()))
                        .map_err(|e| failed(&e))?;
                }
            }};
        }
        match axis {
            Axis::Linear => draw!(0.0..y_end, 0.0),
            Axis::Powers => draw!((LEAST_MS..y_end).log_scale(), LEAST_MS),
        }
        for (line, row) in lines.iter().zip(1..) {
            let (y, half) = (row * 3 * TEXT.cast_signed() / 2, TEXT.cast_signed() / 2);
            names
                .draw(&PathElement::new([(0, y), (16, y)], line.style()))
                .map_err(|e| failed(&e))?;
            let name = Text::new(line.name.as_str(), (22, y - half), ("sans-serif", TEXT));
            names.draw(&name).map_err(|e| failed(&e))?;
        }
        root.present().map_err(|e| failed(&e))?;
    }
    Ok(svg)
}
