"""The compiled half of `grpo_rs`; use the Python package, not this module."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from typing_extensions import disjoint_base

__version__: str
_build_profile: Literal["debug", "release"]

class InputError(ValueError): ...
class InternalError(RuntimeError): ...
class SandboxUnavailable(RuntimeError): ...

_Outcomes = list[tuple[str, int, bool, str]]

def group_advantages(
    rewards: npt.NDArray[np.float64],
    group_ids: npt.NDArray[np.int64],
    *,
    scale: str,
    ddof: int,
    epsilon: float,
) -> tuple[
    npt.NDArray[np.float64],
    npt.NDArray[np.bool_],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.float64],
    npt.NDArray[np.float64],
    npt.NDArray[np.uint8],
]: ...
def pack_rows(lengths: npt.NDArray[np.int64], budget: int) -> list[npt.NDArray[np.int64]]: ...

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
def run_programs(
    programs: Sequence[str],
    tests: Sequence[Sequence[tuple[str, str]]],
    *,
    python: str,
    wall_s: float,
    cpu_s: float,
    memory_mb: int,
    output_kb: int,
    processes: int,
    file_mb: int,
) -> list[list[tuple[int, int | None, int | None, str, str, float, float, int | None]]]: ...
def sandbox_protection() -> tuple[list[tuple[str, bool]], int, bool]: ...
def sandbox_outcomes() -> _Outcomes: ...
def _selftest(
    probe: Literal["panic", "sleep", "threads", "array_in", "array_out", "text"],
    *,
    value: int = 0,
    array: npt.NDArray[np.float64] | None = None,
    text: str | None = None,
) -> Any: ...
