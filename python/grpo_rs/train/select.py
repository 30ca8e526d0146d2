"""Which completions of a batch to train on, and what becomes of the others.

Source:
    down-sampling: PODS, arXiv 2504.13818.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grpo_rs.advantages import Advantages, GroupState, max_variance_subset
from grpo_rs.arrays import BoolArray, FloatArray, IntArray
from grpo_rs.batch import Rollouts
from grpo_rs.train.collect import OVERLONG, Batch
from grpo_rs.train.config import Config
from grpo_rs.train.ledger import Fate, FateArray


@dataclass(frozen=True)
class Selection:
    """What a step trains on.

    Attributes:
        rollouts: the batch's, with a reward only where it counts in a statistic.
        rows: bool, one per row: it may be trained on.
        fates: what becomes of each row, as far as it is known before advantages.
    """

    rollouts: Rollouts
    rows: BoolArray
    fates: FateArray

    @property
    def rewards(self) -> FloatArray:
        """float64, one per row; NaN where it does not count."""
        assert self.rollouts.rewards is not None
        return self.rollouts.rewards


def select(config: Config, batch: Batch, step: int) -> Selection:
    """Drops what is too old, groups without a signal or beyond the step's size, and rows that add little.

    Args:
        config: of the run.
        batch: all that was sampled.
        step: optimiser steps done; completions drawn more than `rollout.ahead` steps ago are dropped.
    """
    rollouts, rollout = batch.rollouts, config.rollout
    ids = rollouts.group_ids
    fates = np.full(len(rollouts), Fate.TRAINED, np.uint8)
    if config.algo.overlong_filter:
        fates[~rollouts.finished] = Fate.TRUNCATED
    stale = np.zeros(len(rollouts), np.bool_)
    if rollouts.versions is not None:
        stale = step - rollouts.versions > rollout.ahead
    rows = ~stale
    if batch.states is not None:
        live = batch.states == GroupState.LIVE
        chosen = np.ones(len(live), np.bool_)
        if rollout.dynamic:
            # The first by prompt, not by the time they ended: short completions must not be favoured.
            chosen = live & (np.cumsum(live) <= rollout.prompts_per_step)
        elif config.algo.drops_equal_groups:
            chosen = live
        rows &= chosen[ids]
        fates[~chosen[ids]] = Fate.FILTERED
        fates[~live[ids]] = Fate.DEAD
    statistics = rows
    if rollout.subset:
        subset = max_variance_rows(batch.scored.total, ids, rollout.subset, among=rows)
        fates[rows & ~subset & (fates != Fate.DEAD)] = Fate.FILTERED
        rows = rows & subset
        statistics = rows if rollout.subset_statistics == "subset" else statistics
    fates[np.isnan(batch.plain)] = Fate.UNSCORED
    fates[stale] = Fate.STALE
    assert rollouts.rewards is not None
    rewards, components = rollouts.rewards, rollouts.components
    if batch.states is not None:
        # A group that is dead by the plain rewards must not learn from the punishment of length.
        dead = ~live[ids]
        rewards = np.where(dead, batch.plain, rewards)
        if OVERLONG in components:
            components = components | {OVERLONG: np.where(dead, 0.0, components[OVERLONG])}
    return Selection(
        replace(
            rollouts,
            rewards=np.where(statistics, rewards, np.nan),
            components={name: np.where(statistics, part, np.nan) for name, part in components.items()},
        ),
        rows,
        fates,
    )


def max_variance_rows(rewards: FloatArray, group_ids: IntArray, size: int, *, among: BoolArray) -> BoolArray:
    """PODS: the rows of each group whose rewards spread most.

    Args:
        rewards: float64, one per row; rows without one are not chosen.
        group_ids: int64, one per row.
        size: rows of a group to choose; all where fewer are scored.
        among: bool, rows to choose from.

    Returns:
        bool, one per row.
    """
    chosen = np.zeros(len(rewards), np.bool_)
    candidates = np.flatnonzero(among & ~np.isnan(rewards))
    for group in np.unique(group_ids[candidates]):
        rows = candidates[group_ids[candidates] == group]
        chosen[rows if len(rows) <= size else rows[max_variance_subset(rewards[rows], size)]] = True
    return chosen


def settle(selection: Selection, advantages: Advantages) -> FateArray:
    """What becomes of each row, once its advantage is known."""
    fates = selection.fates.copy()
    dead = (advantages.states != GroupState.LIVE)[selection.rollouts.group_ids] | ~advantages.trainable
    undecided = (fates == Fate.TRAINED) | (fates == Fate.TRUNCATED)
    fates[undecided & dead] = Fate.DEAD
    # A prompt without a baseline has no reward either.
    fates[undecided & np.isnan(selection.rewards) & selection.rows] = Fate.UNSCORED
    # Distilling needs no rewards, and whitening may move a group that is kept without a signal.
    lengths = selection.rollouts.completions.lengths
    rows = np.repeat(np.arange(len(fates)), lengths)
    moved = np.bincount(rows, advantages.per_token(lengths) != 0, minlength=len(fates)) > 0
    moved &= advantages.trainable & selection.rows
    fates[moved & np.isin(fates, (Fate.DEAD, Fate.UNSCORED))] = Fate.TRAINED
    return fates
