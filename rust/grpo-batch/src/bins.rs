//! Items of known size into bins of one capacity, or into a given number of even parts.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::{Bin, Error, float};

/// Which open bin an item goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The first that has room.
    First,
    /// The one that is left with the least room.
    Best,
}

/// First-fit or best-fit decreasing: largest items first, a new bin when none has room.
///
/// At most 11/9 of the least number of bins, and 6/9 of a bin (Dosa, 2007). Items of size 0 are left out;
/// ties keep the order given, so the result is deterministic.
///
/// # Errors
/// [`Error::RowOverBudget`] when an item alone is over the capacity.
pub fn fit_decreasing(sizes: &[usize], capacity: usize, fit: Fit) -> Result<Vec<Bin>, Error> {
    check_sizes(sizes, capacity)?;
    let mut order: Vec<usize> = (0..sizes.len()).filter(|&item| sizes[item] > 0).collect();
    order.sort_by_key(|&item| Reverse(sizes[item]));
    let mut bins: Vec<Bin> = Vec::new();
    let mut room: Vec<usize> = Vec::new();
    for item in order {
        let fits = |&bin: &usize| room[bin] >= sizes[item];
        let chosen = match fit {
            Fit::First => (0..room.len()).find(fits),
            Fit::Best => (0..room.len()).filter(fits).min_by_key(|&bin| room[bin]),
        };
        if let Some(bin) = chosen {
            bins[bin].push(item);
            room[bin] -= sizes[item];
        } else {
            bins.push(vec![item]);
            room.push(capacity - sizes[item]);
        }
    }
    Ok(bins)
}

/// Cuts items into `parts` parts of nearly equal cost: the largest differencing method of Karmarkar and Karp
/// (1982), k-way. With `equal_size` the parts' numbers of items differ by at most 1.
///
/// # Errors
/// [`Error::Count`] when there are no parts, or more than items; [`Error::NotFinite`], [`Error::Weight`].
pub fn partition(costs: &[f64], parts: usize, equal_size: bool) -> Result<Vec<Bin>, Error> {
    if parts == 0 || parts > costs.len() {
        return Err(Error::Count { what: "parts", got: parts, least: 1, most: costs.len() });
    }
    check_costs(costs)?;
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]));
    let mut heap = BinaryHeap::new();
    if equal_size {
        // Each state begins with one item in every part. Where the items do not come out even, the
        // smallest of them share a state with parts that have none.
        let (odd, even) = order.split_at(order.len() % parts);
        for items in even.chunks(parts).chain((!odd.is_empty()).then_some(odd)) {
            heap.push(Split::new(items, costs, parts));
        }
    } else {
        for item in &order {
            heap.push(Split::new(std::slice::from_ref(item), costs, parts));
        }
    }
    while heap.len() > 1 {
        if let (Some(first), Some(second)) = (heap.pop(), heap.pop()) {
            heap.push(first.combine(second));
        }
    }
    let parts = heap.pop().map_or_else(Vec::new, |split| split.parts);
    Ok(parts
        .into_iter()
        .map(|mut part| {
            part.items.sort_unstable();
            part.items
        })
        .collect())
}

#[derive(Debug, Clone, Default)]
struct Part {
    cost: f64,
    items: Vec<usize>,
}

impl Part {
    fn order(&self, other: &Self) -> Ordering {
        let by_cost = self.cost.total_cmp(&other.cost);
        by_cost
            .then_with(|| self.items.len().cmp(&other.items.len()))
            .then_with(|| self.items.cmp(&other.items))
    }
}

/// Some of the items, cut into parts; costliest part first.
#[derive(Debug)]
struct Split {
    parts: Vec<Part>,
}

impl Split {
    fn new(items: &[usize], costs: &[f64], parts: usize) -> Self {
        let filled = items.iter().map(|&item| Part { cost: costs[item], items: vec![item] });
        let mut parts: Vec<Part> =
            filled.chain(std::iter::repeat_with(Part::default)).take(parts).collect();
        parts.sort_by(|a, b| b.order(a));
        Self { parts }
    }

    /// The costliest part of one with the cheapest of the other, and so on inwards.
    fn combine(mut self, other: Self) -> Self {
        for (mine, theirs) in self.parts.iter_mut().zip(other.parts.into_iter().rev()) {
            mine.cost += theirs.cost;
            mine.items.extend(theirs.items);
        }
        self.parts.sort_by(|a, b| b.order(a));
        self
    }

    fn spread(&self) -> f64 {
        self.parts[0].cost - self.parts[self.parts.len() - 1].cost
    }
}

impl PartialEq for Split {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Split {}

impl PartialOrd for Split {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Split {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_spread = self.spread().total_cmp(&other.spread());
        by_spread.then_with(|| self.parts[0].order(&other.parts[0]))
    }
}

/// Cuts items into micro-batches: few first, then even in cost.
///
/// No bin holds more than `capacity` tokens. The number of bins is the least that first-fit, best-fit or
/// differencing finds. Among those cuts the one with the cheapest costliest bin is taken, and items are
/// moved and swapped between bins while that lowers the costlier of the two. Items without a token are left
/// out. Deterministic; items of a bin ascend, bins are ordered by their first item.
///
/// # Errors
/// [`Error::Length`], [`Error::RowOverBudget`], [`Error::NotFinite`], [`Error::Weight`].
pub fn cut(tokens: &[usize], costs: &[f64], capacity: usize) -> Result<Vec<Bin>, Error> {
    if costs.len() != tokens.len() {
        return Err(Error::Length { what: "costs", got: costs.len(), expected: tokens.len() });
    }
    check_costs(costs)?;
    let first = fit_decreasing(tokens, capacity, Fit::First)?;
    let best = fit_decreasing(tokens, capacity, Fit::Best)?;
    let mut number = first.len().min(best.len());
    let mut candidates = vec![first, best];
    let items: Vec<usize> = (0..tokens.len()).filter(|&item| tokens[item] > 0).collect();
    let total: usize = items.iter().map(|&item| tokens[item]).sum();
    let sizes: Vec<f64> = items.iter().map(|&item| float(tokens[item])).collect();
    let least = total.div_ceil(capacity.max(1));
    for fewer in least..=number {
        // Even in tokens: this may get by with fewer bins. Even in cost: what is wanted, where it fits.
        let by_tokens = part_of(&items, &sizes, fewer)?;
        let of_items: Vec<f64> = items.iter().map(|&item| costs[item]).collect();
        let by_cost = part_of(&items, &of_items, fewer)?;
        let feasible = |bins: &Vec<Bin>| bins.iter().all(|bin| load(bin, tokens) <= capacity);
        let found: Vec<Vec<Bin>> = [by_tokens, by_cost].into_iter().filter(feasible).collect();
        if !found.is_empty() {
            candidates.extend(found);
            number = fewer;
            break;
        }
    }
    candidates.retain(|bins| bins.len() == number);
    for bins in &mut candidates {
        even_out(bins, tokens, costs, capacity);
    }
    let peak = |bins: &Vec<Bin>| bins.iter().map(|bin| cost(bin, costs)).fold(0.0, f64::max);
    let mut bins =
        candidates.into_iter().min_by(|a, b| peak(a).total_cmp(&peak(b))).unwrap_or_default();
    for bin in &mut bins {
        bin.sort_unstable();
    }
    bins.sort();
    Ok(bins)
}

/// A partition of chosen items; none for no items.
fn part_of(items: &[usize], costs: &[f64], parts: usize) -> Result<Vec<Bin>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let bins = partition(costs, parts, false)?;
    Ok(bins
        .into_iter()
        .map(|bin| bin.into_iter().map(|position| items[position]).collect())
        .collect())
}

/// An item that leaves the costliest bin, and what comes back for it.
#[derive(Debug, Clone, Copy)]
struct Exchange {
    peak: f64,
    out: usize,
    bin: usize,
    back: Option<usize>,
}

/// Moves and swaps items out of bins, costliest first, while that lowers the costlier of the two bins.
fn even_out(bins: &mut [Bin], tokens: &[usize], costs: &[f64], capacity: usize) {
    let mut totals: Vec<f64> = bins.iter().map(|bin| cost(bin, costs)).collect();
    let mut settled = vec![false; bins.len()];
    // Each exchange makes the sorted costs smaller, so this ends; the bound is for steps too small to matter.
    for _ in 0..4 * tokens.len() {
        let open = (0..bins.len()).filter(|&bin| !settled[bin]);
        let Some(worst) = open.max_by(|&a, &b| totals[a].total_cmp(&totals[b])) else {
            return;
        };
        let Some(exchange) = best_exchange(bins, worst, &totals, tokens, costs, capacity) else {
            settled[worst] = true;
            continue;
        };
        let leaving = bins[worst].swap_remove(exchange.out);
        if let Some(back) = exchange.back {
            let returning = bins[exchange.bin].swap_remove(back);
            bins[worst].push(returning);
        }
        bins[exchange.bin].push(leaving);
        for changed in [worst, exchange.bin] {
            totals[changed] = cost(&bins[changed], costs);
            settled[changed] = false;
        }
    }
}

fn best_exchange(
    bins: &[Bin],
    worst: usize,
    totals: &[f64],
    tokens: &[usize],
    costs: &[f64],
    capacity: usize,
) -> Option<Exchange> {
    let worst_load = load(&bins[worst], tokens);
    let mut best: Option<Exchange> = None;
    for (bin, members) in bins.iter().enumerate().filter(|&(bin, _)| bin != worst) {
        let other_load = load(members, tokens);
        for (out, &leaving) in bins[worst].iter().enumerate() {
            let swaps = (0..members.len()).map(Some).chain([None]);
            for back in swaps {
                let (back_cost, back_tokens) =
                    back.map_or((0.0, 0), |back| (costs[members[back]], tokens[members[back]]));
                let moved = costs[leaving] - back_cost;
                let peak = (totals[worst] - moved).max(totals[bin] + moved);
                let fits = other_load + tokens[leaving] <= capacity + back_tokens
                    && worst_load + back_tokens <= capacity + tokens[leaving];
                let lowers = peak < totals[worst] * (1.0 - 1e-9);
                let beats = best.is_none_or(|best| peak < best.peak);
                // The last item stays: a bin emptied would be a bin too many, but cannot be here.
                if moved > 0.0
                    && fits
                    && lowers
                    && beats
                    && (back.is_some() || bins[worst].len() > 1)
                {
                    best = Some(Exchange { peak, out, bin, back });
                }
            }
        }
    }
    best
}

fn load(bin: &[usize], tokens: &[usize]) -> usize {
    bin.iter().map(|&item| tokens[item]).sum()
}

fn cost(bin: &[usize], costs: &[f64]) -> f64 {
    bin.iter().map(|&item| costs[item]).sum()
}

fn check_sizes(sizes: &[usize], capacity: usize) -> Result<(), Error> {
    match sizes.iter().position(|&size| size > capacity) {
        Some(index) => Err(Error::RowOverBudget { index, length: sizes[index], budget: capacity }),
        None => Ok(()),
    }
}

fn check_costs(costs: &[f64]) -> Result<(), Error> {
    match costs.iter().position(|cost| !(*cost >= 0.0 && cost.is_finite())) {
        Some(index) => Err(Error::Weight { index, value: costs[index] }),
        None => Ok(()),
    }
}
