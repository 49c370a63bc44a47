//! Dimensions and units: which words measure what, and by which exact factor.
//!
//! It knows the spellings of units and how two of them make a third ("metres per second"), and nothing of numbers or
//! goals. Factors are exact fractions of the base unit, taken from the SI brochure (9th edition) and NIST SP 811;
//! only the radian, which has no finite one, is cut after twenty digits. Gallons, pints and ounces are those of the United States.

use super::exact::Exact;
use super::words::{Line, WordKind, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a quantity measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Metres.
    Length,
    /// Degrees of arc.
    Angle,
    /// Seconds.
    Duration,
    /// Metres per second.
    Speed,
    /// Degrees Celsius.
    Temperature,
    /// One is 100 %.
    Ratio,
    /// Litres.
    Volume,
    /// Kilograms.
    Mass,
    /// Metres per second squared.
    Acceleration,
    /// Degrees per second.
    AngularSpeed,
    /// Hertz.
    Frequency,
    /// Volts.
    Voltage,
    /// Amperes.
    Current,
    /// Watts.
    Power,
    /// Pascals.
    Pressure,
    /// Lux.
    Illuminance,
    /// Newtons.
    Force,
    /// Joules.
    Energy,
}

impl Dimension {
    /// Every dimension, in the order of declaration.
    pub const ALL: [Self; 18] = [
        Self::Length,
        Self::Angle,
        Self::Duration,
        Self::Speed,
        Self::Temperature,
        Self::Ratio,
        Self::Volume,
        Self::Mass,
        Self::Acceleration,
        Self::AngularSpeed,
        Self::Frequency,
        Self::Voltage,
        Self::Current,
        Self::Power,
        Self::Pressure,
        Self::Illuminance,
        Self::Force,
        Self::Energy,
    ];

    /// The word for it in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.labels().0
    }

    /// The unit in which its values count: one million micro-units are one of these. For a ratio it is the whole.
    #[must_use]
    pub const fn base_unit(self) -> &'static str {
        self.labels().1
    }

    const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Length => ("length", "m"),
            Self::Angle => ("angle", "deg"),
            Self::Duration => ("duration", "s"),
            Self::Speed => ("speed", "m/s"),
            Self::Temperature => ("temperature", "degC"),
            Self::Ratio => ("ratio", "1"),
            Self::Volume => ("volume", "l"),
            Self::Mass => ("mass", "kg"),
            Self::Acceleration => ("acceleration", "m/s2"),
            Self::AngularSpeed => ("angular_speed", "deg/s"),
            Self::Frequency => ("frequency", "Hz"),
            Self::Voltage => ("voltage", "V"),
            Self::Current => ("current", "A"),
            Self::Power => ("power", "W"),
            Self::Pressure => ("pressure", "Pa"),
            Self::Illuminance => ("illuminance", "lx"),
            Self::Force => ("force", "N"),
            Self::Energy => ("energy", "J"),
        }
    }

    /// The dimension that manifests call `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }
}

/// A unit of the table: `value * num / den` is the value in the base unit.
struct Unit {
    dimension: Dimension,
    num: i128,
    den: i128,
    /// Spellings in any case, `|` between them; those of three letters and more may follow "a" or "an".
    any_case: &'static str,
    /// Symbols that mean this only as written here: `mW` is not `MW`.
    as_written: &'static str,
}

const fn unit(d: Dimension, num: i128, den: i128, any_case: &'static str, as_written: &'static str) -> Unit {
    Unit {
        dimension: d,
        num,
        den,
        any_case,
        as_written,
    }
}

use Dimension::{
    Angle, AngularSpeed, Current, Duration, Energy, Force, Frequency, Illuminance, Length, Mass, Power, Pressure,
    Ratio, Speed, Temperature, Voltage, Volume,
};

const UNITS: &[Unit] = &[
    unit(Length, 1, 1, "m|meter|meters|metre|metres", ""),
    unit(Length, 1, 10, "dm|decimeter|decimeters|decimetre|decimetres", ""),
    unit(
        Length,
        1,
        100,
        "cm|cms|centimeter|centimeters|centimetre|centimetres",
        "",
    ),
    unit(
        Length,
        1,
        1000,
        "mm|mms|millimeter|millimeters|millimetre|millimetres",
        "",
    ),
    unit(
        Length,
        1,
        1_000_000,
        "um|\u{b5}m|\u{3bc}m|micrometer|micrometers|micrometre|micrometres|micron|microns",
        "",
    ),
    unit(Length, 1000, 1, "km|kms|kilometer|kilometers|kilometre|kilometres", ""),
    unit(Length, 254, 10_000, "in|inch|inches|\"|\u{2033}|\u{201d}", ""),
    unit(Length, 3048, 10_000, "ft|foot|feet|'|\u{2032}|\u{2019}", ""),
    unit(Length, 9144, 10_000, "yd|yds|yard|yards", ""),
    unit(Length, 1_609_344, 1000, "mi|mile|miles", ""),
    unit(Angle, 1, 1, "deg|degs|degree|degrees|\u{b0}|\u{ba}", ""),
    unit(
        Angle,
        57_295_779_513_082_320_877,
        1_000_000_000_000_000_000,
        "rad|rads|radian|radians",
        "",
    ),
    unit(
        Angle,
        360,
        1,
        "turn|turns|revolution|revolutions|full turn|full turns|full rotation|full rotations|rotation|rotations",
        "",
    ),
    unit(Duration, 1, 1, "s|sec|secs|second|seconds", ""),
    unit(Duration, 1, 1000, "ms|msec|msecs|millisecond|milliseconds", ""),
    unit(
        Duration,
        1,
        1_000_000,
        "us|\u{b5}s|\u{3bc}s|microsecond|microseconds",
        "",
    ),
    unit(Duration, 60, 1, "min|mins|minute|minutes", ""),
    unit(Duration, 3600, 1, "h|hr|hrs|hour|hours", ""),
    unit(Duration, 86_400, 1, "day|days", ""),
    unit(Duration, 604_800, 1, "week|weeks", ""),
    unit(Speed, 5, 18, "kmh|kph", ""),
    unit(Speed, 44_704, 100_000, "mph", ""),
    unit(Speed, 463, 900, "kn|knot|knots", ""),
    unit(AngularSpeed, 6, 1, "rpm", ""),
    unit(Ratio, 1, 100, "%|percent|per cent|pct", ""),
    unit(Ratio, 1, 1000, "\u{2030}|permille|per mille", ""),
    unit(Volume, 1, 1, "l|liter|liters|litre|litres", ""),
    unit(Volume, 1, 10, "dl|deciliter|deciliters|decilitre|decilitres", ""),
    unit(Volume, 1, 100, "cl|centiliter|centiliters|centilitre|centilitres", ""),
    unit(Volume, 1, 1000, "ml|milliliter|milliliters|millilitre|millilitres", ""),
    unit(Volume, 3_785_411_784, 1_000_000_000, "gal|gallon|gallons", ""),
    unit(Volume, 473_176_473, 1_000_000_000, "pint|pints", ""),
    unit(
        Volume,
        295_735_295_625,
        10_000_000_000_000,
        "fl oz|fluid ounce|fluid ounces",
        "",
    ),
    unit(
        Mass,
        1,
        1,
        "kg|kgs|kilo|kilos|kilogram|kilograms|kilogramme|kilogrammes",
        "",
    ),
    unit(Mass, 1, 1000, "g|gram|grams|gramme|grammes", ""),
    unit(Mass, 1, 1_000_000, "mg|milligram|milligrams", ""),
    unit(Mass, 1000, 1, "tonne|tonnes", ""),
    unit(Mass, 45_359_237, 100_000_000, "lb|lbs|pound|pounds", ""),
    unit(Mass, 45_359_237, 1_600_000_000, "oz|ounce|ounces", ""),
    unit(Frequency, 1, 1, "hz|hertz", ""),
    unit(Frequency, 1000, 1, "khz|kilohertz", ""),
    unit(Frequency, 1_000_000, 1, "mhz|megahertz", ""),
    unit(Voltage, 1, 1, "v|volt|volts", ""),
    unit(Voltage, 1, 1000, "mv|millivolt|millivolts", ""),
    unit(Voltage, 1000, 1, "kv|kilovolt|kilovolts", ""),
    unit(Current, 1, 1, "amp|amps|ampere|amperes", "A"),
    unit(Current, 1, 1000, "ma|milliamp|milliamps|milliampere|milliamperes", ""),
    unit(Power, 1, 1, "w|watt|watts", ""),
    unit(Power, 1, 1000, "mw|milliwatt|milliwatts", ""),
    unit(Power, 1000, 1, "kw|kilowatt|kilowatts", ""),
    unit(Power, 1_000_000, 1, "megawatt|megawatts", "MW"),
    unit(Pressure, 1, 1, "pa|pascal|pascals", ""),
    unit(
        Pressure,
        100,
        1,
        "hpa|hectopascal|hectopascals|mbar|millibar|millibars",
        "",
    ),
    unit(Pressure, 1000, 1, "kpa|kilopascal|kilopascals", ""),
    unit(Pressure, 1_000_000, 1, "megapascal|megapascals", "MPa"),
    unit(Pressure, 100_000, 1, "bar", ""),
    unit(Pressure, 6_894_757_293_168, 1_000_000_000, "psi", ""),
    unit(Illuminance, 1, 1, "lx|lux", ""),
    unit(Force, 1, 1, "newton|newtons", "N"),
    unit(Energy, 1, 1, "joule|joules", "J"),
    unit(Energy, 1000, 1, "kj|kilojoule|kilojoules", ""),
    unit(Energy, 3600, 1, "wh|watt hour|watt hours", ""),
    unit(Energy, 3_600_000, 1, "kwh|kilowatt hour|kilowatt hours", ""),
    unit(Temperature, 1, 1, CELSIUS, ""),
    unit(Temperature, 5, 9, FAHRENHEIT, ""),
    unit(Temperature, 1, 1, "kelvin|kelvins", "K"),
];

const CELSIUS: &str = "c|celsius|centigrade|degc|degree c|degrees c|deg c|\u{b0} c|\u{ba}c|\u{2103}|degree celsius|degrees celsius|\
     deg celsius|\u{b0} celsius|degree centigrade|degrees centigrade";
const FAHRENHEIT: &str = "f|fahrenheit|degf|degree f|degrees f|deg f|\u{b0} f|\u{ba}f|\u{2109}|degree fahrenheit|\
     degrees fahrenheit|deg fahrenheit|\u{b0} fahrenheit";

/// A unit as read at a place of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) dimension: Dimension,
    /// Base units in one of this unit.
    pub(super) scale: Exact,
    /// Added to the number before scaling; only temperatures have one, since their scales start elsewhere.
    pub(super) shift: Exact,
    /// The word after the unit.
    pub(super) end: usize,
    /// A name in full, which "a" or "an" may precede to mean one.
    pub(super) spelled_out: bool,
    /// "degrees" alone, which people say of angles and of temperatures.
    pub(super) bare_degrees: bool,
}

/// Reads the longest unit that starts at word `at`, compounds like "metres per second" included.
pub(super) fn measure(line: &Line<'_>, at: usize) -> Option<Measure> {
    let base = single(line, at)?;
    if !matches!(base.dimension, Length | Angle) {
        return Some(base);
    }
    Some(rate(line, base).unwrap_or(base))
}

struct Spelling {
    words: Vec<String>,
    unit: &'static Unit,
    as_written: bool,
}

/// Spellings by their first word in lower case, longest first.
static SPELLINGS: LazyLock<BTreeMap<String, Vec<Spelling>>> = LazyLock::new(|| {
    let mut table: BTreeMap<String, Vec<Spelling>> = BTreeMap::new();
    for unit in UNITS {
        for (list, as_written) in [(unit.any_case, false), (unit.as_written, true)] {
            for spelling in list.split('|').filter(|spelling| !spelling.is_empty()) {
                let words: Vec<String> = words(spelling)
                    .iter()
                    .map(|word| spelling[word.start..word.end].to_owned())
                    .collect();
                let first = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
                table.entry(first).or_default().push(Spelling {
                    words,
                    unit,
                    as_written,
                });
            }
        }
    }
    for spellings in table.values_mut() {
        spellings.sort_by_key(|spelling| (std::cmp::Reverse(spelling.words.len()), !spelling.as_written));
    }
    table
});

fn single(line: &Line<'_>, at: usize) -> Option<Measure> {
    let spelling = SPELLINGS.get(line.normal(at))?.iter().find(|spelling| {
        spelling.words.iter().enumerate().all(|(offset, word)| {
            let written = if spelling.as_written {
                line.raw(at + offset)
            } else {
                line.normal(at + offset)
            };
            written == word
        })
    })?;
    let end = at + spelling.words.len();
    let is_mark = is_quote(line.normal(at));
    if is_mark && !is_prime(line, at) {
        return None;
    }
    if !is_mark && line.is(end, WordKind::Digits) && line.glued(end) && !line.is(end - 1, WordKind::Letters) {
        return None;
    }
    let unit = spelling.unit;
    Some(Measure {
        dimension: unit.dimension,
        scale: Exact::ratio(unit.num, unit.den)?,
        shift: shift(unit, spelling)?,
        end,
        spelled_out: spelling.words.iter().any(|word| word.len() > 2) && !matches!(line.normal(at), "turn" | "bar"),
        bare_degrees: unit.dimension == Angle && unit.num == 1,
    })
}

/// The marks for feet and inches that people type also open and close quotations.
fn is_quote(mark: &str) -> bool {
    matches!(mark, "'" | "\"" | "\u{2019}" | "\u{201d}")
}

/// Whether a mark stands for feet or inches: right behind digits, and closing nothing that was opened before.
fn is_prime(line: &Line<'_>, at: usize) -> bool {
    let behind_digits = |at: usize| line.glued(at) && at > 0 && line.is(at - 1, WordKind::Digits);
    let opens = |mark: &str| {
        matches!(
            (line.normal(at), mark),
            ("'" | "\u{2019}", "'" | "\u{2018}" | "\u{2019}") | ("\"" | "\u{201d}", "\"" | "\u{201c}")
        )
    };
    behind_digits(at) && !(0..at).any(|before| opens(line.normal(before)) && !behind_digits(before))
}

/// Where the scale of a temperature starts, in its own degrees: 32 °F and 273.15 K are 0 °C.
fn shift(unit: &Unit, spelling: &Spelling) -> Option<Exact> {
    match (unit.dimension, unit.num, spelling.words.first().map(String::as_str)) {
        (Temperature, 5, _) => Some(Exact::whole(-32)),
        (Temperature, 1, Some("K" | "kelvin" | "kelvins")) => Exact::ratio(-27_315, 100),
        _ => Some(Exact::ZERO),
    }
}

/// "m/s", "degrees per minute", "miles an hour", "m/s2", "metres per second squared", "metres per second per second".
fn rate(line: &Line<'_>, base: Measure) -> Option<Measure> {
    let time = per(line, base.end)?;
    let speed = Measure {
        dimension: if base.dimension == Angle { AngularSpeed } else { Speed },
        scale: base.scale.over(time.scale)?,
        end: time.end,
        spelled_out: false,
        bare_degrees: false,
        ..base
    };
    if base.dimension == Angle {
        return Some(speed);
    }
    let squared_end = match line.normal(time.end) {
        "squared" | "\u{b2}" => time.end + 1,
        "2" if line.glued(time.end) => time.end + 1,
        "^" if line.normal(time.end + 1) == "2" => time.end + 2,
        _ => match per(line, time.end) {
            Some(again) if again.scale == time.scale => again.end,
            _ => return Some(speed),
        },
    };
    let acceleration = Measure {
        dimension: Dimension::Acceleration,
        scale: speed.scale.over(time.scale)?,
        end: squared_end,
        ..speed
    };
    Some(acceleration)
}

/// The time of "per second", "/s" or "an hour"; "a second" only where nothing follows that it could be the second of.
fn per(line: &Line<'_>, at: usize) -> Option<Measure> {
    let article = match line.normal(at) {
        "per" | "/" => false,
        "a" | "an" => true,
        _ => return None,
    };
    let time = single(line, at + 1).filter(|time| time.dimension == Duration)?;
    let last =
        !line.is(time.end, WordKind::Letters) || matches!(line.normal(time.end), "and" | "then" | "for" | "until");
    (!article || (time.spelled_out && (last || line.normal(at + 1) != "second"))).then_some(time)
}
