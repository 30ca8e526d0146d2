//! Arithmetic of matrices and vectors, by entry.

use crate::budget::{Budget, Spent};
use crate::expr::{Bracket, Expr, Function};

/// The most entries of a matrix, and the highest power.
const MAX_ENTRIES: usize = 64;
const MAX_POWER: i64 = 12;
/// The largest side of a determinant that is expanded.
const MAX_DETERMINANT: usize = 4;
/// The largest side of an inverse.
const MAX_INVERSE: usize = 3;
/// The most nodes an entry may grow to.
const MAX_ENTRY: u64 = 2000;

type Rows = Vec<Vec<Expr>>;

/// The expression with sums, multiples, products, powers, determinants and transposes of matrices
/// and vectors worked out by entry. What does not fit together stays as it is.
pub(crate) fn fold(e: &Expr, budget: &mut Budget) -> Result<Expr, Spent> {
    if !holds_vector(e) {
        return Ok(e.clone());
    }
    let folded = walk(e, budget)?;
    Ok(from_unit_vectors(&folded, budget)?.unwrap_or(folded))
}

/// Whether there is anything to work out.
fn holds_vector(e: &Expr) -> bool {
    match e {
        Expr::Matrix(_) | Expr::Tuple(..) => true,
        Expr::Symbol(name) => unit_vector(name).is_some(),
        Expr::Add(items)
        | Expr::Mul(items)
        | Expr::Call(_, items)
        | Expr::Ratio(items)
        | Expr::Set(items)
        | Expr::List(items, _)
        | Expr::Relation(items, _) => items.iter().any(holds_vector),
        Expr::Pow(pair) => holds_vector(&pair.0),
        Expr::PlusMinus(inner, _) | Expr::Quantity(inner, _) => holds_vector(inner),
        _ => false,
    }
}

fn walk(e: &Expr, budget: &mut Budget) -> Result<Expr, Spent> {
    budget.spend(1)?;
    if !holds_vector(e) {
        return Ok(e.clone());
    }
    let all = |items: &[Expr], budget: &mut Budget| {
        items.iter().map(|item| walk(item, budget)).collect::<Result<Vec<_>, _>>()
    };
    let each = |items: &[Expr], budget: &mut Budget| {
        items.iter().map(|item| fold(item, budget)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match e {
        Expr::Add(items) => add(all(items, budget)?, budget)?,
        Expr::Mul(items) => multiply(all(items, budget)?, budget)?,
        Expr::Pow(pair) => {
            let base = walk(&pair.0, budget)?;
            let raised = match (&base, integer(&pair.1)) {
                (Expr::Matrix(rows), Some(n)) => power(rows, n, budget)?,
                _ => None,
            };
            raised.unwrap_or_else(|| base.pow(pair.1.clone()))
        }
        Expr::Call(function, arguments) => {
            let arguments = all(arguments, budget)?;
            let value = match (function, arguments.as_slice()) {
                (Function::Det, [Expr::Matrix(rows)]) => determinant(rows, budget)?,
                (Function::Abs, [Expr::Matrix(rows)]) if rows.len() > 1 => {
                    determinant(rows, budget)?
                }
                (Function::Transpose, [Expr::Matrix(rows)]) => Some(Expr::Matrix(transpose(rows))),
                _ => None,
            };
            value.unwrap_or_else(|| Expr::Call(function.clone(), arguments))
        }
        Expr::Matrix(rows) => {
            Expr::Matrix(rows.iter().map(|row| each(row, budget)).collect::<Result<Vec<_>, _>>()?)
        }
        Expr::Tuple(items, left, right) => Expr::Tuple(each(items, budget)?, *left, *right),
        Expr::Set(items) => Expr::Set(each(items, budget)?),
        Expr::List(items, joint) => Expr::List(each(items, budget)?, *joint),
        Expr::Relation(items, operators) => Expr::Relation(each(items, budget)?, operators.clone()),
        Expr::Quantity(value, unit) => Expr::Quantity(Box::new(fold(value, budget)?), unit.clone()),
        Expr::PlusMinus(inner, flipped) => {
            Expr::PlusMinus(Box::new(walk(inner, budget)?), *flipped)
        }
        other => other.clone(),
    })
}

fn integer(e: &Expr) -> Option<i64> {
    match e {
        Expr::Number(number) if number.value.is_int() => {
            i64::try_from(number.value.numerator().clone()).ok()
        }
        _ => None,
    }
}

fn size(e: &Expr) -> u64 {
    match e {
        Expr::Add(items) | Expr::Mul(items) | Expr::Call(_, items) => {
            1 + items.iter().map(size).sum::<u64>()
        }
        Expr::Pow(pair) => 1 + size(&pair.0) + size(&pair.1),
        _ => 1,
    }
}

/// Pays for entries that are copied so often; an error where they grow too large.
fn pay(rows: &[Vec<Expr>], copies: usize, budget: &mut Budget) -> Result<(), Spent> {
    let total: u64 = rows.iter().flatten().map(size).sum();
    if rows.iter().flatten().any(|entry| size(entry) > MAX_ENTRY) {
        return Err(Spent);
    }
    budget.spend(total.saturating_mul(copies as u64).saturating_add(1))
}

fn shape(rows: &[Vec<Expr>]) -> (usize, usize) {
    (rows.len(), rows.first().map_or(0, Vec::len))
}

/// Sums what has one shape; a sum of different shapes stays.
fn add(items: Vec<Expr>, budget: &mut Budget) -> Result<Expr, Spent> {
    budget.spend(items.len() as u64)?;
    let Some(total) = sum_of(&items, budget)? else { return Ok(Expr::sum(items)) };
    Ok(total)
}

fn sum_of(items: &[Expr], budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    let Some((first, rest)) = items.split_first() else { return Ok(None) };
    let mut total = first.clone();
    for item in rest {
        let Some(next) = plus(&total, item, budget)? else { return Ok(None) };
        total = next;
    }
    Ok(Some(total))
}

fn plus(a: &Expr, b: &Expr, budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    let sums = |a: &[Expr], b: &[Expr]| -> Vec<Expr> {
        a.iter().zip(b).map(|(a, b)| Expr::sum([a.clone(), b.clone()])).collect()
    };
    Ok(match (a, b) {
        (Expr::Matrix(x), Expr::Matrix(y)) if shape(x) == shape(y) => {
            pay(x, 1, budget)?;
            pay(y, 1, budget)?;
            Some(Expr::Matrix(x.iter().zip(y).map(|(a, b)| sums(a, b)).collect()))
        }
        (Expr::Tuple(x, left, right), Expr::Tuple(y, other_left, other_right))
            if x.len() == y.len()
                && vector_brackets(*left, *right)
                && (left, right) == (other_left, other_right) =>
        {
            budget.spend(x.iter().chain(y).map(size).sum())?;
            Some(Expr::Tuple(sums(x, y), *left, *right))
        }
        _ => None,
    })
}

/// Round, angle and square brackets enclose vectors; half-open ones intervals.
const fn vector_brackets(left: Bracket, right: Bracket) -> bool {
    matches!(
        (left, right),
        (Bracket::Round, Bracket::Round)
            | (Bracket::Angle, Bracket::Angle)
            | (Bracket::Square, Bracket::Square)
    )
}

/// Scalars gathered, matrices multiplied in order.
fn multiply(items: Vec<Expr>, budget: &mut Budget) -> Result<Expr, Spent> {
    let is_vector = |e: &Expr| match e {
        Expr::Matrix(_) => true,
        Expr::Tuple(_, left, right) => vector_brackets(*left, *right),
        _ => false,
    };
    // A sum or power of matrices that could not be worked out may not be moved.
    if items.iter().any(|item| !is_vector(item) && holds_vector(item)) {
        return Ok(Expr::product(items));
    }
    let (vectors, scalars): (Vec<Expr>, Vec<Expr>) = items.iter().cloned().partition(is_vector);
    let mut product: Option<Expr> = None;
    for vector in vectors {
        product = match (product, vector) {
            (None, vector) => Some(vector),
            (Some(Expr::Matrix(a)), Expr::Matrix(b)) => match times(&a, &b, budget)? {
                Some(rows) => Some(Expr::Matrix(rows)),
                None => return Ok(Expr::product(items)),
            },
            // Two tuples: a product of vectors has more than one meaning.
            _ => return Ok(Expr::product(items)),
        };
    }
    let Some(product) = product else { return Ok(Expr::product(items)) };
    if scalars.is_empty() {
        return Ok(product);
    }
    let scalar = Expr::product(scalars);
    let scaled = |entry: &Expr| Expr::product([scalar.clone(), entry.clone()]);
    Ok(match &product {
        Expr::Matrix(rows) => {
            pay(rows, 1, budget)?;
            budget.spend(size(&scalar).saturating_mul(rows.iter().flatten().count() as u64))?;
            Expr::Matrix(rows.iter().map(|row| row.iter().map(scaled).collect()).collect())
        }
        Expr::Tuple(entries, left, right) => {
            budget.spend(size(&scalar).saturating_mul(entries.len() as u64))?;
            Expr::Tuple(entries.iter().map(scaled).collect(), *left, *right)
        }
        _ => Expr::product(items),
    })
}

/// The product of two matrices of fitting shapes and bounded sizes.
fn times(a: &Rows, b: &Rows, budget: &mut Budget) -> Result<Option<Rows>, Spent> {
    let ((n, inner), (other, m)) = (shape(a), shape(b));
    if inner != other || [n * inner, inner * m, n * m].iter().any(|size| *size > MAX_ENTRIES) {
        return Ok(None);
    }
    pay(a, m, budget)?;
    pay(b, n, budget)?;
    let columns = transpose(b);
    let entry = |row: &[Expr], column: &[Expr]| {
        Expr::sum(row.iter().zip(column).map(|(x, y)| product(x, y)))
    };
    Ok(Some(a.iter().map(|row| columns.iter().map(|c| entry(row, c)).collect()).collect()))
}

/// The product of entries; of two plain numbers a number, so that powers stay small.
fn product(x: &Expr, y: &Expr) -> Expr {
    match (x, y) {
        (Expr::Number(a), Expr::Number(b)) => Expr::rational(&a.value * &b.value),
        _ => Expr::product([x.clone(), y.clone()]),
    }
}

/// Sums of plain numbers as numbers.
fn settled(rows: Rows) -> Rows {
    let settle = |entry: Expr| match &entry {
        Expr::Add(terms) => {
            let values = terms.iter().map(|term| match term {
                Expr::Number(number) => Some(&number.value),
                _ => None,
            });
            match values.collect::<Option<Vec<_>>>() {
                Some(values) => Expr::rational(
                    values.into_iter().fold(dashu_ratio::RBig::ZERO, |sum, value| sum + value),
                ),
                None => entry,
            }
        }
        _ => entry,
    };
    rows.into_iter().map(|row| row.into_iter().map(settle).collect()).collect()
}

fn transpose(rows: &[Vec<Expr>]) -> Rows {
    let (_, width) = shape(rows);
    (0..width).map(|n| rows.iter().filter_map(|row| row.get(n).cloned()).collect()).collect()
}

fn power(rows: &Rows, n: i64, budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    let (height, width) = shape(rows);
    if height != width || n.abs() > MAX_POWER {
        return Ok(None);
    }
    let base = if n < 0 {
        match inverse(rows, budget)? {
            Some(rows) => rows,
            None => return Ok(None),
        }
    } else {
        rows.clone()
    };
    let one = |i: usize, j: usize| Expr::integer(i64::from(i == j));
    if n == 0 {
        budget.spend((height * width) as u64)?;
        return Ok(Some(Expr::Matrix(
            (0..height).map(|i| (0..width).map(|j| one(i, j)).collect()).collect(),
        )));
    }
    let mut result = base.clone();
    for _ in 1..n.abs() {
        match times(&result, &base, budget)? {
            Some(product) => result = settled(product),
            None => return Ok(None),
        }
    }
    Ok(Some(Expr::Matrix(result)))
}

/// The matrix without a row and a column.
fn minor(rows: &[Vec<Expr>], row: usize, column: usize) -> Rows {
    let kept = |entries: &Vec<Expr>| {
        let others = entries.iter().enumerate().filter(|(j, _)| *j != column);
        others.map(|(_, entry)| entry.clone()).collect()
    };
    rows.iter().enumerate().filter(|(i, _)| *i != row).map(|(_, entries)| kept(entries)).collect()
}

/// By the first row.
fn determinant(rows: &[Vec<Expr>], budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    let (height, width) = shape(rows);
    if height != width || height > MAX_DETERMINANT {
        return Ok(None);
    }
    pay(rows, 2, budget)?;
    let Some((first, rest)) = rows.split_first() else { return Ok(None) };
    if rest.is_empty() {
        return Ok(first.first().cloned());
    }
    let mut terms = Vec::with_capacity(width);
    for (column, entry) in first.iter().enumerate() {
        let Some(inner) = determinant(&minor(rows, 0, column), budget)? else { return Ok(None) };
        let term = product(entry, &inner);
        terms.push(if column % 2 == 0 { term } else { term.negate() });
    }
    let sum = settled(vec![vec![Expr::sum(terms)]]);
    Ok(sum.into_iter().flatten().next())
}

/// The adjugate over the determinant. A determinant that is zero as a number has no inverse.
fn inverse(rows: &[Vec<Expr>], budget: &mut Budget) -> Result<Option<Rows>, Spent> {
    let (height, width) = shape(rows);
    if height != width || height > MAX_INVERSE {
        return Ok(None);
    }
    let Some(whole) = determinant(rows, budget)? else { return Ok(None) };
    if matches!(&whole, Expr::Number(number) if number.value.is_zero()) {
        return Ok(None);
    }
    let scale = whole.recip();
    let mut result = Vec::with_capacity(height);
    for i in 0..height {
        let mut row = Vec::with_capacity(width);
        for j in 0..width {
            let cofactor = if height == 1 {
                Some(Expr::integer(1))
            } else {
                determinant(&minor(rows, j, i), budget)?
            };
            let Some(cofactor) = cofactor else { return Ok(None) };
            let cofactor = if (i + j) % 2 == 0 { cofactor } else { cofactor.negate() };
            budget.spend(size(&scale))?;
            row.push(Expr::product([scale.clone(), cofactor]));
        }
        result.push(row);
    }
    Ok(Some(result))
}

/// The axis of a unit vector's name.
fn unit_vector(name: &str) -> Option<usize> {
    let letter = name.strip_prefix('\\')?.split_once('{')?;
    let (command, rest) = letter;
    let inner = rest.strip_suffix('}')?;
    if !matches!(command, "mathbf" | "hat" | "vec" | "boldsymbol" | "bm") {
        return None;
    }
    // \hat{\imath}, \hat{\mathbf{i}} and \mathbf{\hat{i}}
    let inner = inner
        .strip_prefix("\\mathbf{")
        .or_else(|| inner.strip_prefix("\\hat{"))
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(inner);
    match inner {
        "i" | "\\imath" => Some(0),
        "j" | "\\jmath" => Some(1),
        "k" => Some(2),
        _ => None,
    }
}

/// A linear combination of unit vectors as a tuple.
fn from_unit_vectors(e: &Expr, budget: &mut Budget) -> Result<Option<Expr>, Spent> {
    if !matches!(e, Expr::Add(_) | Expr::Mul(_) | Expr::Symbol(_)) {
        return Ok(None);
    }
    let mut axes: [Vec<Expr>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    if !gather(e, &Expr::integer(1), &mut axes, budget)? {
        return Ok(None);
    }
    let [x, y, z] = axes;
    let spatial = !z.is_empty();
    let mut entries = vec![Expr::sum(x), Expr::sum(y)];
    if spatial {
        entries.push(Expr::sum(z));
    }
    Ok(Some(Expr::Tuple(entries, Bracket::Round, Bracket::Round)))
}

/// Collects the multiples of each unit vector; false if something else is added.
fn gather(
    e: &Expr,
    scale: &Expr,
    axes: &mut [Vec<Expr>; 3],
    budget: &mut Budget,
) -> Result<bool, Spent> {
    budget.spend(2 + size(scale))?;
    match e {
        Expr::Symbol(name) => {
            let Some(entry) = unit_vector(name).and_then(|index| axes.get_mut(index)) else {
                return Ok(false);
            };
            entry.push(scale.clone());
            Ok(true)
        }
        Expr::Add(terms) => {
            for term in terms {
                if !gather(term, scale, axes, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expr::Mul(factors) => {
            let (vectors, scalars): (Vec<&Expr>, Vec<&Expr>) =
                factors.iter().partition(|factor| holds_vector(factor));
            let [vector] = vectors.as_slice() else { return Ok(false) };
            let own = Expr::product(scalars.into_iter().cloned());
            let scale =
                if integer(scale) == Some(1) { own } else { Expr::product([scale.clone(), own]) };
            gather(vector, &scale, axes, budget)
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(value: i64) -> Expr {
        Expr::integer(value)
    }

    fn s(name: &str) -> Expr {
        Expr::symbol(name)
    }

    fn matrix<const H: usize, const W: usize>(rows: [[i64; W]; H]) -> Expr {
        Expr::Matrix(rows.iter().map(|row| row.iter().map(|v| n(*v)).collect()).collect())
    }

    fn tuple(items: Vec<Expr>) -> Expr {
        Expr::Tuple(items, Bracket::Round, Bracket::Round)
    }

    fn folded(e: &Expr) -> Expr {
        fold(e, &mut Budget::default()).unwrap()
    }

    /// The values of a folded matrix of constants.
    fn values(e: &Expr) -> Vec<i64> {
        fn value(e: &Expr) -> i64 {
            match e {
                Expr::Add(items) => items.iter().map(value).sum(),
                Expr::Mul(items) => items.iter().map(value).product(),
                Expr::Pow(pair) if value(&pair.0).abs() == 1 => value(&pair.0),
                other => integer(other).unwrap(),
            }
        }
        match e {
            Expr::Matrix(rows) => rows.iter().flatten().map(value).collect(),
            Expr::Tuple(items, ..) => items.iter().map(value).collect(),
            other => vec![value(other)],
        }
    }

    #[test]
    fn matrices() {
        let a = matrix([[1, 2], [3, 4]]);
        let b = matrix([[0, 1], [1, 0]]);
        assert_eq!(values(&folded(&Expr::Add(vec![a.clone(), b.clone()]))), [1, 3, 4, 4]);
        assert_eq!(values(&folded(&Expr::Mul(vec![a.clone(), b.clone()]))), [2, 1, 4, 3]);
        assert_eq!(values(&folded(&Expr::Mul(vec![b.clone(), a.clone()]))), [3, 4, 1, 2]);
        assert_eq!(values(&folded(&Expr::Mul(vec![n(3), a.clone()]))), [3, 6, 9, 12]);
        assert_eq!(values(&folded(&a.clone().pow(n(3)))), [37, 54, 81, 118]);
        assert_eq!(values(&folded(&Expr::call(Function::Det, a.clone()))), [-2]);
        assert_eq!(values(&folded(&Expr::call(Function::Transpose, a))), [1, 3, 2, 4]);
        assert_eq!(values(&folded(&b.clone().pow(n(-1)))), [0, 1, 1, 0]);
        let c = matrix([[1, 2, 3], [0, 1, 4], [5, 6, 0]]);
        assert_eq!(values(&folded(&c.clone().pow(n(-1)))), [-24, 18, 5, 20, -15, -4, -5, 4, 1]);
        assert_eq!(values(&folded(&Expr::call(Function::Det, c.clone()))), [1]);
        let row = matrix([[1, 2, 3]]);
        let column = matrix([[4], [5], [6]]);
        assert_eq!(values(&folded(&Expr::Mul(vec![row, column]))), [32]);
    }

    #[test]
    fn what_does_not_fit_stays() {
        let a = matrix([[1, 2], [3, 4]]);
        let wide = matrix([[1, 2, 3]]);
        for e in [
            Expr::Add(vec![a.clone(), wide.clone()]),
            Expr::Add(vec![a.clone(), n(1)]),
            Expr::Mul(vec![a, wide.clone()]),
            matrix([[1, 2], [2, 4]]).pow(n(-1)),
            matrix([[1, 2], [2, 4]]).pow(n(1_000_000_000)),
            wide.clone().pow(n(2)),
            Expr::call(Function::Det, wide),
            Expr::Mul(vec![tuple(vec![n(1), n(2)]), tuple(vec![n(3), n(4)])]),
        ] {
            assert_eq!(folded(&e), e);
        }
    }

    #[test]
    fn vectors() {
        let line = Expr::Add(vec![
            tuple(vec![n(1), n(2)]),
            Expr::Mul(vec![s("t"), tuple(vec![n(3), n(4)])]),
        ]);
        let expected = tuple(vec![
            Expr::Add(vec![n(1), Expr::Mul(vec![s("t"), n(3)])]),
            Expr::Add(vec![n(2), Expr::Mul(vec![s("t"), n(4)])]),
        ]);
        assert_eq!(folded(&line), expected);
        let [i, j, k] = ["\\mathbf{i}", "\\mathbf{j}", "\\hat{k}"].map(s);
        let plane = Expr::Add(vec![i.clone(), Expr::Mul(vec![n(2), j])]);
        assert_eq!(folded(&plane), tuple(vec![n(1), n(2)]));
        let half = Expr::Mul(vec![n(3), Expr::Add(vec![i.clone(), k.clone().negate()])]);
        assert_eq!(values(&folded(&half)), [3, 0, -3]);
        assert_eq!(folded(&k), tuple(vec![n(0), n(0), n(1)]));
        let mixed = Expr::Add(vec![i, s("x")]);
        assert_eq!(folded(&mixed), mixed);
        let plain = Expr::Add(vec![s("i"), s("j")]);
        assert_eq!(folded(&plain), plain);
    }

    #[test]
    fn work_is_bounded() {
        let huge = Expr::Matrix(vec![vec![s("x"); 300]; 300]);
        let mut budget = Budget::default();
        assert!(fold(&huge.clone().pow(n(2)), &mut budget).is_err() || budget.left() > 0);
        let grown = Expr::Matrix(vec![vec![s("x"), s("y")]; 2]).pow(n(12));
        assert!(fold(&grown, &mut Budget::default()).is_err());
    }
}
