//! Cutting a step into micro-batches.

use crate::Error;

/// The rows of one micro-batch, longest first.
pub type Bin = Vec<usize>;

/// Packs rows into padded micro-batches of at most `budget` tokens: rows in a bin times its longest row.
///
/// Rows are taken longest first, so a bin holds rows of like length and little padding; the next row
/// goes into the last bin while it fits. Ties keep the order given, so the result is deterministic.
/// Rows of length 0 are left out: they have no token to learn from.
///
/// # Errors
/// [`Error::RowOverBudget`] when a single row does not fit.
pub fn pack(lengths: &[usize], budget: usize) -> Result<Vec<Bin>, Error> {
    if let Some(index) = lengths.iter().position(|&length| length > budget) {
        return Err(Error::RowOverBudget { index, length: lengths[index], budget });
    }
    let mut order: Vec<usize> = (0..lengths.len()).filter(|&row| lengths[row] > 0).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));

    let mut bins: Vec<Bin> = Vec::new();
    for row in order {
        match bins.last_mut() {
            // The first row of a bin is its longest, hence its width.
            Some(bin) if (bin.len() + 1).saturating_mul(lengths[bin[0]]) <= budget => bin.push(row),
            _ => bins.push(vec![row]),
        }
    }
    Ok(bins)
}
