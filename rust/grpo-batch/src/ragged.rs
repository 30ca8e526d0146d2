//! Flat token arrays and the rows in them.

use std::ops::Range;

use crate::Error;

/// Where the rows of a flat array begin and end.
#[derive(Debug, Clone)]
pub struct Ragged {
    offsets: Vec<usize>,
}

impl Ragged {
    /// Reads offsets, one more than there are rows, over a flat array of `flat` entries.
    ///
    /// # Errors
    /// [`Error::Offsets`] when they do not begin at 0, fall, or end elsewhere than at `flat`.
    pub fn new(offsets: &[i64], flat: usize) -> Result<Self, Error> {
        let offsets: Vec<usize> = offsets
            .iter()
            .map(|&offset| usize::try_from(offset))
            .collect::<Result<_, _>>()
            .map_err(|_| Error::Offsets { flat })?;
        if offsets.first() != Some(&0) || offsets.last() != Some(&flat) || !offsets.is_sorted() {
            return Err(Error::Offsets { flat });
        }
        Ok(Self { offsets })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without a row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries of the flat array.
    pub fn num_flat(&self) -> usize {
        self.offsets[self.len()]
    }

    /// The entries of one row.
    pub fn row(&self, row: usize) -> Range<usize> {
        self.offsets[row]..self.offsets[row + 1]
    }

    /// The entries of each row.
    pub fn rows(&self) -> impl Iterator<Item = Range<usize>> {
        self.offsets.windows(2).map(|window| window[0]..window[1])
    }

    pub(crate) fn check(&self, what: &'static str, got: usize) -> Result<(), Error> {
        let expected = self.num_flat();
        if got == expected { Ok(()) } else { Err(Error::Length { what, got, expected }) }
    }

    pub(crate) fn check_finite(&self, what: &'static str, values: &[f64]) -> Result<(), Error> {
        self.check(what, values.len())?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(Error::NotFinite { what, index, value: values[index] }),
            None => Ok(()),
        }
    }
}
