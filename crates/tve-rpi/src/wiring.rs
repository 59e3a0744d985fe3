//! The wiring map of a configuration, so that the document cannot contradict the file: every
//! pin with its header position, signal and level at rest, as Markdown and as SVG.

use crate::plan::Plan;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use tve_config::{Config, MachineConfig, SensorPoint, Source};
use tve_hal::Signal;
use tve_units::Bcm;

/// What a position of the 40-pin header carries on every Raspberry Pi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Power(&'static str),
    Ground,
    Gpio(u8),
}

use Position::{Gpio, Ground, Power};

/// The header, positions 1 to 40 in order: odd ones are the inner row.
const HEADER: [Position; 40] = [
    Power("3V3"),
    Power("5V"),
    Gpio(2),
    Power("5V"),
    Gpio(3),
    Ground,
    Gpio(4),
    Gpio(14),
    Ground,
    Gpio(15),
    Gpio(17),
    Gpio(18),
    Gpio(27),
    Ground,
    Gpio(22),
    Gpio(23),
    Power("3V3"),
    Gpio(24),
    Gpio(10),
    Ground,
    Gpio(9),
    Gpio(25),
    Gpio(11),
    Gpio(8),
    Ground,
    Gpio(7),
    Gpio(0),
    Gpio(1),
    Gpio(5),
    Ground,
    Gpio(6),
    Gpio(12),
    Gpio(13),
    Ground,
    Gpio(19),
    Gpio(16),
    Gpio(26),
    Gpio(20),
    Ground,
    Gpio(21),
];

/// The position of a pin on the header, 1 to 40.
fn position(pin: Bcm) -> usize {
    // Every pin has one, which a test holds against the table.
    HEADER.iter().position(|p| *p == Gpio(pin.get())).map_or(0, |index| index + 1)
}

/// What is wired to a pin, in the words of the map.
struct Use {
    name: String,
    direction: &'static str,
    at_rest: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Output,
    Input,
    Bus,
    Label,
    Power,
    Ground,
    Free,
}

impl Kind {
    /// Fill colour of the position in the drawing.
    const fn colour(self) -> &'static str {
        match self {
            Self::Output => "#f4a259",
            Self::Input => "#8cb369",
            Self::Bus => "#5b8e7d",
            Self::Label => "#d9c9f2",
            Self::Power => "#d1495b",
            Self::Ground => "#333333",
            Self::Free => "#e8e8e8",
        }
    }
}

/// The I2C pins of the header: the bus of the boards, and that of identification EEPROMs.
fn i2c_name(pin: Bcm) -> &'static str {
    match pin.get() {
        0 => "I2C 0 data (reserved)",
        1 => "I2C 0 clock (reserved)",
        2 => "I2C 1 data",
        _ => "I2C 1 clock",
    }
}

/// What the pins of the SPI buses do.
fn spi_name(pin: Bcm) -> &'static str {
    match pin.get() {
        7 => "SPI 0 select 1",
        8 => "SPI 0 select 0",
        9 => "SPI 0 data in",
        10 => "SPI 0 data out",
        11 => "SPI 0 clock",
        16 => "SPI 1 select 2",
        17 => "SPI 1 select 1",
        18 => "SPI 1 select 0",
        19 => "SPI 1 data in",
        20 => "SPI 1 data out",
        21 => "SPI 1 clock",
        _ => "SPI",
    }
}

/// Everything that is wired to the header of a machine.
struct Header {
    machine: Arc<MachineConfig>,
    plan: Plan,
    /// What the signals are called in the configuration.
    names: BTreeMap<Signal, String>,
}

impl Header {
    fn of(config: &Config) -> Self {
        let machine = config.machine();
        let names = Signal::all(&machine.names).map(|(name, signal)| (signal, name)).collect();
        Self { plan: Plan::of(&machine), machine, names }
    }

    fn use_of(&self, pin: Bcm) -> Option<Use> {
        if pin.is_i2c() {
            let (name, at_rest) = (i2c_name(pin).to_owned(), "high (pulled up)");
            return Some(Use { name, direction: "bus", at_rest, kind: Kind::Bus });
        }
        if let Some(signal) = self.machine.signals.signal(pin) {
            let (direction, kind, at_rest) = if signal.is_input() {
                ("input", Kind::Input, "high (pulled up); low when the contact closes")
            } else if signal.at_rest() {
                ("output", Kind::Output, "high (active low)")
            } else {
                ("output", Kind::Output, "low")
            };
            let name = self.names.get(&signal).cloned().unwrap_or_default();
            return Some(Use { name, direction, at_rest, kind });
        }
        if self.plan.spi.contains(&pin) {
            let (name, at_rest) = (spi_name(pin).to_owned(), "driven by the bus");
            return Some(Use { name, direction: "bus", at_rest, kind: Kind::Bus });
        }
        let label = self.machine.gpio_labels.get(&pin)?;
        Some(Use { name: label.clone(), direction: "user", at_rest: "input", kind: Kind::Label })
    }
}

/// The map as Markdown: header pins by position, PWM channels, inputs of every converter.
pub fn markdown(config: &Config) -> String {
    let header = Header::of(config);
    let machine = &header.machine;
    let mut text = String::from(
        "# Wiring\n\n## 40-pin header\n\n\
         | Position | GPIO | Signal | Direction | Level at rest |\n\
         | ---: | ---: | --- | --- | --- |\n",
    );
    let mut used: Vec<(usize, Bcm, Use)> = Bcm::all()
        .filter_map(|pin| header.use_of(pin).map(|usage| (position(pin), pin, usage)))
        .collect();
    used.sort_by_key(|(position, ..)| *position);
    for (position, pin, usage) in used {
        let name = escape_markdown(&usage.name);
        row(
            &mut text,
            &[&position.to_string(), &pin.get().to_string(), &name, usage.direction, usage.at_rest],
        );
    }
    if let Some(board) = machine.pwm.board {
        let (bus, address) = (board.bus, board.address);
        heading(&mut text, &format!("PWM board (PCA9685, bus {bus}, address {address:#04x})"));
        text.push_str("| Channel | Signal | Level at rest |\n| ---: | --- | --- |\n");
        let mut channels: Vec<_> = machine.pwm.names.iter().collect();
        channels.sort_by_key(|(_, channel)| **channel);
        for (name, channel) in channels {
            row(&mut text, &[&channel.to_string(), &escape_markdown(name), "low (fully off)"]);
        }
    }
    for (index, adc) in machine.converters.iter().enumerate() {
        let (bus, address) = (adc.bus, adc.address);
        heading(&mut text, &format!("Converter (ADS1115, bus {bus}, address {address:#04x})"));
        text.push_str(
            "| Input | Sensor | Fixed resistor | Thermistor |\n| ---: | --- | ---: | --- |\n",
        );
        for (input, point) in inputs_of(machine, index) {
            let settings = &point.settings;
            let side = match settings.wiring {
                tve_config::Wiring::NtcToGnd => "to ground",
                tve_config::Wiring::NtcToVref => "to the reference",
            };
            row(
                &mut text,
                &[
                    &input.to_string(),
                    point.name.as_str(),
                    &format!("{} ohm", settings.r_fixed),
                    &format!("{} ohm at 25 °C, {side}", settings.r_25),
                ],
            );
        }
    }
    thermocouples(&mut text, machine);
    text
}

/// The inputs of a converter that are in use, in order.
fn inputs_of(machine: &MachineConfig, converter: usize) -> Vec<(u8, &SensorPoint)> {
    let mut inputs: Vec<_> = machine
        .sensors
        .iter()
        .filter_map(|point| match point.source {
            Some(Source::Adc { converter: at, input }) if usize::from(at) == converter => {
                Some((input, point))
            }
            Some(Source::Adc { .. } | Source::Max31856(_)) | None => None,
        })
        .collect();
    inputs.sort_by_key(|(input, _)| *input);
    inputs
}

fn thermocouples(text: &mut String, machine: &MachineConfig) {
    let mut title = Some("Thermocouple converters (MAX31856)");
    for point in &machine.sensors {
        let Some(Source::Max31856(chip)) = point.source else { continue };
        if let Some(title) = title.take() {
            heading(text, title);
            text.push_str("| SPI bus | Select | Sensor | Type |\n| ---: | ---: | --- | --- |\n");
        }
        row(
            text,
            &[
                &chip.spi.to_string(),
                &chip.chip_select.to_string(),
                point.name.as_str(),
                chip.couple.name(),
            ],
        );
    }
}

fn heading(text: &mut String, title: &str) {
    text.push_str("\n## ");
    text.push_str(title);
    text.push_str("\n\n");
}

fn row(text: &mut String, cells: &[&str]) {
    text.push_str("| ");
    text.push_str(&cells.join(" | "));
    text.push_str(" |\n");
}

fn escape_markdown(text: &str) -> String {
    text.chars()
        .flat_map(|c| "\\|`*<>[]".contains(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

fn escape_xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Distance of two rows in the drawing, px.
const ROW: usize = 22;
/// Radius of a position, px.
const RADIUS: usize = 8;
/// Width of the drawing, px: two columns of text with the header between them.
const WIDTH: usize = 760;
/// Space above the first row, px.
const TOP: usize = 48;
/// Distance of the two columns of positions from the middle, px.
const HALF: usize = 14;

/// The 40-pin header as a drawing, seen from above with position 1 at the top left.
pub fn svg(config: &Config) -> String {
    let header = Header::of(config);
    let rows = HEADER.len() / 2;
    let height = TOP + rows * ROW + ROW;
    let middle = WIDTH / 2;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Wiring of the 40-pin header</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{middle}\" y=\"24\" text-anchor=\"middle\" font-size=\"15\">40-pin header, \
         position 1 at the top left</text>\n"
    );
    for (index, position) in HEADER.iter().enumerate() {
        let left = index % 2 == 0;
        let y = TOP + index / 2 * ROW;
        let (x, label_x, anchor) = if left {
            (middle - HALF, middle - HALF - 2 * RADIUS, "end")
        } else {
            (middle + HALF, middle + HALF + 2 * RADIUS, "start")
        };
        let (label, kind) = describe(&header, *position);
        let (colour, y_text) = (kind.colour(), y + 4);
        let ink = if matches!(kind, Kind::Ground | Kind::Power) { "#ffffff" } else { "#000000" };
        let number = index + 1;
        let label = escape_xml(&label);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS}\" fill=\"{colour}\" stroke=\"#000000\"/>\n\
             <text x=\"{x}\" y=\"{y_text}\" text-anchor=\"middle\" font-size=\"8\" \
             fill=\"{ink}\">{number}</text>\n\
             <text x=\"{label_x}\" y=\"{y_text}\" text-anchor=\"{anchor}\">{label}</text>\n"
        );
    }
    text.push_str("</svg>\n");
    text
}

fn describe(header: &Header, position: Position) -> (String, Kind) {
    match position {
        Power(name) => (name.to_owned(), Kind::Power),
        Ground => ("GND".to_owned(), Kind::Ground),
        Gpio(number) => {
            let usage = Bcm::new(number).ok().and_then(|pin| header.use_of(pin));
            match usage {
                Some(usage) => {
                    (format!("GPIO{number} {} — {}", usage.name, usage.at_rest), usage.kind)
                }
                None => (format!("GPIO{number}"), Kind::Free),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::config;

    #[test]
    fn every_pin_has_exactly_one_position() {
        for pin in Bcm::all() {
            let count = HEADER.iter().filter(|p| **p == Gpio(pin.get())).count();
            assert_eq!(count, 1, "{pin}");
        }
        assert_eq!(HEADER.iter().filter(|p| **p == Ground).count(), 8);
        assert_eq!(HEADER.iter().filter(|p| matches!(p, Power(_))).count(), 4);
        assert_eq!((position(Bcm::new(2).unwrap()), position(Bcm::new(21).unwrap())), (3, 40));
    }

    #[test]
    fn the_map_says_what_the_configuration_says() {
        let map = markdown(&config(r#"{"pins": {"btn_emergency": 17, "ssr_pump": null}}"#));
        for line in [
            "| 16 | 23 | ssr_z1 | output | low |",
            "| 37 | 26 | en_main | output | high (active low) |",
            "| 11 | 17 | btn_emergency | input | high (pulled up); low when the contact closes |",
            "| 3 | 2 | I2C 1 data | bus | high (pulled up) |",
            "| 2 | pump | low (fully off) |",
            "| 3 | t3 | 1000 ohm | 100000 ohm at 25 °C, to ground |",
        ] {
            assert!(map.contains(line), "{line} is missing in\n{map}");
        }
        assert!(!map.contains("ssr_pump"), "{map}");
    }

    #[test]
    fn every_mapped_function_is_in_both_forms() {
        let config = Config::embedded();
        let (map, drawing) = (markdown(&config), svg(&config));
        let (map, _) = map.split_once("## PWM board").unwrap();
        for (name, pin) in config.pins.iter() {
            assert_eq!(map.contains(&format!("| {name} |")), pin.is_some(), "{name}");
            assert_eq!(drawing.contains(&format!(" {name} — ")), pin.is_some(), "{name}");
        }
        assert_eq!(drawing.matches("<circle").count(), HEADER.len());
    }

    #[test]
    fn a_machine_of_four_zones_is_drawn_by_the_names_of_its_configuration() {
        let config = config(
            r#"{"zones": [{"name": "z1", "sensor": "b1"},
                {"name": "die", "sensor": "d1", "cooler": true}],
            "motors": [{"name": "main", "role": "screw"}, {"name": "puller", "role": "puller"}],
            "pins": {"ssr_z1": 23, "ssr_die": 22, "ssr_pump": null, "step_main": 21,
                "step_puller": 5},
            "pwm": {"channels": {"cooler_die": 3}}, "adc": {"more": [{"address": 73}]},
            "sensors": {"0": {"enabled": false}, "1": {"enabled": false},
                "2": {"enabled": false}, "3": {"enabled": false}, "6": {"logical": "b1"},
                "8": {"kind": "max31856", "logical": "d1", "chip_select": 1,
                    "thermocouple": "J"}}}"#,
        );
        let (map, drawing) = (markdown(&config), svg(&config));
        for line in [
            "| 15 | 22 | ssr_die | output | low |",
            "| 29 | 5 | step_puller | output | low |",
            "| 26 | 7 | SPI 0 select 1 | bus | driven by the bus |",
            "| 23 | 11 | SPI 0 clock | bus | driven by the bus |",
            "| 3 | cooler_die | low (fully off) |",
            "## Converter (ADS1115, bus 1, address 0x49)",
            "| 2 | b1 | 1000 ohm | 100000 ohm at 25 °C, to ground |",
            "## Thermocouple converters (MAX31856)",
            "| 0 | 1 | d1 | J |",
        ] {
            assert!(map.contains(line), "{line} is missing in\n{map}");
        }
        assert!(!map.contains("select 0"), "{map}");
        assert!(drawing.contains("GPIO22 ssr_die — low") && drawing.contains("SPI 0 data in"));
    }

    #[test]
    fn a_label_cannot_break_out_of_the_map() {
        let config = config(r#"{"gpio_labels": {"17": "a|b <script>"}}"#);
        assert!(markdown(&config).contains("a\\|b \\<script\\>"));
        let drawing = svg(&config);
        assert!(drawing.contains("a|b &lt;script&gt;") && !drawing.contains("<script>"));
    }
}
