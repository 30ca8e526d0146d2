"""`grpo-rs verify math|code FILE`, `check math|code FILE`, `eval MODEL`, `sandbox`: options, and errors.

Exit status: 0 done; 1 a check failed; 2 an error that the message says how to mend; 130 Ctrl-C; 141 nobody
reads the output any more.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from grpo_rs._core import __version__
from grpo_rs.cli import check, check_code, eval, sandbox, verify, verify_code
from grpo_rs.cli.code_runs import TestReader
from grpo_rs.cli.rows import GOLD_NAMES, PREDICTION_NAMES
from grpo_rs.cli.terminal import Terminal
from grpo_rs.code import CodeRunner, Floats, IsolationLevel, Limits
from grpo_rs.code.cases import TEXT_COMPARATORS, Comparator
from grpo_rs.code.isolation import INTEGRITIES
from grpo_rs.code.rows import COMPLETION_NAMES, PROGRAM_NAMES, REFERENCE_NAMES
from grpo_rs.errors import InputError, SandboxUnavailable
from grpo_rs.math import Extract, MathPolicy
from grpo_rs.rewards.code import Mode

POLICIES = {
    "default": MathPolicy,
    "math-verify": MathPolicy.math_verify,
    "string-match": MathPolicy.string_match,
}

VERIFY_EXAMPLE = """example:
  $ head -1 replies.jsonl
  {"answer": "1/2", "completion": "Half of it, so \\\\boxed{0.5}.", "expected": true}
  $ grpo-rs verify math replies.jsonl --expected expected --out verdicts.jsonl
"""

CHECK_EXAMPLE = """example:
  $ head -1 problems.jsonl
  {"question": "Half of 144?", "answer": "72"}
  $ grpo-rs check math problems.jsonl --gold answer
"""

VERIFY_CODE_EXAMPLE = """example:
  $ head -1 replies.jsonl
  {"tests": [{"stdin": "1 2", "stdout": "3"}], "completion": "```python\\nprint(sum(map(int, ..."}
  $ grpo-rs verify code replies.jsonl --cpu 2 --out verdicts.jsonl
"""

CHECK_CODE_EXAMPLE = """example:
  $ head -1 problems.jsonl
  {"text": "Add two numbers.", "code": "def add(a, b): return a + b", "test_list": ["assert add(2, 3) == 5"]}
  $ grpo-rs check code problems.jsonl
"""

EXAMPLES = """examples:
  grpo-rs verify math replies.jsonl     how many replies are right, and why the others are not
  grpo-rs check math problems.jsonl     is every gold of a data set read, told from its neighbours?
  grpo-rs verify code replies.jsonl     how many programs pass their tests, and what the others do
  grpo-rs check code problems.jsonl     do the tests of a data set accept its solutions, and not nothing?
  grpo-rs eval runs/mine                how good is a model, and is it better than another?
  grpo-rs sandbox                       what holds programs on this machine
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    options = _parser().parse_args(arguments)
    terminal = Terminal(sys.stdout, sys.stderr)
    try:
        status = _run(options, terminal)
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has read enough. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (InputError, SandboxUnavailable, OSError) as error:
        terminal.error(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _run(options: argparse.Namespace, terminal: Terminal) -> int:
    if options.command == "sandbox":
        return sandbox.run(terminal, IsolationLevel[options.min_isolation.upper()])
    if options.command == "eval":
        return eval.run(terminal, options)
    return _run_code(options, terminal) if options.subject == "code" else _run_math(options, terminal)


def _run_math(options: argparse.Namespace, terminal: Terminal) -> int:
    policy = _policy(options.policy, options.set)
    if options.command == "check":
        return check.run(terminal, options.file, gold=options.gold, policy=policy, show=options.show)
    return verify.run(
        terminal,
        options.file,
        gold=options.gold,
        prediction=options.pred,
        expected=options.expected,
        extract=options.extract,
        policy=policy,
        out=options.out,
        show=options.show,
    )


def _run_code(options: argparse.Namespace, terminal: Terminal) -> int:
    limits = Limits(wall_s=options.wall, cpu_s=options.cpu, memory_mb=options.memory)
    comparator: Comparator | None = Floats() if options.comparator == "floats" else options.comparator
    tests = TestReader(comparator, options.min_integrity)
    level = IsolationLevel[options.min_isolation.upper()]
    with CodeRunner(limits, workers=options.workers, min_isolation=level) as runner:
        if options.command == "check":
            return check_code.run(
                terminal,
                options.file,
                runner=runner,
                tests=tests,
                reference=options.reference,
                show=options.show,
            )
        return verify_code.run(
            terminal,
            options.file,
            runner=runner,
            tests=tests,
            program=options.program,
            completion=options.completion,
            expected=options.expected,
            mode=options.mode,
            out=options.out,
            show=options.show,
        )


def _policy(name: str, settings: list[str]) -> MathPolicy:
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    fields = [field.name for field in dataclasses.fields(MathPolicy)]
    changes: dict[str, typing.Any] = {}
    for setting in settings:
        switch, equals, value = (part.strip() for part in setting.partition("="))
        switch = switch.replace("-", "_")
        if not equals or switch not in fields:
            raise InputError(f"--set {setting}: write NAME=VALUE, where NAME is one of {', '.join(fields)}")
        if value.lower() in words:
            changes[switch] = words[value.lower()]
        else:
            changes[switch] = int(value) if value.isascii() and value.isdigit() else value
    return dataclasses.replace(POLICIES[name](), **changes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="grpo-rs",
        description="Verifies the answers of models, and evaluates models.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"grpo-rs {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    verify_subjects = _subjects(commands, "verify", "judge what models wrote")
    verify_math = _subject(verify_subjects, "math", verify.__doc__, VERIFY_EXAMPLE)
    _common(verify_math, "file of predictions with their golds")
    _math(verify_math)
    verify_math.add_argument(
        "--pred", metavar="COLUMN", help=f"the model's reply (default: {_either(PREDICTION_NAMES)})"
    )
    verify_math.add_argument(
        "--extract",
        choices=typing.get_args(Extract),
        default="auto",
        help="where the answer is looked for (default: auto)",
    )
    _comparison(verify_math)

    programs = _subject(verify_subjects, "code", verify_code.__doc__, VERIFY_CODE_EXAMPLE)
    _common(programs, "file of programs with their tests")
    programs.add_argument(
        "--program", metavar="COLUMN", help=f"the program as it is (default: {_either(PROGRAM_NAMES)})"
    )
    programs.add_argument(
        "--completion",
        metavar="COLUMN",
        help="the model's reply that the program is taken from, where no column holds programs "
        f"(default: {_either(COMPLETION_NAMES)})",
    )
    programs.add_argument(
        "--mode",
        choices=typing.get_args(Mode),
        default="fraction",
        help="the score: the share of tests passed, or 1 if all are (default: fraction)",
    )
    _comparison(programs)
    _sandboxed(programs)

    check_subjects = _subjects(commands, "check", "check a data set")
    check_math = _subject(check_subjects, "math", check.__doc__, CHECK_EXAMPLE)
    _common(check_math, "file of golds")
    _math(check_math)

    check_programs = _subject(check_subjects, "code", check_code.__doc__, CHECK_CODE_EXAMPLE)
    _common(check_programs, "file of problems with tests and solutions")
    check_programs.add_argument(
        "--reference", metavar="COLUMN", help=f"the solution (default: {_either(REFERENCE_NAMES)})"
    )
    _sandboxed(check_programs)

    evaluation = commands.add_parser(
        "eval",
        help="evaluate a model, and compare it with another",
        description=eval.__doc__,
        epilog=eval.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    eval.add_options(evaluation)

    machine = commands.add_parser(
        "sandbox", help="what holds programs on this machine", description=sandbox.__doc__
    )
    _isolation(machine)
    return parser


def _subjects(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    return commands.add_parser(name, help=about).add_subparsers(
        dest="subject", metavar="SUBJECT", required=True
    )


def _subject(
    subjects: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    sentence: str | None,
    example: str,
) -> argparse.ArgumentParser:
    return subjects.add_parser(
        name,
        help={"math": "free-form maths answers", "code": "programs and their tests"}[name],
        description=sentence,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _common(parser: argparse.ArgumentParser, about: str) -> None:
    parser.add_argument("file", metavar="FILE.jsonl", help=f"{about}, a JSON object a line; - is stdin")
    parser.add_argument(
        "--show", metavar="N", type=_count, default=10, help="how many rows to list (default: 10)"
    )


def _math(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gold",
        metavar="COLUMN",
        help=f"the reference answer (default: {_either(GOLD_NAMES)}); a.b is b in a",
    )
    parser.add_argument(
        "--policy", choices=POLICIES, default="default", help="what counts as equal (default: default)"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change one switch of the policy: --set rounding=6 --set units=require; may be repeated",
    )


def _comparison(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expected",
        metavar="COLUMN",
        help="labels or another grader's scores to compare with: true or 1, false, 0 or -1",
    )
    parser.add_argument(
        "--out", metavar="FILE.jsonl", type=Path, help="write each row with its verdict, in a key verdict"
    )


def _sandboxed(parser: argparse.ArgumentParser) -> None:
    defaults = Limits()
    parser.add_argument(
        "--workers", metavar="N", type=_count, help="programs at a time (default: one per CPU)"
    )
    for name, about, default in (
        ("--cpu", "CPU seconds of a program on a test", defaults.cpu_s),
        ("--wall", "wall-clock seconds, the backstop for programs that sleep", defaults.wall_s),
    ):
        parser.add_argument(
            name, metavar="S", type=float, default=default, help=f"{about} (default: {default:g})"
        )
    parser.add_argument(
        "--memory",
        metavar="MIB",
        type=_count,
        default=defaults.memory_mb,
        help=f"address space of a program (default: {defaults.memory_mb})",
    )
    parser.add_argument(
        "--comparator",
        choices=[*TEXT_COMPARATORS, "floats"],
        help="when an output is right, in tests of stdin and stdout (default: as the row says, or lines)",
    )
    parser.add_argument(
        "--min-integrity",
        choices=INTEGRITIES,
        default="in_process",
        help="refuse files with tests whose verdict is less safe from the program (default: in_process)",
    )
    _isolation(parser)


def _isolation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--min-isolation",
        choices=[level.name.lower() for level in IsolationLevel],
        default=IsolationLevel.LANDLOCK.name.lower(),
        help="the least that must hold programs (default: landlock)",
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else "the first of " + ", ".join(names)
