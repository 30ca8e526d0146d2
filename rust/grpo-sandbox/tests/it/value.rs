//! A failure means that a program's answer is misread, or that its bytes hurt the process that reads them.

use std::time::{Duration, Instant};

use grpo_sandbox::{
    Check, Decimal, DecodeError, DictItems, Fraction, Handle, MAX_DEPTH, NumpyArray, NumpyScalar,
    Range, SetItems, Temporal, Text, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

fn set(items: Vec<Value>) -> Value {
    Value::Set(SetItems::new(items).unwrap())
}

fn dict(entries: Vec<(Value, Value)>) -> Value {
    Value::Dict(Box::new(DictItems::new(entries).unwrap()))
}

fn decimal(text: &str) -> Value {
    Value::Decimal(Box::new(Decimal::parse(text).unwrap()))
}

fn fraction(numerator: i64, denominator: i64) -> Value {
    Value::Fraction(Box::new(Fraction::new(numerator.into(), denominator.into()).unwrap()))
}

fn range(start: i64, end: i64, step: i64) -> Value {
    Value::Range(Box::new(Range::new(start.into(), end.into(), step.into()).unwrap()))
}

fn array(shape: &[usize], items: Vec<Value>) -> Value {
    Value::NumpyArray(Box::new(NumpyArray::new("<f8".into(), shape.to_vec(), items).unwrap()))
}

fn float32(item: f64) -> Value {
    Value::NumpyScalar(Box::new(NumpyScalar { dtype: "<f4".into(), item: item.into() }))
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::None, |inside, _| list([inside]))
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::None),
        Just(Value::Ellipsis),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Value::int_from_le_bytes(&bytes)),
        (-3_i32..4).prop_map(|half| Value::from(f64::from(half) / 2.0)),
        any::<f64>().prop_map(Value::from),
        (-2_i32..3, 0_i32..2)
            .prop_map(|(real, imaginary)| Value::Complex(real.into(), imaginary.into())),
        "[a-cé]{0,3}".prop_map(|text| Value::from(text.as_str())),
        Just(Value::Str(Text::from_bytes(b"a\xED\xA0\x80".to_vec()).unwrap())),
        vec(any::<u8>(), 0..3).prop_map(Value::Bytes),
        (-3_i64..4, 1_i64..4).prop_map(|(numerator, denominator)| fraction(numerator, denominator)),
        "-?[0-9]{1,3}(\\.[0-9]{1,2})?(E[+-]?[0-9]{1,3})?".prop_map(|text| decimal(&text)),
        prop_oneof![Just("NaN"), Just("-Infinity"), Just("1E+5000"), Just("sNaN12")]
            .prop_map(decimal),
        (-3_i64..4, -3_i64..4, 1_i64..3).prop_map(|(start, end, step)| range(start, end, step)),
        (1_i32..9999, 1_i32..13)
            .prop_map(|(y, m)| Value::Temporal(Box::new(Temporal::Date([y, m, 1])))),
        (-9_i32..9, 0_i32..60)
            .prop_map(|(d, s)| Value::Temporal(Box::new(Temporal::TimeDelta([d, s, 7])))),
        Just(Value::Type("int".into())),
        (-2_i32..3).prop_map(|item| float32(item.into())),
    ]
}

fn hashable() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Tuple),
            vec(inner, 0..3).prop_map(|items| Value::FrozenSet(SetItems::new(items).unwrap())),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        4 => hashable(),
        1 => Just(Value::Opaque("Foo".into())),
        1 => Just(Value::Handle(Box::new(Handle { number: 1 << 40, type_name: "Foo".into() }))),
        1 => vec(any::<u8>(), 0..3).prop_map(Value::ByteArray),
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec(inner.clone(), 0..4).prop_map(Value::Tuple),
            vec(inner.clone(), 0..4).prop_map(Value::Deque),
            vec(hashable(), 0..4).prop_map(set),
            vec(inner.clone(), 1..5).prop_map(|items| array(&[1, items.len()], items)),
            vec((hashable(), inner), 0..4).prop_filter_map("equal keys", |entries| {
                DictItems::new(entries).ok().map(|items| Value::Dict(Box::new(items)))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn encoding_loses_nothing(value in value()) {
        let bytes = value.encode();
        prop_assert_eq!(Value::decode(&bytes).unwrap().encode(), bytes);
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..64)) {
        if let Ok(value) = Value::decode(&bytes) {
            prop_assert!(value.show(40).chars().count() <= 40);
        }
    }

    #[test]
    fn damaged_bytes_are_a_value_or_an_error(value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = value.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(damaged) = Value::decode(&bytes) {
            prop_assert_eq!(damaged.python_eq(&value), value.python_eq(&damaged));
            let _ = (damaged.python_cmp(&value), damaged.truth(), value.contains(&damaged), damaged.show(50));
        }
    }

    #[test]
    fn cut_bytes_and_trailing_bytes_are_errors(value in value(), at in any::<prop::sample::Index>()) {
        let mut bytes = value.encode();
        prop_assert!(Value::decode(&bytes[..at.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert_eq!(Value::decode(&bytes).unwrap_err(), DecodeError::TrailingBytes(1));
    }

    #[test]
    fn equality_is_symmetric_and_agrees_with_order(a in value(), b in value()) {
        prop_assert_eq!(a.python_eq(&b), b.python_eq(&a));
        let (forth, back) = (a.python_cmp(&b), b.python_cmp(&a));
        prop_assert_eq!(forth, back.map(std::cmp::Ordering::reverse));
        if forth == Some(std::cmp::Ordering::Equal) {
            prop_assert!(a.python_eq(&b));
        }
    }

    #[test]
    fn equality_is_transitive(a in hashable(), b in hashable(), c in hashable()) {
        // numpy's float32 against a Python float is not, in numpy either; these hold whole numbers only.
        if a.python_eq(&b) && b.python_eq(&c) {
            prop_assert!(a.python_eq(&c), "{} {} {}", a.show(50), b.show(50), c.show(50));
        }
    }

    #[test]
    fn sets_are_equal_exactly_if_each_member_is_in_the_other(a in vec(hashable(), 0..5), b in vec(hashable(), 0..5)) {
        let within = |a: &[Value], b: &[Value]| a.iter().all(|a| b.iter().any(|b| a.python_eq(b)));
        prop_assert_eq!(set(a.clone()).python_eq(&set(b.clone())), within(&a, &b) && within(&b, &a));
    }

    #[test]
    fn a_set_finds_its_members_in_any_order(mut items in vec(hashable(), 0..8)) {
        let forth = set(items.clone());
        items.reverse();
        let equal_to_itself = items.iter().all(|item| item.python_eq(item));
        prop_assert_eq!(forth.python_eq(&set(items)), equal_to_itself);
    }

    #[test]
    fn a_dict_is_equal_whatever_the_order(entries in vec((hashable(), 0_i64..3), 0..6)) {
        let pairs = |entries: Vec<(Value, i64)>| entries.into_iter().map(|(k, v)| (k, v.into())).collect::<Vec<_>>();
        let Ok(forth) = DictItems::new(pairs(entries.clone())) else { return Ok(()) };
        let comparable = entries.iter().all(|(key, _)| key.python_eq(key));
        let back = DictItems::new(pairs(entries.into_iter().rev().collect())).unwrap();
        prop_assert_eq!(Value::Dict(Box::new(forth)).python_eq(&Value::Dict(Box::new(back))), comparable);
    }
}

#[test]
fn hostile_bytes_are_refused_for_their_reason() {
    let cases: [(&[u8], DecodeError); 16] = [
        (b"", DecodeError::Truncated),
        (b"\x63", DecodeError::UnknownTag(0x63)),
        (b"\x08\x02a", DecodeError::Truncated),
        (b"\x08\x01\xff", DecodeError::Invalid("str")),
        (b"\x0b\xff\xff\xff\xff\x0f", DecodeError::Truncated),
        (b"\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", DecodeError::Invalid("length")),
        (b"\x0b\x02\x00", DecodeError::Truncated),
        (b"\x00\x00", DecodeError::TrailingBytes(1)),
        (b"\x0e\x01\x0b\x00", DecodeError::Unhashable),
        (b"\x10\x01\x0b\x00\x00", DecodeError::Unhashable),
        (b"\x10\x02\x02\x00\x04\x02\x00", DecodeError::DuplicateKey), // True and 1
        (b"\x11\x04\x00\x04\x00\x04\x00", DecodeError::Invalid("range")), // step zero
        (b"\x13\x04\x02\x04\x00", DecodeError::Invalid("Fraction")),  // 1/0
        (b"\x12\x011\x00", DecodeError::TrailingBytes(1)),
        (b"\x12\x02e5", DecodeError::Invalid("Decimal")),
        (b"\x14\x02\x1a\x02", DecodeError::Invalid("date")), // month 13
    ];
    for (bytes, error) in cases {
        assert_eq!(Value::decode(bytes).unwrap_err(), error, "{bytes:02x?}");
    }
    // An array of two items with a shape for three, and one whose size overflows.
    assert!(Value::decode(b"\x1a\x03<f8\x01\x03\x02\x00\x00").is_err());
    assert!(NumpyArray::new("<f8".into(), vec![usize::MAX, 2], vec![]).is_none());
}

#[test]
fn depth_has_a_limit() {
    let deepest = nested(MAX_DEPTH);
    assert!(Value::decode(&deepest.encode()).unwrap().python_eq(&deepest));
    assert_eq!(Value::decode(&nested(MAX_DEPTH + 1).encode()).unwrap_err(), DecodeError::TooDeep);
    for tag in [11_u8, 12, 13, 14, 15, 16, 25] {
        let bytes: Vec<u8> = (0..2_000_000).map(|i| if i % 2 == 0 { tag } else { 1 }).collect();
        assert!(Value::decode(&bytes).is_err());
    }
}

/// Inputs that make a naive comparison take the square of their length, or more.
#[test]
fn hostile_values_are_read_and_compared_in_time() {
    const MODULUS: i64 = (1 << 61) - 1;
    let count = 100_000_i64;
    let integers = (1..4).map(|k| Value::from(k * MODULUS)).chain((0..count).map(Value::from));
    // Numbers with one hash in Python, near enough that only exact arithmetic tells them apart.
    let close = (0..20_000).map(|i| decimal(&format!("1{}{i:05}E370", "0".repeat(20))));
    let big = Value::int_from_le_bytes(&{
        let mut bytes = vec![7; 1 << 20];
        bytes.push(1);
        bytes
    });
    let thirds = (1..20_000).map(|i| fraction(i, 3));
    let deep = (0..100).fold(set(vec![]), |inside, level| {
        let (Value::Set(items) | Value::FrozenSet(items)) = inside else { unreachable!() };
        Value::FrozenSet(SetItems::new(vec![Value::FrozenSet(items), level.into()]).unwrap())
    });
    let pairs = (0..14).fold(Value::from(1), |inside, level| {
        let twin = Value::Tuple(vec![inside.clone(), level.into()]);
        Value::FrozenSet(SetItems::new(vec![inside, twin]).unwrap())
    });
    let floats = (0..20_000).map(|i| Value::from(1e300 + f64::from(i) * 1e285));
    let values = [
        set(integers.collect()),
        set(close.chain((0..200).map(|i| decimal(&format!("1E{i}")))).collect()),
        set(thirds.chain([big.clone()]).collect()),
        set(floats.chain([big, decimal("1E300"), fraction(1, 3)]).collect()),
        deep,
        pairs,
        range(0, i64::MAX, 1),
    ];
    let begin = Instant::now();
    for value in values {
        let copy = Value::decode(&value.encode()).unwrap();
        assert!(copy.python_eq(&value));
        assert_eq!(value.python_cmp(&copy).is_some(), !matches!(value, Value::Range(_)));
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn reserved_memory_is_bounded_by_the_bytes() {
    // Each level claims as many items as bytes are left.
    let mut bytes = Vec::new();
    for level in 0..190_u32 {
        bytes.push(11);
        let left = 4_000_000 - level * 8;
        bytes.extend([
            (left & 0x7F) as u8 | 0x80,
            (left >> 7 & 0x7F) as u8 | 0x80,
            (left >> 14 & 0x7F) as u8 | 0x80,
            (left >> 21 & 0x7F) as u8,
        ]);
    }
    bytes.resize(4_000_000 + 8 * 190, 0);
    // Were they all reserved, this would take 24 GB.
    assert!(Value::decode(&bytes).is_err());
}

#[test]
fn checks_do_what_the_operators_do() {
    let one_two = || list([1.into(), 2.into()]);
    let nan = || Value::from(f64::NAN);
    let check = |name: &str, actual: Value, expected: Value| {
        Check::from_name(name, expected, 0.0, 0.0).unwrap().check(&actual)
    };
    let cases = [
        ("eq", 1.into(), 1.0.into(), true),
        ("eq", one_two(), Value::Tuple(vec![1.into(), 2.into()]), false),
        ("ne", 1.into(), 1.0.into(), false),
        ("ne", nan(), nan(), true),
        ("is", Value::None, Value::None, true),
        ("is", 1.into(), true.into(), false),
        ("is", true.into(), true.into(), true),
        ("is", list([]), list([]), false),
        ("lt", 1.into(), 1.5.into(), true),
        ("lt", "a".into(), "b".into(), true),
        ("lt", "a".into(), 1.into(), false),
        ("ge", "a".into(), 1.into(), false),
        ("le", one_two(), one_two(), true),
        ("gt", list([1.into(), 3.into()]), one_two(), true),
        ("lt", one_two(), list([1.into(), 2.into(), 0.into()]), true),
        ("le", nan(), nan(), false),
        ("ge", nan(), nan(), false),
        ("lt", set(vec![1.into()]), set(vec![2.into(), 1.into()]), true),
        ("lt", set(vec![1.into()]), set(vec![1.into()]), false),
        ("ge", set(vec![1.into()]), set(vec![1.into()]), true),
        ("le", set(vec![1.into(), 3.into()]), set(vec![1.into(), 2.into()]), false),
        ("gt", decimal("0.1"), 0.1.into(), false),
        ("lt", decimal("0.1"), 0.1.into(), true),
        ("gt", fraction(1, 3), decimal("0.33"), true),
        ("lt", Value::Complex(1.0, 0.0), 2.into(), false),
        ("in", 2.into(), one_two(), true),
        ("in", 3.into(), one_two(), false),
        ("not_in", 3.into(), one_two(), true),
        ("in", "b".into(), "abc".into(), true),
        ("in", 1.into(), "abc".into(), false),
        ("not_in", 1.into(), "abc".into(), false),
        ("in", true.into(), dict(vec![(1.into(), 2.into())]), true),
        ("in", list([]), set(vec![]), false),
        ("not_in", list([]), set(vec![]), false),
        ("in", 4.into(), range(0, 10, 2), true),
        ("in", 5.into(), range(0, 10, 2), false),
        ("in", 4.0.into(), range(0, 10, 2), true),
        ("in", 97.into(), Value::Bytes(b"abc".to_vec()), true),
        ("truthy", list([0.into()]), Value::None, true),
        ("truthy", Value::Opaque("Match".into()), Value::None, true),
        ("truthy", array(&[2], vec![1.into(), 1.into()]), Value::None, false),
        ("falsy", array(&[2], vec![0.into(), 0.into()]), Value::None, false),
        ("falsy", (-0.0).into(), Value::None, true),
        ("falsy", nan(), Value::None, false),
        ("falsy", decimal("0E+5"), Value::None, true),
        ("falsy", range(3, 3, 1), Value::None, true),
        ("falsy", "".into(), Value::None, true),
    ];
    for (name, actual, expected, passes) in cases {
        let shown = format!("{} {name} {}", actual.show(50), expected.show(50));
        assert_eq!(check(name, actual, expected), passes, "{shown}");
    }
    assert!(Check::from_name("==", Value::None, 0.0, 0.0).is_none());
}

#[test]
fn close_values_may_differ_by_the_tolerance() {
    let close = |actual: Value, expected: Value, rel, abs| {
        Check::Close { expected, rel, abs }.check(&actual)
    };
    assert!(close(1.0.into(), 1.000_000_5.into(), 1e-6, 0.0));
    assert!(!close(1.0.into(), 1.000_002.into(), 1e-6, 0.0));
    assert!(close(0.into(), 1e-7.into(), 0.0, 1e-6));
    assert!(close(decimal("0.3333333"), fraction(1, 3), 1e-6, 0.0));
    assert!(close(Value::Complex(1.0, 1e-9), 1.into(), 1e-6, 0.0));
    assert!(close(
        list([1.0.into(), list([2.0.into()])]),
        list([1.into(), list([2.000_000_1.into()])]),
        1e-6,
        0.0
    ));
    assert!(close(
        array(&[2], vec![1.0.into(), 2.0.into()]),
        list([1.into(), 2.000_000_1.into()]),
        1e-6,
        0.0
    ));
    assert!(close(
        list([1.into(), 2.000_000_1.into()]),
        array(&[2], vec![1.0.into(), 2.0.into()]),
        1e-6,
        0.0
    ));
    let price = |cost: f64| dict(vec![("a".into(), cost.into()), ("b".into(), "x".into())]);
    assert!(close(price(1.0), price(1.000_000_1), 1e-6, 0.0));
    assert!(!close(price(1.0), dict(vec![("a".into(), 1.0.into())]), 1.0, 1.0));
    assert!(!close(list([1.into()]), Value::Tuple(vec![1.into()]), 1.0, 1.0));
    assert!(!close(list([1.into()]), list([1.into(), 2.into()]), 1.0, 1.0));
    assert!(!close("a".into(), "b".into(), 1.0, 1.0));
    assert!(close(f64::INFINITY.into(), f64::INFINITY.into(), 0.0, 0.0));
    let unbounded = f64::INFINITY;
    for (actual, expected) in
        [(f64::NAN, f64::NAN), (f64::NAN, 1.0), (1.0, f64::NAN), (1.0, unbounded), (unbounded, 1.0)]
    {
        assert!(!close(actual.into(), expected.into(), 1.0, unbounded), "{actual} {expected}");
    }
    let huge = Value::int_from_le_bytes(&[1; 400]);
    assert!(close(huge.clone(), huge.clone(), 0.0, 0.0));
    assert!(!close(huge, 1.into(), 1.0, 1.0));
}

#[test]
fn explanations_are_short_and_read_like_python() {
    let wrong = Check::Eq(list([1.into(), 3.into()]));
    assert_eq!(wrong.explain(&list([1.into(), 2.into()])), "returned [1, 2], expected [1, 3]");
    assert_eq!(Check::Truthy.explain(&Value::None), "returned None, expected a true value");
    let long = list((0..100_000).map(Value::from));
    let explained = Check::Eq(long.clone()).explain(&long);
    assert!(explained.chars().count() < 450, "{explained}");
    assert!(explained.contains("..., expected [0, 1"), "{explained}");
}

#[test]
fn values_are_shown_as_python_writes_them() {
    let cases = [
        (1e16.into(), "1e+16"),
        (1e15.into(), "1000000000000000.0"),
        (0.0001.into(), "0.0001"),
        (0.00001.into(), "1e-05"),
        (1.5e300.into(), "1.5e+300"),
        ((-0.0).into(), "-0.0"),
        (f64::NAN.into(), "nan"),
        ("it's\n".into(), "\"it's\\n\""),
        (Value::Tuple(vec![1.into()]), "(1,)"),
        (set(vec![]), "set()"),
        (dict(vec![("a".into(), Value::None)]), "{'a': None}"),
        (Value::Bytes(b"a'\x00".to_vec()), "b'a\\'\\x00'"),
        (decimal("1.10"), "Decimal('1.10')"),
        (fraction(1, 2), "Fraction(1, 2)"),
        (float32(1.0), "np.float32(1.0)"),
        (array(&[1, 1], vec![1.0.into()]), "array([1.0], shape=[1, 1])"),
        (Value::Complex(1.0, -2.0), "(1.0-2.0j)"),
        (Value::int_from_le_bytes(&[1; 1000]), "<int of 7993 bits>"),
        (Value::Opaque("Foo".into()), "<Foo object>"),
    ];
    for (value, shown) in cases {
        assert_eq!(value.show(100), shown);
    }
    assert_eq!(Value::from("é".repeat(50).as_str()).show(10), format!("'{}...", "é".repeat(6)));
    assert_eq!(Value::from("abc").show(5), "'abc'");
}
