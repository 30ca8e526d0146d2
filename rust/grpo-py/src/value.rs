//! Python objects as plain values, and back.
//!
//! Objects are read by the content of their builtin type. No method is called that a subclass could have
//! overridden: what a program defines has no say in what it is seen to return.

use grpo_sandbox::{
    Decimal, DictFault, DictItems, Fraction, Handle, MAX_DEPTH, NumpyArray, NumpyScalar, Range,
    SetItems, Temporal, Text, Value,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDict, PyEllipsis, PyFloat, PyFrozenSet, PyInt,
    PyIterator, PyList, PyRange, PySet, PyString, PyTuple, PyType,
};

use crate::errors::input_error;

/// The most bytes that a value may take, with [`ITEM_COST`] for each part of it. Bounds the memory for a
/// small object that is reached over many paths.
const MAX_COST: usize = 64 << 20;

/// What one object costs beside its text or bytes.
const ITEM_COST: usize = 16;

/// The longest name of a type that is kept, in characters.
const MAX_TYPE_NAME: usize = 100;

/// The kinds of numpy items that have a Python value.
const NUMPY_KINDS: &str = "biufcSU";

/// An object that has no value outside of its process.
#[pyclass(frozen, module = "grpo_rs._core")]
pub(crate) struct OpaqueValue {
    /// The name of its type.
    #[pyo3(get)]
    type_name: String,
}

#[pymethods]
impl OpaqueValue {
    #[new]
    fn new(type_name: String) -> Self {
        Self { type_name }
    }

    fn __repr__(&self) -> String {
        format!("<{} object>", self.type_name)
    }
}

/// An object that stayed in its process, by the number that it has there.
#[pyclass(frozen, module = "grpo_rs._core")]
pub(crate) struct HandleValue {
    /// Its number.
    #[pyo3(get)]
    number: u64,
    /// The name of its type.
    #[pyo3(get)]
    type_name: String,
}

#[pymethods]
impl HandleValue {
    #[new]
    fn new(number: u64, type_name: String) -> Self {
        Self { number, type_name }
    }

    fn __repr__(&self) -> String {
        format!("<{} object, handle {}>", self.type_name, self.number)
    }
}

/// The value of an object. Objects without one become [`Value::Opaque`], or, where `handle_for` returns a
/// number for them, [`Value::Handle`].
///
/// # Errors
/// `ValueError` if it is too large, or if containers stand too deep inside each other.
pub(crate) fn from_python(
    object: &Bound<'_, PyAny>,
    handle_for: Option<&Bound<'_, PyAny>>,
) -> PyResult<Value> {
    Reader { left: MAX_COST, handle_for }.read(object, MAX_DEPTH)
}

struct Reader<'a, 'py> {
    left: usize,
    handle_for: Option<&'a Bound<'py, PyAny>>,
}

impl<'py> Reader<'_, 'py> {
    fn read(&mut self, object: &Bound<'py, PyAny>, depth: usize) -> PyResult<Value> {
        self.spend(ITEM_COST)?;
        if object.is_none() {
            return Ok(Value::None);
        }
        if let Ok(bit) = object.cast::<PyBool>() {
            return Ok(Value::Bool(bit.is_true()));
        }
        // numpy's scalars are partly subclasses of Python's, and are asked for first. Exact types need not wait.
        let is_plain = object.is_exact_instance_of::<PyInt>()
            || object.is_exact_instance_of::<PyString>()
            || object.is_exact_instance_of::<PyFloat>()
            || object.is_exact_instance_of::<PyList>()
            || object.is_exact_instance_of::<PyTuple>()
            || object.is_exact_instance_of::<PyDict>();
        if !is_plain && let Some(value) = self.numpy(object, depth)? {
            return Ok(value);
        }
        if let Some(value) = self.builtin(object, depth)? {
            return Ok(value);
        }
        match self.library(object, depth)? {
            Some(value) => Ok(value),
            None => self.other(object),
        }
    }

    /// What [`builtins`] defines, subclasses included.
    fn builtin(&mut self, object: &Bound<'py, PyAny>, depth: usize) -> PyResult<Option<Value>> {
        let py = object.py();
        Ok(Some(if object.cast::<PyInt>().is_ok() {
            match object.extract::<i64>() {
                Ok(small) => small.into(),
                Err(_) => self.big_integer(object)?,
            }
        } else if let Ok(text) = object.cast::<PyString>() {
            Value::Str(self.text(text)?)
        } else if let Ok(float) = object.cast::<PyFloat>() {
            Value::Float(float.value())
        } else if let Ok(list) = object.cast::<PyList>() {
            Value::List(self.items(list.iter().map(Ok), depth)?)
        } else if let Ok(tuple) = object.cast::<PyTuple>() {
            Value::Tuple(self.items(tuple.iter().map(Ok), depth)?)
        } else if let Ok(dict) = object.cast::<PyDict>() {
            self.dict(dict, depth)?
        } else if object.cast::<PySet>().is_ok() {
            let members = members(&py.get_type::<PySet>(), object)?;
            Value::Set(self.set(members, depth)?)
        } else if object.cast::<PyFrozenSet>().is_ok() {
            let members = members(&py.get_type::<PyFrozenSet>(), object)?;
            Value::FrozenSet(self.set(members, depth)?)
        } else if let Ok(bytes) = object.cast::<PyBytes>() {
            self.spend(bytes.as_bytes().len())?;
            Value::Bytes(bytes.as_bytes().to_vec())
        } else if let Ok(bytes) = object.cast::<PyByteArray>() {
            self.spend(bytes.len())?;
            Value::ByteArray(bytes.to_vec())
        } else if let Ok(complex) = object.cast::<PyComplex>() {
            Value::Complex(complex.real(), complex.imag())
        } else if object.is_exact_instance_of::<PyRange>() {
            let mut part = |name: &str| self.integer(&object.getattr(name)?);
            let range = Range::new(part("start")?, part("stop")?, part("step")?);
            Value::Range(Box::new(range.ok_or_else(|| too_large("range"))?))
        } else if object.is_exact_instance_of::<PyEllipsis>() {
            Value::Ellipsis
        } else if let Ok(class) = object.cast::<PyType>()
            && let Some(name) = builtin_name(class)
        {
            Value::Type(name)
        } else {
            return Ok(None);
        }))
    }

    /// What the standard library's modules define, if they are loaded; nothing has their types otherwise.
    fn library(&mut self, object: &Bound<'py, PyAny>, depth: usize) -> PyResult<Option<Value>> {
        if let Some(class) = class_of(object, "collections", "deque") {
            return Ok(Some(Value::Deque(self.items(members(&class, object)?, depth)?)));
        }
        if let Some(class) = class_of(object, "decimal", "Decimal") {
            let text = class.getattr("__str__")?.call1((object,))?;
            let text = self.text(text.cast()?)?;
            let decimal = text.as_str().and_then(Decimal::parse);
            return Ok(Some(Value::Decimal(Box::new(
                decimal.ok_or_else(|| too_large("Decimal"))?,
            ))));
        }
        if let Some(class) = class_of(object, "fractions", "Fraction") {
            let mut part = |name: &str| self.integer(&field(&class, object, name)?);
            let fraction = Fraction::new(part("_numerator")?, part("_denominator")?);
            let fraction = fraction.ok_or_else(|| too_large("Fraction"))?;
            return Ok(Some(Value::Fraction(Box::new(fraction))));
        }
        temporal(object)
            .map(|temporal| temporal.map(|temporal| Value::Temporal(Box::new(temporal))))
    }

    fn numpy(&mut self, object: &Bound<'py, PyAny>, depth: usize) -> PyResult<Option<Value>> {
        if let Some(class) = class_of(object, "numpy", "generic") {
            let (kind, dtype) = dtype_of(&class, object)?;
            if !NUMPY_KINDS.contains(&kind) {
                return self.other(object).map(Some);
            }
            let item = class.getattr("item")?.call1((object,))?;
            if class_of(&item, "numpy", "generic").is_some() {
                // A long double has no Python value.
                return self.other(object).map(Some);
            }
            let item = self.read(&item, inner(depth)?)?;
            return Ok(Some(Value::NumpyScalar(Box::new(NumpyScalar { dtype, item }))));
        }
        if let Some(class) = class_of(object, "numpy", "ndarray") {
            let (kind, dtype) = dtype_of(&class, object)?;
            if !NUMPY_KINDS.contains(&kind) && kind != "O" {
                return self.other(object).map(Some);
            }
            let shape: Vec<usize> = field(&class, object, "shape")?.extract()?;
            let size: usize = field(&class, object, "size")?.extract()?;
            if size > self.left / ITEM_COST {
                return Err(too_large("ndarray"));
            }
            let flat = class.getattr("flatten")?.call1((object,))?;
            let list = class.getattr("tolist")?.call1((flat,))?;
            let items = self.items(list.cast::<PyList>()?.iter().map(Ok), depth)?;
            let array = NumpyArray::new(dtype, shape, items).ok_or_else(|| too_large("ndarray"))?;
            return Ok(Some(Value::NumpyArray(Box::new(array))));
        }
        Ok(None)
    }

    /// What has no value here.
    fn other(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Value> {
        if let Ok(opaque) = object.cast_exact::<OpaqueValue>() {
            return Ok(Value::Opaque(opaque.get().type_name.clone()));
        }
        if let Ok(handle) = object.cast_exact::<HandleValue>() {
            let HandleValue { number, type_name } = handle.get();
            return Ok(Value::Handle(Box::new(Handle {
                number: *number,
                type_name: type_name.clone(),
            })));
        }
        let type_name = type_name(object);
        self.spend(type_name.len())?;
        if let Some(handle_for) = self.handle_for
            && let Some(number) = handle_for.call1((object,))?.extract::<Option<u64>>()?
        {
            return Ok(Value::Handle(Box::new(Handle { number, type_name })));
        }
        Ok(Value::Opaque(type_name))
    }

    fn items(
        &mut self,
        objects: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        depth: usize,
    ) -> PyResult<Vec<Value>> {
        let depth = inner(depth)?;
        objects.map(|object| self.read(&object?, depth)).collect()
    }

    fn set(
        &mut self,
        members: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
        depth: usize,
    ) -> PyResult<SetItems> {
        let depth = inner(depth)?;
        let items = members.map(|member| self.key(&member?, depth)).collect::<PyResult<_>>()?;
        SetItems::new(items).ok_or_else(|| input_error("a member of a set cannot be hashed"))
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>, depth: usize) -> PyResult<Value> {
        let depth = inner(depth)?;
        let items = dict.items();
        let entries = items.iter().map(|item| {
            let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            Ok((self.key(&key, depth)?, self.read(&value, depth)?))
        });
        let items =
            DictItems::new(entries.collect::<PyResult<_>>()?).map_err(|fault| match fault {
                DictFault::UnhashableKey => input_error("a key cannot be hashed"),
                DictFault::DuplicateKey => input_error("two keys of a dict are equal by content"),
                DictFault::TooMany => too_large("dict"),
            })?;
        Ok(Value::Dict(Box::new(items)))
    }

    /// A member of a set or a key: a class of the program can make hashable what has no hash as a value.
    fn key(&mut self, object: &Bound<'py, PyAny>, depth: usize) -> PyResult<Value> {
        let value = self.read(object, depth)?;
        if value.is_hashable() { Ok(value) } else { self.other(object) }
    }

    fn text(&mut self, text: &Bound<'py, PyString>) -> PyResult<Text> {
        if let Ok(utf8) = text.to_str() {
            self.spend(utf8.len())?;
            return Ok(utf8.to_owned().into());
        }
        let encode = text.py().get_type::<PyString>().getattr("encode")?;
        let encoded = encode.call1((text, "utf-8", "surrogatepass"))?;
        let bytes = encoded.cast::<PyBytes>()?.as_bytes();
        self.spend(bytes.len())?;
        Text::from_bytes(bytes.to_vec()).ok_or_else(|| input_error("a str that is no Unicode"))
    }

    fn big_integer(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Value> {
        let py = object.py();
        let int = py.get_type::<PyInt>();
        let bits: usize = int.getattr("bit_length")?.call1((object,))?.extract()?;
        let count = bits / 8 + 1;
        self.spend(count)?;
        let signed = PyDict::new(py);
        signed.set_item("signed", true)?;
        let bytes = int.getattr("to_bytes")?.call((object, count, "little"), Some(&signed))?;
        Ok(Value::int_from_le_bytes(bytes.cast::<PyBytes>()?.as_bytes()))
    }

    fn integer(&mut self, object: &Bound<'py, PyAny>) -> PyResult<grpo_sandbox::BigInt> {
        match self.builtin(object, 0)? {
            Some(Value::Int(integer)) => Ok(integer),
            _ => Err(input_error("a number that is no int")),
        }
    }

    fn spend(&mut self, cost: usize) -> PyResult<()> {
        self.left = self.left.checked_sub(cost).ok_or_else(|| too_large("value"))?;
        Ok(())
    }
}

/// The iterator of the builtin class, whatever the object's own class says.
fn members<'py>(
    class: &Bound<'py, PyType>,
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyIterator>> {
    class.getattr("__iter__")?.call1((object,))?.try_iter()
}

/// An attribute as `class` defines it.
fn field<'py>(
    class: &Bound<'py, PyType>,
    object: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    class.getattr(name)?.call_method1("__get__", (object,))
}

/// The class `module.name`, if the object's real type is that or a subclass. `object.__class__` is not asked.
fn class_of<'py>(
    object: &Bound<'py, PyAny>,
    module: &str,
    name: &str,
) -> Option<Bound<'py, PyType>> {
    let class =
        loaded_module(object.py(), module)?.getattr(name).ok()?.cast_into::<PyType>().ok()?;
    object.get_type().is_subclass(&class).ok()?.then_some(class)
}

/// A module that has been imported; never imports one, which could take long or run a program's code.
fn loaded_module<'py>(py: Python<'py>, name: &str) -> Option<Bound<'py, PyAny>> {
    static LOADED: PyOnceLock<Option<Py<PyDict>>> = PyOnceLock::new();
    let loaded = LOADED.get_or_init(py, || {
        let modules = py.import("sys").and_then(|sys| sys.getattr("modules")).ok()?;
        modules.cast_into::<PyDict>().ok().map(Bound::unbind)
    });
    loaded.as_ref()?.bind(py).get_item(name).ok()?
}

fn builtin_name(class: &Bound<'_, PyType>) -> Option<String> {
    let name = class.name().ok()?;
    let named = loaded_module(class.py(), "builtins")?.getattr(&name).ok()?;
    named.is(class).then(|| name.to_string_lossy().into_owned())
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(
        |_| "object".to_owned(),
        |name| name.to_string_lossy().chars().take(MAX_TYPE_NAME).collect(),
    )
}

/// Kind and text of a numpy object's item type.
fn dtype_of(class: &Bound<'_, PyType>, object: &Bound<'_, PyAny>) -> PyResult<(String, String)> {
    let dtype = field(class, object, "dtype")?;
    Ok((dtype.getattr("kind")?.extract()?, dtype.getattr("str")?.extract()?))
}

/// A date, time or duration; what has a time zone is none.
fn temporal(object: &Bound<'_, PyAny>) -> PyResult<Option<Temporal>> {
    let class = |name| class_of(object, "datetime", name);
    let date = ["year", "month", "day"];
    let time = ["hour", "minute", "second", "microsecond"];
    if let Some(class) = class("datetime") {
        return match (fields(&class, object, date)?, fields(&class, object, time)?) {
            (_, _) if !field(&class, object, "tzinfo")?.is_none() => Ok(None),
            ([year, month, day], [hour, minute, second, micro]) => {
                Ok(Some(Temporal::DateTime([year, month, day, hour, minute, second, micro])))
            }
        };
    }
    if let Some(class) = class("date") {
        return Ok(Some(Temporal::Date(fields(&class, object, date)?)));
    }
    if let Some(class) = class("time") {
        let naive = field(&class, object, "tzinfo")?.is_none();
        let fields = fields(&class, object, time)?;
        return Ok(naive.then_some(Temporal::Time(fields)));
    }
    if let Some(class) = class("timedelta") {
        let fields = fields(&class, object, ["days", "seconds", "microseconds"])?;
        return Ok(Some(Temporal::TimeDelta(fields)));
    }
    Ok(None)
}

fn fields<const COUNT: usize>(
    class: &Bound<'_, PyType>,
    object: &Bound<'_, PyAny>,
    names: [&str; COUNT],
) -> PyResult<[i32; COUNT]> {
    let mut fields = [0; COUNT];
    for (number, name) in fields.iter_mut().zip(names) {
        *number = field(class, object, name)?.extract()?;
    }
    Ok(fields)
}

fn inner(depth: usize) -> PyResult<usize> {
    depth.checked_sub(1).ok_or_else(|| {
        input_error(format!(
            "more than {MAX_DEPTH} containers stand inside each other, or one in itself"
        ))
    })
}

fn too_large(what: &str) -> PyErr {
    input_error(format!("the {what} is too large"))
}

/// The object of a value. `object_for(number, type_name)` gives what a handle stands for; without it, handles
/// become [`HandleValue`].
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    value: &Value,
    object_for: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    Writer { py, object_for }.object(value)
}

struct Writer<'a, 'py> {
    py: Python<'py>,
    object_for: Option<&'a Bound<'py, PyAny>>,
}

impl<'py> Writer<'_, 'py> {
    fn object(&self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        Ok(match value {
            Value::None => py.None().into_bound(py),
            Value::Ellipsis => py.Ellipsis().into_bound(py),
            Value::Bool(bit) => PyBool::new(py, *bit).to_owned().into_any(),
            Value::Int(integer) => self.integer(integer)?,
            Value::Float(float) => PyFloat::new(py, *float).into_any(),
            Value::Complex(real, imaginary) => {
                PyComplex::from_doubles(py, *real, *imaginary).into_any()
            }
            Value::Str(text) => self.text(text)?,
            Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
            Value::ByteArray(bytes) => PyByteArray::new(py, bytes).into_any(),
            Value::List(items) => PyList::new(py, self.objects(items)?)?.into_any(),
            Value::Tuple(items) => PyTuple::new(py, self.objects(items)?)?.into_any(),
            Value::Deque(items) => {
                py.import("collections")?.getattr("deque")?.call1((self.objects(items)?,))?
            }
            Value::Set(items) => PySet::new(py, self.objects(items.as_slice())?)?.into_any(),
            Value::FrozenSet(items) => {
                PyFrozenSet::new(py, self.objects(items.as_slice())?)?.into_any()
            }
            Value::Dict(items) => {
                let dict = PyDict::new(py);
                for (key, value) in items.entries() {
                    dict.set_item(self.object(key)?, self.object(value)?)?;
                }
                dict.into_any()
            }
            Value::Range(range) => {
                let [start, end, step] = range.parts().map(|part| self.integer(part));
                py.get_type::<PyRange>().call1((start?, end?, step?))?
            }
            Value::Decimal(decimal) => {
                py.import("decimal")?.getattr("Decimal")?.call1((decimal.text(),))?
            }
            Value::Fraction(fraction) => {
                let parts =
                    (self.integer(fraction.numerator())?, self.integer(fraction.denominator())?);
                py.import("fractions")?.getattr("Fraction")?.call1(parts)?
            }
            Value::Temporal(temporal) => {
                let class = py.import("datetime")?.getattr(value.type_name())?;
                class.call1(PyTuple::new(py, temporal.fields())?)?
            }
            Value::Type(name) => self.builtin_type(name)?,
            Value::NumpyScalar(scalar) => self.numpy_scalar(scalar)?,
            Value::NumpyArray(array) => self.numpy_array(array)?,
            Value::Opaque(type_name) => {
                Bound::new(py, OpaqueValue::new(type_name.clone()))?.into_any()
            }
            Value::Handle(handle) => {
                let Handle { number, type_name } = &**handle;
                match self.object_for {
                    Some(object_for) => object_for.call1((*number, type_name))?,
                    None => {
                        Bound::new(py, HandleValue::new(*number, type_name.clone()))?.into_any()
                    }
                }
            }
        })
    }

    fn text(&self, text: &Text) -> PyResult<Bound<'py, PyAny>> {
        if let Some(text) = text.as_str() {
            return Ok(PyString::new(self.py, text).into_any());
        }
        let bytes = PyBytes::new(self.py, text.as_bytes());
        self.py.get_type::<PyString>().call1((bytes, "utf-8", "surrogatepass"))
    }

    fn objects(&self, items: &[Value]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        items.iter().map(|item| self.object(item)).collect()
    }

    fn integer(&self, integer: &grpo_sandbox::BigInt) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        if let Ok(small) = i64::try_from(integer) {
            return Ok(small.into_pyobject(py)?.into_any());
        }
        let bytes = PyBytes::new(py, &integer.to_le_bytes());
        let signed = PyDict::new(py);
        signed.set_item("signed", true)?;
        py.get_type::<PyInt>().getattr("from_bytes")?.call((bytes, "little"), Some(&signed))
    }

    fn builtin_type(&self, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let named = self.py.import("builtins")?.getattr(name).ok();
        match named.filter(|named| named.cast::<PyType>().is_ok()) {
            Some(class) => Ok(class),
            None => Ok(Bound::new(self.py, OpaqueValue::new("type".to_owned()))?.into_any()),
        }
    }

    /// The plain item where there is no numpy.
    fn numpy_scalar(&self, scalar: &NumpyScalar) -> PyResult<Bound<'py, PyAny>> {
        let item = self.object(&scalar.item)?;
        match self.numpy_for(&scalar.dtype, 1) {
            Some(numpy) => {
                let class = numpy.getattr("dtype")?.call1((&scalar.dtype,))?.getattr("type")?;
                class.call1((item,))
            }
            None => Ok(item),
        }
    }

    /// Nested lists where there is no numpy.
    fn numpy_array(&self, array: &NumpyArray) -> PyResult<Bound<'py, PyAny>> {
        let items = self.objects(array.items())?;
        let Some(numpy) = self.numpy_for(array.dtype(), items.len()) else {
            return self.nested(&items, array.shape());
        };
        let flat = numpy.getattr("empty")?.call1((items.len(), array.dtype()))?;
        for (index, item) in items.iter().enumerate() {
            flat.set_item(index, item)?;
        }
        flat.call_method1("reshape", (PyTuple::new(self.py, array.shape())?,))
    }

    fn nested(&self, items: &[Bound<'py, PyAny>], shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
        let Some((&length, rest)) = shape.split_first() else {
            return Ok(items[0].clone());
        };
        if items.is_empty() {
            // The other lengths may be anything.
            return Ok(PyList::empty(self.py).into_any());
        }
        let size = items.len().checked_div(length).unwrap_or(0);
        let rows = (0..length).map(|row| self.nested(&items[row * size..(row + 1) * size], rest));
        Ok(PyList::new(self.py, rows.collect::<PyResult<Vec<_>>>()?)?.into_any())
    }

    /// numpy, if it can be had, and if the item type is one that we write and `count` of them are not too large.
    fn numpy_for(&self, dtype: &str, count: usize) -> Option<Bound<'py, PyModule>> {
        /// The size of a character in numpy, the largest unit in which a dtype counts.
        const UNIT: usize = 4;
        let kind = dtype.trim_start_matches(['<', '>', '|', '=']);
        let (kind, size) = kind.split_at_checked(1)?;
        let bytes = match (kind, size.parse::<usize>()) {
            ("O", _) => Some(0),
            (_, Ok(size)) if NUMPY_KINDS.contains(kind) => {
                size.checked_mul(UNIT).and_then(|size| size.checked_mul(count))
            }
            _ => None,
        };
        (bytes? <= MAX_COST).then(|| self.py.import("numpy").ok()).flatten()
    }
}
