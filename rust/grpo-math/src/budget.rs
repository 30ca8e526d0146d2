//! Work, counted.

/// The units of work one comparison may spend. A unit is about a tenth of a microsecond: a step of
/// a loop over terms, or a limb-sized piece of big-number arithmetic.
pub(crate) const WORK: u64 = 40_000;

/// What is left of the work one verdict may cost. Every loop whose length the input decides spends
/// from it, so that the cost of a verdict is bounded on any machine, without a clock.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    left: u64,
}

/// The budget is spent: the question stays undecided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent;

/// What was looked for, if it could be found within the budget.
pub(crate) type Found<T> = Result<Option<T>, Spent>;

impl Budget {
    pub(crate) const fn new(work: u64) -> Self {
        Self { left: work }
    }

    /// Pays for `work` units before they are done.
    pub(crate) const fn spend(&mut self, work: u64) -> Result<(), Spent> {
        if work > self.left {
            self.left = 0;
            return Err(Spent);
        }
        self.left -= work;
        Ok(())
    }

    pub(crate) const fn left(&self) -> u64 {
        self.left
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(WORK)
    }
}
