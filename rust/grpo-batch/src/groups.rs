//! Which rows belong together.

use std::collections::HashMap;

/// Rows bucketed by their group id, groups in order of first appearance.
#[derive(Debug, Clone)]
pub struct Groups {
    ids: Vec<i64>,
    /// Rows of group `g`: `rows[starts[g]..starts[g + 1]]`.
    starts: Vec<usize>,
    rows: Vec<usize>,
}

impl Groups {
    /// Buckets rows by id in linear time (a counting sort; order within a group is kept).
    pub fn new(group_ids: &[i64]) -> Self {
        let mut index_of = HashMap::new();
        let mut ids = Vec::new();
        let mut counts: Vec<usize> = Vec::new();
        let group_of_row: Vec<usize> = group_ids
            .iter()
            .map(|&id| {
                let group = *index_of.entry(id).or_insert_with(|| {
                    ids.push(id);
                    counts.push(0);
                    ids.len() - 1
                });
                counts[group] += 1;
                group
            })
            .collect();

        let mut starts = vec![0; counts.len() + 1];
        for (group, count) in counts.iter().enumerate() {
            starts[group + 1] = starts[group] + count;
        }
        let mut next = starts.clone();
        let mut rows = vec![0; group_ids.len()];
        for (row, &group) in group_of_row.iter().enumerate() {
            rows[next[group]] = row;
            next[group] += 1;
        }
        Self { ids, starts, rows }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True when there are no rows at all.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number of rows over all groups.
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    /// Each group's id and its rows.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &[usize])> {
        self.ids
            .iter()
            .zip(self.starts.windows(2))
            .map(|(&id, window)| (id, &self.rows[window[0]..window[1]]))
    }
}
