//! The picture of a run: temperatures with their targets above, duties and speeds below.

use anyhow::anyhow;
use plotters::prelude::*;
use std::path::Path;
use tve_config::{MachineConfig, MotorConfig, SensorPoint, Serves};
use tve_machine::{Motor, Name, Sensor, Zone};
use tve_scenario::Sample;

/// Size of the picture, pixels.
const SIZE: (u32, u32) = (1000, 640);
/// Height of the upper panel with the title, pixels.
const UPPER: u32 = 370;
/// Room for labels beside the panels, pixels.
const LABELS: u32 = 60;
/// Buckets along the time axis: about as many as there are pixels.
const BUCKETS: usize = 900;
/// Above the highest temperature, °C.
const HEADROOM: f64 = 20.0;
/// Least range of the speed axis, rpm.
const LEAST_RPM: f64 = 10.0;
/// Colours that remain apart for colour-blind readers (Okabe and Ito, 2008).
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const RED: RGBColor = RGBColor(213, 94, 0);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const SKY: RGBColor = RGBColor(86, 180, 233);
const YELLOW: RGBColor = RGBColor(240, 228, 66);
const GREY: RGBColor = RGBColor(120, 120, 120);

/// Of the zones, feed side first.
const ZONES: [RGBColor; 8] = [ORANGE, BLUE, SKY, YELLOW, BLACK, RED, GREEN, PURPLE];
/// Of the motors.
const MOTORS: [RGBColor; 4] = [RED, GREEN, PURPLE, BLUE];

type Value = Box<dyn Fn(&Sample) -> Option<f64>>;

/// One line of a panel.
struct Line {
    name: String,
    color: RGBColor,
    /// Targets are thin, measurements thick.
    width: u32,
    value: Value,
}

/// Targets and sensors of a machine.
fn temperatures(machine: &MachineConfig) -> Vec<Line> {
    let target = |(zone, name): (Zone, &Name)| Line {
        name: format!("target {name}"),
        color: ZONES[zone.index()],
        width: 1,
        value: Box::new(move |s| s.targets.get(zone).copied().filter(|t| *t > 0.0)),
    };
    let measured = |(sensor, point): (Sensor, &SensorPoint)| {
        let (color, place) = match point.serves {
            Serves::FeedThroat => (GREEN, " feed throat".to_owned()),
            Serves::Zone(zone) => (ZONES[zone.index()], format!(" zone {}", zone.index() + 1)),
            Serves::Motor(_) => (PURPLE, String::new()),
            Serves::Display => (GREY, String::new()),
        };
        Line {
            name: format!("{}{place}", point.name),
            color,
            width: 2,
            value: Box::new(move |s| s.temps.get(sensor).copied().flatten()),
        }
    };
    let targets = machine.names.zones.entries().map(target);
    targets.chain(machine.sensors.entries().map(measured)).collect()
}

/// Duties of the heaters.
fn duties(machine: &MachineConfig) -> Vec<Line> {
    let line = |(zone, name): (Zone, &Name)| Line {
        name: format!("duty {name}, %"),
        color: ZONES[zone.index()],
        width: 2,
        value: Box::new(move |s| s.heater_duty.get(zone).copied()),
    };
    machine.names.zones.entries().map(line).collect()
}

/// Speeds of the motors, each by what it turns where no other turns the same.
fn speeds(machine: &MachineConfig) -> Vec<Line> {
    let line = |(motor, config): (Motor, &MotorConfig)| {
        let alike = machine.motors.iter().filter(|other| other.role == config.role).count();
        let name = if alike == 1 { config.role.name() } else { config.name.as_str() };
        Line {
            name: format!("{name}, rpm"),
            color: MOTORS[motor.index()],
            width: 2,
            value: Box::new(move |s| s.motors_actual.get(motor).copied()),
        }
    };
    machine.motors.entries().map(line).collect()
}

/// Draws `samples` of a machine under `title` into an SVG file.
pub(crate) fn write(
    path: &Path,
    title: &str,
    machine: &MachineConfig,
    samples: &[Sample],
) -> anyhow::Result<()> {
    let text = svg(title, machine, samples).map_err(|error| anyhow!("{error}"))?;
    std::fs::write(path, text)?;
    Ok(())
}

/// The text of the picture.
fn svg(
    title: &str,
    machine: &MachineConfig,
    samples: &[Sample],
) -> Result<String, Box<dyn std::error::Error>> {
    let (temperatures, duties, speeds) = (temperatures(machine), duties(machine), speeds(machine));
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (upper, lower) = root.split_vertically(UPPER);
        let end = samples.last().map_or(1.0, |s| s.now.secs());
        let caption = ("sans-serif", 17);

        let top = greatest(&temperatures, samples).max(50.0) + HEADROOM;
        let bottom = least(&temperatures, samples).min(0.0);
        let mut chart = ChartBuilder::on(&upper)
            .caption(title, caption)
            .margin(8)
            .margin_right(LABELS + 8)
            .x_label_area_size(20)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(0.0..end, bottom..top)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .y_desc("temperature, °C")
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .draw()?;
        for line in &temperatures {
            for (i, part) in parts(line, samples).into_iter().enumerate() {
                let style = line.color.stroke_width(line.width);
                let drawn = chart.draw_series(LineSeries::new(part, style))?;
                if i == 0 {
                    drawn.label(&line.name).legend(legend(line));
                }
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .draw()?;

        let fastest = greatest(&speeds, samples).max(LEAST_RPM);
        let slowest = least(&speeds, samples).min(0.0);
        let mut chart = ChartBuilder::on(&lower)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(LABELS)
            .right_y_label_area_size(LABELS)
            .build_cartesian_2d(0.0..end, 0.0..105.0)?
            .set_secondary_coord(0.0..end, slowest..fastest * 1.05);
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc("time, s")
            .y_desc("duty, %")
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .draw()?;
        chart
            .configure_secondary_axes()
            .y_desc("speed, rpm")
            .y_label_formatter(&|y| format!("{y:.0}"))
            .draw()?;
        for line in &duties {
            for (i, part) in parts(line, samples).into_iter().enumerate() {
                let style = line.color.stroke_width(line.width);
                let drawn = chart.draw_series(LineSeries::new(part, style))?;
                if i == 0 {
                    drawn.label(&line.name).legend(legend(line));
                }
            }
        }
        for line in &speeds {
            for (i, part) in parts(line, samples).into_iter().enumerate() {
                let style = line.color.stroke_width(line.width);
                let drawn = chart.draw_secondary_series(LineSeries::new(part, style))?;
                if i == 0 {
                    drawn.label(&line.name).legend(legend(line));
                }
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        root.present()?;
    }
    Ok(text)
}

fn legend(line: &Line) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> + 'static {
    /// Length of the stroke in a legend, pixels.
    const STROKE: i32 = 16;
    let style = line.color.stroke_width(line.width);
    move |(x, y)| PathElement::new(vec![(x, y), (x + STROKE, y)], style)
}

fn values<'a>(lines: &'a [Line], samples: &'a [Sample]) -> impl Iterator<Item = f64> + 'a {
    lines.iter().flat_map(move |line| samples.iter().filter_map(&line.value))
}

fn greatest(lines: &[Line], samples: &[Sample]) -> f64 {
    values(lines, samples).fold(f64::NEG_INFINITY, f64::max)
}

fn least(lines: &[Line], samples: &[Sample]) -> f64 {
    values(lines, samples).fold(f64::INFINITY, f64::min)
}

/// The stretches of a line without gaps, each bucket of time reduced to its least and greatest
/// value, so that no peak is lost.
fn parts(line: &Line, samples: &[Sample]) -> Vec<Vec<(f64, f64)>> {
    let mut parts = Vec::new();
    let mut part: Vec<(f64, f64)> = Vec::new();
    for bucket in samples.chunks(samples.len().div_ceil(BUCKETS).max(1)) {
        let points: Vec<(f64, f64)> =
            bucket.iter().filter_map(|s| Some((s.now.secs(), (line.value)(s)?))).collect();
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        match (points.iter().min_by(by_value), points.iter().max_by(by_value)) {
            (Some(low), Some(high)) if low.0 < high.0 => part.extend([*low, *high]),
            (Some(low), Some(high)) if low.0 > high.0 => part.extend([*high, *low]),
            (Some(only), _) => part.push(*only),
            (None, _) if part.is_empty() => {}
            (None, _) => parts.push(std::mem::take(&mut part)),
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::Config;
    use tve_control::{Mode, Status};
    use tve_units::{Micros, WallMillis};

    fn sample(i: u64, t2: Option<f64>) -> Sample {
        Sample {
            now: Micros::from_millis(250 * i),
            wall: WallMillis::new(0),
            status: Status::Ready,
            mode: Mode::Auto,
            temps: [Some(25.0), t2, Some(100.0), Some(30.0)].into(),
            targets: [200.0, 0.0].into(),
            heater_duty: [50.0, 0.0].into(),
            motors: [0.0; 2].into(),
            motors_actual: [0.0; 2].into(),
        }
    }

    #[test]
    fn a_line_breaks_where_a_sensor_is_bad_and_keeps_its_peaks() {
        let samples: Vec<_> = (0..9000)
            .map(|i| match i {
                4000..5000 => sample(i, None),
                1234 => sample(i, Some(300.0)),
                _ => sample(i, Some(200.0)),
            })
            .collect();
        let parts = parts(&temperatures(&Config::embedded().machine())[3], &samples);
        assert_eq!(parts.len(), 2);
        assert!(parts[0].iter().any(|(_, t)| *t == 300.0));
        assert!(parts.iter().flatten().count() < 2 * BUCKETS);
    }

    #[test]
    fn a_picture_names_its_axes_and_lines_with_their_units() {
        let samples: Vec<_> = (0..100).map(|i| sample(i, Some(200.0))).collect();
        let text = svg("Does it draw?", &Config::embedded().machine(), &samples).unwrap();
        for label in [
            "Does it draw?",
            "temperature, °C",
            "duty, %",
            "speed, rpm",
            "time, s",
            "t2 zone 1",
            "screw, rpm",
        ] {
            assert!(text.contains(label), "{label}");
        }
    }

    #[test]
    fn a_machine_of_four_zones_has_a_line_for_each_in_a_colour_of_its_own() {
        let four = include_str!("../../../config/machines/four-zone.json");
        let machine = Config::parse(four).unwrap().machine();
        let names = |lines: Vec<Line>| lines.into_iter().map(|line| line.name).collect::<Vec<_>>();
        assert_eq!(
            names(duties(&machine)),
            ["duty z1, %", "duty z2, %", "duty z3, %", "duty z4, %"]
        );
        assert_eq!(names(speeds(&machine)), ["screw, rpm", "puller, rpm"]);
        let lines = temperatures(&machine);
        assert!(lines.iter().any(|line| line.name == "t5 zone 4"));
        let targets = lines.iter().filter(|line| line.width == 1);
        let mut colours: Vec<_> = targets.map(|line| (line.color.0, line.color.1)).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), 4);
    }

    #[test]
    fn a_run_without_samples_is_an_empty_picture() {
        assert!(svg("Nothing?", &Config::embedded().machine(), &[]).unwrap().contains("<svg"));
    }
}
