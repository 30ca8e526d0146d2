r"""Reinforcement learning with verifiable rewards: a Rust reward engine, and a GRPO trainer.

This module is the reward engine: it needs numpy alone and never imports torch. The trainer is
`python -m grpo_rs.train`; its parts (`grpo_rs.algo`, `.learner`, `.rollout`, `.train`) need torch.

    >>> import grpo_rs as g
    >>> v = g.verify_math([r"so \boxed{\frac12}", "#### 0.5", "I don't know"], ["1/2", "1/2", "1/2"])
    >>> v.scores.tolist()
    [1.0, 1.0, 0.0]
    >>> v.outcome(2).name
    'NO_ANSWER'
    >>> a = g.group_advantages(v.scores, group_ids=[0, 0, 0])
    >>> a.values.round(3).tolist()
    [0.577, 0.577, -1.155]

One layer imports only what is above it:

- `_core`: Rust. Texts are borrowed, arrays move without a copy, the GIL is released.
- `outcomes`, `errors`: every verdict code; every exception.
- `statistics`: moments that merge over ranks, off-policy metrics, evaluation. `advantages`: the estimators.
  `packing`: micro-batches. `batch`: `Rollouts`, the table that a training step is made of.
- `math`: is this answer right? `code`: does this program pass?
- `rewards`: reward functions and their sum. `adapters`: the same for TRL and verl.
- `algo`: the objective, a function per equation. `planned_attention`: ours before a model's own.
- `learner`: a step of the objective. `rollout`: sampling.
- `train`: the loop, top to bottom in `train/loop.py`. `cli`: the command `grpo-rs`.
"""

from importlib import metadata as _metadata

from grpo_rs import adapters, errors, rewards
from grpo_rs._core import __version__
from grpo_rs.advantages import Advantages, GroupState, group_advantages
from grpo_rs.batch import Rollouts, Tokens
from grpo_rs.code import (
    AssertTests,
    CallCase,
    CallTests,
    CaseResult,
    Checker,
    CodeResults,
    CodeRunner,
    Floats,
    IsolationLevel,
    Language,
    Limits,
    ProgramResult,
    Protection,
    StdioTests,
    Tests,
    UnittestTests,
    assert_tests,
    call_tests,
    extract_program,
    stdio_tests,
    unittest_tests,
)
from grpo_rs.errors import InputError, InternalError, SandboxUnavailable
from grpo_rs.math import (
    Extract,
    MathGold,
    MathPolicy,
    MathVerdict,
    MathVerdicts,
    unreadable_golds,
    verify_math,
)
from grpo_rs.outcomes import CodeOutcome, MathOutcome
from grpo_rs.packing import pack_rows

__all__ = [
    "Advantages",
    "AssertTests",
    "CallCase",
    "CallTests",
    "CaseResult",
    "Checker",
    "CodeOutcome",
    "CodeResults",
    "CodeRunner",
    "Extract",
    "Floats",
    "GroupState",
    "InputError",
    "InternalError",
    "IsolationLevel",
    "Language",
    "Limits",
    "MathGold",
    "MathOutcome",
    "MathPolicy",
    "MathVerdict",
    "MathVerdicts",
    "ProgramResult",
    "Protection",
    "Rollouts",
    "SandboxUnavailable",
    "StdioTests",
    "Tests",
    "Tokens",
    "UnittestTests",
    "__version__",
    "adapters",
    "assert_tests",
    "call_tests",
    "errors",
    "extract_program",
    "group_advantages",
    "pack_rows",
    "rewards",
    "stdio_tests",
    "unittest_tests",
    "unreadable_golds",
    "verify_math",
]

if _metadata.version("grpo_rs") != __version__:
    raise ImportError(
        f"grpo_rs {_metadata.version('grpo_rs')} found a compiled module of version {__version__}: "
        "install it again (pip install --force-reinstall grpo_rs)"
    )
