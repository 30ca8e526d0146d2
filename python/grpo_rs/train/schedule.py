"""The learning rate over a run."""

from __future__ import annotations

import math

from grpo_rs.train.config import OptimConfig


def learning_rate(config: OptimConfig, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0: a linear rise, then the schedule down to its end."""
    rise = config.warmup_steps or round(config.warmup_ratio * steps)
    if step < rise:
        return config.lr * (step + 1) / (rise + 1)
    done = (step - rise) / max(1, steps - 1 - rise)
    match config.schedule:
        case "constant":
            share = 1.0
        case "linear":
            share = 1.0 - done
        case "cosine":
            share = (1.0 + math.cos(math.pi * done)) / 2.0
    return config.lr * (config.final_fraction + (1.0 - config.final_fraction) * share)
