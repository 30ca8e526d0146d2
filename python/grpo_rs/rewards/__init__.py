"""Reward functions: the protocol, the shipped ones, and their weighted sum."""

from grpo_rs.rewards.base import Completions, Reward
from grpo_rs.rewards.code import CodeReward
from grpo_rs.rewards.combine import Scored, WeightedSum
from grpo_rs.rewards.format import FormatReward
from grpo_rs.rewards.math import MathReward
from grpo_rs.rewards.process import ProcessReward, Step, step_rewards

__all__ = [
    "CodeReward",
    "Completions",
    "FormatReward",
    "MathReward",
    "ProcessReward",
    "Reward",
    "Scored",
    "Step",
    "WeightedSum",
    "step_rewards",
]
