"""The verifier as a reward."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grpo_rs.math import Extract, MathPolicy, MathVerdicts, verify_math
from grpo_rs.rewards.base import Completions


class MathReward:
    """1 for a correct answer, 0 for an incorrect one, NaN where the gold cannot be read.

    Args:
        extract: where the answer is looked for; see `verify_math`.
        policy: what counts as equal.
    """

    bounded = True

    def __init__(self, extract: Extract = "auto", *, policy: MathPolicy = MathPolicy()) -> None:
        self.extract: Extract = extract
        self.policy = policy

    def verdicts(self, completions: Completions) -> MathVerdicts:
        """The verdicts behind the scores, with outcomes and explanations."""
        return verify_math(completions.texts, completions.golds, extract=self.extract, policy=self.policy)

    def __call__(self, completions: Completions, /) -> npt.NDArray[np.float64]:
        return self.verdicts(completions).scores.astype(np.float64)
