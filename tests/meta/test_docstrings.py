"""The examples in docstrings do what they show. (Those that need torch are run by their own tests.)"""

import doctest
import importlib
import pkgutil

import grpo_rs
import pytest
from grpo_rs import adapters, code, rewards

MODULES = ["grpo_rs"] + [f"grpo_rs.{name}" for name in ("batch", "code", "errors", "math", "outcomes")]
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
    for module in (grpo_rs, grpo_rs.batch, grpo_rs.code, grpo_rs.code.cases, grpo_rs.math):
        assert sum(len(test.examples) for test in finder.find(module)) > 0, module.__name__
