"""The maths graders that `compare_math.py` compares: ours, and those of other packages as they are published.

Each is loaded from its installed package by the path of its module, so that torch, ray and the like need not
be there. A package that is missing makes its graders be skipped.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

INSTALL = (
    "pip install 'math-verify[antlr4-13-2]' pylatexenc word2number regex numpy\n"
    "pip install --no-deps verl trl evalscope==1.0.0 lm-eval openrlhf"
)

# Takes a completion, a gold, and whether the gold is plain text that holds its answer somewhere
# (else it is the bare answer). None: not scorable.
Grade = Callable[[str, str, bool], bool | None]


@dataclass(frozen=True)
class Grader:
    """One grader: its name in the tables, what it is, and a function that loads it."""

    about: str
    package: str
    load: Callable[[], Grade]


def ours() -> Grade:
    from grpo_rs import verify_math

    def grade(completion: str, gold: str, _text: bool) -> bool | None:
        score = verify_math([completion], [gold]).scores[0]
        return None if score != score else bool(score)

    return grade


def math_verify() -> Grade:
    from math_verify import parse, verify

    def grade(completion: str, gold: str, text: bool) -> bool | None:
        # A bare gold is often unreadable to it: the box is what its authors advise.
        read = parse(gold if text else f"\\boxed{{{gold}}}")
        return verify(read, parse(completion)) if read else None

    return grade


def verl_math_verify() -> Grade:
    # The function its pool of processes runs: the processor time of a pool would not be seen.
    judge = bare("verl.utils.reward_score.math_verify")._verify_in_subprocess
    return lambda completion, gold, _text: judge(f"\\boxed{{{gold}}}", completion) == 1


def trl_accuracy() -> Grade:
    judge = bare("trl.rewards.accuracy_rewards").accuracy_reward

    def grade(completion: str, gold: str, _text: bool) -> bool | None:
        score = judge([[{"role": "assistant", "content": completion}]], [gold])[0]
        return None if score is None else score == 1

    return grade


def verl_math_reward() -> Grade:
    judge = bare("verl.utils.reward_score.math_reward").compute_score
    return lambda completion, gold, _text: judge(completion, gold) == 1


def verl_dapo() -> Grade:
    judge = bare("verl.utils.reward_score.math_dapo").compute_score
    return lambda completion, gold, _text: bool(judge(completion, gold)["acc"])


def verl_gsm8k() -> Grade:
    judge = bare("verl.utils.reward_score.gsm8k").compute_score
    return lambda completion, gold, _text: judge(completion, gold, method="flexible") == 1


def verl_prime() -> Grade:
    # The timeout it imports comes with a class of a module that needs torch, and does not use it.
    stand_in = {"verl.utils.metric": types.SimpleNamespace(Metric=object)}
    judge = bare("verl.utils.reward_score.prime_math", stand_in).compute_score

    def grade(completion: str, gold: str, _text: bool) -> bool | None:
        found = judge(completion, gold)
        return bool(found[0] if isinstance(found, tuple) else found)

    return grade


def qwen() -> Grade:
    module = bare("evalscope.metrics.math_parser")

    def grade(completion: str, gold: str, _text: bool) -> bool | None:
        return bool(module.math_equal(module.extract_answer(completion), module.strip_answer_string(gold)))

    return grade


def hendrycks() -> Grade:
    # The module names `datasets.Dataset` in a signature, and uses no more of that package.
    stand_in = {"datasets": types.SimpleNamespace(Dataset=object)}
    module = bare("lm_eval.tasks.hendrycks_math.utils", stand_in)

    def grade(completion: str, gold: str, _text: bool) -> bool | None:
        box = module.last_boxed_only_string(completion)
        return box is not None and bool(module.is_equiv(module.remove_boxed(box), gold))

    return grade


def prm800k() -> Grade:
    module = bare("openrlhf.utils.math_utils")

    def grade(completion: str, gold: str, _text: bool) -> bool | None:
        answer = module.extract_boxed_answer(completion)
        return answer is not None and bool(module.grade_answer(answer, gold))

    return grade


GRADERS = {
    "ours": Grader("grpo_rs.verify_math, one pair a call", "grpo_rs", ours),
    "math-verify": Grader("parse and verify, the gold boxed", "math-verify", math_verify),
    "verl-math-verify": Grader("verl math_verify, without its pool", "verl", verl_math_verify),
    "trl": Grader("accuracy_reward", "trl", trl_accuracy),
    "qwen": Grader("Qwen2.5-Math math_equal, as in evalscope 1.0.0", "evalscope", qwen),
    "prm800k": Grader("grade_answer, as in OpenRLHF", "openrlhf", prm800k),
    "verl-prime": Grader("verl prime_math", "verl", verl_prime),
    "verl-math": Grader("verl math_reward", "verl", verl_math_reward),
    "verl-dapo": Grader("verl math_dapo", "verl", verl_dapo),
    "verl-gsm8k": Grader("verl gsm8k, flexible", "verl", verl_gsm8k),
    "hendrycks": Grader("lm-eval is_equiv", "lm-eval", hendrycks),
}


def bare(name: str, stand_ins: Mapping[str, Any] = MappingProxyType({})) -> types.ModuleType:
    """The module `name`, without running the `__init__` of the packages above it.

    `stand_ins` are modules that it imports and need not be there.
    """
    for missing, stand_in in stand_ins.items():
        sys.modules.setdefault(missing, stand_in)
    parents = name.split(".")[:-1]
    for depth in range(1, len(parents) + 1):
        package = ".".join(parents[:depth])
        if package in sys.modules:
            continue
        if depth == 1:
            spec = importlib.util.find_spec(package)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {package!r}", name=package)
            places = list(spec.submodule_search_locations or [])
        else:
            above = sys.modules[package.rpartition(".")[0]].__path__
            places = [f"{place}/{parents[depth - 1]}" for place in above]
        module = types.ModuleType(package)
        module.__path__ = places
        sys.modules[package] = module
    return importlib.import_module(name)
