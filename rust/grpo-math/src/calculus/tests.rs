use super::*;
use crate::expr::{Constant, Function, Side, Symbol};

fn n(value: i64) -> Expr {
    Expr::integer(value)
}

fn s(name: &str) -> Expr {
    Expr::symbol(name)
}

fn x() -> Expr {
    s("x")
}

fn name(text: &str) -> Symbol {
    Symbol::from(text)
}

fn q(a: i64, b: i64) -> Expr {
    n(a).quotient(n(b))
}

fn f(function: Function, u: Expr) -> Expr {
    Expr::call(function, u)
}

fn exp(u: Expr) -> Expr {
    Expr::Constant(Constant::E).pow(u)
}

const PI: Expr = Expr::Constant(Constant::Pi);
const INF: Expr = Expr::Constant(Constant::Infinity);

fn big(b: Big) -> Expr {
    Expr::Big(Box::new(b))
}

fn lim(body: Expr, point: Expr) -> Expr {
    big(Big::Limit(body, name("x"), point, Side::Both))
}

fn sum(body: Expr, first: Expr, last: Expr) -> Expr {
    big(Big::Sum(body, name("k"), first, last))
}

fn prod(body: Expr, first: Expr, last: Expr) -> Expr {
    big(Big::Product(body, name("k"), first, last))
}

fn int(body: Expr, a: Expr, b: Expr) -> Expr {
    big(Big::Integral(body, name("x"), Some((a, b))))
}

fn resolved(e: &Expr) -> Expr {
    resolve(e, &mut Budget::default()).unwrap()
}

/// The middle of an enclosure, with values for the symbols.
fn value(e: &Expr, at: &[(&str, i64)]) -> f64 {
    let e = at.iter().fold(e.clone(), |e, (symbol, v)| substitute(&e, &name(symbol), &n(*v)));
    let e = algebra::tidy(&e, &mut Budget::new(1_000_000)).unwrap();
    match bounds::enclose(&e, None, &mut Budget::new(1_000_000)).unwrap() {
        Some(i) => f64::midpoint(i.low, i.high),
        None => panic!("no value: {e:?}"),
    }
}

#[track_caller]
fn agrees(e: &Expr, expected: &Expr) {
    let result = resolved(e);
    assert!(!contains_big(&result), "unresolved: {result:?}");
    if *expected == INF || *expected == INF.negate() || result == INF {
        assert_eq!(result, *expected);
        return;
    }
    for points in
        [[("x", 2), ("n", 5), ("a", 3), ("b", 7)], [("x", 3), ("n", 4), ("a", 2), ("b", 5)]]
    {
        let (left, right) = (value(&result, &points), value(expected, &points));
        let scale = 1.0 + right.abs();
        assert!((left - right).abs() < 1e-9 * scale, "{left} is not {right}: {result:?}");
    }
}

#[track_caller]
fn stays(e: &Expr) {
    assert_eq!(resolved(e), *e);
}

#[test]
fn sums() {
    let k = || s("k");
    agrees(
        &sum(k(), n(1), s("n")),
        &q(1, 2)
            .quotient(n(1))
            .pow(n(1))
            .quotient(n(1))
            .quotient(n(1).quotient(Expr::Mul(vec![s("n"), Expr::Add(vec![s("n"), n(1)])]))),
    );
    agrees(&sum(k().pow(n(2)), n(1), n(100)), &n(338_350));
    agrees(
        &sum(k().pow(n(3)), n(1), n(1_000_000_000)),
        &q(1, 4).quotient(
            Expr::Mul(vec![n(1_000_000_000).pow(n(2)), n(1_000_000_001).pow(n(2))]).recip(),
        ),
    );
    agrees(&sum(q(1, 2).pow(k()), n(0), INF), &n(2));
    agrees(&sum(n(2).pow(k()), n(0), s("n")), &n(2).pow(Expr::Add(vec![s("n"), n(1)])).minus(n(1)));
    agrees(&sum(Expr::Mul(vec![k(), q(1, 2).pow(k())]), n(1), INF), &n(2));
    agrees(&sum(Expr::Mul(vec![k().pow(n(2)), q(1, 3).pow(k())]), n(1), INF), &q(3, 2));
    agrees(&sum(n(1).quotient(Expr::Mul(vec![n(3).pow(k())])), n(2), INF), &q(1, 6));
    agrees(&sum(k().pow(n(-2)), n(1), INF), &PI.pow(n(2)).quotient(n(6)));
    agrees(&sum(k().pow(n(-4)), n(1), INF), &PI.pow(n(4)).quotient(n(90)));
    agrees(&sum(k().pow(n(-2)), n(3), INF), &PI.pow(n(2)).quotient(n(6)).minus(q(5, 4)));
    let odd = Expr::Add(vec![Expr::Mul(vec![n(2), k()]), n(1)]);
    agrees(&sum(n(-1).pow(k()).quotient(odd.clone()), n(0), INF), &PI.quotient(n(4)));
    agrees(&sum(odd.pow(n(-2)), n(0), INF), &PI.pow(n(2)).quotient(n(8)));
    let alternating = n(-1).pow(Expr::Add(vec![k(), n(1)])).quotient(k());
    agrees(&sum(alternating, n(1), INF), &f(Function::Ln, n(2)));
    agrees(&sum(q(1, 2).pow(k()).quotient(k()), n(1), INF), &f(Function::Ln, n(2)));
    let factorial = || f(Function::Factorial, k());
    agrees(&sum(factorial().recip(), n(0), INF), &exp(n(1)));
    agrees(&sum(factorial().recip(), n(2), INF), &exp(n(1)).minus(n(2)));
    agrees(&sum(x().pow(k()).quotient(factorial()), n(0), INF), &exp(x()));
    agrees(&sum(k().pow(n(2)).quotient(factorial()), n(0), INF), &Expr::Mul(vec![n(2), exp(n(1))]));
    let pair = Expr::Mul(vec![k(), Expr::Add(vec![k(), n(1)])]);
    agrees(&sum(pair.clone().recip(), n(1), INF), &n(1));
    agrees(&sum(pair.recip(), n(1), s("n")), &s("n").quotient(Expr::Add(vec![s("n"), n(1)])));
    agrees(&sum(k().pow(n(2)).minus(n(1)).recip(), n(2), INF), &q(3, 4));
    agrees(&sum(f(Function::Cos, Expr::Mul(vec![k(), PI])), n(1), n(3)), &n(-1));
    agrees(&sum(n(5), n(1), s("n")), &Expr::Mul(vec![n(5), s("n")]));
}

#[test]
fn sums_that_stay() {
    let k = || s("k");
    stays(&sum(k().recip(), n(1), INF));
    stays(&sum(n(2).pow(k()), n(0), INF));
    stays(&sum(n(-1).pow(k()), n(0), INF));
    stays(&sum(k(), n(1), INF));
    stays(&sum(k(), n(5), n(2)));
    stays(&sum(k().pow(n(-3)), n(1), INF));
    stays(&sum(k().pow(n(-2)), n(0), INF));
    stays(&sum(f(Function::Sin, k()), n(1), n(1_000_000_000)));
    stays(&sum(k().pow(n(100_000)), n(1), n(1_000_000_000)));
    stays(&sum(Expr::Mul(vec![k(), k().minus(n(5))]).recip(), n(1), s("n")));
}

#[test]
fn products() {
    let k = || s("k");
    agrees(&prod(k(), n(1), n(6)), &n(720));
    assert_eq!(resolved(&prod(k(), n(1), s("n"))), f(Function::Factorial, s("n")));
    agrees(&prod(n(3), n(1), s("n")), &n(3).pow(s("n")));
    let ratio = Expr::Add(vec![k(), n(1)]).quotient(k());
    agrees(&prod(ratio, n(1), s("n")), &Expr::Add(vec![s("n"), n(1)]));
    let wallis = n(1).minus(k().pow(n(-2)));
    agrees(&prod(wallis, n(2), INF), &q(1, 2));
    stays(&prod(k(), n(1), INF));
    agrees(&prod(k().minus(n(5)), n(1), n(10)), &n(0));
}

#[test]
fn limits() {
    let sin = |u| f(Function::Sin, u);
    agrees(&lim(Expr::Add(vec![x(), n(1)]), n(3)), &n(4));
    agrees(&lim(sin(x()).quotient(x()), n(0)), &n(1));
    let cos = n(1).minus(f(Function::Cos, x()));
    agrees(&lim(cos.quotient(x().pow(n(2))), n(0)), &q(1, 2));
    let hole = x().pow(n(2)).minus(n(1)).quotient(x().minus(n(1)));
    agrees(&lim(hole, n(1)), &n(2));
    let base = Expr::Add(vec![n(1), s("a").quotient(x())]);
    agrees(
        &lim(base.pow(Expr::Mul(vec![s("b"), x()])), INF),
        &exp(Expr::Mul(vec![s("a"), s("b")])),
    );
    let euler = Expr::Add(vec![n(1), x().recip()]).pow(x());
    assert_eq!(resolved(&lim(euler, INF)), Expr::Constant(Constant::E));
    let above = Expr::Add(vec![Expr::Mul(vec![n(3), x().pow(n(2))]), n(5)]);
    let below = Expr::Add(vec![Expr::Mul(vec![n(2), x().pow(n(2))]), x().negate()]);
    agrees(&lim(above.quotient(below), INF), &q(3, 2));
    agrees(&lim(f(Function::Ln, x()).quotient(x()), INF), &n(0));
    agrees(&lim(x().pow(x().recip()), INF), &n(1));
    agrees(&lim(Expr::Mul(vec![x(), exp(x().negate())]), INF), &n(0));
    let radical = Expr::Add(vec![x().pow(n(2)), x()]).sqrt().minus(x());
    agrees(&lim(radical, INF), &q(1, 2));
    let tanh = exp(x()).minus(n(1)).quotient(Expr::Add(vec![exp(x()), n(1)]));
    agrees(&lim(tanh.clone(), INF), &n(1));
    agrees(&lim(tanh, INF.negate()), &n(-1));
    agrees(&lim(f(Function::Atan, x()), INF), &PI.quotient(n(2)));
    agrees(&lim(sin(x()).quotient(x()), INF), &n(0));
    agrees(&lim(x().pow(n(2)), INF), &INF);
    agrees(&lim(x().pow(n(-2)), n(0)), &INF);
    let right = big(Big::Limit(x().pow(x()), name("x"), n(0), Side::Right));
    agrees(&right, &n(1));
    let quotient = Expr::Add(vec![x(), s("h")]).pow(n(3)).minus(x().pow(n(3))).quotient(s("h"));
    let slope = big(Big::Limit(quotient, name("h"), n(0), Side::Both));
    agrees(&slope, &Expr::Mul(vec![n(3), x().pow(n(2))]));
    let stirling = f(Function::Factorial, x()).pow(x().recip()).quotient(x());
    let limit = resolve(&lim(stirling, INF), &mut Budget::new(1_000_000)).unwrap();
    assert!((value(&limit, &[]) - (-1f64).exp()).abs() < 1e-9);
    let floor = big(Big::Limit(f(Function::Floor, x()), name("x"), n(2), Side::Left));
    agrees(&floor, &n(1));
    let abs = big(Big::Limit(f(Function::Abs, x()).quotient(x()), name("x"), n(0), Side::Left));
    agrees(&abs, &n(-1));
    let root = Expr::Call(Function::Root, vec![x(), n(3)]).minus(n(2)).quotient(x().minus(n(8)));
    agrees(&lim(root, n(8)), &q(1, 12));
}

#[test]
fn limits_that_stay() {
    stays(&lim(x().recip(), n(0)));
    stays(&lim(f(Function::Abs, x()).quotient(x()), n(0)));
    stays(&lim(f(Function::Sin, x()), INF));
    stays(&lim(f(Function::Floor, x()), n(2)));
    stays(&lim(f(Function::Sin, x().recip()), n(0)));
    stays(&lim(f(Function::Named(name("f")), x()), n(0)));
    stays(&lim(f(Function::Ln, x()), n(-1)));
    stays(&lim(x().sqrt(), n(-4)));
}

#[test]
fn derivatives() {
    let d = |e: Expr, order| big(Big::Derivative(e, name("x"), order));
    agrees(&d(x().pow(n(3)), 1), &Expr::Mul(vec![n(3), x().pow(n(2))]));
    agrees(&d(x().pow(n(8)), 8), &n(40_320));
    agrees(
        &d(x().pow(x()), 1),
        &Expr::Mul(vec![x().pow(x()), Expr::Add(vec![f(Function::Ln, x()), n(1)])]),
    );
    agrees(
        &d(f(Function::Sin, x().pow(n(2))), 1),
        &Expr::Mul(vec![n(2), x(), f(Function::Cos, x().pow(n(2)))]),
    );
    agrees(&d(f(Function::Ln, x()), 3), &n(2).quotient(x().pow(n(3))));
    agrees(&d(f(Function::Atan, x()), 1), &Expr::Add(vec![n(1), x().pow(n(2))]).recip());
    agrees(&d(x().sqrt(), 1), &q(1, 2).quotient(x().sqrt()));
    agrees(
        &d(d(exp(Expr::Mul(vec![n(2), x()])), 1), 1),
        &Expr::Mul(vec![n(4), exp(Expr::Mul(vec![n(2), x()]))]),
    );
    stays(&d(f(Function::Named(name("f")), x()), 1));
    stays(&d(x().pow(n(3)), 1_000_000));
}

#[test]
fn integrals() {
    let sin = |u| f(Function::Sin, u);
    let cos = |u| f(Function::Cos, u);
    let one_plus = || Expr::Add(vec![n(1), x().pow(n(2))]);
    agrees(&int(x().pow(n(2)), n(0), n(3)), &n(9));
    agrees(
        &int(x(), s("a"), s("b")),
        &q(1, 2).quotient(s("b").pow(n(2)).minus(s("a").pow(n(2))).recip()),
    );
    agrees(&int(x().recip(), n(1), Expr::Constant(Constant::E)), &n(1));
    agrees(&int(one_plus().recip(), n(0), n(1)), &PI.quotient(n(4)));
    agrees(&int(one_plus().recip(), INF.negate(), INF), &PI);
    agrees(&int(sin(x()), n(0), PI), &n(2));
    agrees(&int(sin(x()).pow(n(2)), n(0), PI), &PI.quotient(n(2)));
    agrees(&int(Expr::Mul(vec![x(), exp(x())]), n(0), n(1)), &n(1));
    agrees(&int(f(Function::Ln, x()), n(0), n(1)), &n(-1));
    agrees(&int(x().sqrt().recip(), n(0), n(1)), &n(2));
    agrees(&int(exp(x().negate()), n(0), INF), &n(1));
    agrees(&int(Expr::Mul(vec![x().pow(n(3)), exp(x().negate())]), n(0), INF), &n(6));
    agrees(&int(x().pow(n(-2)), n(1), INF), &n(1));
    agrees(&int(exp(x().pow(n(2)).negate()), INF.negate(), INF), &PI.sqrt());
    agrees(&int(exp(x().pow(n(2)).negate()), n(0), INF), &PI.sqrt().quotient(n(2)));
    agrees(&int(n(1).minus(x().pow(n(2))).sqrt(), n(-1), n(1)), &PI.quotient(n(2)));
    agrees(&int(n(1).minus(x().pow(n(2))).sqrt().recip(), n(0), n(1)), &PI.quotient(n(2)));
    agrees(
        &int(Expr::Mul(vec![x(), exp(x().pow(n(2)))]), n(0), n(1)),
        &exp(n(1)).minus(n(1)).quotient(n(2)),
    );
    agrees(&int(x().quotient(one_plus()), n(0), n(1)), &f(Function::Ln, n(2)).quotient(n(2)));
    agrees(&int(Expr::Mul(vec![x(), sin(x())]), n(0), PI), &PI);
    agrees(
        &int(Expr::Mul(vec![x().pow(n(2)), cos(Expr::Mul(vec![n(2), x()]))]), n(0), PI),
        &PI.quotient(n(2)),
    );
    agrees(
        &int(Expr::Mul(vec![exp(x()), sin(x())]), n(0), PI),
        &Expr::Add(vec![exp(PI), n(1)]).quotient(n(2)),
    );
    agrees(&int(f(Function::Ln, x()).quotient(x()), n(1), Expr::Constant(Constant::E)), &q(1, 2));
    agrees(
        &int(f(Function::Tan, x()), n(0), PI.quotient(n(4))),
        &f(Function::Ln, n(2)).quotient(n(2)),
    );
    agrees(&int(Expr::Mul(vec![x(), Expr::Add(vec![x(), n(1)]).sqrt()]), n(0), n(3)), &q(116, 15));
    agrees(
        &int(Expr::Mul(vec![x(), f(Function::Atan, x())]), n(0), n(1)),
        &PI.quotient(n(4)).minus(q(1, 2)),
    );
    agrees(&int(Expr::Mul(vec![sin(x()).pow(n(3)), cos(x()).pow(n(2))]), n(0), PI), &q(4, 15));
    agrees(
        &int(Expr::Add(vec![x().pow(n(2)), n(1)]).sqrt().recip(), n(0), n(1)),
        &f(Function::Ln, Expr::Add(vec![n(1), n(2).sqrt()])),
    );
    agrees(&int(x().pow(n(2)), n(3), n(0)), &n(-9));
    let parts = Expr::Mul(vec![x(), Expr::Add(vec![x(), n(1)])]).recip();
    agrees(&int(parts, n(1), n(2)), &f(Function::Ln, q(4, 3)));
    agrees(&int(f(Function::Abs, x()), n(1), n(2)), &q(3, 2));
}

#[test]
fn integrals_that_stay() {
    stays(&int(x().recip(), n(-1), n(1)));
    stays(&int(x().pow(n(-2)), n(-1), n(1)));
    stays(&int(x().recip(), n(1), INF));
    stays(&int(x().recip(), n(0), n(1)));
    stays(&int(f(Function::Tan, x()), n(0), PI));
    stays(&int(f(Function::Cos, x()).pow(n(-2)), n(0), PI));
    stays(&int(exp(exp(x())), n(0), n(1)));
    stays(&int(f(Function::Sin, x()), n(0), INF));
    stays(&int(x().pow(n(2)).minus(n(2)).recip(), n(1), n(2)));
    stays(&int(f(Function::Named(name("f")), x()), n(0), n(1)));
}

/// The derivative of each antiderivative is the integrand.
#[test]
fn antiderivatives() {
    let sin = |u| f(Function::Sin, u);
    let cos = |u| f(Function::Cos, u);
    let x2 = || x().pow(n(2));
    for e in [
        x().pow(n(7)),
        x().pow(q(1, 3)),
        Expr::Call(Function::Root, vec![x(), n(3)]),
        Expr::Add(vec![Expr::Mul(vec![n(3), x()]), n(2)]).recip(),
        Expr::Add(vec![Expr::Mul(vec![n(3), x()]), n(2)]).pow(n(5)),
        n(2).pow(x()),
        f(Function::Sec, x()).pow(n(2)),
        Expr::Mul(vec![f(Function::Sec, x()), f(Function::Tan, x())]),
        Expr::Mul(vec![sin(x()), cos(x())]),
        Expr::Mul(vec![cos(x()), exp(sin(x()))]),
        Expr::Mul(vec![x2(), f(Function::Ln, x())]),
        f(Function::Ln, x()).pow(n(2)),
        Expr::Add(vec![x2(), n(4)]).recip(),
        Expr::Add(vec![x2(), s("a").pow(n(2))]).recip(),
        Expr::Add(vec![x2(), x(), n(1)]).recip(),
        Expr::Add(vec![Expr::Mul(vec![n(2), x()]), n(3)]).quotient(Expr::Add(vec![
            x2(),
            x(),
            n(1),
        ])),
        x2().minus(n(2)).recip(),
        Expr::Mul(vec![x(), x().minus(n(1)).pow(n(2))]).recip(),
        Expr::Mul(vec![x(), Expr::Add(vec![x2(), n(1)])]).recip(),
        Expr::Add(vec![x().pow(n(4)), n(1)]).quotient(x2().minus(n(1))),
        Expr::Add(vec![x2(), n(4)]).sqrt(),
        n(25).minus(x2()).sqrt(),
        x().quotient(Expr::Add(vec![x2(), n(4)]).sqrt()),
        Expr::Mul(vec![x(), f(Function::Ln, x())]).recip(),
        exp(x()).quotient(Expr::Add(vec![exp(x()), n(1)])),
        Expr::Add(vec![exp(x()), n(1)]).recip(),
        Expr::Mul(vec![x2(), exp(Expr::Mul(vec![n(3), x()]))]),
        Expr::Mul(vec![x2(), sin(Expr::Mul(vec![n(3), x()]))]),
        Expr::Mul(vec![exp(Expr::Mul(vec![n(2), x()])), cos(Expr::Mul(vec![n(3), x()]))]),
        Expr::Mul(vec![x(), cos(x()).pow(n(2))]),
        sin(x()).pow(n(4)),
        cos(x()).pow(n(3)),
        Expr::Mul(vec![sin(Expr::Mul(vec![n(2), x()])), cos(Expr::Mul(vec![n(3), x()]))]),
        f(Function::Sec, x()),
        f(Function::Csc, x()),
        f(Function::Cot, x()),
        f(Function::Atan, x()),
        f(Function::Tanh, x()),
        exp(x().sqrt()).quotient(x().sqrt()),
        Expr::Add(vec![s("a"), Expr::Mul(vec![s("b"), x()])]),
    ] {
        let integral = big(Big::Integral(e.clone(), name("x"), None));
        let result = resolved(&integral);
        assert!(!contains_big(&result), "unresolved: {e:?}");
        let slope = big(Big::Derivative(result, name("x"), 1));
        let slope = resolve(&slope, &mut Budget::new(1_000_000)).unwrap();
        for points in [[("x", 2), ("a", 3), ("b", 7)], [("x", 3), ("a", 2), ("b", 5)]] {
            let (left, right) = (value(&slope, &points), value(&e, &points));
            assert!((left - right).abs() < 1e-8 * (1.0 + right.abs()), "{left} {right}: {e:?}");
        }
    }
}

#[test]
fn bound_variables() {
    let k = || s("k");
    let total = sum(Expr::Mul(vec![k(), x()]), n(1), s("n"));
    let free: Vec<_> = free_symbols(&total).into_iter().collect();
    assert_eq!(free, [name("n"), name("x")]);
    assert_eq!(substitute(&total, &name("k"), &n(5)), total);
    // No capture: the k of the value is not the index.
    let moved = substitute(&total, &name("x"), &k());
    assert_eq!(free_symbols(&moved).into_iter().collect::<Vec<_>>(), [name("k"), name("n")]);
    agrees(
        &substitute(&moved, &name("k"), &n(2)),
        &Expr::Mul(vec![s("n"), Expr::Add(vec![s("n"), n(1)])]),
    );
    let set = Expr::Builder(
        Box::new(x()),
        vec![Expr::Relation(vec![x(), s("a")], vec![crate::expr::Rel::Gt])],
    );
    assert_eq!(free_symbols(&set).into_iter().collect::<Vec<_>>(), [name("a")]);
    assert_eq!(rename(&x(), &name("x"), &name("y")), s("y"));
    let renamed = rename(&set, &name("a"), &name("x"));
    assert_eq!(free_symbols(&renamed).into_iter().collect::<Vec<_>>(), [name("x")]);
}

#[test]
fn nothing_to_resolve() {
    let e = Expr::Add(vec![x(), n(1)]);
    let mut budget = Budget::new(0);
    assert_eq!(resolve(&e, &mut budget), Ok(e));
}

/// Inputs made to cost much leave enough of the budget, or run out of it.
#[test]
fn work_is_bounded() {
    let k = || s("k");
    let mut nested = Expr::Mul(vec![k(), f(Function::Sin, s("m")), s("j")]);
    for index in ["k", "m", "j"] {
        nested = big(Big::Sum(nested, name(index), n(1), n(200)));
    }
    let tower = (0..40).fold(x(), |e, _| exp(e));
    let wide = Expr::Mul((0..60).map(|i| Expr::Add(vec![x(), n(i)])).collect());
    for e in [
        nested,
        lim(tower.clone(), INF),
        int(wide.clone(), n(0), n(1)),
        int(wide.clone().recip(), n(0), n(1)),
        big(Big::Derivative(tower, name("x"), 8)),
        big(Big::Derivative(wide, name("x"), 8)),
        sum(k().pow(n(12)), n(1), n(10).pow(n(4000))),
        sum(n(3).pow(k()), n(0), n(1_000_000_000)),
        prod(k(), n(1), n(1_000_000_000)),
        int(f(Function::Sin, x()).pow(n(1_000_000)), n(0), n(1)),
    ] {
        let start = std::time::Instant::now();
        let _ = resolve(&e, &mut Budget::default());
        assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
    }
}
