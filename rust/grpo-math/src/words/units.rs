//! Units of measurement, currencies, and words that count things.

use std::sync::LazyLock;

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::{Key, MAX_PHRASE, is_han, lists, numbers, strip_phrase, words};
use crate::expr::{Unit, UnitKind};

/// Exponents of metre, kilogram, second, ampere, kelvin, bit and year; the last entry names a unit
/// that converts to no other ([`label`]), and its sign is the exponent.
///
/// A year is no number of seconds, so that `1` year is 12 months, and neither 365 nor 366 days.
type Dimension = [i8; 8];

const LABEL: usize = 7;
const NONE: Dimension = [0; 8];
const BIT: Dimension = [0, 0, 0, 0, 0, 1, 0, 0];
const YEAR: Dimension = [0, 0, 0, 0, 0, 0, 1, 0];

/// The most words that still pass for the name of what is counted.
const MAX_WORDS: usize = 6;

/// The largest exponent of a dimension, and the largest power of a unit.
const MAX_POWER: u8 = 9;

/// The largest factor of a composed unit, in bits. No real unit comes near.
const MAX_FACTOR_BITS: usize = 1024;

/// What a row of the table stands for.
enum Kind {
    /// The dimension, and the factor to the base unit: numerator, denominator, power of ten.
    Measure(Dimension, (u64, u64, i8)),
    Percent,
    Degree,
}

/// A unit with its spellings, divided by `|`.
struct Row {
    /// In exactly this case.
    symbols: &'static str,
    /// In any case; hyphens are spaces and full stops are dropped.
    names: &'static str,
    kind: Kind,
}

const fn si(length: i8, mass: i8, time: i8, current: i8) -> Dimension {
    [length, mass, time, current, 0, 0, 0, 0]
}

/// The dimension of the `index`-th unit that converts to no other.
const fn label(index: i8) -> Dimension {
    [0, 0, 0, 0, 0, 0, 0, index]
}

const fn row(
    symbols: &'static str,
    names: &'static str,
    dimension: Dimension,
    factor: (u64, u64, i8),
) -> Row {
    Row { symbols, names, kind: Kind::Measure(dimension, factor) }
}

const LENGTH: Dimension = si(1, 0, 0, 0);
const AREA: Dimension = si(2, 0, 0, 0);
const VOLUME: Dimension = si(3, 0, 0, 0);
const MASS: Dimension = si(0, 1, 0, 0);
const TIME: Dimension = si(0, 0, 1, 0);
const SPEED: Dimension = si(1, 0, -1, 0);
const FORCE: Dimension = si(1, 1, -2, 0);
const ENERGY: Dimension = si(2, 1, -2, 0);
const POWER: Dimension = si(2, 1, -3, 0);
const PRESSURE: Dimension = si(-1, 1, -2, 0);
const FREQUENCY: Dimension = si(0, 0, -1, 0);
const CHARGE: Dimension = si(0, 0, 1, 1);
const CURRENT: Dimension = si(0, 0, 0, 1);
const VOLTAGE: Dimension = si(2, 1, -3, -1);
const RESISTANCE: Dimension = si(2, 1, -3, -2);
const CAPACITANCE: Dimension = si(-2, -1, 4, 2);
const KELVIN: Dimension = [0, 0, 0, 0, 1, 0, 0, 0];

const DOLLAR: Dimension = label(1);
const EURO: Dimension = label(2);
const STERLING: Dimension = label(3);
const YUAN: Dimension = label(4);
const YEN: Dimension = label(5);
const RUPEE: Dimension = label(6);
const WON: Dimension = label(7);
const ROUBLE: Dimension = label(8);
const FRANC: Dimension = label(9);
const PESO: Dimension = label(10);
const CELSIUS: Dimension = label(20);
const FAHRENHEIT: Dimension = label(21);
const MOLE: Dimension = label(22);
const CANDELA: Dimension = label(23);
const DECIBEL: Dimension = label(24);
// Of 1000 or of 1024, depending on who asks.
const KILOBYTE: Dimension = label(25);
const MEGABYTE: Dimension = label(26);
const GIGABYTE: Dimension = label(27);
const TERABYTE: Dimension = label(28);

const ONE: (u64, u64, i8) = (1, 1, 0);

/// A power of ten.
const fn ten(power: i8) -> (u64, u64, i8) {
    (1, 1, power)
}

#[rustfmt::skip] // one line per unit
const TABLE: &[Row] = &[
    Row { symbols: "%|％", names: "percent|per cent|pct|percents|percentage|percentage point|percentage points|百分比|个百分点", kind: Kind::Percent },
    Row { symbols: "°|º|˚", names: "degree|degrees|deg|degs|度", kind: Kind::Degree },
    row("rad", "radian|radians|rads|弧度", NONE, ONE),

    row("nm", "nanometer|nanometers|nanometre|nanometres|纳米", LENGTH, ten(-9)),
    row("μm|µm|um", "micrometer|micrometers|micrometre|micrometres|micron|microns|微米", LENGTH, ten(-6)),
    row("mm|MM", "millimeter|millimeters|millimetre|millimetres|毫米", LENGTH, ten(-3)),
    row("cm|CM|cms", "centimeter|centimeters|centimetre|centimetres|厘米|公分", LENGTH, ten(-2)),
    row("dm", "decimeter|decimeters|decimetre|decimetres|分米", LENGTH, ten(-1)),
    row("m", "meter|meters|metre|metres|mtr|mtrs|米|公尺", LENGTH, ONE),
    row("dam", "decameter|decameters|decametre|decametres", LENGTH, ten(1)),
    row("hm", "hectometer|hectometers|hectometre|hectometres", LENGTH, ten(2)),
    row("km|KM|Km|kms", "kilometer|kilometers|kilometre|kilometres|千米|公里", LENGTH, ten(3)),
    row("in|ins|″", "inch|inches|英寸", LENGTH, (254, 1, -4)),
    row("ft|FT|Ft|′", "foot|feet|英尺", LENGTH, (3048, 1, -4)),
    row("yd|yds", "yard|yards|码", LENGTH, (9144, 1, -4)),
    row("mi", "mile|miles|英里", LENGTH, (1_609_344, 1, -3)),
    row("nmi", "nautical mile|nautical miles|海里", LENGTH, (1852, 1, 0)),
    row("fathom|fathoms", "", LENGTH, (18288, 1, -4)),
    row("furlong|furlongs", "", LENGTH, (201_168, 1, -3)),
    row("Å", "angstrom|angstroms", LENGTH, ten(-10)),
    row("AU", "astronomical unit|astronomical units", LENGTH, (149_597_870_700, 1, 0)),
    row("ly", "light year|light years|lightyear|lightyears|光年", LENGTH, (9_460_730_472_580_800, 1, 0)),

    row("ha", "hectare|hectares|公顷", AREA, ten(4)),
    row("", "公亩", AREA, ten(2)),
    row("ac", "acre|acres|英亩", AREA, (40_468_564_224, 1, -7)),
    row("", "亩", AREA, (2000, 3, 0)),
    row("mL|ml|ML|cc", "milliliter|milliliters|millilitre|millilitres|毫升", VOLUME, ten(-6)),
    row("cL|cl", "centiliter|centiliters|centilitre|centilitres|厘升", VOLUME, ten(-5)),
    row("dL|dl", "deciliter|deciliters|decilitre|decilitres|分升", VOLUME, ten(-4)),
    row("L|l|ℓ", "liter|liters|litre|litres|ltr|ltrs|升|公升", VOLUME, ten(-3)),
    row("kL|kl", "kiloliter|kiloliters|kilolitre|kilolitres", VOLUME, ONE),
    row("gal|gals", "gallon|gallons|加仑", VOLUME, (3_785_411_784, 1, -12)),
    row("qt|qts", "quart|quarts", VOLUME, (946_352_946, 1, -12)),
    row("pt|pts", "pint|pints", VOLUME, (473_176_473, 1, -12)),
    row("", "cup|cups", VOLUME, (2_365_882_365, 1, -13)),
    row("fl oz", "fluid ounce|fluid ounces", VOLUME, (295_735_295_625, 1, -16)),
    row("tbsp|Tbsp", "tablespoon|tablespoons|tbsps", VOLUME, (1_478_676_478_125, 1, -17)),
    row("tsp", "teaspoon|teaspoons|tsps", VOLUME, (492_892_159_375, 1, -17)),

    row("μg|µg|mcg|ug", "microgram|micrograms|微克", MASS, ten(-9)),
    row("mg", "milligram|milligrams|milligramme|milligrammes|毫克", MASS, ten(-6)),
    row("g|gm|gms", "gram|grams|gramme|grammes|克", MASS, ten(-3)),
    row("kg|KG|Kg|kgs", "kilogram|kilograms|kilogramme|kilogrammes|kilo|kilos|千克|公斤", MASS, ONE),
    row("t", "tonne|tonnes|ton|tons|metric ton|metric tons|吨", MASS, ten(3)),
    row("lb|lbs|Lb|Lbs|LB|LBS", "pound|pounds|磅", MASS, (45_359_237, 1, -8)),
    row("oz|Oz", "ounce|ounces|盎司", MASS, (45_359_237, 16, -8)),
    row("", "stone|stones", MASS, (635_029_318, 1, -8)),
    row("", "斤|市斤", MASS, (5, 1, -1)),

    row("ns", "nanosecond|nanoseconds|纳秒", TIME, ten(-9)),
    row("μs|µs", "microsecond|microseconds|微秒", TIME, ten(-6)),
    row("ms", "millisecond|milliseconds|毫秒", TIME, ten(-3)),
    row("s|sec|secs|Sec", "second|seconds|秒|秒钟", TIME, ONE),
    row("min|mins|Min", "minute|minutes|分钟", TIME, (6, 1, 1)),
    row("h|hr|hrs|Hr|Hrs", "hour|hours|小时|个小时|时", TIME, (36, 1, 2)),
    row("d", "day|days|天|日", TIME, (864, 1, 2)),
    row("wk|wks", "week|weeks|周|星期|个星期", TIME, (6048, 1, 2)),
    row("", "fortnight|fortnights", TIME, (12096, 1, 2)),
    row("mo|mos", "month|months|个月|月", YEAR, (1, 12, 0)),
    row("yr|yrs", "year|years|年", YEAR, ONE),
    row("", "decade|decades", YEAR, ten(1)),
    row("", "century|centuries|世纪|个世纪", YEAR, ten(2)),
    row("", "millennium|millennia|millenniums", YEAR, ten(3)),

    row("mph|MPH", "", SPEED, (44704, 1, -5)),
    row("kph|kmh|kmph|KPH|km/hr", "", SPEED, (5, 18, 0)),
    row("kn|kt|kts", "knot|knots", SPEED, (463, 900, 0)),
    row("fps", "", SPEED, (3048, 1, -4)),
    row("mpg|MPG", "", si(-2, 0, 0, 0), (1_609_344, 3_785_411_784, 9)),

    row("N", "newton|newtons|牛|牛顿", FORCE, ONE),
    row("mN", "millinewton|millinewtons", FORCE, ten(-3)),
    row("kN", "kilonewton|kilonewtons|千牛", FORCE, ten(3)),
    row("dyn", "dyne|dynes", FORCE, ten(-5)),
    row("lbf", "", FORCE, (44_482_216_152_605, 1, -13)),
    row("J", "joule|joules|焦|焦耳", ENERGY, ONE),
    row("mJ", "millijoule|millijoules", ENERGY, ten(-3)),
    row("kJ|KJ", "kilojoule|kilojoules|千焦", ENERGY, ten(3)),
    row("MJ", "megajoule|megajoules", ENERGY, ten(6)),
    row("erg", "ergs", ENERGY, ten(-7)),
    row("cal", "calorie|calories|卡|卡路里", ENERGY, (4184, 1, -3)),
    row("kcal|Cal", "kilocalorie|kilocalories|千卡|大卡", ENERGY, (4184, 1, 0)),
    row("eV", "electron volt|electron volts|electronvolt|electronvolts|电子伏", ENERGY, (1_602_176_634, 1, -28)),
    row("keV", "", ENERGY, (1_602_176_634, 1, -25)),
    row("MeV", "", ENERGY, (1_602_176_634, 1, -22)),
    row("GeV", "", ENERGY, (1_602_176_634, 1, -19)),
    row("Wh", "watt hour|watt hours", ENERGY, (36, 1, 2)),
    row("kWh|KWH|kwh", "kilowatt hour|kilowatt hours|千瓦时", ENERGY, (36, 1, 5)),
    row("W", "watt|watts|瓦|瓦特", POWER, ONE),
    row("mW", "milliwatt|milliwatts", POWER, ten(-3)),
    row("kW|KW", "kilowatt|kilowatts|千瓦", POWER, ten(3)),
    row("MW", "megawatt|megawatts|兆瓦", POWER, ten(6)),
    row("GW", "gigawatt|gigawatts", POWER, ten(9)),
    row("hp|HP", "horsepower", POWER, (74_569_987_158_227_022, 1, -14)),
    row("Pa", "pascal|pascals|帕|帕斯卡", PRESSURE, ONE),
    row("hPa", "hectopascal|hectopascals", PRESSURE, ten(2)),
    row("kPa", "kilopascal|kilopascals|千帕", PRESSURE, ten(3)),
    row("MPa", "megapascal|megapascals|兆帕", PRESSURE, ten(6)),
    row("atm", "atmosphere|atmospheres|标准大气压", PRESSURE, (101_325, 1, 0)),
    row("bar", "bars", PRESSURE, ten(5)),
    row("mbar", "millibar|millibars", PRESSURE, ten(2)),
    row("mmHg|torr|Torr", "", PRESSURE, (101_325, 760, 0)),
    row("psi", "", PRESSURE, (44_482_216_152_605, 64516, -5)),
    row("Hz", "hertz|赫兹", FREQUENCY, ONE),
    row("kHz|KHz", "kilohertz|千赫", FREQUENCY, ten(3)),
    row("MHz", "megahertz|兆赫", FREQUENCY, ten(6)),
    row("GHz", "gigahertz", FREQUENCY, ten(9)),

    row("A", "amp|amps|ampere|amperes|安|安培", CURRENT, ONE),
    row("mA", "milliamp|milliamps|milliampere|milliamperes|毫安", CURRENT, ten(-3)),
    row("μA|µA|uA", "microamp|microamps|microampere|microamperes|微安", CURRENT, ten(-6)),
    row("", "coulomb|coulombs|库仑", CHARGE, ONE),
    row("μC|µC|uC", "microcoulomb|microcoulombs", CHARGE, ten(-6)),
    row("nC", "nanocoulomb|nanocoulombs", CHARGE, ten(-9)),
    row("V", "volt|volts|伏|伏特", VOLTAGE, ONE),
    row("mV", "millivolt|millivolts|毫伏", VOLTAGE, ten(-3)),
    row("kV", "kilovolt|kilovolts|千伏", VOLTAGE, ten(3)),
    row("Ω|\u{2126}", "ohm|ohms|欧|欧姆", RESISTANCE, ONE),
    row("kΩ|k\u{2126}", "kilohm|kilohms|kiloohm|kiloohms|千欧", RESISTANCE, ten(3)),
    row("MΩ|M\u{2126}", "megohm|megohms|megaohm|megaohms", RESISTANCE, ten(6)),
    row("", "farad|farads", CAPACITANCE, ONE),
    row("μF|µF|uF", "microfarad|microfarads", CAPACITANCE, ten(-6)),
    row("nF", "nanofarad|nanofarads", CAPACITANCE, ten(-9)),
    row("pF", "picofarad|picofarads", CAPACITANCE, ten(-12)),
    row("Wb", "weber|webers", si(2, 1, -2, -1), ONE),
    row("", "tesla|teslas", si(0, 1, -2, -1), ONE),
    row("", "henry|henrys|henries", si(2, 1, -2, -2), ONE),

    row("K", "kelvin|kelvins|开尔文", KELVIN, ONE),
    row("°C|ºC|℃", "celsius|degree celsius|degrees celsius|degree centigrade|degrees centigrade|deg c|degrees c|摄氏度", CELSIUS, ONE),
    row("°F|ºF|℉", "fahrenheit|degree fahrenheit|degrees fahrenheit|deg f|degrees f|华氏度", FAHRENHEIT, ONE),
    row("mol|mols", "mole|moles|摩尔", MOLE, ONE),
    row("mmol", "millimole|millimoles", MOLE, ten(-3)),
    row("kmol", "kilomole|kilomoles", MOLE, ten(3)),
    row("cd", "candela|candelas|坎德拉", CANDELA, ONE),
    row("dB", "decibel|decibels|分贝", DECIBEL, ONE),

    row("", "bit|bits|比特", BIT, ONE),
    row("", "byte|bytes|字节", BIT, (8, 1, 0)),
    row("kbps|Kbps", "", [0, 0, -1, 0, 0, 1, 0, 0], ten(3)),
    row("Mbps", "", [0, 0, -1, 0, 0, 1, 0, 0], ten(6)),
    row("Gbps", "", [0, 0, -1, 0, 0, 1, 0, 0], ten(9)),
    row("KiB", "kibibyte|kibibytes", BIT, (8192, 1, 0)),
    row("MiB", "mebibyte|mebibytes", BIT, (8_388_608, 1, 0)),
    row("GiB", "gibibyte|gibibytes", BIT, (8_589_934_592, 1, 0)),
    row("KB|kB", "kilobyte|kilobytes", KILOBYTE, ONE),
    row("MB", "megabyte|megabytes", MEGABYTE, ONE),
    row("GB", "gigabyte|gigabytes", GIGABYTE, ONE),
    row("TB", "terabyte|terabytes", TERABYTE, ONE),

    row("$|＄|US$", "dollar|dollars|usd|us dollar|us dollars|buck|bucks|aud|cad|nzd|sgd|hkd|美元", DOLLAR, ONE),
    row("¢|￠", "cent|cents|penny|pennies|美分", DOLLAR, ten(-2)),
    row("€", "euro|euros|eur|欧元", EURO, ONE),
    row("£|￡", "gbp|pound sterling|pounds sterling|英镑", STERLING, ONE),
    row("", "pence", STERLING, ten(-2)),
    row("¥|￥", "yuan|yuans|rmb|cny|renminbi|元|块|块钱|圆|人民币", YUAN, ONE),
    row("", "角|毛", YUAN, ten(-1)),
    row("", "yen|jpy|日元", YEN, ONE),
    row("₹|Rs|Rs.", "rupee|rupees|inr|卢比", RUPEE, ONE),
    row("", "paise|paisa", RUPEE, ten(-2)),
    row("₩", "won|krw|韩元", WON, ONE),
    row("₽", "ruble|rubles|rouble|roubles|rub|卢布", ROUBLE, ONE),
    row("", "franc|francs|chf", FRANC, ONE),
    row("₱", "peso|pesos", PESO, ONE),
];

/// The spellings of the table, sorted.
struct Index {
    symbols: Vec<(&'static str, &'static Row)>,
    names: Vec<(&'static str, &'static Row)>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let sorted = |spellings: fn(&Row) -> &'static str| {
        let mut all: Vec<_> = TABLE
            .iter()
            .flat_map(|row| spellings(row).split('|').map(move |name| (name, row)))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    };
    Index { symbols: sorted(|row| row.symbols), names: sorted(|row| row.names) }
});

/// The unit that a text names: `cm`, `Square Metres`, `km/h`, `kg m^2`, `miles per hour`, `%`,
/// "years old", "feet of rope".
pub(crate) fn unit(text: &str) -> Option<Unit> {
    let text = text.trim().trim_end_matches([',', ';', '。']);
    if text.is_empty() || text.len() > MAX_PHRASE {
        return None;
    }
    let mut unit = quotient(text).or_else(|| quotient(without_noun(text)?))?;
    text.clone_into(&mut unit.name);
    Some(unit)
}

/// Drops what is measured: "feet of rope", "years old", "dollars in total".
fn without_noun(text: &str) -> Option<&str> {
    // A longer phrase before its last word.
    const AFTER: &[&str] = &[
        "in total",
        "in all",
        "total",
        "altogether",
        "each",
        "old",
        "long",
        "tall",
        "wide",
        "deep",
        "high",
        "thick",
        "away",
        "apart",
        "late",
        "early",
        "ago",
        "left",
        "remaining",
        "increase",
        "profit",
        "discount",
        "chance",
    ];
    if let Some((measure, noun)) = text.split_once(" of ") {
        // "degrees of freedom" are no angle.
        return (!measure.starts_with("degree") && counts(noun)).then_some(measure);
    }
    AFTER.iter().find_map(|word| {
        let (measure, tail) = text.split_at_checked(text.len().checked_sub(word.len())?)?;
        (tail.eq_ignore_ascii_case(word) && measure.ends_with(' ')).then(|| measure.trim_end())
    })
}

/// The currency of a sign or code: `$`, `€`, `USD`.
pub(crate) fn currency(text: &str) -> Option<Unit> {
    let row = lookup(text.trim())?;
    let Kind::Measure(dimension, factor) = &row.kind else {
        return None;
    };
    let is_money = (DOLLAR[LABEL]..=PESO[LABEL]).contains(&dimension[LABEL]);
    (is_money && *factor == ONE).then(|| named(text.trim(), row))
}

/// Whether a unit's symbol may as well be a product of variables, so that it is a unit only in
/// `\text{}`, `\mathrm{}` and prose: `m`, `mg`.
#[rustfmt::skip] // a table
pub(crate) fn symbol_may_be_variable(word: &str) -> bool {
    const PAIRS: &[&str] = &[
        "mg", "ms", "mi", "mo", "mA", "mC", "mJ", "mN", "mV", "mW", "nm", "ns", "pt", "qt", "ha", "hm",
        "kn", "kt", "kN", "kV", "kW", "kJ", "dm", "cd", "ac", "ly", "MJ", "MW", "GW", "MB", "GB", "TB",
        "KB", "kB", "AU", "Pa", "Wb", "Wh", "eV", "cc", "kL", "kl", "dl", "cl", "in", "hp", "nF", "pF",
    ];
    let mut letters = word.chars();
    let letter = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == 'Ω');
    letter && letters.next().is_none() || PAIRS.contains(&word)
}

/// A unit to a power: `cm^2`.
pub(crate) fn compose(unit: &Unit, power: i8) -> Unit {
    let name = match power {
        1 => return unit.clone(),
        2 => format!("square {}", unit.name),
        3 => format!("cubic {}", unit.name),
        _ => format!("{}^{power}", unit.name),
    };
    let kind = measure(unit).and_then(|(dimension, factor)| raise(dimension, factor, power));
    Unit { name, kind: kind.unwrap_or(UnitKind::Words) }
}

/// `kg\cdot m`
pub(crate) fn multiply(left: &Unit, right: &Unit) -> Unit {
    let name = format!("{} {}", left.name, right.name);
    Unit { name, kind: combine(&left.kind, &right.kind, false).unwrap_or(UnitKind::Words) }
}

/// `m/s`, "dollars per ticket".
pub(crate) fn divide(left: &Unit, right: &Unit) -> Unit {
    let name = format!("{} per {}", left.name, right.name);
    Unit { name, kind: combine(&left.kind, &right.kind, true).unwrap_or(UnitKind::Words) }
}

/// How many of the second unit one of the first is; `None` if neither converts to the other. Words
/// convert to the same words only, though other words need not contradict them.
pub(crate) fn ratio(from: &Unit, to: &Unit) -> Option<RBig> {
    match (&from.kind, &to.kind) {
        (
            UnitKind::Measure { dimension: left, factor },
            UnitKind::Measure { dimension: right, factor: divisor },
        ) if left == right => Some(factor / divisor),
        (UnitKind::Words, UnitKind::Words) => same_words(&from.name, &to.name).then_some(RBig::ONE),
        (left, right) => {
            let same = left == right || may_mean(from, right) || may_mean(to, left);
            same.then_some(RBig::ONE)
        }
    }
}

/// Whether a name that has one reading here may be meant as the other: pounds weigh and pay, `¥` is
/// a yuan or a yen, and degrees are of an angle or a temperature.
fn may_mean(unit: &Unit, other: &UnitKind) -> bool {
    let UnitKind::Measure { dimension, factor } = other else {
        return false;
    };
    let names = |names: &[&str]| names.iter().any(|name| unit.name.eq_ignore_ascii_case(name));
    *factor == RBig::ONE
        && match *dimension {
            STERLING => names(&["pound", "pounds"]),
            YEN => names(&["¥", "￥"]),
            CELSIUS | FAHRENHEIT => unit.kind == UnitKind::Degree,
            _ => false,
        }
}

/// Words that may name what a number before them counts: "apples", "square units", "of the red
/// balls". Refused is what denies, bounds or changes that number.
pub(crate) fn counting(text: &str) -> Option<Unit> {
    let text =
        text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ',' | ';' | '。'));
    if text.is_empty() || text.len() > MAX_PHRASE {
        return None;
    }
    let name = match units_of_space(text) {
        Some(name) => name.to_owned(),
        None => (if text.chars().any(is_han) { counts_in_chinese(text) } else { counts(text) })
            .then(|| text.to_owned())?,
    };
    Some(Unit { name, kind: UnitKind::Words })
}

/// "square units", "sq. units", "units squared".
fn units_of_space(text: &str) -> Option<&'static str> {
    Some(match Key::new(text)?.as_str() {
        "square units" | "square unit" | "sq units" | "sq unit" | "units squared"
        | "unit squared" | "units^2" | "unit^2" | "units²" => "square units",
        "cubic units" | "cubic unit" | "cu units" | "cu unit" | "units cubed" | "unit cubed"
        | "units^3" | "unit^3" | "units³" => "cubic units",
        _ => return None,
    })
}

fn counts(text: &str) -> bool {
    let mut count = 0;
    for word in text.split_whitespace() {
        count += 1;
        let word = word.trim_end_matches([',', '.']);
        let plain = |c: char| c.is_alphabetic() || matches!(c, '\'' | '’' | '-');
        let Some(key) = Key::new(word) else {
            return false;
        };
        let key = key.as_str();
        let pieces = || key.split(' ').filter(|piece| *piece != "per");
        let like_a_word = match key.chars().count() {
            1 => count > 1 && key == "a",
            2 => lists::is_short(key),
            _ => key.contains(['a', 'e', 'i', 'o', 'u', 'y']) || !key.is_ascii(),
        };
        if count > MAX_WORDS
            || !word.chars().all(plain)
            || !(like_a_word || measures(key))
            || pieces().any(lists::is_refused)
            // "seconds" are counted, "thirds" are parts.
            || pieces().any(numbers::is_number_word) && !measures(key)
        {
            return false;
        }
    }
    count > 0
}

/// Whether a word of more than one letter names a unit.
fn measures(word: &str) -> bool {
    word.len() > 1 && lookup(word).is_some()
}

fn counts_in_chinese(text: &str) -> bool {
    text.chars().count() <= MAX_WORDS
        && text.chars().all(|c| is_han(c) && !lists::is_refused_han(c))
}

/// Whether two names of things counted are the same but for case, number and abbreviation.
fn same_words(left: &str, right: &str) -> bool {
    let singular = |word: &str| {
        let word = word.trim_end_matches(['.', ',']).to_lowercase();
        match word.as_str() {
            "sq" => "square".to_owned(),
            "cu" => "cubic".to_owned(),
            word => {
                let stem = word.strip_suffix('s').unwrap_or(word);
                let sibilant = ["xe", "se", "che", "she"].iter().any(|end| stem.ends_with(end));
                (if sibilant { stem.strip_suffix('e').unwrap_or(stem) } else { stem }).to_owned()
            }
        }
    };
    words(left).map(singular).eq(words(right).map(singular))
}

/// `a/b/c`, "a per b", "a an hour".
fn quotient(text: &str) -> Option<Unit> {
    if let Some(row) = lookup(text) {
        return Some(named(text, row));
    }
    let Some((left, right)) = split_last_division(text) else {
        return product(text);
    };
    let right = right.trim();
    let right = right.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(right);
    let left = left.trim();
    let kind = if left.is_empty() || left == "1" {
        raise_unit(&product(right)?, -1)?
    } else {
        combine(&quotient(left)?.kind, &product(right)?.kind, true)?
    };
    Some(Unit { name: String::new(), kind })
}

/// Splits at the last `/`, "per", "a" or "an" between units.
fn split_last_division(text: &str) -> Option<(&str, &str)> {
    let between = |by: &str| {
        let at = text.rfind(by)?;
        Some((text.get(..at)?, text.get(at + by.len()..)?))
    };
    let per = || text.strip_prefix("per ").map(|rest| ("", rest));
    between("/")
        .or_else(|| between(" per "))
        .or_else(|| between(" a "))
        .or_else(|| between(" an "))
        .or_else(per)
}

/// `kg m^2`, `N·m`, "newton-metres", "square feet", "metres squared".
fn product(text: &str) -> Option<Unit> {
    let text = text.trim();
    if let Some(row) = lookup(text) {
        return Some(named(text, row));
    }
    let (text, power) = spoken_power(text);
    if power != 1 {
        let kind = raise_unit(&product(text)?, power)?;
        return Some(Unit { name: String::new(), kind });
    }
    let mut before = ' ';
    let factors = text.split(move |c: char| {
        let hyphen = c == '-' && before.is_alphabetic(); // not the sign of `s^-1`
        before = c;
        hyphen || c.is_whitespace() || matches!(c, '*' | '·' | '⋅' | '×')
    });
    let mut kind = None::<UnitKind>;
    for factor in factors.filter(|factor| !factor.is_empty()) {
        let next = factor_with_power(factor)?;
        kind = Some(match kind {
            None => next,
            // "hours minutes" is no product.
            Some(kind) if same_dimension(&kind, &next) => return None,
            Some(kind) => combine(&kind, &next, false)?,
        });
    }
    Some(Unit { name: String::new(), kind: kind? })
}

/// "square" and "cubic" before, "squared" and "cubed" after a unit.
fn spoken_power(text: &str) -> (&str, i8) {
    const BEFORE: [(&str, i8); 6] =
        [("square", 2), ("sq.", 2), ("sq", 2), ("cubic", 3), ("cu.", 3), ("cu", 3)];
    for (word, power) in BEFORE {
        if let Some(rest) =
            strip_phrase(text, word).filter(|rest| rest.starts_with([' ', '-', '.']))
        {
            return (rest.trim_start_matches([' ', '-', '.']), power);
        }
    }
    for (han, power) in [("平方", 2), ("立方", 3)] {
        if let Some(rest) = text.strip_prefix(han) {
            return (rest, power);
        }
    }
    for (word, power) in [(" squared", 2), (" cubed", 3)] {
        let at = text.len().saturating_sub(word.len());
        if let Some((head, tail)) = text.split_at_checked(at)
            && tail.eq_ignore_ascii_case(word)
        {
            return (head, power);
        }
    }
    (text, 1)
}

/// `cm^2`, `s^{-1}`, `m²`, `m3`.
fn factor_with_power(text: &str) -> Option<UnitKind> {
    let text = text.trim_matches(['(', ')']);
    if let Some(row) = lookup(text) {
        return Some(kind(row));
    }
    let at =
        text.find(|c: char| c == '^' || c == '²' || c == '³' || c == '⁻' || c.is_ascii_digit())?;
    let (name, exponent) = text.split_at_checked(at)?;
    let exponent = exponent.strip_prefix('^').unwrap_or(exponent);
    let exponent = exponent.trim_start_matches('{').trim_end_matches('}');
    let power = match exponent {
        "²" => 2,
        "³" => 3,
        "⁻¹" => -1,
        "⁻²" => -2,
        "⁻³" => -3,
        digits => digits.parse().ok()?,
    };
    raise_unit(&named(name, lookup(name)?), power)
}

fn lookup(text: &str) -> Option<&'static Row> {
    let find = |list: &[(&'static str, &'static Row)], name: &str| {
        let at = list.binary_search_by_key(&name, |(listed, _)| listed).ok()?;
        list.get(at).map(|(_, row)| *row)
    };
    let symbol = find(&INDEX.symbols, text.trim_end_matches('.'));
    symbol.or_else(|| {
        let key = Key::new(text)?;
        find(&INDEX.names, key.as_str())
            .or_else(|| find(&INDEX.symbols, key.as_str()).filter(|_| text.contains(' ')))
    })
}

fn named(name: &str, row: &Row) -> Unit {
    Unit { name: name.to_owned(), kind: kind(row) }
}

fn kind(row: &Row) -> UnitKind {
    match row.kind {
        Kind::Percent => UnitKind::Percent,
        Kind::Degree => UnitKind::Degree,
        Kind::Measure(dimension, (numerator, denominator, power)) => {
            let scale = UBig::from(10_u8).pow(power.unsigned_abs().into());
            let (numerator, denominator) = (UBig::from(numerator), UBig::from(denominator));
            let factor = if power < 0 {
                RBig::from_parts(IBig::from(numerator), denominator * scale)
            } else {
                RBig::from_parts(IBig::from(numerator * scale), denominator)
            };
            UnitKind::Measure { dimension, factor }
        }
    }
}

fn same_dimension(left: &UnitKind, right: &UnitKind) -> bool {
    match (left, right) {
        (UnitKind::Measure { dimension: left, .. }, UnitKind::Measure { dimension: right, .. }) => {
            left == right
        }
        (left, right) => left == right,
    }
}

const fn measure(unit: &Unit) -> Option<(Dimension, &RBig)> {
    match &unit.kind {
        UnitKind::Measure { dimension, factor } => Some((*dimension, factor)),
        _ => None,
    }
}

fn raise_unit(unit: &Unit, power: i8) -> Option<UnitKind> {
    let (dimension, factor) = measure(unit)?;
    raise(dimension, factor, power)
}

/// A measure to a power.
fn raise(dimension: Dimension, factor: &RBig, power: i8) -> Option<UnitKind> {
    let mut raised = NONE;
    for (exponent, raised) in dimension.iter().zip(&mut raised) {
        *raised = exponent.checked_mul(power)?;
    }
    // A label has no powers but its reciprocal.
    if dimension[LABEL] != 0 && power.unsigned_abs() != 1 || power.unsigned_abs() > MAX_POWER {
        return None;
    }
    let magnitude = factor.pow(power.unsigned_abs().into());
    let factor = if power < 0 { RBig::ONE / magnitude } else { magnitude };
    bounded(raised, factor)
}

/// The product or quotient of two measures.
fn combine(left: &UnitKind, right: &UnitKind, divide: bool) -> Option<UnitKind> {
    let (
        UnitKind::Measure { dimension: left, factor },
        UnitKind::Measure { dimension: right, factor: other },
    ) = (left, right)
    else {
        return None;
    };
    let mut dimension = NONE;
    for ((left, right), sum) in left.iter().zip(right).zip(&mut dimension) {
        *sum = if divide { left.checked_sub(*right)? } else { left.checked_add(*right)? };
    }
    // Two labels make sense together only where they cancel.
    if left[LABEL] != 0 && right[LABEL] != 0 && dimension[LABEL] != 0 {
        return None;
    }
    bounded(dimension, if divide { factor / other } else { factor * other })
}

/// A measure, unless it is so large that reckoning with it costs more than it is worth.
fn bounded(dimension: Dimension, factor: RBig) -> Option<UnitKind> {
    let bits = |value: &UBig| dashu_int::ops::BitTest::bit_len(value);
    let numerator = factor.numerator().clone().into_parts().1;
    let mut exponents = dimension.iter().take(LABEL);
    let small = exponents.all(|exponent| exponent.unsigned_abs() <= MAX_POWER)
        && bits(&numerator) <= MAX_FACTOR_BITS
        && bits(factor.denominator()) <= MAX_FACTOR_BITS;
    small.then_some(UnitKind::Measure { dimension, factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Unit {
        unit(text).unwrap_or_else(|| panic!("{text} is no unit"))
    }

    fn converts(from: &str, to: &str) -> Option<String> {
        ratio(&known(from), &known(to)).map(|ratio| ratio.to_string())
    }

    #[test]
    fn no_spelling_has_two_meanings() {
        for list in [&INDEX.symbols, &INDEX.names] {
            for pair in list.windows(2) {
                assert_ne!(pair[0].0, pair[1].0);
            }
        }
        for (name, _) in &INDEX.names {
            assert_eq!(Key::new(name).map(|key| key.as_str() == *name), Some(true), "{name}");
        }
    }

    #[test]
    fn units_convert() {
        for (from, to, expected) in [
            ("m", "cm", "100"),
            ("Metres", "centimeters", "100"),
            ("hour", "minutes", "60"),
            ("hours", "s", "3600"),
            ("week", "days", "7"),
            ("year", "months", "12"),
            ("mile", "feet", "5280"),
            ("ft", "in.", "12"),
            ("lb", "ounces", "16"),
            ("gallon", "quarts", "4"),
            ("quart", "pints", "2"),
            ("pint", "cups", "2"),
            ("cup", "fl. oz.", "8"),
            ("fluid ounce", "tbsp", "2"),
            ("tablespoon", "teaspoons", "3"),
            ("gallon", "cubic inches", "231"),
            ("L", "cm^3", "1000"),
            ("litre", "cubic decimetres", "1"),
            ("m^2", "square centimeters", "10000"),
            ("sq. ft.", "square inches", "144"),
            ("square yards", "feet squared", "9"),
            ("acre", "square feet", "43560"),
            ("m/s", "km/h", "18/5"),
            ("kph", "km per hour", "1"),
            ("mph", "miles an hour", "1"),
            ("miles per hour", "mi/hr", "1"),
            ("m/s^2", "m s^{-2}", "1"),
            ("N", "kg m/s^2", "1"),
            ("J", "newton-meters", "1"),
            ("J", "N·m", "1"),
            ("kWh", "kJ", "3600"),
            ("kWh", "kilowatt-hours", "1"),
            ("W", "J/s", "1"),
            ("Pa", "N/m²", "1"),
            ("V", "W/A", "1"),
            ("Ω", "volts per ampere", "1"),
            ("Hz", "1/s", "1"),
            ("Hz", "s^-1", "1"),
            ("knots", "nautical miles per hour", "1"),
            ("mpg", "miles per gallon", "1"),
            ("g/cm^3", "kg/m^3", "1000"),
            ("J/(kg K)", "J/kg/K", "1"),
            ("dollars", "cents", "100"),
            ("$", "USD", "1"),
            ("cents per pound", "dollars per pound", "1/100"),
            ("pounds", "£", "1"),
            ("¥", "yen", "1"),
            ("°C", "degrees", "1"),
            ("degrees Celsius", "°C", "1"),
            ("mol/L", "mmol/mL", "1"),
            ("bytes", "bits", "8"),
            ("years old", "months", "12"),
            ("feet of rope", "inches", "12"),
            ("square feet of carpet", "square inches", "144"),
            ("dollars in total", "cents each", "100"),
            ("percent of the students", "%", "1"),
            ("percent increase", "%", "1"),
            ("千米", "米", "1000"),
            ("平方米", "平方厘米", "10000"),
            ("米/秒", "m/s", "1"),
            ("小时", "分钟", "60"),
            ("元", "yuan", "1"),
            ("%", "percent", "1"),
            ("°", "degrees", "1"),
        ] {
            assert_eq!(converts(from, to).as_deref(), Some(expected), "{from} in {to}");
        }
    }

    #[test]
    fn what_does_not_convert_stays_apart() {
        for (from, to) in [
            ("m", "kg"),
            ("m", "m^2"),
            ("dollars", "euros"),
            ("yen", "yuan"),
            ("lb", "£"),
            ("pounds", "pence"),
            ("years", "days"),
            ("°C", "K"),
            ("°C", "°F"),
            ("percent", "degrees"),
            ("MB", "GB"),
            ("J", "W"),
            ("km/h", "km h"),
        ] {
            assert_eq!(converts(from, to), None, "{from} in {to}");
        }
    }

    #[test]
    fn symbols_keep_their_case() {
        assert_eq!(converts("MW", "mW").as_deref(), Some("1000000000"));
        assert_eq!(converts("kg", "KG").as_deref(), Some("1"));
        for text in ["M", "S", "H", "k", "x", "C", "T", "PA", "hZ"] {
            assert_eq!(unit(text), None, "{text}");
        }
    }

    #[test]
    fn no_unit_is_guessed() {
        for text in [
            "",
            " ",
            "apples",
            "per",
            "/",
            "m/",
            "m//s",
            "cm^",
            "cm^x",
            "cm^99",
            "hours minutes",
            "is m",
            "not cm",
            "m or cm",
            "dollars euros",
            "square",
            "km per apple",
            "e",
            "pi",
            "a",
            "an hour",
            "m squared squared squared squared",
            "or",
            "per cent per cent",
            "degrees of freedom",
            "feet of wrong",
            "apples old",
            "old",
        ] {
            assert_eq!(unit(text), None, "{text}");
        }
        assert_eq!(unit(&"m ".repeat(10_000)), None);
        assert_eq!(unit(&"m/".repeat(79)), None);
    }

    #[test]
    fn units_compose() {
        let metre = known("m");
        let second = known("s");
        let speed = divide(&metre, &second);
        assert_eq!(speed.name, "m per s");
        assert_eq!(ratio(&speed, &known("km/s")), Some(RBig::from(1) / RBig::from(1000)));
        assert_eq!(ratio(&compose(&metre, 2), &known("m^2")), Some(RBig::ONE));
        assert_eq!(ratio(&compose(&metre, -1), &known("1/m")), Some(RBig::ONE));
        assert_eq!(ratio(&multiply(&known("N"), &metre), &known("J")), Some(RBig::ONE));
        let tickets = counting("ticket").unwrap();
        let price = divide(&known("dollars"), &tickets);
        assert_eq!((price.name.as_str(), price.kind), ("dollars per ticket", UnitKind::Words));
        assert_eq!(compose(&known("dollars"), 2).kind, UnitKind::Words);
        let mut tower = known("kg");
        for _ in 0..500 {
            tower = multiply(&tower, &known("ly"));
            tower = divide(&tower, &known("nm"));
        }
        assert_eq!(tower.kind, UnitKind::Words);
    }

    #[test]
    fn currencies_have_signs_and_codes() {
        for text in ["$", "€", "£", "¥", "₹", "USD", "EUR", "Rs.", "US$", "元"] {
            assert!(currency(text).is_some(), "{text}");
        }
        for text in ["%", "cents", "m", "", "kg", "x"] {
            assert_eq!(currency(text), None, "{text}");
        }
    }

    #[test]
    fn letters_may_be_variables() {
        for text in ["m", "s", "t", "A", "mg", "kN"] {
            assert!(symbol_may_be_variable(text), "{text}");
        }
        for text in ["cm", "km", "kg", "hours", "ft", "mph", "°", "米", ""] {
            assert!(!symbol_may_be_variable(text), "{text}");
        }
    }

    #[test]
    fn words_count_things() {
        for text in [
            "apples",
            "square units",
            "Sq. units",
            "units",
            "ways",
            "of the red balls",
            "students.",
            "integer solutions",
            "dollars per ticket",
            "well-formed formulas",
            "people in total",
            "years old",
            "times a week",
            "terms",
            "个",
            "只",
            "岁",
            "名学生",
            "letters'",
            "seconds late",
        ] {
            assert_eq!(counting(text).is_some(), text != "times a week", "{text}");
        }
        assert_eq!(counting("units squared").unwrap().name, "square units");
    }

    #[test]
    fn words_that_change_a_number_count_nothing() {
        for text in [
            "",
            "is wrong",
            "or so",
            "not",
            "or",
            "if",
            "and a half",
            "minus one",
            "dozen",
            "dozens",
            "nope",
            "choose two",
            "million",
            "half",
            "halves",
            "thirds",
            "more",
            "or more",
            "apples or pears",
            "pi",
            "x",
            "xy",
            "mn",
            "times",
            "5",
            "x2",
            "a+b",
            "percent",
            "n't",
            "is not the answer",
            "maybe",
            "a b c d e f g",
            "apples that were not counted by anyone here",
            "不是",
            "或六",
            "倍",
            "万",
            "bcd",
        ] {
            assert_eq!(counting(text), None, "{text}");
        }
    }

    #[test]
    fn words_agree_but_for_number_and_case() {
        let same = |left, right| ratio(&counting(left).unwrap(), &counting(right).unwrap());
        assert_eq!(same("apple", "Apples"), Some(RBig::ONE));
        assert_eq!(same("boxes", "box"), Some(RBig::ONE));
        assert_eq!(same("sq units", "square units"), Some(RBig::ONE));
        assert_eq!(same("cubic units", "square units"), None);
        assert_eq!(same("boys", "girls"), None);
    }
}
