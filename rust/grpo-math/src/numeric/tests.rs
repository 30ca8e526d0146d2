#![expect(clippy::needless_pass_by_value, reason = "shorter tables of cases")]
use dashu_float::round::mode::HalfEven;
use dashu_float::{Context, Repr};
use dashu_int::IBig;

use super::ball::Ball;
use super::*;
use crate::expr::{Big, Constant, Function, Number};

fn n(value: i64) -> Expr {
    Expr::integer(value)
}

fn q(numerator: i64, denominator: i64) -> Expr {
    n(numerator).quotient(n(denominator))
}

fn v(name: &str) -> Expr {
    Expr::symbol(name)
}

fn add<const N: usize>(terms: [Expr; N]) -> Expr {
    Expr::Add(terms.into())
}

fn mul<const N: usize>(factors: [Expr; N]) -> Expr {
    Expr::Mul(factors.into())
}

fn f(function: Function, argument: Expr) -> Expr {
    Expr::call(function, argument)
}

fn e(exponent: Expr) -> Expr {
    Expr::Constant(Constant::E).pow(exponent)
}

fn pi() -> Expr {
    Expr::Constant(Constant::Pi)
}

fn i() -> Expr {
    Expr::Constant(Constant::I)
}

fn root(x: Expr, degree: i64) -> Expr {
    Expr::Call(Function::Root, vec![x, n(degree)])
}

fn ten(exponent: i64) -> Expr {
    n(10).pow(n(exponent))
}

fn sum(body: Expr, first: Expr, last: Expr) -> Expr {
    Expr::Big(Box::new(Big::Sum(body, "k".into(), first, last)))
}

#[track_caller]
fn check(a: &Expr, b: &Expr, expected: Numeric) {
    let spent = |a, b| {
        let mut budget = Budget::default();
        (compare(a, b, &mut budget), crate::budget::WORK - budget.left())
    };
    let ((there, cost), (back, _)) = (spent(a, b), spent(b, a));
    assert_eq!(there, expected, "{a:?}\n{b:?}\ncost {cost}");
    assert_eq!(back, expected, "reversed: {a:?}\n{b:?}");
    assert!(cost < 30_000, "{cost}");
}

#[track_caller]
fn equal(a: Expr, b: Expr) {
    check(&a, &b, Numeric::Equal);
}

#[track_caller]
fn different(a: Expr, b: Expr) {
    check(&a, &b, Numeric::Different);
}

#[track_caller]
fn undecided(a: Expr, b: Expr) {
    check(&a, &b, Numeric::Undecided);
}

/// The kernels against a library that rounds correctly.
#[test]
fn kernels_agree_with_an_independent_library() {
    let context = Context::<HalfEven>::new(900);
    for (man, exp) in
        [(1, 0), (-1, 0), (3, -1), (355, -8), (-12_345, -6), (7, 20), (5, -40), (-9, -300)]
    {
        let x = Repr::<2>::new(IBig::from(man), exp);
        let exp = i64::try_from(exp).unwrap();
        for prec in [24, 64, 128, 320, 777] {
            let own = Ball::new(IBig::from(man), exp, Mag::ZERO, prec);
            let close = |own: Option<Ball>,
                         other: dashu_float::FpResult<dashu_float::FBig<HalfEven>>,
                         what: &str| {
                let (significand, exponent) = other.unwrap().value().into_repr().into_parts();
                let other =
                    Ball::new(significand, i64::try_from(exponent).unwrap(), Mag::ZERO, 2000);
                let own = own.unwrap();
                let error = Mag::power_of_two(other.top() - 890);
                let distance = own.sub(&other, 2000).widened(error);
                assert!(distance.lower().is_none(), "{what} {man}*2^{exp} at {prec}");
                assert!(
                    own.rad().top() <= own.top().max(-2) - to_i64(prec) + 8,
                    "{what} {man}*2^{exp} at {prec}: wide {own:?}"
                );
            };
            close(fixed::exp(&own, prec), context.exp(&x, None), "exp");
            let (sine, cosine) = fixed::sin_cos(&own, prec).unwrap();
            close(Some(sine), context.sin(&x, None), "sin");
            close(Some(cosine), context.cos(&x, None), "cos");
            close(fixed::atan(&own, prec), context.atan(&x, None), "atan");
            if man > 0 {
                close(fixed::ln(&own, prec), context.ln(&x, None), "ln");
                close(own.sqrt(prec), context.sqrt(&x), "sqrt");
            }
            close(Ball::ONE.div(&own, prec), context.div(&Repr::one(), &x), "div");
        }
    }
}

#[test]
fn tiny_numbers_are_different() {
    different(e(n(-1000)), n(0));
    different(n(2).pow(n(-99)), n(2).pow(n(-98)));
    different(f(Function::Factorial, n(100)).recip(), f(Function::Factorial, n(101)).recip());
    different(e(n(-50)), e(n(-51)));
    different(add([n(2), ten(-50)]).sqrt(), n(2).sqrt());
    different(ten(-100_000), ten(-100_001));
    different(add([n(1), e(n(-1000))]), n(1));
    different(f(Function::Cos, ten(-300)), n(1));
    different(f(Function::Sin, ten(-100)), ten(-100));
    different(f(Function::Tanh, n(100)), n(1));
    different(e(ten(-200)), n(1));
    // Nothing but zero at 64 bits, and too small for 320 when cubed.
    let small = || add([pi(), mul([pi(), ten(-40).minus(n(1))])]);
    different(add([n(1), small().pow(n(3))]), n(1));
    different(add([v("x"), small().pow(n(3))]), v("x"));
    different(f(Function::Atan, ten(200)), q(1, 2).quotient(pi().recip()));
}

#[test]
fn huge_numbers_are_different() {
    let factorial = |x| f(Function::Factorial, n(x));
    different(factorial(100_000), factorial(100_001));
    different(n(10).pow(ten(10)), n(10).pow(ten(11)));
    let tower = || n(9).pow(n(9).pow(n(9).pow(n(9))));
    undecided(tower(), add([tower(), n(1)]));
    different(tower(), n(9).pow(tower()));
    different(tower(), n(8).pow(n(9).pow(n(9).pow(n(9)))));
    different(tower(), tower().negate());
    different(tower().recip(), n(0));
    different(tower(), mul([n(2), n(9)]));
    different(n(2).pow(n(1000)), add([n(2).pow(n(1000)), n(1)]));
}

#[test]
fn constants_that_are_equal() {
    equal(e(mul([i(), pi()])), n(-1));
    equal(add([n(3), mul([n(2), n(2).sqrt()])]).sqrt(), add([n(1), n(2).sqrt()]));
    equal(root(n(-8), 3), n(-2));
    equal(n(-8).pow(q(1, 3)), n(-2));
    equal(n(-8).pow(q(2, 3)), n(4));
    equal(
        f(Function::Cos, pi().quotient(n(5))),
        q(1, 4).quotient(add([n(1), n(5).sqrt()]).recip()),
    );
    equal(f(Function::Sin, mul([n(30), Expr::Constant(Constant::Degree)])), q(1, 2));
    equal(f(Function::Sin, pi()), n(0));
    equal(f(Function::Ln, n(8)), mul([n(3), f(Function::Ln, n(2))]));
    equal(Expr::Call(Function::Log, vec![n(8), n(2)]), n(3));
    equal(f(Function::Asin, q(1, 2)), pi().quotient(n(6)));
    equal(f(Function::Atan, n(1)), pi().quotient(n(4)));
    equal(f(Function::Acos, n(-1)), pi());
    equal(n(-4).sqrt(), mul([n(2), i()]));
    equal(i().pow(i()), e(pi().quotient(n(-2))));
    equal(add([n(1), i()]).pow(n(8)), n(16));
    equal(f(Function::Abs, add([n(3), mul([n(4), i()])])), n(5));
    equal(sum(v("k").pow(n(2)), n(1), n(10)), n(385));
    equal(Expr::Call(Function::Binomial, vec![n(10), n(3)]), n(120));
    equal(Expr::Call(Function::Permutations, vec![n(5), n(2)]), n(20));
    equal(Expr::Call(Function::Gcd, vec![n(12), n(18)]), n(6));
    equal(Expr::Call(Function::Lcm, vec![n(4), n(6)]), n(12));
    equal(Expr::Call(Function::Mod, vec![n(-1), n(7)]), n(6));
    equal(Expr::Call(Function::Max, vec![n(2).sqrt(), n(2).pow(q(1, 2)), n(1)]), n(2).sqrt());
    equal(f(Function::DoubleFactorial, n(7)), n(105));
    equal(f(Function::Floor, pi()), n(3));
    equal(f(Function::Ceil, q(-7, 2)), n(-3));
    equal(add([n(7), mul([n(4), n(3).sqrt()])]).sqrt(), add([n(2), n(3).sqrt()]));
    equal(
        add([root(add([n(2), n(5).sqrt()]), 3), root(add([n(2), n(5).sqrt().negate()]), 3)]),
        n(1),
    );
    equal(f(Function::Cosh, f(Function::Ln, n(2))), q(5, 4));
    equal(f(Function::Asinh, n(1)), f(Function::Ln, add([n(1), n(2).sqrt()])));
}

#[test]
fn constants_that_differ() {
    different(q(355, 113), pi());
    different(e(mul([pi(), n(163).sqrt()])), add([mul([n(640_320).pow(n(3))]), n(744)]));
    different(n(2).sqrt(), q(14_142_135_623_730_951, 10_000_000_000_000_000));
    different(i(), n(1));
    different(n(-1).sqrt(), n(-1));
    different(
        Expr::rational(RBig::from_parts(IBig::from(1), 3_u8.into())),
        Expr::Number(Number::exact(RBig::from_parts(IBig::from(333), 1000_u16.into()))),
    );
    different(root(n(-8), 3), n(2));
}

#[test]
fn undefined_is_undecided() {
    undecided(n(0).recip(), n(0).recip());
    undecided(f(Function::Ln, n(0)), n(0));
    undecided(f(Function::Factorial, q(1, 2)), n(1));
    undecided(Expr::Constant(Constant::Infinity), n(1));
    undecided(Expr::call(Function::Named("f".into()), v("x")), v("x"));
    undecided(Expr::PlusMinus(Box::new(n(1)), false), n(1));
}

#[test]
fn identities() {
    let x = || v("x");
    let square = |x: Expr| x.pow(n(2));
    equal(x().minus(x()).minus(n(-1)), n(1));
    equal(square(add([x(), v("y")])), add([square(x()), mul([n(2), x(), v("y")]), square(v("y"))]));
    equal(add([square(f(Function::Sin, x())), square(f(Function::Cos, x()))]), n(1));
    equal(
        f(Function::Sin, mul([n(2), x()])),
        mul([n(2), f(Function::Sin, x()), f(Function::Cos, x())]),
    );
    equal(f(Function::Ln, square(x())), mul([n(2), f(Function::Ln, x())]));
    equal(n(-1).pow(v("n")), f(Function::Cos, mul([pi(), v("n")])));
    equal(square(x()).sqrt(), f(Function::Abs, x()));
    equal(sum(v("k"), n(1), v("n")), q(1, 2).quotient(mul([v("n"), add([v("n"), n(1)])]).recip()));
    equal(
        Expr::Call(Function::Binomial, vec![v("n"), v("k")]),
        f(Function::Factorial, v("n")).quotient(mul([
            f(Function::Factorial, v("k")),
            f(Function::Factorial, v("n").minus(v("k"))),
        ])),
    );
    equal(e(add([x(), v("y")])), mul([e(x()), e(v("y"))]));
    equal(n(4).pow(x()), n(2).pow(mul([n(2), x()])));
    equal(square(n(1).minus(square(x())).sqrt()), n(1).minus(square(x())));
    equal(f(Function::Cos, f(Function::Asin, x())), n(1).minus(square(x())).sqrt());
    equal(
        mul([n(2), x().pow(n(2)).negate().minus(n(1)).sqrt()]),
        add([square(x()).negate().minus(n(1)).sqrt(), square(x()).negate().minus(n(1)).sqrt()]),
    );
    equal(x().pow(q(1, 3)).pow(n(3)), x());
}

#[test]
fn what_is_no_identity() {
    let x = || v("x");
    different(f(Function::Abs, x()), x());
    different(x().pow(n(2)).sqrt(), x());
    different(f(Function::Sin, x()), f(Function::Cos, x()));
    different(x(), n(5));
    different(x(), v("y"));
    different(f(Function::Floor, x()), x());
    different(f(Function::Abs, x().minus(n(1000))), n(1000).minus(x()));
    different(Expr::Call(Function::Max, vec![x(), v("y")]), x());
    different(
        Expr::Call(Function::Binomial, vec![v("n"), v("k")]),
        Expr::Call(Function::Binomial, vec![v("n"), v("k").minus(n(-1))]),
    );
    different(f(Function::Factorial, v("n")), f(Function::Factorial, v("n").minus(n(1))));
    different(n(-1).pow(v("n")), n(1));
    different(x().pow(n(2)), x().pow(n(4)).sqrt().minus(ten(-40)));
    different(e(x()), n(2).pow(x()));
    different(x().quotient(ten(60)), n(0));
}

#[test]
fn orderings_and_enclosures() {
    let order = |a: &Expr, b: &Expr| ordering(a, b, &mut Budget::default());
    assert_eq!(order(&pi(), &q(22, 7)), Some(Ordering::Less));
    assert_eq!(order(&ten(100), &n(9).pow(n(105))), Some(Ordering::Less));
    assert_eq!(order(&n(9).pow(n(9).pow(n(9).pow(n(9)))), &n(3)), Some(Ordering::Greater));
    assert_eq!(order(&n(4).sqrt(), &n(2)), Some(Ordering::Equal));
    assert_eq!(order(&i(), &n(2)), None);
    let (low, high) = enclose(&pi(), 64, &mut Budget::default()).unwrap();
    assert!(low < high);
    assert!(low > RBig::from_parts(314_159_265.into(), 100_000_000_u32.into()));
    assert!(high < RBig::from_parts(314_159_266.into(), 100_000_000_u32.into()));
    assert_eq!(enclose(&i(), 64, &mut Budget::default()), None);
    assert_eq!(enclose(&n(0).recip(), 64, &mut Budget::default()), None);
}

#[test]
fn pathological_inputs_end() {
    let mut tower = n(9);
    for _ in 0..60 {
        tower = n(9).pow(tower);
    }
    let mut nested = v("x");
    for _ in 0..100 {
        nested = f(Function::Sin, add([nested, n(1)]));
    }
    let mut sums = v("k");
    for _ in 0..8 {
        sums = sum(sums, n(1), n(399));
    }
    let awkward = [
        tower.clone(),
        tower.clone().recip(),
        tower.clone().negate(),
        f(Function::Sin, tower.clone()),
        f(Function::Factorial, tower.clone()),
        f(Function::Ln, tower.clone()),
        tower.clone().minus(tower.clone()),
        tower.clone().pow(tower.clone().recip()),
        n(-1).pow(tower),
        nested,
        sums,
        f(Function::Factorial, ten(100)),
        f(Function::Factorial, f(Function::Factorial, n(100))),
        e(e(e(e(n(9))))),
        e(e(e(e(n(9))))).recip().sqrt(),
        n(0).pow(n(0)),
        n(0).pow(n(-1)),
        ten(1000).pow(ten(-1000)),
        f(Function::Cos, ten(1000)),
        f(Function::Floor, ten(5000)),
        Expr::Call(Function::Mod, vec![ten(500), n(0)]),
        Expr::Call(Function::Binomial, vec![ten(50), ten(40)]),
        Expr::Call(Function::Root, vec![n(2), n(0)]),
        Expr::Call(Function::Root, vec![n(-3), ten(30)]),
        Expr::Call(Function::Sin, vec![]),
        sum(v("k"), n(1), ten(30)),
        n(2).pow(n(i64::MIN)),
        n(-3).pow(n(i64::MAX)),
        i().pow(n(i64::MAX)),
    ];
    for a in &awkward {
        for b in &awkward {
            let mut budget = Budget::default();
            let there = compare(a, b, &mut budget);
            let back = compare(b, a, &mut Budget::default());
            assert_eq!(there, back, "{a:?} {b:?}");
        }
        let _ = enclose(a, 64, &mut Budget::default());
        for small in [0, 10, 100, 1000] {
            let _ = compare(a, &n(1), &mut Budget::new(small));
        }
    }
}
