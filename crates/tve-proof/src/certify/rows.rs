//! The rows of the fault table of a machine: what befalls a zone is played on every zone.

mod machine;
mod row;
#[cfg(test)]
mod tests;

use super::states::{HIGH, PULSE, State, WORKING};
use super::table::{Bound, Expected, Row, Source, Stimulus};
use row::{BAND, Place, one, row};
use tve_config::{MachineConfig, ZoneConfig};
use tve_control::AlarmCode as A;
use tve_hal::{Sensor, Signal, Zone};
use tve_sim::FaultKind as F;

use Bound::{Own, Shifted};
use Expected::Alarm;
use Source::{Above, Below, FirstHeat, TwinMoved};
use State::{Alarm as Tripped, Cold, Heating, Holding, Idle, Manual, Running, Stopping, Tuning};
use Stimulus::{Barrel, Breaks, BreaksThenDuty, BreaksThenTarget};

/// States in which a loop is closed on every zone.
const LOOP: &[State] = &[Holding, Running, Stopping];
/// The same, and the tune that the other zones sit out at their targets.
const LOOP_OR_TUNED_ELSEWHERE: &[State] = &[Holding, Running, Stopping, Tuning];
const ASKING: &[State] = &[Heating, Holding, Running, Stopping, Tuning];
/// How far beyond its limit the barrel is driven, °C.
const BEYOND: f64 = 12.0;
/// A higher target for a machine that holds one, °C.
const STEPPED: f64 = 240.0;
/// A zone that its relay warms by itself is plainly above its target from here on, °C.
const UNASKED_ABOVE: f64 = 10.0;
/// A zone that was at its target is not this far above it, °C.
const MARGIN: f64 = 30.0;
/// Longest wait for the sample with which a zone begins to heat, s.
const NEXT_SAMPLE: f64 = 0.2;
/// The first zone of a warm-up is judged within this, each further one as much later, s.
const COLD_WATCH: (f64, f64) = (150.0, 50.0);

const BAD: Expected = Alarm(&[A::HeaterSensorFailure]);
/// What is found first of a sensor that lost its zone: that it fell, or that heat does not show.
const FELL: Expected = Alarm(&[A::HeaterNotHeating, A::SensorDetached]);
const DETACHED: Expected = Alarm(&[A::SensorDetached]);
const COOL: Expected = Alarm(&[A::HeaterNotHeating]);
/// The balance of heat may find a relay before the rules about targets do, and never later.
const STUCK: Expected = Alarm(&[A::HeaterStuckOn, A::HeatUnasked]);
const UNASKED: Expected = Alarm(&[A::HeatUnasked]);
const FROZEN: Expected = Alarm(&[A::SensorFrozen]);
const TOO_HOT: Expected = Alarm(&[A::HeaterOverTemperature, A::HeatUnasked]);
const UNBELIEVABLE: Expected = Alarm(&[A::HeaterUnderTemperature, A::HeaterSensorFailure]);

/// The reading leaves the band below the target at once: nothing has to be waited for.
const FALLEN_OUT: Bound = Shifted(-110.0, "the deficit of a sensor in the air adds up in 10 s");
/// The whole bound is for a zone that is off; one that holds is judged by its distance.
const BEYOND_TARGET: Bound =
    Shifted(-110.0, "30 °C above a target that was held counts after 10 s");
const COLD_START: Bound =
    Shifted(120.0, "a barrel may be cold enough to look open: it may leave the band for 120 s");

/// The whole table of a machine.
pub fn fault_table(machine: &MachineConfig) -> Vec<Row> {
    let places: Vec<Place<'_>> = machine.zones.entries().map(|z| Place::new(machine, z)).collect();
    let mut rows = of_zone_sensors(&places);
    rows.extend(swapped(machine));
    rows.extend(of_the_supply());
    rows.extend(of_relays(machine, &places));
    rows.extend(of_the_barrel(&places[0]));
    rows.extend(of_heaters(&places));
    rows.extend(machine::of_the_wiring());
    rows.extend(machine::of_motors(machine));
    rows.extend(machine::of_the_throat(machine));
    rows.extend(machine::of_stops(&places[0]));
    rows.extend(machine::of_the_process());
    rows
}

fn of_zone_sensors(places: &[Place<'_>]) -> Vec<Row> {
    let each = |make: &dyn Fn(&Place<'_>) -> Row| {
        places.iter().map(|p| make(p).about(p)).collect::<Vec<_>>()
    };
    let broken = |family, fault: &'static str, kind: fn(Sensor) -> F| {
        each(&move |p| {
            p.sensor_row(family, fault, Breaks(kind(p.sensor))).raises(BAD).from(p.wires)
        })
    };
    let jumping = |p: &Place<'_>| {
        p.sensor_row("jumping", "jumping", Breaks(F::SensorJumping(p.sensor)))
            .raises(BAD)
            .from(Source::Sample(p.sensor))
    };
    let cold = |p: &Place<'_>| {
        let (first, further) = COLD_WATCH;
        p.sensor_row(
            "open-cold",
            "open on a cold machine that is then heated",
            BreaksThenTarget(F::SensorOpen(p.sensor), WORKING),
        )
        .strikes(&[Cold])
        .raises(BAD)
        .from(FirstHeat)
        .within(COLD_START)
        .watched(first + further * p.zone.index() as f64)
    };
    let frozen = |p: &Place<'_>| {
        let kind = F::SensorFrozen(p.sensor);
        p.sensor_row("frozen", "frozen while the barrel moves", Breaks(kind))
            .strikes(if p.is_tuned() { &[Heating, Tuning] } else { &[Heating] })
            .raises(FROZEN)
            .from(TwinMoved(p.sensor))
            .watched(120.0)
    };
    let frozen_step = |p: &Place<'_>| {
        let stimulus = BreaksThenTarget(F::SensorFrozen(p.sensor), STEPPED);
        p.sensor_row("frozen-step", "frozen, then a higher target", stimulus)
            .strikes(LOOP)
            .raises(FROZEN)
            .from(TwinMoved(p.sensor))
            .watched(120.0)
    };
    let fallen_out = |p: &Place<'_>| {
        let kind = F::SensorFallenOut(p.sensor);
        p.sensor_row("fallen-out", "fallen out of the barrel", Breaks(kind))
            .strikes(if p.is_tuned() { LOOP } else { LOOP_OR_TUNED_ELSEWHERE })
            .raises(FELL)
            .from(Below(p.sensor, WORKING - BAND))
            .within(FALLEN_OUT)
            .watched(60.0)
    };
    let fallen_out_idle = |p: &Place<'_>| {
        let kind = F::SensorFallenOut(p.sensor);
        p.sensor_row("fallen-out-idle", "fallen out of a hot barrel that is off", Breaks(kind))
            .strikes(&[Idle])
            .raises(DETACHED)
            .watched(20.0)
    };
    let loose = |p: &Place<'_>| {
        let kind = F::SensorLoose(p.sensor, 0.8);
        p.sensor_row("loose", "loose: it shows four fifths of the heat", Breaks(kind))
            .strikes(&[Holding, Running, Stopping, Manual])
            .raises(FELL)
            .watched(200.0)
    };
    let fallen_out_heating = |p: &Place<'_>| {
        let kind = F::SensorFallenOut(p.sensor);
        p.sensor_row("fallen-out-heating", "fallen out before the target is reached", Breaks(kind))
            .strikes(if p.is_tuned() { &[Heating, Tuning] } else { &[Heating] })
            .raises(FELL)
            .watched(200.0)
    };
    [
        broken("open", "open", F::SensorOpen),
        each(&cold),
        broken("shorted", "shorted", F::SensorShorted),
        each(&jumping),
        each(&frozen),
        each(&frozen_step),
        each(&fallen_out),
        each(&loose),
        each(&fallen_out_heating),
        each(&fallen_out_idle),
    ]
    .concat()
}

/// The plugs of each two neighbours exchanged.
fn swapped(machine: &MachineConfig) -> Vec<Row> {
    let zones: Vec<(Zone, &ZoneConfig)> = machine.zones.entries().collect();
    let exchanged = |id: String, fault: String, zone: Zone| {
        let before = (PULSE + NEXT_SAMPLE) * zone.index() as f64;
        let bound = match zone.index() {
            0 => Own,
            _ => Shifted(before, "the pulses of the zones before it come first, each at a sample"),
        };
        row("swapped", id, fault, BreaksThenTarget(F::SensorsSwapped(zone), WORKING))
            .strikes(&[Cold])
            .raises(Alarm(&[A::ZonesSwapped]))
            .from(FirstHeat)
            .within(bound)
            .watched(120.0 + before)
    };
    match &zones[..] {
        [(first, _), _] => {
            let fault = "the plugs of both zone sensors exchanged before the first warm-up";
            vec![exchanged("swapped".to_owned(), fault.to_owned(), *first)]
        }
        more => more
            .windows(2)
            .filter_map(|pair| {
                let [(zone, a), (_, b)] = pair else { return None };
                let number = zone.index() + 1;
                let fault = format!(
                    "the plugs of zones {number} and {} exchanged before the first warm-up",
                    number + 1
                );
                Some(exchanged(format!("swapped-{}-{}", a.name, b.name), fault, *zone))
            })
            .collect(),
    }
}

fn of_the_supply() -> Vec<Row> {
    let off = |percent| F::RailOff { percent };
    let cold = |family, fault: &str, stimulus| one(family, fault, stimulus).strikes(&[Cold]);
    vec![
        one("rail-up-1", "converter supply 1 % high", Breaks(off(1.0))).watched(120.0),
        one("rail-down-1", "converter supply 1 % low", Breaks(off(-1.0))).watched(120.0),
        cold(
            "rail-up-1-cold",
            "converter supply 1 % high on a cold machine that is then heated",
            BreaksThenTarget(off(1.0), WORKING),
        )
        .watched(600.0),
        cold(
            "rail-down-1-cold",
            "converter supply 1 % low on a cold machine that is then heated",
            BreaksThenTarget(off(-1.0), WORKING),
        )
        .watched(600.0),
        cold(
            "rail-up-3-cold",
            "converter supply 3 % high on a cold machine that is then heated",
            BreaksThenTarget(off(3.0), WORKING),
        )
        .raises(UNBELIEVABLE)
        .from(FirstHeat)
        .watched(10.0),
        cold(
            "rail-up-3-manual",
            "converter supply 3 % high on a cold machine that is heated by hand",
            BreaksThenDuty(off(3.0), 50.0),
        )
        .raises(UNBELIEVABLE)
        .from(FirstHeat)
        .watched(10.0),
    ]
}

fn of_relays(machine: &MachineConfig, places: &[Place<'_>]) -> Vec<Row> {
    let stuck = |p: &Place<'_>, family, fault: &str| {
        let fault = format!("relay stuck on{fault}");
        p.heater_row(family, &fault, Breaks(F::SsrStuckOn(p.zone))).raises(STUCK)
    };
    let held = |p: &Place<'_>| {
        stuck(p, "stuck-on", ", closed loop")
            .strikes(LOOP)
            .from(Above(p.sensor, WORKING + MARGIN))
            .within(BEYOND_TARGET)
            .watched(300.0)
    };
    let heating = |p: &Place<'_>| {
        stuck(p, "stuck-on-heating", " while heating up")
            .strikes(&[Heating])
            .from(Above(p.sensor, HIGH + MARGIN))
            .within(BEYOND_TARGET)
            .watched(600.0)
    };
    let tuned = |p: &Place<'_>| {
        stuck(p, "stuck-on-tuning", " during its tune")
            .strikes(&[Tuning])
            .from(Above(p.sensor, WORKING + MARGIN))
            .watched(600.0)
    };
    // After a trip an open contactor leaves the relay nothing to conduct.
    let cut = machine.signals.pin(Signal::Contactor).is_some();
    let off = |p: &Place<'_>| {
        let states: &[State] = if cut { &[Idle] } else { &[Idle, Tripped] };
        stuck(p, "stuck-on-off", " while off").strikes(states).watched(200.0)
    };
    let behind_contactor = |p: &Place<'_>| {
        let fault = "relay stuck on behind the open contactor";
        let row = p.heater_row("stuck-on-off", fault, Breaks(F::SsrStuckOn(p.zone)));
        let id = format!("{}-cut", row.id);
        Row { id, ..row }.strikes(&[Tripped]).watched(200.0)
    };
    let leaks = |p: &Place<'_>| {
        let fault = "relay conducts 60 % of the time by itself";
        p.heater_row("leaks", fault, Breaks(F::SsrLeaks(p.zone, 0.6)))
            .strikes(&[Holding, Stopping])
            .raises(UNASKED)
            .from(Above(p.sensor, WORKING + UNASKED_ABOVE))
            .watched(900.0)
    };
    let cold =
        |p: &Place<'_>| stuck(p, "stuck-on-cold", ", cold machine").strikes(&[Cold]).watched(200.0);
    let each = |make: &dyn Fn(&Place<'_>) -> Row| places.iter().map(make).collect::<Vec<_>>();
    let first = &places[0];
    let tripped = if cut { each(&behind_contactor) } else { Vec::new() };
    [
        each(&held),
        each(&leaks),
        each(&heating),
        vec![tuned(first)],
        each(&off),
        tripped,
        vec![cold(first)],
    ]
    .concat()
}

fn of_the_barrel(first: &Place<'_>) -> Vec<Row> {
    let limit = first.config.limits.over_temperature;
    let (sensor, driven) = (first.sensor, limit + BEYOND);
    vec![
        one("over-temperature", format!("a zone above {limit} °C"), Barrel(driven))
            .strikes(&[Holding, Running, Tuning, Stopping, Manual, Tripped])
            .raises(TOO_HOT)
            .from(Above(sensor, limit))
            .watched(60.0),
        one(
            "over-temperature-idle",
            format!("the barrel driven beyond {limit} °C with the heaters off"),
            Barrel(driven),
        )
        .strikes(&[Idle])
        .raises(STUCK)
        .watched(200.0),
        one(
            "over-temperature-manual",
            format!("heated by hand beyond {limit} °C"),
            BreaksThenDuty(F::MainsVoltage { percent: 100.0 }, 100.0),
        )
        .strikes(&[Manual])
        .raises(TOO_HOT)
        .from(Above(sensor, limit))
        .watched(900.0),
    ]
}

fn of_heaters(places: &[Place<'_>]) -> Vec<Row> {
    let dead = |p: &Place<'_>| {
        p.heater_row("heater-dead", "heater dead", Breaks(F::HeaterDead(p.zone)))
            .strikes(ASKING)
            .raises(COOL)
            .about(p)
            .watched(300.0)
    };
    let weak = |p: &Place<'_>| {
        let stimulus = Breaks(F::HeaterPower(p.zone, 0.35));
        p.heater_row("heater-weak", "heater too weak to hold", stimulus)
            .strikes(LOOP)
            .raises(COOL)
            .about(p)
            .from(Below(p.sensor, WORKING - BAND))
            .watched(900.0)
    };
    let half = match places.len() {
        2 => "both heaters at a power that still holds",
        _ => "every heater at a power that still holds",
    };
    let half = one("heater-half", half, Breaks(F::MainsVoltage { percent: 80.0 }))
        .strikes(&[Holding])
        .watched(900.0);
    places.iter().map(dead).chain(places.iter().map(weak)).chain([half]).collect()
}
