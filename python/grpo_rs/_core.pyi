"""The compiled half of `grpo_rs`; use the Python package, not this module."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, final

import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

__version__: str
_build_profile: Literal["debug", "release"]

class InputError(ValueError): ...
class InternalError(RuntimeError): ...
class SandboxUnavailable(RuntimeError): ...

_Outcomes = list[tuple[str, int, bool, str]]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]
# Values, trainable rows, and per group: id, scored rows, mean, std, state.
_Advantages = tuple[_Floats, _Bools, _Ints, _Ints, _Floats, _Floats, npt.NDArray[np.uint8]]
# Count, mean, squares, min, max.
_Moments = tuple[float, float, float, float, float]

def group_advantages(
    rewards: _Floats,
    group_ids: _Ints,
    *,
    baseline: str,
    scale: str,
    ddof: int,
    epsilon: float,
    keep_zero_variance: bool,
    lengths: _Ints | None = None,
    baselines: _Floats | None = None,
) -> _Advantages: ...
def pkpo_rewards(rewards: _Floats, group_ids: _Ints, k: int) -> _Floats: ...
def pass_k_analytic(
    rewards: _Floats, group_ids: _Ints, k: int, *, keep_zero_variance: bool
) -> _Advantages: ...
def pass_k_max(
    rewards: _Floats,
    group_ids: _Ints,
    *,
    scale: str,
    ddof: int,
    epsilon: float,
    keep_zero_variance: bool,
) -> _Advantages: ...
def process_advantages(
    step_rewards: _Floats,
    step_ends: _Ints,
    step_offsets: _Ints,
    offsets: _Ints,
    group_ids: _Ints,
    *,
    scale: str,
    ddof: int,
    epsilon: float,
    keep_zero_variance: bool,
) -> _Advantages: ...
def optimal_token_advantages(
    rewards: _Floats,
    logprobs: _Floats,
    square_sums: _Floats,
    offsets: _Ints,
    group_ids: _Ints,
    *,
    epsilon: float,
    zero_tail: bool,
    keep_zero_variance: bool,
) -> _Advantages: ...
def discounted_returns(
    token_rewards: _Floats, offsets: _Ints, *, gamma: float, mask: _Bools | None = None
) -> _Floats: ...
def generalized_advantages(
    token_rewards: _Floats,
    values: _Floats,
    offsets: _Ints,
    *,
    gamma: float,
    lambdas: _Floats,
    mask: _Bools | None = None,
) -> _Floats: ...
def moments(values: _Floats, weights: _Floats | None) -> _Moments: ...
def merge_moments(first: _Moments, second: _Moments) -> _Moments: ...
def off_policy_metrics(
    trainer_logprobs: _Floats, sampler_logprobs: _Floats, offsets: _Ints, *, low: float, high: float
) -> list[tuple[str, float]]: ...
def max_variance_subset(rewards: _Floats, size: int) -> _Ints: ...
def pack_rows(lengths: _Ints, budget: int) -> list[_Ints]: ...
def fit_decreasing(sizes: _Ints, capacity: int, *, fit: str) -> list[_Ints]: ...
def balanced_partition(costs: _Floats, parts: int, *, equal_size: bool) -> list[_Ints]: ...
def cut_micro_batches(tokens: _Ints, costs: _Floats, capacity: int) -> list[_Ints]: ...

@disjoint_base
class MathGold:
    @property
    def text(self) -> str: ...
    @property
    def policy(self) -> Any: ...
    @property
    def normal_form(self) -> str | None: ...
    @property
    def problem_code(self) -> int | None: ...
    def __new__(cls, text: str, *, policy: object) -> Self: ...

# A policy is any object with the fields of `grpo_rs.MathPolicy`.
def verify_math(
    predictions: Sequence[str], golds: Sequence[str | MathGold], *, extract: str, policy: object
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.int64]]: ...
def explain_math(
    predictions: Sequence[str], golds: Sequence[str | MathGold], *, extract: str, policy: object
) -> list[str]: ...
def math_normal_forms(
    predictions: Sequence[str], golds: Sequence[str | MathGold], *, extract: str, policy: object
) -> list[tuple[str | None, str | None]]: ...
def check_math_policy(policy: object) -> None: ...
def math_policies() -> dict[str, dict[str, Any]]: ...
def math_outcomes() -> _Outcomes: ...

# wall_s, cpu_s, memory_mb, output_kb, processes, file_mb, total_cpu_s
_LimitsTuple = tuple[float, float, int, int, int, int, float]
# outcome, integrity, exit_code, signal, stdout, stderr, exception, line, wall_s, cpu_s, peak_bytes, message
_CaseTuple = tuple[
    int,
    Literal["outside", "split", "in_process"],
    int | None,
    int | None,
    str,
    str,
    str | None,
    int | None,
    float,
    float,
    int | None,
    str,
]
# cases, integrity, isolation level, note
_ProgramTuple = tuple[list[_CaseTuple], Literal["outside", "split", "in_process"], int, str]
# entry_point, args, kwargs, check, expected, rel, abs
_CallTuple = tuple[str, tuple[Any, ...], dict[str, Any], str, Any, float, float]

@final
class CodeTests:
    @staticmethod
    def stdio(
        cases: Sequence[tuple[str, str]],
        comparator: str,
        rel: float,
        abs: float,
        checker: str | None,
        checker_entry: str,
    ) -> CodeTests: ...
    @staticmethod
    def calls(cases: Sequence[_CallTuple]) -> CodeTests: ...
    @staticmethod
    def split(
        tests_source: str,
        setup: str,
        entry_point: str | None,
        names: Sequence[str],
        unit_lines: Sequence[int],
    ) -> CodeTests: ...
    @staticmethod
    def unittest(tests_source: str, setup: str) -> CodeTests: ...
    def __len__(self) -> int: ...

@final
class CodePool:
    # The keys are those of `grpo_rs.code.pool.configuration`.
    def __new__(cls, config: dict[str, Any]) -> Self: ...
    # Layers, level, version of Landlock, why layers are missing, whether the level is enough.
    def protection(self) -> tuple[list[tuple[str, bool]], int, int, list[tuple[str, str]], bool]: ...
    def batch(self) -> CodeBatch: ...
    def close(self) -> None: ...

@final
class CodeBatch:
    @property
    def pending(self) -> int: ...
    def submit(
        self, index: int, source: str, tests: CodeTests, limits: _LimitsTuple, language: str = "python"
    ) -> None: ...
    def next(self, timeout_s: float) -> tuple[int, _ProgramTuple] | None: ...
    def cancel(self) -> None: ...

@final
class SandboxZygote:
    def __new__(cls) -> Self: ...
    def preparation(self) -> tuple[str, list[str], list[Any]]: ...
    def serve(self) -> tuple[int, bytes]: ...

def sandbox_supervise() -> None: ...

@final
class OpaqueValue:
    @property
    def type_name(self) -> str: ...
    def __new__(cls, type_name: str) -> Self: ...

@final
class HandleValue:
    @property
    def number(self) -> int: ...
    @property
    def type_name(self) -> str: ...
    def __new__(cls, number: int, type_name: str) -> Self: ...

def encode_value(value: object, /, *, handle_for: Callable[[Any], int | None] | None = None) -> bytes: ...
def decode_value(data: bytes, /, *, object_for: Callable[[int, str], object] | None = None) -> Any: ...
def values_equal(left: object, right: object, /) -> bool: ...
def compare_outputs(actual: bytes, expected: bytes, comparator: str, rel: float, abs: float) -> bool: ...
def extract_program(completion: str, language: str) -> str | None: ...
def program_imports(source: str, /) -> list[str]: ...
def sandbox_outcomes() -> _Outcomes: ...
def _selftest(
    probe: Literal["panic", "sleep", "threads", "array_in", "array_out", "text"],
    *,
    value: int = 0,
    array: npt.NDArray[np.float64] | None = None,
    text: str | None = None,
) -> Any: ...
