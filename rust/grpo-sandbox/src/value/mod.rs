//! Python values outside of Python.
//!
//! A program's answers arrive as bytes that a hostile process wrote. [`Value::decode`] turns them into plain
//! data, or refuses; [`Value::python_eq`] and [`Check`] then say what Python's operators would have said,
//! without a line of the program's code.
//!
//! ```
//! use grpo_sandbox::{Check, Value};
//!
//! let returned = Value::decode(&Value::List(vec![1.into(), 2.0.into()]).encode())?;
//! let expected = Value::List(vec![true.into(), 2.into()]);
//! assert!(Check::Eq(expected).check(&returned));
//! # Ok::<(), grpo_sandbox::DecodeError>(())
//! ```

mod check;
mod codec;
mod equality;
mod number;
mod show;

pub use check::Check;
pub use codec::DecodeError;
pub use number::{Decimal, Fraction, Range};

/// An integer of any size.
pub use dashu_int::IBig as BigInt;
use dashu_int::IBig;

/// How many containers may stand inside each other.
pub const MAX_DEPTH: usize = 200;

/// A Python value, by content: what a subclass adds to a builtin type is not kept.
#[derive(Clone, Debug)]
pub enum Value {
    /// `None`.
    None,
    /// `...`.
    Ellipsis,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(IBig),
    /// `float`.
    Float(f64),
    /// `complex`: real and imaginary part.
    Complex(f64, f64),
    /// `str`.
    Str(Text),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `bytearray`.
    ByteArray(Vec<u8>),
    /// `list`.
    List(Vec<Value>),
    /// `tuple`, named ones included.
    Tuple(Vec<Value>),
    /// `collections.deque`, without its bound.
    Deque(Vec<Value>),
    /// `set`.
    Set(SetItems),
    /// `frozenset`.
    FrozenSet(SetItems),
    /// `dict`, its subclasses included.
    Dict(Box<DictItems>),
    /// `range`.
    Range(Box<Range>),
    /// `decimal.Decimal`.
    Decimal(Box<Decimal>),
    /// `fractions.Fraction`.
    Fraction(Box<Fraction>),
    /// A date, a time or a duration, without a time zone.
    Temporal(Box<Temporal>),
    /// A builtin type, by name.
    Type(String),
    /// A numpy scalar.
    NumpyScalar(Box<NumpyScalar>),
    /// A numpy array.
    NumpyArray(Box<NumpyArray>),
    /// Something that has no value here, by the name of its type. Equal to nothing, itself included.
    Opaque(String),
    /// An object that stayed in its process. Equal to nothing, itself included.
    Handle(Box<Handle>),
}

impl Value {
    /// Whether Python lets it be the member of a set and the key of a dictionary.
    pub fn is_hashable(&self) -> bool {
        match self {
            Self::ByteArray(_)
            | Self::List(_)
            | Self::Deque(_)
            | Self::Set(_)
            | Self::Dict(_)
            | Self::NumpyArray(_) => false,
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            Self::NumpyScalar(scalar) => scalar.item.is_hashable(),
            _ => true,
        }
    }

    /// The name of its type, for messages.
    pub fn type_name(&self) -> &str {
        match self {
            Self::None => "NoneType",
            Self::Ellipsis => "ellipsis",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Complex(..) => "complex",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::ByteArray(_) => "bytearray",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Deque(_) => "deque",
            Self::Set(_) => "set",
            Self::FrozenSet(_) => "frozenset",
            Self::Dict(_) => "dict",
            Self::Range(_) => "range",
            Self::Decimal(_) => "Decimal",
            Self::Fraction(_) => "Fraction",
            Self::Temporal(temporal) => match **temporal {
                Temporal::Date(_) => "date",
                Temporal::Time(_) => "time",
                Temporal::DateTime(_) => "datetime",
                Temporal::TimeDelta(_) => "timedelta",
            },
            Self::Type(_) => "type",
            Self::NumpyScalar(scalar) => &scalar.dtype,
            Self::NumpyArray(_) => "ndarray",
            Self::Opaque(name) => name,
            Self::Handle(handle) => &handle.type_name,
        }
    }

    /// The `int` of two's complement bytes, the lowest first.
    pub fn int_from_le_bytes(bytes: &[u8]) -> Self {
        Self::Int(IBig::from_le_bytes(bytes))
    }

    /// The type of the first part that is no plain value, if there is one.
    pub fn opaque_part(&self) -> Option<&str> {
        match self {
            Self::Opaque(kind) => Some(kind),
            Self::Handle(handle) => Some(&handle.type_name),
            Self::List(items) | Self::Tuple(items) | Self::Deque(items) => {
                items.iter().find_map(Self::opaque_part)
            }
            Self::Set(items) | Self::FrozenSet(items) => {
                items.as_slice().iter().find_map(Self::opaque_part)
            }
            Self::Dict(items) => items
                .entries()
                .iter()
                .find_map(|(key, value)| key.opaque_part().or_else(|| value.opaque_part())),
            Self::NumpyArray(array) => array.items().iter().find_map(Self::opaque_part),
            _ => None,
        }
    }

    /// The text of a `str` that UTF-8 can hold.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => text.as_str(),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(value.to_owned().into())
    }
}

/// The text of a `str`, which may hold lone surrogates: UTF-8 with each surrogate in three bytes, as
/// `str.encode("utf-8", "surrogatepass")` writes it. Bytes compare as the code points do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Encoding);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8(String),
    /// Not UTF-8, so that equal texts are equal here.
    Surrogates(Vec<u8>),
}

impl PartialOrd for Encoding {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Encoding {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Encoding {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Surrogates(bytes) => bytes,
        }
    }
}

impl Text {
    /// From UTF-8 with surrogates; `None` for any other bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        match String::from_utf8(bytes) {
            Ok(text) => Some(Self(Encoding::Utf8(text))),
            Err(error) => {
                let bytes = error.into_bytes();
                is_surrogate_utf8(&bytes).then_some(Self(Encoding::Surrogates(bytes)))
            }
        }
    }

    /// The text, if it has no lone surrogates.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Encoding::Utf8(text) => Some(text),
            Encoding::Surrogates(_) => None,
        }
    }

    /// The text in UTF-8 with surrogates.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Encoding::Utf8(text))
    }
}

fn is_surrogate_utf8(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        let Err(error) = std::str::from_utf8(rest) else {
            return true;
        };
        rest = &rest[error.valid_up_to()..];
        let [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] = rest else {
            return false;
        };
        rest = &rest[3..];
    }
}

/// The members of a set, sorted so that equal sets are equal member by member.
#[derive(Clone, Debug)]
pub struct SetItems(Vec<Value>);

impl SetItems {
    /// Drops what equals an earlier member. `None` if a member cannot be hashed.
    pub fn new(mut items: Vec<Value>) -> Option<Self> {
        if !items.iter().all(Value::is_hashable) {
            return None;
        }
        items.sort_by(equality::order);
        items.dedup_by(|a, b| equality::same_member(a, b));
        Some(Self(items))
    }

    /// The members, in an order of our own.
    pub fn as_slice(&self) -> &[Value] {
        &self.0
    }
}

/// The entries of a dictionary as they were inserted.
#[derive(Clone, Debug)]
pub struct DictItems {
    entries: Vec<(Value, Value)>,
    /// Positions in `entries`, by key.
    sorted: Vec<u32>,
}

/// Why some entries make no dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DictFault {
    /// A key cannot be hashed.
    UnhashableKey,
    /// Two keys are equal.
    DuplicateKey,
    /// More entries than a `u32` counts.
    TooMany,
}

impl DictItems {
    /// The dictionary of these entries, in this order.
    ///
    /// # Errors
    /// If a key cannot be hashed, or two are equal.
    pub fn new(entries: Vec<(Value, Value)>) -> Result<Self, DictFault> {
        if !entries.iter().all(|(key, _)| key.is_hashable()) {
            return Err(DictFault::UnhashableKey);
        }
        let count = u32::try_from(entries.len()).map_err(|_| DictFault::TooMany)?;
        let mut sorted: Vec<u32> = (0..count).collect();
        let key = |position: u32| &entries[position as usize].0;
        sorted.sort_by(|&a, &b| equality::order(key(a), key(b)));
        if sorted.windows(2).any(|pair| equality::same_member(key(pair[0]), key(pair[1]))) {
            return Err(DictFault::DuplicateKey);
        }
        Ok(Self { entries, sorted })
    }

    /// Keys and values, in the order of insertion.
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// Keys and values, in an order that depends on the keys alone.
    fn sorted(&self) -> impl ExactSizeIterator<Item = &(Value, Value)> {
        self.sorted.iter().map(|&position| &self.entries[position as usize])
    }

    /// The value of a key that is a `str`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }
}

/// A date, a time or a duration without a time zone; the numbers in the order of Python's constructors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Temporal {
    /// Year, month, day.
    Date([i32; 3]),
    /// Hour, minute, second, microsecond.
    Time([i32; 4]),
    /// Year, month, day, hour, minute, second, microsecond.
    DateTime([i32; 7]),
    /// Days, seconds, microseconds, as Python normalises them.
    TimeDelta([i32; 3]),
}

impl Temporal {
    /// The numbers.
    pub fn fields(&self) -> &[i32] {
        match self {
            Self::Date(fields) | Self::TimeDelta(fields) => fields,
            Self::Time(fields) => fields,
            Self::DateTime(fields) => fields,
        }
    }
}

/// A numpy scalar; equal to what its item is equal to.
#[derive(Clone, Debug)]
pub struct NumpyScalar {
    /// As `dtype.str` writes it, such as `<f8`.
    pub dtype: String,
    /// The Python value.
    pub item: Value,
}

/// A numpy array.
#[derive(Clone, Debug)]
pub struct NumpyArray {
    dtype: String,
    shape: Vec<usize>,
    items: Vec<Value>,
}

impl NumpyArray {
    /// `None` unless the shape has room for exactly these items.
    pub fn new(dtype: String, shape: Vec<usize>, items: Vec<Value>) -> Option<Self> {
        let size = shape.iter().try_fold(1_usize, |size, &length| size.checked_mul(length))?;
        (size == items.len() && shape.len() <= Self::MAX_DIMENSIONS).then_some(Self {
            dtype,
            shape,
            items,
        })
    }

    /// The most dimensions that every version of numpy allows.
    const MAX_DIMENSIONS: usize = 32;

    /// As `dtype.str` writes it, such as `<f8`.
    pub fn dtype(&self) -> &str {
        &self.dtype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The items, the last dimension fastest.
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

/// An object that stayed in its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Its number there.
    pub number: u64,
    /// The name of its type.
    pub type_name: String,
}
