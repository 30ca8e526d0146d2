//! Values as Python writes them, cut short, for messages.

use std::fmt::Write as _;

use dashu_int::IBig;
use dashu_int::ops::BitTest;

use super::{Temporal, Value};

/// Longer integers are shown by their size: writing one out takes more than linear time.
const MAX_SHOWN_BITS: usize = 4096;

impl Value {
    /// About what `repr` writes, at most `max_chars` characters, `...` at the end if there is more.
    pub fn show(&self, max_chars: usize) -> String {
        let mut shown = Shown { text: String::new(), left: max_chars.max(3) + 1 };
        // An error is a full page, nothing else.
        let _ = shown.value(self);
        let Shown { mut text, left } = shown;
        if left == 0 {
            let kept =
                text.char_indices().nth(max_chars.max(3) - 3).map_or(text.len(), |(at, _)| at);
            text.truncate(kept);
            text.push_str("...");
        }
        text
    }
}

/// A text of at most so many characters more.
struct Shown {
    text: String,
    left: usize,
}

impl std::fmt::Write for Shown {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        for character in part.chars() {
            self.left -= 1;
            self.text.push(character);
            if self.left == 0 {
                return Err(std::fmt::Error);
            }
        }
        Ok(())
    }
}

impl Shown {
    fn value(&mut self, value: &Value) -> std::fmt::Result {
        match value {
            Value::None => self.write_str("None"),
            Value::Ellipsis => self.write_str("Ellipsis"),
            Value::Bool(bit) => self.write_str(if *bit { "True" } else { "False" }),
            Value::Int(integer) => self.integer(integer),
            Value::Float(float) => self.write_str(&float_repr(*float)),
            Value::Complex(real, imaginary) => {
                let sign = if imaginary.is_sign_negative() { "" } else { "+" };
                write!(self, "({}{sign}{}j)", float_repr(*real), float_repr(*imaginary))
            }
            Value::Str(text) => self.quoted(&String::from_utf8_lossy(text.as_bytes())),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::ByteArray(bytes) => self.wrapped("bytearray(", ")", |shown| shown.bytes(bytes)),
            Value::List(items) => self.items("[", items, "]"),
            Value::Tuple(items) => {
                self.items("(", items, if items.len() == 1 { ",)" } else { ")" })
            }
            Value::Deque(items) => self.items("deque([", items, "])"),
            Value::Set(items) if items.as_slice().is_empty() => self.write_str("set()"),
            Value::Set(items) => self.items("{", items.as_slice(), "}"),
            Value::FrozenSet(items) => self.items("frozenset({", items.as_slice(), "})"),
            Value::Dict(items) => {
                self.write_str("{")?;
                for (index, (key, value)) in items.entries().iter().enumerate() {
                    self.write_str(if index == 0 { "" } else { ", " })?;
                    self.value(key)?;
                    self.write_str(": ")?;
                    self.value(value)?;
                }
                self.write_str("}")
            }
            Value::Range(range) => {
                self.write_str("range(")?;
                for (index, part) in range.parts().into_iter().enumerate() {
                    self.write_str(if index == 0 { "" } else { ", " })?;
                    self.integer(part)?;
                }
                self.write_str(")")
            }
            Value::Decimal(decimal) => write!(self, "Decimal('{}')", decimal.text()),
            Value::Fraction(fraction) => self.wrapped("Fraction(", ")", |shown| {
                shown.integer(fraction.numerator())?;
                shown.write_str(", ")?;
                shown.integer(fraction.denominator())
            }),
            Value::Temporal(temporal) => self.temporal(temporal),
            Value::Type(name) => write!(self, "<class '{name}'>"),
            Value::NumpyScalar(scalar) => {
                let name = numpy_name(&scalar.dtype);
                self.wrapped(&format!("np.{name}("), ")", |shown| shown.value(&scalar.item))
            }
            Value::NumpyArray(array) => {
                self.items("array([", array.items(), "]")?;
                match array.shape() {
                    [_] => self.write_str(")"),
                    shape => write!(self, ", shape={shape:?})"),
                }
            }
            Value::Opaque(name) => write!(self, "<{name} object>"),
            Value::Handle(handle) => write!(self, "<{} object>", handle.type_name),
        }
    }

    fn integer(&mut self, integer: &IBig) -> std::fmt::Result {
        match integer.bit_len() {
            bits if bits > MAX_SHOWN_BITS => write!(self, "<int of {bits} bits>"),
            _ => write!(self, "{integer}"),
        }
    }

    fn items(&mut self, open: &str, items: &[Value], close: &str) -> std::fmt::Result {
        self.wrapped(open, close, |shown| {
            for (index, item) in items.iter().enumerate() {
                shown.write_str(if index == 0 { "" } else { ", " })?;
                shown.value(item)?;
            }
            Ok(())
        })
    }

    fn wrapped(
        &mut self,
        open: &str,
        close: &str,
        inside: impl FnOnce(&mut Self) -> std::fmt::Result,
    ) -> std::fmt::Result {
        self.write_str(open)?;
        inside(self)?;
        self.write_str(close)
    }

    fn quoted(&mut self, text: &str) -> std::fmt::Result {
        let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
        self.write_char(quote)?;
        for character in text.chars() {
            match character {
                '\n' => self.write_str("\\n")?,
                '\r' => self.write_str("\\r")?,
                '\t' => self.write_str("\\t")?,
                '\\' => self.write_str("\\\\")?,
                _ if character == quote => write!(self, "\\{quote}")?,
                _ if character.is_control() => write!(self, "\\x{:02x}", u32::from(character))?,
                _ => self.write_char(character)?,
            }
        }
        self.write_char(quote)
    }

    fn bytes(&mut self, bytes: &[u8]) -> std::fmt::Result {
        self.write_str("b'")?;
        for &byte in bytes {
            match byte {
                b'\n' => self.write_str("\\n")?,
                b'\r' => self.write_str("\\r")?,
                b'\t' => self.write_str("\\t")?,
                b'\\' | b'\'' => write!(self, "\\{}", char::from(byte))?,
                0x20..=0x7E => self.write_char(char::from(byte))?,
                _ => write!(self, "\\x{byte:02x}")?,
            }
        }
        self.write_str("'")
    }

    fn temporal(&mut self, temporal: &Temporal) -> std::fmt::Result {
        let name = match temporal {
            Temporal::Date(_) => "date",
            Temporal::Time(_) => "time",
            Temporal::DateTime(_) => "datetime",
            Temporal::TimeDelta(_) => "timedelta",
        };
        write!(self, "{name}(")?;
        for (index, field) in temporal.fields().iter().enumerate() {
            write!(self, "{}{field}", if index == 0 { "" } else { ", " })?;
        }
        self.write_str(")")
    }
}

/// `float64` for `<f8`.
fn numpy_name(dtype: &str) -> String {
    let kind = dtype.trim_start_matches(['<', '>', '|', '=']);
    let bits =
        kind.get(1..).and_then(|size| size.parse::<u32>().ok()).unwrap_or(0).saturating_mul(8);
    match kind.as_bytes().first() {
        Some(b'b') => "bool".to_owned(),
        Some(b'i') => format!("int{bits}"),
        Some(b'u') => format!("uint{bits}"),
        Some(b'f') => format!("float{bits}"),
        Some(b'c') => format!("complex{bits}"),
        Some(b'U') => "str_".to_owned(),
        Some(b'S') => "bytes_".to_owned(),
        _ => kind.to_owned(),
    }
}

/// The shortest text that reads back as the same float, as Python lays it out.
fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    format!("{float:?}")
}
