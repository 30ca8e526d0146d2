"""Reward functions: the protocol, the shipped ones, and their weighted sum."""

from grpo_rs.rewards.base import AsyncReward, Completions, Reward
from grpo_rs.rewards.code import CodeReward
from grpo_rs.rewards.combine import Scored, WeightedSum
from grpo_rs.rewards.format import FormatReward
from grpo_rs.rewards.math import MathReward
from grpo_rs.rewards.process import ProcessReward, Step, step_rewards
from grpo_rs.rewards.stream import RewardPool, RewardReport, RewardUse, StepScores, StreamingScorer

__all__ = [
    "AsyncReward",
    "CodeReward",
    "Completions",
    "FormatReward",
    "MathReward",
    "ProcessReward",
    "Reward",
    "RewardPool",
    "RewardReport",
    "RewardUse",
    "Scored",
    "Step",
    "StepScores",
    "StreamingScorer",
    "WeightedSum",
    "step_rewards",
]
