r"""Does this program pass its tests? Programs run in a sandbox that the kernel enforces (Linux).

Three steps: `extract_program` finds the program in a reply; `stdio_tests`, `call_tests`, `assert_tests` and
`unittest_tests` say what it must do; a `CodeRunner` runs it, and returns a `ProgramResult` for each.

    >>> extract_program("Sure:\n```python\nprint(5)\n```\nThat is all.").strip()
    'print(5)'

The program that is judged never holds its expected values, and nothing it writes is evaluated here: every
result carries who could have changed the verdict (`integrity`) and what held the program (`isolation`). What
that covers, and what it does not, is listed in SECURITY.md.

- `cases`: the kinds of tests. `lowering`: asserts as calls with values.
- `rows`: data sets' rows as programs and tests. `columns`: those as tests to be run.
- `runner`: the pool of workers, limits, streaming. `results`: what comes back.
- `isolation`: the two scales. `languages`: other languages than Python.
"""

from grpo_rs.code.cases import (
    AssertTests,
    CallTests,
    Checker,
    Floats,
    StdioTests,
    Tests,
    UnittestTests,
    assert_tests,
    call_tests,
    stdio_tests,
    unittest_tests,
)
from grpo_rs.code.isolation import IsolationLevel, Protection
from grpo_rs.code.languages import Language
from grpo_rs.code.programs import extract_program
from grpo_rs.code.results import CaseResult, CodeResults, ProgramResult
from grpo_rs.code.rows import CallCase
from grpo_rs.code.runner import CodeRunner, Limits

__all__ = [
    "AssertTests",
    "CallCase",
    "CallTests",
    "CaseResult",
    "Checker",
    "CodeResults",
    "CodeRunner",
    "Floats",
    "IsolationLevel",
    "Language",
    "Limits",
    "ProgramResult",
    "Protection",
    "StdioTests",
    "Tests",
    "UnittestTests",
    "assert_tests",
    "call_tests",
    "extract_program",
    "stdio_tests",
    "unittest_tests",
]
