//! The judgement of one sensor, sample by sample.

use super::*;
use tve_hal::AdcReading;

const FSR: f64 = 4.096;
/// 0 °C and 25 °C, K.
const KELVIN: f64 = 273.15;
const T25: f64 = 298.15;
const STEP: Micros = Micros::from_millis(200);

/// One sensor fed with temperatures or codes, a sample each 0.2 s.
struct Bench {
    chain: SensorChannel,
    config: SensorConfig,
    now: Micros,
    heat: HeatContext,
    flip: i16,
}

impl Bench {
    fn new(r_fixed: f64) -> Self {
        let config = SensorConfig { r_fixed, ..SensorConfig::default() };
        Self {
            chain: SensorChannel::wired(true, config.clone(), FSR),
            config,
            now: Micros::from_secs(10),
            heat: HeatContext { heated: true, ..HeatContext::default() },
            flip: 0,
        }
    }

    fn code_at(&self, t: f64, rail: f64) -> i16 {
        let r = self.config.r_25 * libm::exp(self.config.beta * (1.0 / (t + KELVIN) - 1.0 / T25));
        let v = self.config.v_ref * rail * r / (r + self.config.r_fixed);
        libm::round(v * 32768.0 / FSR).clamp(0.0, 32767.0) as i16
    }

    fn feed_code(&mut self, code: i16) -> Reading {
        self.now = self.now + STEP;
        let word = AdcReading::Sample { code, taken_at: self.now };
        let safety = Safety::default();
        let input = SensorInput::of_adc(word, FSR);
        self.chain.advance(self.now, input, &safety, self.heat, MEAN_WINDOW);
        self.chain.reading()
    }

    fn feed(&mut self, t: f64, samples: u32) -> Reading {
        for _ in 0..samples {
            // One code of noise, so that nothing looks frozen.
            self.flip ^= 1;
            let code = self.code_at(t, 1.0) + self.flip;
            self.feed_code(code);
        }
        self.chain.reading()
    }
}

#[test]
fn conversion_and_curve_are_inverse_within_a_code() {
    for r_fixed in [1000.0, 4700.0] {
        let bench = Bench::new(r_fixed);
        for t in [0.0, 23.0, 100.0, 210.0, 280.0] {
            let s = share(volts(bench.code_at(t, 1.0), FSR), &bench.config);
            let back = celsius(ohms(s, &bench.config).unwrap(), bench.config.curve()).get();
            assert!((back - t).abs() < 0.1, "{t} came back as {back} with {r_fixed} ohm");
        }
    }
}

#[test]
fn both_wirings_read_the_same_share() {
    let gnd = SensorConfig::default();
    let vref = SensorConfig { wiring: Wiring::NtcToVref, ..gnd.clone() };
    let v = Volts::new(1.2).unwrap();
    let mirrored = Volts::new(gnd.v_ref - 1.2).unwrap();
    assert!((share(v, &gnd) - share(mirrored, &vref)).abs() < 1e-12);
}

#[test]
fn the_edges_of_the_converter_give_a_fault_and_never_a_temperature() {
    for code in [i16::MIN, -1, 0, 0x7FFF] {
        let mut bench = Bench::new(4700.0);
        bench.feed(100.0, 4);
        for _ in 0..4 {
            bench.feed_code(code);
        }
        assert_eq!(bench.chain.reading().value(), None, "code {code}");
    }
}

#[test]
fn three_wild_samples_are_discarded_and_the_fourth_makes_the_sensor_bad() {
    let mut bench = Bench::new(4700.0);
    let good = bench.feed(100.0, 4);
    assert!(matches!(good, Reading::Good(_)));
    assert!(matches!(bench.feed(150.0, 3), Reading::Good(t) if (t.get() - 100.0).abs() < 1.0));
    assert_eq!(bench.feed(150.0, 1), Reading::Jumping);
    assert!(matches!(bench.feed(150.0, 5), Reading::Good(t) if (t.get() - 150.0).abs() < 1.0));
}

#[test]
fn a_warm_sensor_that_opens_is_open_after_four_samples() {
    let mut bench = Bench::new(4700.0);
    bench.feed(100.0, 4);
    for _ in 0..3 {
        assert!(matches!(bench.feed_code(32767), Reading::Good(_)));
    }
    assert_eq!(bench.feed_code(32767), Reading::Open);
}

#[test]
fn a_cold_unheated_zone_at_the_end_of_its_divider_is_no_fault() {
    let mut bench = Bench::new(1000.0);
    bench.feed(23.0, 4);
    for _ in 0..100 {
        let code = bench.code_at(23.0, 1.01);
        bench.feed_code(code);
    }
    assert_eq!(bench.chain.reading(), Reading::ColdOrOpen);
}

#[test]
fn a_zone_that_stays_cold_while_heated_for_120_s_is_open() {
    let mut bench = Bench::new(1000.0);
    for _ in 0..4 {
        bench.feed_code(26400);
    }
    assert_eq!(bench.chain.reading(), Reading::ColdOrOpen);
    bench.heat.duty = 30.0;
    for _ in 0..600 {
        assert_eq!(bench.feed_code(26400), Reading::ColdOrOpen);
    }
    assert_eq!(bench.feed_code(26400), Reading::Open);
}

#[test]
fn a_sensor_without_heater_that_opens_from_room_temperature_is_open() {
    let mut bench = Bench::new(4700.0);
    bench.heat.heated = false;
    bench.feed(23.0, 4);
    for _ in 0..4 {
        bench.feed_code(32767);
    }
    assert_eq!(bench.chain.reading(), Reading::Open);
}

#[test]
fn without_a_sample_for_a_second_the_reading_is_stale_and_comes_back() {
    let mut bench = Bench::new(4700.0);
    bench.feed(100.0, 4);
    let safety = Safety::default();
    let silent = bench.now + Micros::from_millis(1010);
    bench.chain.advance(silent, SensorInput::BusError, &safety, bench.heat, MEAN_WINDOW);
    assert_eq!(bench.chain.reading(), Reading::BusError);
    bench.now = silent;
    assert!(matches!(bench.feed(100.0, 6), Reading::Good(_)));
}

#[test]
fn a_code_that_stands_still_counts_only_when_the_heater_should_have_moved_it() {
    let mut idle = Bench::new(4700.0);
    idle.feed(100.0, 4);
    let code = idle.code_at(100.0, 1.0);
    for _ in 0..1000 {
        assert!(matches!(idle.feed_code(code), Reading::Good(_)));
    }
    let mut heated = Bench::new(4700.0);
    heated.feed(100.0, 4);
    heated.heat = HeatContext { heated: true, duty: 100.0, missed: 5.0 };
    let seen: Vec<Reading> = (0..160).map(|_| heated.feed_code(code)).collect();
    let first = |pred: fn(&Reading) -> bool| seen.iter().position(pred).unwrap() as f64 * 0.2;
    let uncertain = first(|r| matches!(r, Reading::Uncertain(_)));
    let frozen = first(|r| matches!(r, Reading::Frozen));
    assert!((9.5..=10.5).contains(&uncertain), "uncertain after {uncertain} s");
    assert!((29.5..=30.5).contains(&frozen), "frozen after {frozen} s");
    assert_eq!(heated.feed_code(code), Reading::Frozen, "stays frozen while it stands still");
}

#[test]
fn a_zone_that_has_warmed_up_unseen_and_opens_before_it_is_believed_is_open() {
    let mut bench = Bench::new(1000.0);
    bench.feed(30.0, 8);
    // Nothing converted for a while; then fewer samples than it takes to be in service again.
    bench.now = bench.now + Micros::from_secs(60);
    let safety = Safety::default();
    bench.chain.advance(bench.now, SensorInput::None, &safety, bench.heat, MEAN_WINDOW);
    assert_eq!(bench.chain.reading(), Reading::Stale);
    bench.feed(60.0, 3);
    for _ in 0..4 {
        bench.feed_code(26400);
    }
    assert_eq!(bench.chain.reading(), Reading::Open);
}

#[test]
fn wires_that_open_and_touch_in_turn_are_as_bad_as_wires_that_stay() {
    for first in [0, 32767] {
        let mut bench = Bench::new(4700.0);
        bench.feed(100.0, 4);
        for turn in 0..3 {
            let code = if turn % 2 == 0 { first } else { 32767 - first };
            assert!(matches!(bench.feed_code(code), Reading::Good(_)), "three may be a pulse");
        }
        let reading = bench.feed_code(32767 - first);
        assert!(is_bad(reading), "{reading:?}");
        for turn in 0..20 {
            let reading = bench.feed_code(if turn % 2 == 0 { first } else { 32767 - first });
            assert!(is_bad(reading), "{reading:?}");
        }
        assert!(matches!(bench.feed(100.0, 5), Reading::Good(_)));
    }
}

#[test]
fn a_cold_zone_whose_wires_have_touched_is_no_cold_barrel() {
    let mut bench = Bench::new(1000.0);
    for code in [26400, 0, 26400, 26400] {
        bench.feed_code(code);
    }
    assert_eq!(bench.chain.reading(), Reading::Open);
    // Wires that have been apart for long enough are only that again.
    for _ in 0..3 {
        bench.feed(30.0, 4);
    }
    for _ in 0..4 {
        bench.feed_code(26400);
    }
    assert_eq!(bench.chain.reading(), Reading::ColdOrOpen);
}
