//! The bytes of a value: a tag, then what belongs to it; lengths and small integers as base-128 varints.
//!
//! Reading treats the bytes as written by an enemy: it ends, it cannot overflow the stack, and it allocates
//! no more than a small multiple of their number.

use dashu_int::IBig;

use super::{
    Decimal, DictFault, DictItems, Fraction, Handle, MAX_DEPTH, NumpyArray, NumpyScalar, Range,
    SetItems, Temporal, Text, Value,
};

/// The most items that are reserved before they are read.
const MAX_RESERVED: usize = 64;

mod tag {
    pub(super) const NONE: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const ELLIPSIS: u8 = 3;
    pub(super) const INT: u8 = 4;
    pub(super) const BIG_INT: u8 = 5;
    pub(super) const FLOAT: u8 = 6;
    pub(super) const COMPLEX: u8 = 7;
    pub(super) const STR: u8 = 8;
    pub(super) const BYTES: u8 = 9;
    pub(super) const BYTE_ARRAY: u8 = 10;
    pub(super) const LIST: u8 = 11;
    pub(super) const TUPLE: u8 = 12;
    pub(super) const DEQUE: u8 = 13;
    pub(super) const SET: u8 = 14;
    pub(super) const FROZEN_SET: u8 = 15;
    pub(super) const DICT: u8 = 16;
    pub(super) const RANGE: u8 = 17;
    pub(super) const DECIMAL: u8 = 18;
    pub(super) const FRACTION: u8 = 19;
    pub(super) const DATE: u8 = 20;
    pub(super) const TIME: u8 = 21;
    pub(super) const DATE_TIME: u8 = 22;
    pub(super) const TIME_DELTA: u8 = 23;
    pub(super) const TYPE: u8 = 24;
    pub(super) const NUMPY_SCALAR: u8 = 25;
    pub(super) const NUMPY_ARRAY: u8 = 26;
    pub(super) const OPAQUE: u8 = 27;
    pub(super) const HANDLE: u8 = 28;
}

/// Why bytes are not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside the value.
    #[error("the value is cut off")]
    Truncated,
    /// Bytes follow the value.
    #[error("{0} bytes follow the value")]
    TrailingBytes(usize),
    /// No type has this tag.
    #[error("no type has the tag {0}")]
    UnknownTag(u8),
    /// Containers inside containers beyond [`MAX_DEPTH`].
    #[error("more than {MAX_DEPTH} containers inside each other")]
    TooDeep,
    /// A part that its type does not allow, or that is larger than allowed.
    #[error("not a valid {0}")]
    Invalid(&'static str),
    /// A key or a member of a set that Python cannot hash.
    #[error("a key or a member of a set cannot be hashed")]
    Unhashable,
    /// A dictionary has two equal keys.
    #[error("two keys of a dictionary are equal")]
    DuplicateKey,
}

impl Value {
    /// The bytes of this value.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, self);
        bytes
    }

    /// The value of these bytes, whoever wrote them.
    ///
    /// # Errors
    /// If they are anything but one whole value.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(MAX_DEPTH)?;
        match reader.rest.len() {
            0 => Ok(value),
            extra => Err(DecodeError::TrailingBytes(extra)),
        }
    }
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::None => out.push(tag::NONE),
        Value::Bool(false) => out.push(tag::FALSE),
        Value::Bool(true) => out.push(tag::TRUE),
        Value::Ellipsis => out.push(tag::ELLIPSIS),
        Value::Int(integer) => write_integer(out, integer),
        Value::Float(float) => {
            out.push(tag::FLOAT);
            out.extend(float.to_le_bytes());
        }
        Value::Complex(real, imaginary) => {
            out.push(tag::COMPLEX);
            out.extend(real.to_le_bytes());
            out.extend(imaginary.to_le_bytes());
        }
        Value::Str(text) => write_bytes(out, tag::STR, text.as_bytes()),
        Value::Bytes(bytes) => write_bytes(out, tag::BYTES, bytes),
        Value::ByteArray(bytes) => write_bytes(out, tag::BYTE_ARRAY, bytes),
        Value::List(items) => write_items(out, tag::LIST, items),
        Value::Tuple(items) => write_items(out, tag::TUPLE, items),
        Value::Deque(items) => write_items(out, tag::DEQUE, items),
        Value::Set(items) => write_items(out, tag::SET, items.as_slice()),
        Value::FrozenSet(items) => write_items(out, tag::FROZEN_SET, items.as_slice()),
        Value::Dict(items) => {
            out.push(tag::DICT);
            write_length(out, items.entries().len());
            for (key, value) in items.entries() {
                write(out, key);
                write(out, value);
            }
        }
        Value::Range(range) => {
            out.push(tag::RANGE);
            range.parts().into_iter().for_each(|part| write_integer(out, part));
        }
        Value::Decimal(decimal) => write_bytes(out, tag::DECIMAL, decimal.text().as_bytes()),
        Value::Fraction(fraction) => {
            out.push(tag::FRACTION);
            write_integer(out, fraction.numerator());
            write_integer(out, fraction.denominator());
        }
        Value::Temporal(temporal) => {
            out.push(match **temporal {
                Temporal::Date(_) => tag::DATE,
                Temporal::Time(_) => tag::TIME,
                Temporal::DateTime(_) => tag::DATE_TIME,
                Temporal::TimeDelta(_) => tag::TIME_DELTA,
            });
            temporal.fields().iter().for_each(|&field| write_small(out, i64::from(field)));
        }
        Value::Type(name) => write_bytes(out, tag::TYPE, name.as_bytes()),
        Value::NumpyScalar(scalar) => {
            write_bytes(out, tag::NUMPY_SCALAR, scalar.dtype.as_bytes());
            write(out, &scalar.item);
        }
        Value::NumpyArray(array) => {
            write_bytes(out, tag::NUMPY_ARRAY, array.dtype().as_bytes());
            write_length(out, array.shape().len());
            array.shape().iter().for_each(|&length| write_length(out, length));
            write_length(out, array.items().len());
            array.items().iter().for_each(|item| write(out, item));
        }
        Value::Opaque(name) => write_bytes(out, tag::OPAQUE, name.as_bytes()),
        Value::Handle(handle) => {
            write_bytes(out, tag::HANDLE, handle.type_name.as_bytes());
            write_varint(out, handle.number);
        }
    }
}

fn write_items(out: &mut Vec<u8>, tag: u8, items: &[Value]) {
    out.push(tag);
    write_length(out, items.len());
    for item in items {
        write(out, item);
    }
}

fn write_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    write_length(out, bytes.len());
    out.extend(bytes);
}

fn write_integer(out: &mut Vec<u8>, integer: &IBig) {
    if let Ok(small) = i64::try_from(integer) {
        out.push(tag::INT);
        write_small(out, small);
    } else {
        write_bytes(out, tag::BIG_INT, &integer.to_le_bytes());
    }
}

/// The sign in the lowest bit, so that small negative numbers are short.
fn write_small(out: &mut Vec<u8>, number: i64) {
    write_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    write_varint(out, length as u64);
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7F) as u8);
}

struct Reader<'a> {
    rest: &'a [u8],
}

type Decoded<T> = Result<T, DecodeError>;

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Decoded<Value> {
        Ok(match self.byte()? {
            tag::NONE => Value::None,
            tag::FALSE => Value::Bool(false),
            tag::TRUE => Value::Bool(true),
            tag::ELLIPSIS => Value::Ellipsis,
            tag @ (tag::INT | tag::BIG_INT) => Value::Int(self.integer_of(tag)?),
            tag::FLOAT => Value::Float(self.float()?),
            tag::COMPLEX => Value::Complex(self.float()?, self.float()?),
            tag::STR => {
                let text = Text::from_bytes(self.bytes()?.to_vec());
                Value::Str(text.ok_or(DecodeError::Invalid("str"))?)
            }
            tag::BYTES => Value::Bytes(self.bytes()?.to_vec()),
            tag::BYTE_ARRAY => Value::ByteArray(self.bytes()?.to_vec()),
            tag::LIST => Value::List(self.items(depth)?),
            tag::TUPLE => Value::Tuple(self.items(depth)?),
            tag::DEQUE => Value::Deque(self.items(depth)?),
            tag::SET => Value::Set(self.set(depth)?),
            tag::FROZEN_SET => Value::FrozenSet(self.set(depth)?),
            tag::DICT => Value::Dict(Box::new(self.dict(depth)?)),
            tag::RANGE => {
                let range = Range::new(self.integer()?, self.integer()?, self.integer()?);
                Value::Range(Box::new(range.ok_or(DecodeError::Invalid("range"))?))
            }
            tag::DECIMAL => {
                let decimal = Decimal::parse(self.text("Decimal")?);
                Value::Decimal(Box::new(decimal.ok_or(DecodeError::Invalid("Decimal"))?))
            }
            tag::FRACTION => {
                let fraction = Fraction::new(self.integer()?, self.integer()?);
                Value::Fraction(Box::new(fraction.ok_or(DecodeError::Invalid("Fraction"))?))
            }
            tag::DATE => temporal(Temporal::Date(self.fields()?))?,
            tag::TIME => temporal(Temporal::Time(self.fields()?))?,
            tag::DATE_TIME => temporal(Temporal::DateTime(self.fields()?))?,
            tag::TIME_DELTA => temporal(Temporal::TimeDelta(self.fields()?))?,
            tag::TYPE => Value::Type(self.text("type")?.to_owned()),
            tag::NUMPY_SCALAR => {
                let dtype = self.text("dtype")?.to_owned();
                let item = self.value(inner(depth)?)?;
                Value::NumpyScalar(Box::new(NumpyScalar { dtype, item }))
            }
            tag::NUMPY_ARRAY => self.array(depth)?,
            tag::OPAQUE => Value::Opaque(self.text("type name")?.to_owned()),
            tag::HANDLE => {
                let type_name = self.text("type name")?.to_owned();
                Value::Handle(Box::new(Handle { number: self.varint()?, type_name }))
            }
            unknown => return Err(DecodeError::UnknownTag(unknown)),
        })
    }

    fn items(&mut self, depth: usize) -> Decoded<Vec<Value>> {
        let depth = inner(depth)?;
        let count = self.count(1)?;
        let mut items = Vec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    fn set(&mut self, depth: usize) -> Decoded<SetItems> {
        SetItems::new(self.items(depth)?).ok_or(DecodeError::Unhashable)
    }

    fn dict(&mut self, depth: usize) -> Decoded<DictItems> {
        let depth = inner(depth)?;
        let count = self.count(2)?;
        let mut entries = Vec::with_capacity(count.min(MAX_RESERVED));
        for _ in 0..count {
            entries.push((self.value(depth)?, self.value(depth)?));
        }
        DictItems::new(entries).map_err(|fault| match fault {
            DictFault::UnhashableKey => DecodeError::Unhashable,
            DictFault::DuplicateKey => DecodeError::DuplicateKey,
            DictFault::TooMany => DecodeError::Invalid("dict"),
        })
    }

    fn array(&mut self, depth: usize) -> Decoded<Value> {
        let invalid = DecodeError::Invalid("ndarray");
        let dtype = self.text("dtype")?.to_owned();
        let dimensions = self.count(1)?;
        let shape = (0..dimensions)
            .map(|_| usize::try_from(self.varint()?).map_err(|_| invalid.clone()))
            .collect::<Decoded<Vec<usize>>>()?;
        let items = self.items(depth)?;
        let array = NumpyArray::new(dtype, shape, items).ok_or(invalid)?;
        Ok(Value::NumpyArray(Box::new(array)))
    }

    fn integer(&mut self) -> Decoded<IBig> {
        let tag = self.byte()?;
        self.integer_of(tag)
    }

    fn integer_of(&mut self, tag: u8) -> Decoded<IBig> {
        match tag {
            tag::INT => self.small().map(IBig::from),
            tag::BIG_INT => self.bytes().map(IBig::from_le_bytes),
            _ => Err(DecodeError::Invalid("int")),
        }
    }

    fn fields<const COUNT: usize>(&mut self) -> Decoded<[i32; COUNT]> {
        let mut fields = [0; COUNT];
        for field in &mut fields {
            *field = i32::try_from(self.small()?).map_err(|_| DecodeError::Invalid("date"))?;
        }
        Ok(fields)
    }

    fn small(&mut self) -> Decoded<i64> {
        let bits = self.varint()?;
        Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
    }

    /// How many items follow, each of at least `size` bytes: no more than the rest can hold.
    fn count(&mut self, size: usize) -> Decoded<usize> {
        let count = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)?;
        if count > self.rest.len() / size { Err(DecodeError::Truncated) } else { Ok(count) }
    }

    fn text(&mut self, what: &'static str) -> Decoded<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Invalid(what))
    }

    fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let count = self.count(1)?;
        self.take(count)
    }

    fn float(&mut self) -> Decoded<f64> {
        let bytes = self.take(8)?;
        bytes.try_into().map(f64::from_le_bytes).map_err(|_| DecodeError::Truncated)
    }

    fn varint(&mut self) -> Decoded<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Invalid("length"))
    }

    fn byte(&mut self) -> Decoded<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn inner(depth: usize) -> Decoded<usize> {
    depth.checked_sub(1).ok_or(DecodeError::TooDeep)
}

fn temporal(temporal: Temporal) -> Decoded<Value> {
    let time_is_valid = |fields: &[i32]| {
        fields.iter().zip([24, 60, 60, 1_000_000]).all(|(&field, end)| (0..end).contains(&field))
    };
    let date_is_valid = |fields: &[i32]| {
        let ranges = [1..10_000, 1..13, 1..32];
        fields.iter().zip(ranges).all(|(field, range)| range.contains(field))
    };
    let valid = match &temporal {
        Temporal::Date(fields) => date_is_valid(fields),
        Temporal::Time(fields) => time_is_valid(fields),
        Temporal::DateTime(fields) => date_is_valid(&fields[..3]) && time_is_valid(&fields[3..]),
        Temporal::TimeDelta([days, seconds, micros]) => {
            days.unsigned_abs() < 1_000_000_000
                && (0..86_400).contains(seconds)
                && (0..1_000_000).contains(micros)
        }
    };
    if valid { Ok(Value::Temporal(Box::new(temporal))) } else { Err(DecodeError::Invalid("date")) }
}
