"""What the training loop asks of a back end that generates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from grpo_rs.arrays import IntArray
from grpo_rs.batch import Rollouts


@dataclass(frozen=True)
class SamplingParams:
    """How completions are drawn.

    Attributes:
        group_size: completions of each prompt.
        max_new_tokens: length limit of a completion.
        temperature: divides the logits; 0 takes the most probable token.
    """

    group_size: int
    max_new_tokens: int
    temperature: float = 1.0


class Sampler(Protocol):
    """Generates completions with the policy's current weights."""

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        prompt_index: IntArray,
        params: SamplingParams,
        random: np.random.Generator,
    ) -> Rollouts:
        """Draws `group_size` completions of each prompt.

        Args:
            prompts: token ids, one sequence a group.
            prompt_index: int64, each prompt's place in the data set; carried along.
            params: how to draw.
            random: the only source of randomness: the same generator gives the same rollouts.

        Returns:
            Rows ordered by group, lengths as the sampler saw them (never inferred from token values).
        """
        ...
