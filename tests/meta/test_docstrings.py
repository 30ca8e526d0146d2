"""The examples in docstrings do what they show. (Those that need torch are run by their own tests.)"""

import doctest
import importlib
import pkgutil

import pytest
from grpo_rs import adapters, code, rewards

NAMES = ("advantages", "batch", "code", "errors", "math", "outcomes", "packing", "statistics")
MODULES = ["grpo_rs"] + [f"grpo_rs.{name}" for name in NAMES]
MODULES += [
    name
    for package in (adapters, code, rewards)
    for _, name, _ in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0, "the report stands in the captured output"


def test_there_are_examples():
    """An example that the finder does not see is never run."""
    finder = doctest.DocTestFinder()
    for name in (
        "grpo_rs",
        *(f"grpo_rs.{name}" for name in NAMES if name not in ("batch", "errors", "outcomes")),
    ):
        module = importlib.import_module(name)
        assert sum(len(test.examples) for test in finder.find(module)) > 0, module.__name__
