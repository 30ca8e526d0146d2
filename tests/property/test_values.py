"""Python objects as values: what `==` says in Python it says in Rust, and nothing is lost on the way."""

import collections
import datetime
import decimal
import enum
import fractions
import math

import numpy as np
import pytest
from grpo_rs._core import HandleValue, InputError, OpaqueValue, decode_value, encode_value, values_equal
from hypothesis import given
from hypothesis import strategies as st

# ---- plain values -------------------------------------------------------------------------------

numbers = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.integers(2**53 - 2, 2**53 + 2),
    st.sampled_from([2**200, -(2**200), 2**63, -(2**63), 10**400]),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 2.0**53, 2.0**200, math.inf]),
    st.complex_numbers(allow_nan=False),
    st.sampled_from([1 + 0j, 0j, 1j]),
    st.fractions(),
    st.decimals(allow_nan=False),
    st.sampled_from([decimal.Decimal("1.0"), decimal.Decimal("0.5"), decimal.Decimal("1E+400")]),
)
texts = st.one_of(st.text(max_size=4), st.text(st.characters(codec=None), max_size=3))
# Which of two equal times on the clock is meant (`fold`) is not kept, and does not matter to equality.
moments = st.one_of(st.datetimes(), st.times()).map(lambda moment: moment.replace(fold=0))
temporals = st.one_of(st.dates(), moments, st.timedeltas())
leaves = st.one_of(st.none(), numbers, texts, st.binary(max_size=3), temporals, st.just(...))
ranges = st.builds(range, st.integers(-4, 4), st.integers(-4, 4), st.sampled_from([-3, -1, 1, 2]))
hashables = st.recursive(
    st.one_of(leaves, ranges),
    lambda inner: st.one_of(st.tuples(inner), st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=5,
)
values = st.recursive(
    hashables,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.sets(hashables, max_size=4),
        st.dictionaries(hashables, inner, max_size=3),
        st.builds(collections.deque, st.lists(inner, max_size=2)),
        st.builds(bytearray, st.binary(max_size=3)),
    ),
    max_leaves=8,
)


def same(a, b):
    """Equal, of the same type, and alike to the sign of zero."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, list | tuple | collections.deque):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    return a == b


@given(values)
def test_encoding_loses_nothing(value):
    assert same(decode_value(encode_value(value)), value)


@given(values, values)
def test_equality_is_pythons(a, b):
    assert values_equal(a, b) == (a == b)


@given(values)
def test_every_value_equals_its_copy(value):
    assert values_equal(value, decode_value(encode_value(value)))


@given(numbers, numbers)
def test_numbers_of_any_types_are_equal_as_in_python(a, b):
    assert values_equal(a, b) == (a == b)
    assert values_equal({a}, {b}) == ({a} == {b})
    assert values_equal({a: 1}, {b: 1}) == ({a: 1} == {b: 1})


@given(st.lists(hashables, max_size=5))
def test_sets_are_equal_in_any_order(items):
    rotated = items[1:] + items[:1]
    assert values_equal(set(items), set(rotated))
    assert values_equal(dict.fromkeys(items), dict.fromkeys(rotated))


@given(st.integers(-(2**70), 2**70), st.integers(-2, 2))
def test_integers_and_floats_are_compared_exactly(number, offset):
    assert values_equal(number + offset, float(number)) == (number + offset == float(number))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_an_error(data):
    try:
        decode_value(data)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (1, True, True),
        (1, 1.0, True),
        (2**53 + 1, float(2**53), False),
        (decimal.Decimal("0.1"), 0.1, False),
        (decimal.Decimal("0.5"), 0.5, True),
        (decimal.Decimal("1.10"), decimal.Decimal("1.1"), True),
        (fractions.Fraction(1, 2), 0.5, True),
        (decimal.Decimal(1), fractions.Fraction(1), True),
        (1 + 0j, decimal.Decimal(1), True),
        (math.inf, decimal.Decimal("Infinity"), True),
        ([1], (1,), False),
        ({1}, frozenset({1}), True),
        (b"a", bytearray(b"a"), True),
        ("1", 1, False),
        (b"a", "a", False),
        (range(0), range(5, 5), True),
        (range(0, 3, 2), range(0, 4, 2), True),
        (range(3), [0, 1, 2], False),
        (datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1), False),
        (collections.deque([1]), [1], False),
        (int, int, True),
        (int, float, False),
        (None, False, False),
        ({1: "a", 2: "b"}, {2: "b", 1: "a"}, True),
        ({True: 1}, {1.0: 1}, True),
        ({(1, 2): {3}}, {(1.0, 2.0): {3.0}}, True),
        (math.nan, math.nan, False),
        ("\ud83d\ude00", "😀", False),
        (decimal.Decimal("1E+999"), decimal.Decimal("10E+998"), True),
    ],
)
def test_equality(a, b, equal):
    assert values_equal(a, b) is equal
    assert values_equal(b, a) is equal


def test_nan_has_no_identity_in_another_process():
    nan = math.nan
    assert [nan] == [nan]
    assert not values_equal([nan], [nan])
    assert not values_equal({nan}, {nan})
    assert values_equal({nan: 1, 2: 3}, {2: 3, nan: 1}) is False


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", "\ud83d\ude00", "\x00", "é😀"])
def test_text_with_surrogates(value):
    assert decode_value(encode_value(value)) == value


# ---- subclasses ---------------------------------------------------------------------------------


def refuse(*_args):
    raise AssertionError("a method of the subclass was called")


def answer(_self, _other=None):
    return True


OVERRIDDEN = [
    "__iter__",
    "__len__",
    "__int__",
    "__index__",
    "__float__",
    "__complex__",
    "__bytes__",
    "__str__",
    "__repr__",
    "__getitem__",
    "__contains__",
    "__bool__",
    "__getattribute__",
    "__reduce__",
    "__reduce_ex__",
    "__buffer__",
    "keys",
    "items",
    "values",
    "bit_length",
    "to_bytes",
    "encode",
    "tolist",
    "item",
    "flatten",
]
LIES = dict.fromkeys(OVERRIDDEN, refuse) | {
    "__eq__": answer,
    "__ne__": answer,
    "__hash__": lambda _self: 0,
    "__class__": property(lambda _: bool),
}


@pytest.mark.parametrize(
    "content",
    [
        5,
        2**100,
        2.5,
        1j,
        "text",
        "\ud800",
        b"bytes",
        bytearray(b"bytes"),
        [1, 2],
        (1, 2),
        {1, 2},
        frozenset({1, 2}),
        {1: 2},
        collections.deque([1, 2]),
        decimal.Decimal("1.5"),
        fractions.Fraction(1, 3),
        datetime.date(2020, 1, 2),
        datetime.timedelta(1, 2, 3),
        np.float64(1.5),
        np.arange(3),
    ],
)
def test_subclasses_are_read_by_content(content):
    base = type(content)
    liar = type("Liar", (base,), LIES)
    if base is np.ndarray:
        lying = content.view(liar)
    elif base is datetime.date:
        lying = liar(2020, 1, 2)
    elif base is datetime.timedelta:
        lying = liar(1, 2, 3)
    elif base is fractions.Fraction:
        lying = base.__new__(liar, 1, 3)
    else:
        lying = liar(content)
    # A bare type would show a subclass that has no effect on the test.
    assert type(lying) is liar
    back = decode_value(encode_value(lying))
    assert type(back) is base
    assert values_equal(back, content)
    assert not values_equal(lying, "anything")


def test_a_lying_member_of_a_container():
    liar = type("Liar", (int,), LIES)
    assert not values_equal([liar(1)], [2])
    assert not values_equal(liar(1), 2)
    assert values_equal([liar(1)], [1])


def test_an_object_that_equals_everything_equals_nothing():
    everything = type("Everything", (), {"__eq__": answer, "__hash__": lambda _: 1})()
    for other in (everything, 1, [everything], None):
        assert not values_equal(everything, other)
    assert not values_equal([everything], [everything])


def test_a_metaclass_cannot_forge_a_type():
    class Meta(type):
        __eq__ = answer
        __hash__ = type.__hash__
        __name__ = "int"

    class Forged(metaclass=Meta):
        __module__ = "builtins"

    assert not values_equal(Forged, int)


# ---- other objects ------------------------------------------------------------------------------


def test_enums_named_tuples_and_counters():
    class Colour(enum.Enum):
        RED = 1

    class Number(enum.IntEnum):
        ONE = 1

    class Name(enum.StrEnum):
        A = "a"

    point = collections.namedtuple("point", "x y")
    assert values_equal(Number.ONE, 1)
    assert values_equal(Name.A, "a")
    assert not values_equal(Colour.RED, Colour.RED)
    assert values_equal(point(1, 2), (1, 2))
    assert values_equal(collections.Counter("aab"), {"a": 2, "b": 1})
    assert values_equal(collections.OrderedDict(a=1), {"a": 1})


@pytest.mark.parametrize(
    "thing", [object(), iter([1]), len, {}.keys(), (i for i in "a")], ids=lambda t: type(t).__name__
)
def test_objects_without_a_value(thing):
    back = decode_value(encode_value([thing]))[0]
    assert isinstance(back, OpaqueValue)
    assert back.type_name == type(thing).__name__
    assert decode_value(encode_value(back)).type_name == back.type_name


def test_reading_consumes_no_iterator():
    numbers = iter([1, 2])
    encode_value(numbers)
    assert list(numbers) == [1, 2]


def test_handles():
    first, second = object(), object()
    numbers = {id(first): 1, id(second): None}
    data = encode_value({"a": [first], "b": second}, handle_for=lambda thing: numbers[id(thing)])
    plain = decode_value(data)
    handle = plain["a"][0]
    assert isinstance(handle, HandleValue)
    assert (handle.number, handle.type_name) == (1, "object")
    assert isinstance(plain["b"], OpaqueValue)
    assert decode_value(data, object_for=lambda number, name: (number, name))["a"] == [(1, "object")]
    assert decode_value(encode_value(handle)).number == 1
    assert not values_equal(handle, handle)


def test_an_aware_time_has_no_value():
    assert not values_equal(*[datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)] * 2)


def test_unhashable_by_content_in_a_set():
    class Hashed(list):
        __hash__ = object.__hash__

    (member,) = decode_value(encode_value({Hashed([1])}))
    assert member.type_name == "Hashed"


@pytest.mark.parametrize("make", [list, dict])
def test_a_container_in_itself_is_an_error(make):
    value = make()
    if make is list:
        value.append(value)
    else:
        value[1] = value
    with pytest.raises(InputError, match="more than 200 containers"):
        encode_value(value)


def test_two_hundred_containers_are_not_too_deep():
    value = 1
    for _ in range(200):
        value = [value]
    assert values_equal(decode_value(encode_value(value)), value)
    with pytest.raises(InputError, match="more than 200"):
        encode_value([value])


def test_a_small_object_with_a_huge_value_is_an_error():
    value = [0] * 10
    for _ in range(30):
        value = [value] * 10
    with pytest.raises(InputError, match="too large"):
        encode_value(value)


# ---- numpy --------------------------------------------------------------------------------------

SCALARS = [np.int8(-3), np.uint64(2**64 - 1), np.float32(0.1), np.float64(-0.0), np.bool_(True), np.str_("a")]
SCALARS += [np.bytes_(b"a"), np.complex128(1 + 2j), np.float16(0.5)]
ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.array([0.5, -0.0, np.inf]),
    np.array([True, False]),
    np.array(["a", "bcd"]),
    np.array([[1 + 2j]]),
    np.zeros((2, 0, 3), dtype=np.float32),
    np.array(7),
    np.array([None, [1], "x"], dtype=object),
    np.arange(6).reshape(2, 3).T[::-1],
    np.arange(3, dtype=">i4"),
]


@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
def test_numpy_scalars(scalar):
    back = decode_value(encode_value(scalar))
    assert type(back) is type(scalar)
    assert back == scalar
    assert values_equal(scalar, scalar.item())
    assert values_equal({scalar: [scalar]}, {scalar.item(): [scalar.item()]})


@pytest.mark.parametrize("array", ARRAYS, ids=repr)
def test_numpy_arrays(array):
    back = decode_value(encode_value(array))
    assert type(back) is np.ndarray
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert (back == array).all()
    assert values_equal(array, back)
    assert values_equal(array, array.tolist())
    assert values_equal([array], [array.tolist()])


def test_numpy_arrays_of_another_shape_or_with_another_item_are_not_equal():
    array = np.arange(4)
    assert not values_equal(array, array.reshape(2, 2))
    assert not values_equal(array, [0, 1, 2])
    assert not values_equal(array, [0, 1, 2, 4])
    assert not values_equal(array, [[0, 1, 2, 3]])
    assert not values_equal(np.ones(3), 1)
    assert not values_equal(np.array([np.nan]), np.array([np.nan]))


def test_a_float32_equals_a_python_float_as_in_numpy():
    assert np.float32(0.1) == 0.1
    assert values_equal(np.float32(0.1), 0.1)
    assert np.float32(0.1) != np.float64(0.1)
    assert not values_equal(np.float64(0.1), np.float32(0.1))
    assert not values_equal(np.float32(0.1), np.float64(0.1))
    assert not values_equal({np.float32(0.1)}, {0.1})
    assert not values_equal(np.float32(0.1), 0.1000001)


@pytest.mark.parametrize(
    "value", [np.datetime64("2020-01-01"), np.longdouble(1), np.zeros(1, dtype="i4,f8")], ids=repr
)
def test_numpy_objects_without_a_value(value):
    assert isinstance(decode_value(encode_value(value)), OpaqueValue)


def test_a_forged_dtype_reserves_nothing():
    data = bytearray(encode_value(np.array(["a"])))
    forged = data.replace(b"<U1", b"<U9")
    assert decode_value(bytes(forged)).dtype == np.dtype("<U9")
    huge = bytes([26, 11]) + b"<U999999999" + bytes([1, 1, 1, 8, 1]) + b"a"
    assert decode_value(huge) == ["a"]
